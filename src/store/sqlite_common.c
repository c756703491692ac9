/* An app's columns in the SQLite store, which several of its files read and write; what they mean is app_row.h's. */
#include "store/sqlite_internal.h"

int64_t sqlite_column_number(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_INTEGER ? sqlite3_column_int64(statement, column)
									: APP_NUMBER_NONE;
}

int sqlite_read_app(sqlite3_stmt *statement, struct store_app *app_out, struct error *err)
{
	struct app_row row = {0};

	for (int i = 0; i < CONFIG_COLUMN_COUNT; i++) {
		if (app_column_is_text((enum app_config_column)i))
			row.config[i].text = sqlite_column_str(statement, i);
		else
			row.config[i].number = sqlite_column_number(statement, i);
	}
	for (int i = 0; i < STATE_COLUMN_COUNT; i++)
		row.state[i] = sqlite_column_number(statement, CONFIG_COLUMN_COUNT + i);
	if (row.state[STATE_SDKAPPID] == APP_NUMBER_NONE) /* its state is missing: then this names it */
		row.state[STATE_SDKAPPID] = row.config[CONFIG_SDKAPPID].number;
	if (app_row_read_config(&row, &app_out->config, err))
		return -1;
	return app_row_read_state(&row, &app_out->state, err);
}

void sqlite_bind_config(sqlite3_stmt *statement, const struct app_row *row)
{
	for (int i = 0; i < CONFIG_COLUMN_COUNT; i++) {
		if (app_column_is_text((enum app_config_column)i))
			sqlite_bind_str(statement, i + 1, row->config[i].text);
		else
			(void)sqlite3_bind_int64(statement, i + 1, row->config[i].number); /* as sqlite_bind_str */
	}
}
