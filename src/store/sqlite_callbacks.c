/* Reads of callbacks in the SQLite store: what waits, in the order of delivery, and lists for people.
 *
 * There may be millions of rows, so each read comes to what it wants by an index and looks at few others. A list goes
 * over ids and two small columns, and fetches the rows that pass its filter one by one while that statement is open:
 * they belong to the same committed state. A row with values that this program never writes is ERR_INTERNAL. */
#include "store/sqlite_internal.h"

static int sqlite_read_callback(sqlite3_stmt *statement, struct arena *arena, bool with_log,
				struct store_callback *callback_out, struct error *err)
{
	struct callback_row row = {0};

	for (int i = 0; i < CALLBACK_COLUMN_COUNT; i++) {
		if (callback_column_is_text((enum callback_column)i))
			row.texts[i] = sqlite_column_str(statement, i);
		else
			row.numbers[i] = sqlite_column_number(statement, i);
	}
	return callback_row_read(&row, arena, with_log, callback_out, err);
}

/* Steps a query of one callback and ends it. Returns 1 with the callback, 0 when there is none, -1. */
static int sqlite_one_callback(struct store_reader *base, sqlite3_stmt *statement, struct arena *arena, bool with_log,
			       struct store_callback *callback_out, struct error *err)
{
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW && sqlite_read_callback(statement, arena, with_log, callback_out, err)) {
		(void)sqlite3_reset(statement); /* the error to tell is the row's */
		return -1;
	}
	return sqlite_query_end(base, statement, rc, err) ? -1 : rc == SQLITE_ROW;
}

int sqlite_waiting_each(struct store_reader *base, void (*each)(void *context, uint32_t sdkappid, uint32_t failures),
			void *context, struct error *err)
{
	static const struct sqlite_bounds bounds[] = {{0, 1, HW_SDKAPPID_MAX}, {1, 0, UINT32_MAX}};
	sqlite3_stmt *statement = sqlite_query(base, SQL_WAITING_EACH, 0, NULL);
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		int64_t sdkappid = sqlite3_column_int64(statement, 0);

		if (!sqlite_in_bounds(statement, bounds, ARRAY_LEN(bounds))) {
			(void)sqlite3_reset(statement); /* the error to tell is the row's */
			return error_set(err, ERR_INTERNAL, "the state of app %lld holds values out of bounds",
					 (long long)sdkappid);
		}
		each(context, (uint32_t)sdkappid, (uint32_t)sqlite3_column_int64(statement, 1));
	}
	return sqlite_query_end(base, statement, rc, err);
}

/* The first number that a statement gives for one number. Returns 1, 0 when it gives no row, -1. */
static int sqlite_first(struct store_reader *base, enum sqlite_read_statement which, int64_t key, int64_t *value_out,
			struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, which, 1, &key);
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW)
		*value_out = sqlite3_column_int64(statement, 0);
	return sqlite_query_end(base, statement, rc, err) ? -1 : rc == SQLITE_ROW;
}

/* Ids rise with events. A callback that is delivered between the statements still has its event. */
static int sqlite_waiting_oldest_of(struct store_reader *base, uint32_t sdkappid, int64_t *event_ms_out,
				    struct error *err)
{
	sqlite3_stmt *statement =
		sqlite_query(base, SQL_CALLBACK_DUE, 2, (const int64_t[]){sdkappid, STORE_OLDEST_SCAN_MAX});
	int64_t oldest = INT64_MAX;
	int64_t untried = INT64_MAX;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		if (sqlite3_column_int64(statement, 0) < oldest)
			oldest = sqlite3_column_int64(statement, 0);
	if (sqlite_query_end(base, statement, rc, err) ||
	    sqlite_first(base, SQL_WAITING_NEVER_TRIED, sdkappid, &untried, err) < 0)
		return -1;
	if (untried < oldest)
		oldest = untried;
	return oldest == INT64_MAX ? 0 : sqlite_first(base, SQL_CALLBACK_EVENT, oldest, event_ms_out, err);
}

int sqlite_waiting_oldest(struct store_reader *base, uint32_t sdkappid, int64_t *event_ms_out, struct error *err)
{
	sqlite3_stmt *statement;
	int rc;

	if (sdkappid)
		return sqlite_waiting_oldest_of(base, sdkappid, event_ms_out, err);
	statement = sqlite_query(base, SQL_WAITING_OLDEST, 0, NULL);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*event_ms_out = sqlite3_column_int64(statement, 0);
	return sqlite_query_end(base, statement, rc, err) ? -1 : rc == SQLITE_ROW;
}

int sqlite_callback_next(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t after_id,
			 struct store_callback *callback_out, struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_CALLBACK_NEXT, 2, (const int64_t[]){sdkappid, after_id});

	return sqlite_one_callback(base, statement, arena, true, callback_out, err);
}

int sqlite_callback_due(struct store_reader *base, uint32_t sdkappid, size_t limit, struct store_due *due_out,
			size_t *count_out, struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_CALLBACK_DUE, 2, (const int64_t[]){sdkappid, (int64_t)limit});
	size_t count = 0;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		due_out[count++] = (struct store_due){.id = sqlite3_column_int64(statement, 0),
						      .due_ms = sqlite3_column_int64(statement, 1)};
	if (sqlite_query_end(base, statement, rc, err))
		return -1;
	*count_out = count;
	return 0;
}

int sqlite_callback_get(struct store_reader *base, struct arena *arena, int64_t id, struct store_callback *callback_out,
			struct error *err)
{
	return sqlite_one_callback(base, sqlite_query(base, SQL_CALLBACK_GET, 1, &id), arena, true, callback_out, err);
}

int sqlite_alert_newest(struct store_reader *base, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
			struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_ALERT_NEWEST, 2, (const int64_t[]){sdkappid, threshold});
	int rc = sqlite3_step(statement);
	int64_t id = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;

	if (sqlite_query_end(base, statement, rc, err))
		return -1;
	*id_out = id;
	return 0;
}

/* Fetches the row that the list's statement stands on when it passes the filter. Returns 1 with it, 0, or -1. */
static int sqlite_list_row(struct store_reader *base, struct arena *arena, sqlite3_stmt *statement,
			   const struct store_callback_filter *filter, struct store_callback *callback_out,
			   struct error *err)
{
	static const struct sqlite_bounds bounds[] = {{1, 0, CALLBACK_STATE_COUNT - 1}};
	int64_t id = sqlite3_column_int64(statement, 0);

	if (!sqlite_in_bounds(statement, bounds, ARRAY_LEN(bounds)))
		return error_set(err, ERR_INTERNAL, "the row of callback %lld holds values out of bounds",
				 (long long)id);
	if (!store_filter_passes(filter, (enum callback_state)sqlite3_column_int(statement, 1),
				 sqlite3_column_int64(statement, 2)))
		return 0;
	return sqlite_one_callback(base, sqlite_query(base, SQL_CALLBACK_GET, 1, &id), arena, false, callback_out, err);
}

int sqlite_callback_list(struct store_reader *base, struct arena *arena, const struct store_callback_filter *filter,
			 size_t limit, struct store_callback *callbacks_out, size_t *count_out, int64_t *next_out,
			 struct error *err)
{
	sqlite3_stmt *statement =
		sqlite_query(base, store_filter_is_of_ended(filter) ? SQL_CALLBACK_LIST_ENDED : SQL_CALLBACK_LIST, 2,
			     (const int64_t[]){filter->after_id, filter->before_id});
	int64_t last = filter->before_id;
	int64_t next = 0;
	size_t looked = 0;
	size_t count = 0;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		int found;

		if (count == limit || looked == STORE_LIST_SCAN_MAX) {
			next = last;
			break;
		}
		found = sqlite_list_row(base, arena, statement, filter, &callbacks_out[count], err);
		if (found < 0) {
			(void)sqlite3_reset(statement); /* the error to tell is the row's */
			return -1;
		}
		last = sqlite3_column_int64(statement, 0);
		looked++;
		count += found == 1;
	}
	if (sqlite_query_end(base, statement, rc, err))
		return -1;
	*count_out = count;
	*next_out = next;
	return 0;
}
