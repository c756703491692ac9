/* Read-only views of the SQLite store: one connection each, statements prepared once. Every read is one statement, or
 * others while that one has not ended, so it sees one committed state. Reads of rooms stand in sqlite_rooms.c,
 * of callbacks in sqlite_callbacks.c. */
#include "base/mem.h"
#include "store/sqlite_internal.h"

static const char *const sqlite_read_sql[] = {
#define SQLITE_SQL(name, sql) [name] = (sql),
	SQLITE_READ_STATEMENTS(SQLITE_SQL)
#undef SQLITE_SQL
};

sqlite3_stmt *sqlite_query(struct store_reader *base, enum sqlite_read_statement which, size_t count,
			   const int64_t *numbers)
{
	sqlite3_stmt *statement = ((struct sqlite_reader *)base)->statements[which];

	for (size_t i = 0; i < count; i++)
		(void)sqlite3_bind_int64(statement, (int)i + 1, numbers[i]); /* as sqlite_bind_str */
	return statement;
}

int sqlite_query_end(struct store_reader *base, sqlite3_stmt *statement, int rc, struct error *err)
{
	sqlite3 *db = ((struct sqlite_reader *)base)->db;
	int result = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sqlite_fail(db, rc, "reading", err);

	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	return result;
}

static int sqlite_app_each(struct store_reader *base, void (*each)(void *context, const struct store_app *app),
			   void *context, struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_APP_EACH, 0, NULL);
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_app app;

		if (sqlite_read_app(statement, &app, err)) {
			(void)sqlite3_reset(statement); /* the error to tell is the row's */
			return -1;
		}
		each(context, &app);
	}
	return sqlite_query_end(base, statement, rc, err);
}

static int sqlite_app_line_each(struct store_reader *base,
				void (*each)(void *context, const struct store_app_line *line), void *context,
				struct error *err)
{
	static const int64_t sequence_max = (INT64_C(1) << APP_ID_SEQUENCE_BITS) - 1; /* so that sums do not overflow */
	const struct sqlite_bounds bounds[] = {
		{0, 1, HW_SDKAPPID_MAX},
		{1, 0, APP_ROOM_COUNT_MAX_LIMIT},
		{2, 1, 100},
		{3, 0, APP_PAUSE_COUNT - 1},
		{4, 0, sequence_max},
		{5, 0, sequence_max},
		{6, 0, UINT32_MAX},
	};
	sqlite3_stmt *statement = sqlite_query(base, SQL_APP_LINE_EACH, 0, NULL);
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		int64_t sdkappid = sqlite3_column_int64(statement, 0);

		if (!sqlite_in_bounds(statement, bounds, ARRAY_LEN(bounds))) {
			(void)sqlite3_reset(statement); /* the error to tell is the row's */
			return error_set(err, ERR_INTERNAL, "the row of app %lld holds values out of bounds",
					 (long long)sdkappid);
		}
		each(context, &(struct store_app_line){
				      .sdkappid = (uint32_t)sdkappid,
				      .room_count_max = (uint32_t)sqlite3_column_int64(statement, 1),
				      .threshold_lowest = (uint8_t)sqlite3_column_int(statement, 2),
				      .pause = (enum app_pause)sqlite3_column_int(statement, 3),
				      .room_count = (uint64_t)sqlite3_column_int64(statement, 4),
				      .callback_pending = (uint64_t)sqlite3_column_int64(statement, 5),
				      .failures = (uint32_t)sqlite3_column_int64(statement, 6),
			      });
	}
	return sqlite_query_end(base, statement, rc, err);
}

static int sqlite_app_get(struct store_reader *base, uint32_t sdkappid, struct store_app *app_out, struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_APP_GET, 1, (const int64_t[]){sdkappid});
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW && sqlite_read_app(statement, app_out, err)) {
		(void)sqlite3_reset(statement); /* the error to tell is the row's */
		return -1;
	}
	return sqlite_query_end(base, statement, rc, err) ? -1 : rc == SQLITE_ROW;
}

static int sqlite_account_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str name,
			      struct store_account *account_out, struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_ACCOUNT_GET, 1, (const int64_t[]){number});
	int rc;

	sqlite_bind_str(statement, 2, name);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*account_out = (struct store_account){.nick = arena_dup(arena, sqlite_column_str(statement, 0)),
						      .face_url = arena_dup(arena, sqlite_column_str(statement, 1)),
						      .create_ms = sqlite3_column_int64(statement, 2)};
	return sqlite_query_end(base, statement, rc, err) ? -1 : rc == SQLITE_ROW;
}

/* Of a statement that counts what belongs to one number. */
static int sqlite_count(struct store_reader *base, enum sqlite_read_statement which, uint32_t number,
			uint64_t *count_out, struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, which, 1, (const int64_t[]){number});
	int rc = sqlite3_step(statement);
	uint64_t count = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;

	if (sqlite_query_end(base, statement, rc, err))
		return -1;
	*count_out = count;
	return 0;
}

static int sqlite_room_count(struct store_reader *base, uint32_t number, uint64_t *count_out, struct error *err)
{
	return sqlite_count(base, SQL_ROOM_COUNT, number, count_out, err);
}

static int sqlite_waiting_count(struct store_reader *base, uint32_t sdkappid, uint64_t *count_out, struct error *err)
{
	return sqlite_count(base, SQL_WAITING_COUNT, sdkappid, count_out, err);
}

static int sqlite_certificate_get(struct store_reader *base, struct arena *arena, uint32_t sdkappid,
				  struct str *chain_out, struct str *key_out, struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_CERTIFICATE_GET, 1, (const int64_t[]){sdkappid});
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW) {
		struct str chain = sqlite_column_str(statement, 0);
		struct str key = sqlite_column_str(statement, 1);

		if (chain.len < 1 || chain.len > CERTIFICATE_BYTES_MAX || key.len > CERTIFICATE_BYTES_MAX) {
			(void)sqlite3_reset(statement); /* the error to tell is the row's */
			return error_set(err, ERR_INTERNAL, "the certificate of app %u has a size out of bounds",
					 sdkappid);
		}
		*chain_out = arena_dup(arena, chain);
		*key_out = arena_dup(arena, key);
	}
	return sqlite_query_end(base, statement, rc, err) ? -1 : rc == SQLITE_ROW;
}

static void sqlite_reader_close(struct store_reader *base)
{
	struct sqlite_reader *reader = (struct sqlite_reader *)base;

	for (size_t i = 0; i < SQL_READ_COUNT; i++)
		(void)sqlite3_finalize(reader->statements[i]); /* repeats old errors */
	(void)sqlite3_close(reader->db);		       /* nothing is open in it */
	mem_free(reader);
}

static const struct store_reader_ops sqlite_reader_ops = {
	.close = sqlite_reader_close,
	.app_each = sqlite_app_each,
	.app_line_each = sqlite_app_line_each,
	.app_get = sqlite_app_get,
	.room_get = sqlite_room_get,
	.room_list = sqlite_room_list,
	.room_list_oldest = sqlite_room_list_oldest,
	.room_list_named = sqlite_room_list_named,
	.room_owner_each = sqlite_room_owner_each,
	.room_items = sqlite_room_items,
	.account_get = sqlite_account_get,
	.room_count = sqlite_room_count,
	.waiting_each = sqlite_waiting_each,
	.waiting_count = sqlite_waiting_count,
	.waiting_oldest = sqlite_waiting_oldest,
	.callback_next = sqlite_callback_next,
	.callback_due = sqlite_callback_due,
	.callback_get = sqlite_callback_get,
	.alert_newest = sqlite_alert_newest,
	.callback_list = sqlite_callback_list,
	.audit_list = sqlite_audit_list,
	.sample_list = sqlite_sample_list,
	.sample_at = sqlite_sample_at,
	.certificate_get = sqlite_certificate_get,
};

int sqlite_reader_open(const char *path, struct store_reader **reader_out, struct error *err)
{
	struct sqlite_reader *reader = mem_zalloc(sizeof(*reader));

	reader->base.ops = &sqlite_reader_ops;
	if (sqlite_connect(path, SQLITE_OPEN_READONLY, &reader->db, err))
		goto fail;
	for (size_t i = 0; i < SQL_READ_COUNT; i++)
		if (sqlite_prepare(reader->db, sqlite_read_sql[i], &reader->statements[i], err))
			goto fail;
	*reader_out = &reader->base;
	return 0;
fail:
	sqlite_reader_close(&reader->base);
	return -1;
}
