/* Reading the record: any process, while one writes. Each call sees the file as of its own moment. */
#include "base/mem.h"
#include "receive/record_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define RECORD_READ_BYTES_MAX ((size_t)4 * 1024 * 1024) /* a read ends with the row that passes this */

#define RECORD_SELECT "SELECT " RECORD_ROW_COLUMNS " FROM callbacks "
#define RECORD_WHERE "id > ?1 AND id < ?2 AND receive_ms >= ?3 AND receive_ms < ?4 AND (?6 = '' OR command = ?6) "

#define RECORD_READ_STATEMENTS(X)                                                                                      \
	X(READ_ALL, RECORD_SELECT "WHERE " RECORD_WHERE "ORDER BY id LIMIT ?5")                                        \
	X(READ_ALL_NEWEST, RECORD_SELECT "WHERE " RECORD_WHERE "ORDER BY id DESC LIMIT ?5")                            \
	X(READ_APP, RECORD_SELECT "WHERE sdkappid = ?7 AND " RECORD_WHERE "ORDER BY id LIMIT ?5")                      \
	X(READ_APP_NEWEST, RECORD_SELECT "WHERE sdkappid = ?7 AND " RECORD_WHERE "ORDER BY id DESC LIMIT ?5")          \
	X(READ_ID, RECORD_SELECT "WHERE id = ?1")                                                                      \
	X(READ_WEBHOOK_ID, RECORD_SELECT "WHERE webhook_id = ?1 AND webhook_id != '' ORDER BY id DESC LIMIT 1")        \
	X(READ_LAST, "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'callbacks'")                       \
	X(READ_MARK, "SELECT id, state FROM sinks WHERE name = ?1")                                                    \
	X(READ_APPS, "SELECT a.sdkappid, first_ms, last_ms, callbacks, sequence_last, "                                \
		     "(SELECT ifnull(sum(g.last - g.first + 1), 0) FROM gaps g WHERE g.sdkappid = a.sdkappid AND "     \
		     "told < 2), resets, "                                                                             \
		     "silent, has_alert, room_count, room_count_max, threshold, alert_ms FROM apps a ORDER BY 1")      \
	X(READ_GAPS,                                                                                                   \
	  "SELECT sdkappid, first, last, since_ms FROM gaps WHERE ?1 IN (0, sdkappid) AND told < 2 ORDER BY 1, 2")

enum record_read_statement {
#define RECORD_READ_ENUM(name, sql) name,
	RECORD_READ_STATEMENTS(RECORD_READ_ENUM)
#undef RECORD_READ_ENUM
		READ_COUNT
};

struct record_reader {
	sqlite3 *db;
	sqlite3_stmt *statements[READ_COUNT];
};

static int reader_fail(struct record_reader *reader, int rc, const char *doing, struct error *err)
{
	return sqlite_fail(reader->db, rc, doing, err);
}

/* ---- rows ---- */

static int64_t reader_number(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(statement, column);
}

static struct str reader_text(sqlite3_stmt *statement, int column, struct arena *arena)
{
	return arena_dup(arena, sqlite_column_str(statement, column));
}

/* Reads a row of RECORD_ROW_COLUMNS. Returns 0, or -1 when it holds what this program never writes. */
static int reader_row(sqlite3_stmt *statement, struct arena *arena, struct record_row *out, struct error *err)
{
	static const struct sqlite_bounds bounds[] = {
		{0, 1, INT64_MAX},  {1, 0, RECORD_KIND_COUNT - 1}, {3, 1, UINT32_MAX},
		{8, 0, 1},	    {9, 0, HW_WEBHOOK_PUBLIC},	   {15, 0, 1},
		{17, 1, INT64_MAX},
	};

	if (!sqlite_in_bounds(statement, bounds, ARRAY_LEN(bounds)))
		return error_set(err, ERR_INTERNAL, "row %lld of the record holds values out of bounds",
				 (long long)sqlite3_column_int64(statement, 0));
	*out = (struct record_row){
		.id = sqlite3_column_int64(statement, 0),
		.kind = (enum record_kind)sqlite3_column_int(statement, 1),
		.receive_ms = sqlite3_column_int64(statement, 2),
		.sdkappid = (uint32_t)sqlite3_column_int64(statement, 3),
		.command = reader_text(statement, 4, arena),
		.client_ip = reader_text(statement, 5, arena),
		.platform = reader_text(statement, 6, arena),
		.peer = reader_text(statement, 7, arena),
		.is_signed = sqlite3_column_int(statement, 8) != 0,
		.webhook_kind = (enum hw_webhook_kind)sqlite3_column_int(statement, 9),
		.webhook_id = reader_text(statement, 10, arena),
		.attempt = reader_number(statement, 11),
		.sequence = reader_number(statement, 12),
		.threshold = reader_number(statement, 13),
		.replay = reader_number(statement, 14),
		.is_test = sqlite3_column_int(statement, 15) != 0,
		.body = reader_text(statement, 16, arena),
		.times = (uint64_t)sqlite3_column_int64(statement, 17),
		.last_ms = sqlite3_column_int64(statement, 18),
	};
	return 0;
}

int record_read(struct record_reader *reader, struct arena *arena, const struct record_filter *filter, size_t limit,
		struct record_row *rows_out, size_t *count_out, struct error *err)
{
	sqlite3_stmt *statement =
		reader->statements[filter->sdkappid ? (filter->newest_first ? READ_APP_NEWEST : READ_APP)
						    : (filter->newest_first ? READ_ALL_NEWEST : READ_ALL)];
	const int64_t numbers[] = {filter->after_id, filter->before_id ? filter->before_id : INT64_MAX,
				   filter->since_ms, filter->until_ms ? filter->until_ms : INT64_MAX, (int64_t)limit};
	size_t bytes = 0;
	size_t count = 0;
	int result = 0;
	int rc = SQLITE_DONE;

	record_bind(statement, ARRAY_LEN(numbers), numbers);
	sqlite_bind_str(statement, 6, filter->command);
	if (filter->sdkappid)
		(void)sqlite3_bind_int64(statement, 7, filter->sdkappid); /* as record_bind */
	while (count < limit && bytes < RECORD_READ_BYTES_MAX && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		if (reader_row(statement, arena, &rows_out[count], err)) {
			result = -1;
			break;
		}
		bytes += sizeof(rows_out[0]) + rows_out[count].body.len;
		count++;
	}
	(void)sqlite3_reset(statement);		 /* repeats the error that rc has */
	(void)sqlite3_clear_bindings(statement); /* the command is the caller's; cannot fail */
	if (result == 0 && rc != SQLITE_DONE && rc != SQLITE_ROW)
		return reader_fail(reader, rc, "reading callbacks", err);
	if (result == 0)
		*count_out = count;
	return result;
}

static int reader_one(struct record_reader *reader, sqlite3_stmt *statement, struct arena *arena,
		      struct record_row *row_out, struct error *err)
{
	int rc = sqlite3_step(statement);
	int result = rc == SQLITE_ROW;

	if (rc == SQLITE_ROW && reader_row(statement, arena, row_out, err))
		result = -1;
	(void)sqlite3_reset(statement);		 /* repeats the error that rc has */
	(void)sqlite3_clear_bindings(statement); /* as above */
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? result : reader_fail(reader, rc, "reading a callback", err);
}

int record_read_id(struct record_reader *reader, struct arena *arena, int64_t id, struct record_row *row_out,
		   struct error *err)
{
	record_bind(reader->statements[READ_ID], 1, &id);
	return reader_one(reader, reader->statements[READ_ID], arena, row_out, err);
}

int record_read_webhook_id(struct record_reader *reader, struct arena *arena, struct str webhook_id,
			   struct record_row *row_out, struct error *err)
{
	sqlite_bind_str(reader->statements[READ_WEBHOOK_ID], 1, webhook_id);
	return reader_one(reader, reader->statements[READ_WEBHOOK_ID], arena, row_out, err);
}

/* ---- what belongs to the rows ---- */

int record_read_last(struct record_reader *reader, int64_t *id_out, struct error *err)
{
	sqlite3_stmt *statement = reader->statements[READ_LAST];
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW)
		*id_out = sqlite3_column_int64(statement, 0);
	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	return rc == SQLITE_ROW ? 0 : reader_fail(reader, rc, "reading the last callback's number", err);
}

int record_read_mark(struct record_reader *reader, struct arena *arena, const char *sink, int64_t *id_out,
		     struct str *state_out, struct error *err)
{
	sqlite3_stmt *statement = reader->statements[READ_MARK];
	int rc;

	sqlite_bind_str(statement, 1, str_c(sink));
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		*id_out = sqlite3_column_int64(statement, 0);
		*state_out = reader_text(statement, 1, arena);
	}
	(void)sqlite3_reset(statement);		 /* repeats the error that rc has */
	(void)sqlite3_clear_bindings(statement); /* as above */
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return reader_fail(reader, rc, "reading a sink's place", err);
	return rc == SQLITE_ROW;
}

/* Room for one more in an array that lives in an arena; what was there is copied. */
static void *reader_grow(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
	void *grown;

	if (count < *capacity)
		return items;
	*capacity = *capacity ? *capacity * 2 : 64;
	grown = arena_array(arena, *capacity, size);
	if (count)
		memcpy(grown, items, count * size);
	return grown;
}

int record_read_apps(struct record_reader *reader, struct arena *arena, struct record_app **apps_out, size_t *count_out,
		     struct error *err)
{
	sqlite3_stmt *statement = reader->statements[READ_APPS];
	struct record_app *apps = NULL;
	size_t capacity = 0;
	size_t count = 0;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		apps = reader_grow(arena, apps, count, &capacity, sizeof(*apps));
		apps[count++] = (struct record_app){
			.sdkappid = (uint32_t)sqlite3_column_int64(statement, 0),
			.first_ms = sqlite3_column_int64(statement, 1),
			.last_ms = sqlite3_column_int64(statement, 2),
			.callbacks = (uint64_t)sqlite3_column_int64(statement, 3),
			.sequence = sqlite3_column_int64(statement, 4),
			.missing = (uint64_t)sqlite3_column_int64(statement, 5),
			.resets = (uint64_t)sqlite3_column_int64(statement, 6),
			.is_silent = sqlite3_column_int(statement, 7) != 0,
			.has_alert = sqlite3_column_int(statement, 8) != 0,
			.room_count = (uint64_t)sqlite3_column_int64(statement, 9),
			.room_count_max = (uint64_t)sqlite3_column_int64(statement, 10),
			.threshold = sqlite3_column_int64(statement, 11),
			.alert_ms = sqlite3_column_int64(statement, 12),
		};
	}
	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	if (rc != SQLITE_DONE)
		return reader_fail(reader, rc, "reading what is known of the apps", err);
	*apps_out = apps;
	*count_out = count;
	return 0;
}

int record_read_gaps(struct record_reader *reader, struct arena *arena, uint32_t sdkappid, struct record_gap **gaps_out,
		     size_t *count_out, struct error *err)
{
	sqlite3_stmt *statement = reader->statements[READ_GAPS];
	const int64_t key = sdkappid;
	struct record_gap *gaps = NULL;
	size_t capacity = 0;
	size_t count = 0;
	int rc;

	record_bind(statement, 1, &key);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		gaps = reader_grow(arena, gaps, count, &capacity, sizeof(*gaps));
		gaps[count++] = (struct record_gap){
			(uint32_t)sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1),
			sqlite3_column_int64(statement, 2), sqlite3_column_int64(statement, 3)};
	}
	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	if (rc != SQLITE_DONE)
		return reader_fail(reader, rc, "reading gaps", err);
	*gaps_out = gaps;
	*count_out = count;
	return 0;
}

/* ---- life ---- */

int record_reader_open(const char *path, struct record_reader **reader_out, struct error *err)
{
#define RECORD_READ_SQL(name, sql) sql,
	static const char *const sql[] = {RECORD_READ_STATEMENTS(RECORD_READ_SQL)};
#undef RECORD_READ_SQL
	struct record_reader *reader = mem_zalloc(sizeof(*reader));
	int result = record_connect(path, SQLITE_OPEN_READWRITE, &reader->db, err);

	for (size_t i = 0; i < READ_COUNT && result == 0; i++)
		result = sqlite_prepare(reader->db, sql[i], &reader->statements[i], err);
	if (result) {
		(void)error_wrap(err, "record %s", path);
		record_reader_close(&reader);
		return -1;
	}
	*reader_out = reader;
	return 0;
}

void record_reader_close(struct record_reader **reader_ptr)
{
	struct record_reader *reader = *reader_ptr;

	if (!reader)
		return;
	for (size_t i = 0; i < READ_COUNT; i++)
		(void)sqlite3_finalize(reader->statements[i]); /* repeats an error that was told */
	(void)sqlite3_close(reader->db);		       /* nothing is open in it */
	mem_free(reader);
	*reader_ptr = NULL;
}

/* ---- what other processes may write ---- */

static int other_end(sqlite3 *db, int rc, const char *path, const char *doing, struct error *err)
{
	int result = rc == SQLITE_OK ? 0 : sqlite_fail(db, rc, doing, err);

	(void)sqlite3_close(db); /* nothing is open in it */
	return result ? error_wrap(err, "record %s", path) : 0;
}

int record_note_add(const char *path, uint32_t sdkappid, unsigned threshold, int64_t now_ms, struct error *err)
{
	struct record_note note = {
		.kind = RECORD_RESOLVED, .sdkappid = sdkappid, .time_ms = now_ms, .number = threshold};
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;
	int rc;

	if (record_connect(path, SQLITE_OPEN_READWRITE, &db, err))
		return error_wrap(err, "record %s", path);
	rc = sqlite3_prepare_v2(db, RECORD_NOTE_INSERT, -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = record_note_insert(db, statement, &note);
	(void)sqlite3_finalize(statement); /* repeats the error that rc has */
	return other_end(db, rc, path, "adding a note", err);
}

int record_gaps_clear(const char *path, uint32_t sdkappid, uint64_t *removed_out, struct error *err)
{
	static const char sql[] =
		"UPDATE gaps SET told = 2 WHERE ?1 IN (0, sdkappid) AND told < 2 RETURNING last - first + 1";
	const int64_t key = sdkappid;
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;
	uint64_t removed = 0;
	int rc;

	if (record_connect(path, SQLITE_OPEN_READWRITE, &db, err))
		return error_wrap(err, "record %s", path);
	rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	if (rc == SQLITE_OK) {
		record_bind(statement, 1, &key);
		while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
			removed += (uint64_t)sqlite3_column_int64(statement, 0);
		rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
	}
	(void)sqlite3_finalize(statement); /* repeats the error that rc has */
	if (other_end(db, rc, path, "forgiving gaps", err))
		return -1;
	*removed_out = removed;
	return 0;
}
