/* The statements of the SQLite store's write side: what a batch loads, and its difference; see sqlite_internal.h. */
#include "store/sqlite_internal.h"

#include <stdio.h>

static const char *const sqlite_write_sql[] = {
#define SQLITE_SQL(name, sql) [name] = (sql),
	SQLITE_WRITE_STATEMENTS(SQLITE_SQL)
#undef SQLITE_SQL
};

int sqlite_writer_step(sqlite3_stmt *statement)
{
	int rc = sqlite3_step(statement);
	int reset = sqlite3_reset(statement);

	return rc == SQLITE_DONE ? reset : rc;
}

int sqlite_writer_run(struct sqlite_writer *writer, enum sqlite_write_statement which)
{
	return sqlite_writer_step(writer->statements[which]);
}

sqlite3_stmt *sqlite_writer_bind(struct sqlite_writer *writer, enum sqlite_write_statement which, size_t count,
				 const int64_t *numbers)
{
	sqlite3_stmt *statement = writer->statements[which];

	for (size_t i = 0; i < count; i++)
		(void)sqlite3_bind_int64(statement, (int)i + 1, numbers[i]); /* as sqlite_bind_str */
	return statement;
}

int sqlite_writer_run_with(struct sqlite_writer *writer, enum sqlite_write_statement which, int64_t value)
{
	return sqlite_writer_step(sqlite_writer_bind(writer, which, 1, &value));
}

/* ---- load ---- */

static int sqlite_load_items(struct sqlite_writer *writer, struct live_set *set, struct live_room *room,
			     enum item_kind kind)
{
	sqlite3_stmt *statement =
		sqlite_writer_bind(writer, SQL_ITEMS_FIND, 2, (const int64_t[]){room->id_before, (int64_t)kind});
	struct live_item *last = NULL;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		live_room_add_item(set, room, kind, &last,
				   (struct live_item){.name = arena_dup(set->arena, sqlite_column_str(statement, 0)),
						      .value = arena_dup(set->arena, sqlite_column_str(statement, 1)),
						      .until_s = sqlite3_column_int64(statement, 2)});
	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int sqlite_load_room(struct sqlite_writer *writer, struct live_set *set, struct live_room *room)
{
	sqlite3_stmt *statement =
		sqlite_writer_bind(writer, SQL_ROOM_FIND, 1, (const int64_t[]){room->app->number_before});
	int rc;

	sqlite_bind_str(statement, 2, room->room_id);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		room->exists = room->exists_before = true;
		room->id = room->id_before = sqlite3_column_int64(statement, 0);
		(void)str_copy(room->owner, sizeof(room->owner),
			       sqlite_column_str(statement, 1)); /* fitted when stored */
		room->create_ms = sqlite3_column_int64(statement, 2);
		room->visible = sqlite3_column_int(statement, 3) != 0;
		room->info = arena_dup(set->arena, sqlite_column_str(statement, 4));
	}
	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	rc = SQLITE_OK;
	for (unsigned kind = 0; rc == SQLITE_OK && kind < ITEM_KIND_COUNT; kind++)
		if (room->items_needed >> kind & 1)
			rc = sqlite_load_items(writer, set, room, (enum item_kind)kind);
	return rc;
}

static int sqlite_load_account(struct sqlite_writer *writer, struct live_set *set, struct live_account *account)
{
	sqlite3_stmt *statement =
		sqlite_writer_bind(writer, SQL_ACCOUNT_FIND, 1, (const int64_t[]){account->app->number_before});
	int rc;

	sqlite_bind_str(statement, 2, account->name);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		account->exists = account->exists_before = true;
		account->nick = arena_dup(set->arena, sqlite_column_str(statement, 0));
		account->face_url = arena_dup(set->arena, sqlite_column_str(statement, 1));
		account->create_ms = sqlite3_column_int64(statement, 2);
	}
	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int sqlite_load_delivery(struct sqlite_writer *writer, struct live_delivery *delivery)
{
	sqlite3_stmt *statement = sqlite_writer_bind(writer, SQL_CALLBACK_FIND, 1, &delivery->id);
	static const struct sqlite_bounds bounds[] = {{0, 0, CALLBACK_STATE_COUNT - 1}};
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW && !sqlite_in_bounds(statement, bounds, ARRAY_LEN(bounds))) {
		rc = SQLITE_CORRUPT;
	} else if (rc == SQLITE_ROW) {
		delivery->exists = true;
		delivery->state = (enum callback_state)sqlite3_column_int(statement, 0);
	}
	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sqlite_writer_load(struct sqlite_writer *writer, struct live_set *set)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < set->room_count; i++)
		if (set->rooms[i]->app->exists)
			rc = sqlite_load_room(writer, set, set->rooms[i]);
	for (struct live_account *account = set->accounts; rc == SQLITE_OK && account; account = account->next)
		if (account->app->exists)
			rc = sqlite_load_account(writer, set, account);
	for (struct live_delivery *delivery = set->deliveries; rc == SQLITE_OK && delivery; delivery = delivery->next)
		rc = sqlite_load_delivery(writer, delivery);
	return rc;
}

/* ---- write ---- */

static int sqlite_write_item(struct sqlite_writer *writer, const struct live_room *room, enum item_kind kind,
			     const struct live_item *item)
{
	sqlite3_stmt *statement;

	if (live_item_is_gone(room, item)) {
		statement = sqlite_writer_bind(writer, SQL_ITEM_DELETE, 2, (const int64_t[]){room->id, (int64_t)kind});
		sqlite_bind_str(statement, 3, item->name);
		return sqlite_writer_step(statement);
	}
	if (!live_item_is_written(room, item))
		return SQLITE_OK;
	statement = sqlite_writer_bind(writer, SQL_ITEM_REPLACE, 2, (const int64_t[]){room->id, (int64_t)kind});
	sqlite_bind_str(statement, 3, item->name);
	sqlite_bind_str(statement, 4, item->value);
	(void)sqlite3_bind_int64(statement, 5, item->until_s); /* as sqlite_bind_str */
	return sqlite_writer_step(statement);
}

static int sqlite_insert_room(struct sqlite_writer *writer, const struct live_room *room)
{
	sqlite3_stmt *statement =
		sqlite_writer_bind(writer, SQL_ROOM_INSERT, 2, (const int64_t[]){room->id, app_id_number(room->id)});

	sqlite_bind_str(statement, 3, room->room_id);
	sqlite_bind_str(statement, 4, str_c(room->owner));
	(void)sqlite3_bind_int64(statement, 5, room->create_ms); /* as sqlite_bind_str, here and below */
	(void)sqlite3_bind_int64(statement, 6, room->visible);
	sqlite_bind_str(statement, 7, room->info);
	return sqlite_writer_step(statement);
}

static int sqlite_update_room(struct sqlite_writer *writer, const struct live_room *room)
{
	sqlite3_stmt *statement = sqlite_writer_bind(writer, SQL_ROOM_UPDATE, 1, (const int64_t[]){room->id});

	sqlite_bind_str(statement, 2, str_c(room->owner));
	(void)sqlite3_bind_int64(statement, 3, room->visible); /* as sqlite_bind_str */
	sqlite_bind_str(statement, 4, room->info);
	return sqlite_writer_step(statement);
}

static int sqlite_write_room(struct sqlite_writer *writer, const struct live_room *room)
{
	int rc = SQLITE_OK;

	if (live_room_is_gone(room)) {
		rc = sqlite_writer_run_with(writer, SQL_ITEMS_DELETE, room->id_before);
		if (rc == SQLITE_OK)
			rc = sqlite_writer_run_with(writer, SQL_ROOM_DELETE, room->id_before);
	}
	if (rc == SQLITE_OK && live_room_is_new(room))
		rc = sqlite_insert_room(writer, room);
	else if (rc == SQLITE_OK && live_room_is_changed(room))
		rc = sqlite_update_room(writer, room);
	for (unsigned kind = 0; kind < ITEM_KIND_COUNT; kind++)
		for (const struct live_item *item = room->items[kind]; rc == SQLITE_OK && item; item = item->next)
			rc = sqlite_write_item(writer, room, (enum item_kind)kind, item);
	return rc;
}

static int sqlite_write_account(struct sqlite_writer *writer, const struct live_account *account)
{
	sqlite3_stmt *statement;

	if (!live_account_is_written(account))
		return SQLITE_OK;
	statement = sqlite_writer_bind(writer, SQL_ACCOUNT_REPLACE, 1, (const int64_t[]){account->app->config->number});
	sqlite_bind_str(statement, 2, account->name);
	sqlite_bind_str(statement, 3, account->nick);
	sqlite_bind_str(statement, 4, account->face_url);
	(void)sqlite3_bind_int64(statement, 5, account->create_ms); /* as sqlite_bind_str */
	return sqlite_writer_step(statement);
}

static int sqlite_write_callback(struct sqlite_writer *writer, const struct live_callback *callback)
{
	sqlite3_stmt *statement = writer->statements[SQL_CALLBACK_INSERT];
	const int64_t numbers[][2] = {{1, callback->id},	{2, callback->sdkappid}, {3, callback->command},
				      {4, callback->threshold}, {5, callback->platform}, {8, callback->event_ms}};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)sqlite3_bind_int64(statement, (int)numbers[i][0], numbers[i][1]); /* as sqlite_bind_str */
	sqlite_bind_str(statement, 6, callback->client_ip);
	sqlite_bind_str(statement, 7, callback->body);
	return sqlite_writer_step(statement);
}

static int sqlite_write_mark(struct sqlite_writer *writer, const struct delivery_result *result)
{
	sqlite3_stmt *statement = writer->statements[SQL_CALLBACK_MARK];
	const int64_t numbers[][2] = {{1, result->callback_id}, {2, live_mark_state(result->mark)},
				      {3, result->attempts},	{4, result->due_ms},
				      {5, result->attempt_ms},	{6, result->http_status}};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)sqlite3_bind_int64(statement, (int)numbers[i][0], numbers[i][1]); /* as sqlite_bind_str */
	sqlite_bind_str(statement, 7, str_c(result->error));
	if (result->log.ptr)
		sqlite_bind_str(statement, 8, result->log);
	else
		(void)sqlite3_bind_null(statement, 8); /* as above: keeps what there is */
	return sqlite_writer_step(statement);
}

static int sqlite_write_replay(struct sqlite_writer *writer, const struct live_delivery *delivery)
{
	const int64_t numbers[] = {delivery->id, delivery->due_ms, delivery->replay_ms};

	return sqlite_writer_step(sqlite_writer_bind(writer, SQL_CALLBACK_REPLAY, ARRAY_LEN(numbers), numbers));
}

static int sqlite_write_state(struct sqlite_writer *writer, const struct live_app *app)
{
	sqlite3_stmt *statement = writer->statements[SQL_STATE_REPLACE];
	struct app_row row;

	app_row_write_state(app->sdkappid, &app->state, &row);
	for (int i = 0; i < STATE_COLUMN_COUNT; i++)
		(void)sqlite3_bind_int64(statement, i + 1, row.state[i]); /* as sqlite_bind_str */
	return sqlite_writer_step(statement);
}

static int sqlite_write_config(struct sqlite_writer *writer, const struct app_config *config)
{
	struct app_row row;
	struct app_row_text text;
	int rc;

	app_row_write_config(config, &row, &text);
	sqlite_bind_config(writer->statements[SQL_APP_REPLACE], &row);
	rc = sqlite_writer_step(writer->statements[SQL_APP_REPLACE]);
	app_row_text_fini(&text);
	return rc;
}

static int sqlite_write_certificate(struct sqlite_writer *writer, const struct live_app *app)
{
	sqlite3_stmt *statement =
		sqlite_writer_bind(writer, SQL_CERTIFICATE_REPLACE, 1, (const int64_t[]){app->sdkappid});

	if (!app->certificate.len)
		return sqlite_writer_run_with(writer, SQL_CERTIFICATE_DELETE, app->sdkappid);
	sqlite_bind_str(statement, 2, app->certificate);
	sqlite_bind_str(statement, 3, app->certificate_key);
	return sqlite_writer_step(statement);
}

static int sqlite_delete_app(struct sqlite_writer *writer, const struct live_app *app)
{
	int rc = sqlite_writer_run_with(writer, SQL_APP_DELETE, app->sdkappid);

	if (rc == SQLITE_OK)
		rc = sqlite_writer_run_with(writer, SQL_ACCOUNTS_DELETE, app->number_before);
	if (rc == SQLITE_OK)
		rc = sqlite_writer_run_with(writer, SQL_SAMPLES_DELETE, app->number_before);
	if (rc == SQLITE_OK)
		rc = sqlite_writer_run_with(writer, SQL_CERTIFICATE_DELETE, app->sdkappid);
	if (rc == SQLITE_OK)
		rc = sqlite_writer_run_with(writer, SQL_STATE_DELETE, app->sdkappid);
	return rc;
}

static int sqlite_write_app(struct sqlite_writer *writer, const struct live_app *app)
{
	int rc = SQLITE_OK;

	if (app->pending_cancelled) {
		(void)sqlite3_bind_int64(writer->statements[SQL_CALLBACK_CANCEL], 2,
					 live_app_cancel_below(app)); /* as above */
		rc = sqlite_writer_run_with(writer, SQL_CALLBACK_CANCEL, app->sdkappid);
	}
	if (rc == SQLITE_OK && live_app_is_gone(app))
		rc = sqlite_delete_app(writer, app);
	if (rc == SQLITE_OK && app->exists && app->config_changed)
		rc = sqlite_write_config(writer, app->config);
	if (rc == SQLITE_OK && app->exists && app->state_changed)
		rc = sqlite_write_state(writer, app);
	if (rc == SQLITE_OK && app->exists && app->certificate_changed)
		rc = sqlite_write_certificate(writer, app);
	return rc;
}

static int sqlite_write_number(struct sqlite_writer *writer, uint32_t next)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", next); /* sized for it */
	sqlite_bind_str(writer->statements[SQL_NUMBER_SET], 1, str_c(text));
	return sqlite_writer_step(writer->statements[SQL_NUMBER_SET]);
}

int sqlite_writer_write(struct sqlite_writer *writer, const struct live_set *set)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < set->room_count; i++)
		rc = sqlite_write_room(writer, set->rooms[i]);
	for (const struct live_account *account = set->accounts; rc == SQLITE_OK && account; account = account->next)
		rc = sqlite_write_account(writer, account);
	for (size_t i = 0; rc == SQLITE_OK && i < set->callback_count; i++)
		rc = sqlite_write_callback(writer, &set->callbacks[i]);
	for (size_t i = 0; rc == SQLITE_OK && i < set->mark_count; i++)
		rc = sqlite_write_mark(writer, set->marks[i]);
	for (const struct live_delivery *delivery = set->deliveries; rc == SQLITE_OK && delivery;
	     delivery = delivery->next)
		if (delivery->replayed)
			rc = sqlite_write_replay(writer, delivery);
	if (rc == SQLITE_OK)
		rc = sqlite_writer_write_history(writer, set);
	for (size_t i = 0; rc == SQLITE_OK && i < set->app_count; i++) /* last: what a deleted app leaves ends here */
		rc = sqlite_write_app(writer, set->apps[i]);
	if (rc == SQLITE_OK && set->app_number_used)
		rc = sqlite_write_number(writer, set->app_number_next);
	return rc;
}

/* ---- life ---- */

int sqlite_writer_init(struct sqlite_writer *writer, sqlite3 *db, struct error *err)
{
	for (size_t i = 0; i < SQL_WRITE_COUNT; i++)
		if (sqlite_prepare(db, sqlite_write_sql[i], &writer->statements[i], err))
			return -1;
	return 0;
}

void sqlite_writer_fini(struct sqlite_writer *writer)
{
	for (size_t i = 0; i < SQL_WRITE_COUNT; i++)
		(void)sqlite3_finalize(writer->statements[i]); /* repeats old errors */
}
