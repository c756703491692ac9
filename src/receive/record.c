/* The record's write side; see record.h.
 *
 * One transaction per batch, write-ahead log, synchronous=FULL: commit returns after the log is synced. An event is known
 * by its key, a unique column, so what comes again finds its row whatever happened in between. What is known of the apps
 * (few) is kept in memory, changed with the transaction, and written once per batch; when a transaction is taken back it
 * is read anew.
 *
 * Failures: a full disk or an I/O error takes the batch back and the record goes on. A failed sync, or a damaged file, is
 * ERR_INTERNAL: what the page cache holds is unknown then, so the process must end and recover from the log. */
#include "base/mem.h"
#include "receive/record_internal.h"

#include <assert.h>
#include <search.h>
#include <string.h>
#include <unistd.h>

#define RECORD_PRAGMAS "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 67108864"

/* ---- statements ---- */

/* Steps a statement without rows. Returns an SQLite result code. */
static int record_step(struct record *record, enum record_statement which)
{
	int rc = sqlite3_step(record->statements[which]);

	(void)sqlite3_reset(record->statements[which]); /* repeats the error that rc has */
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int record_run(struct record *record, enum record_statement which, size_t count, const int64_t *numbers)
{
	record_bind(record->statements[which], count, numbers);
	return record_step(record, which);
}

static int record_prepare_all(sqlite3 *db, const char *const *sql, size_t count, sqlite3_stmt **out, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (sqlite_prepare(db, sql[i], &out[i], err))
			return -1;
	return 0;
}

static int record_prepare(struct record *record, struct error *err)
{
#define RECORD_SQL(name, sql) sql,
	static const char *const own[] = {RECORD_STATEMENTS(RECORD_SQL)};
	static const char *const sequence[] = {RECORD_SEQUENCE_STATEMENTS(RECORD_SQL)};
#undef RECORD_SQL

	return record_prepare_all(record->db, own, ARRAY_LEN(own), record->statements, err) ||
			       record_prepare_all(record->db, sequence, ARRAY_LEN(sequence), record->sequence, err)
		       ? -1
		       : 0;
}

/* ---- apps in memory ---- */

static int record_compare(const void *a, const void *b)
{
	uint32_t left = ((const struct record_known *)a)->sdkappid;
	uint32_t right = ((const struct record_known *)b)->sdkappid;

	return left < right ? -1 : left > right;
}

static void record_forget_apps(struct record *record)
{
	while (record->apps) {
		struct record_known *known = *(struct record_known **)record->apps; /* a node begins with its key */

		tdelete(known, &record->apps, record_compare);
		mem_free(known);
	}
	record->dirty = NULL;
	record->apps_known = false;
}

/* The columns in the order of RECORD_SQL_APP and of SELECT *. */
static void record_known_numbers(const struct record_known *known, int64_t out[13])
{
	const int64_t numbers[] = {known->sdkappid,
				   known->first_ms,
				   known->last_ms,
				   known->callbacks,
				   known->sequence.first,
				   known->sequence.last,
				   (int64_t)known->sequence.resets,
				   known->is_silent,
				   known->has_alert,
				   known->room_count,
				   known->room_count_max,
				   known->threshold,
				   known->alert_ms};

	memcpy(out, numbers, sizeof(numbers));
}

static void record_read_known(struct record *record, sqlite3_stmt *row)
{
	struct record_known *known = mem_zalloc(sizeof(*known));
	int64_t heard_ms;

	*known = (struct record_known){
		.sdkappid = (uint32_t)sqlite3_column_int64(row, 0),
		.first_ms = sqlite3_column_int64(row, 1),
		.last_ms = sqlite3_column_int64(row, 2),
		.callbacks = sqlite3_column_int64(row, 3),
		.sequence = {sqlite3_column_int64(row, 4), sqlite3_column_int64(row, 5),
			     (uint64_t)sqlite3_column_int64(row, 6)},
		.is_silent = sqlite3_column_int(row, 7) != 0,
		.has_alert = sqlite3_column_int(row, 8) != 0,
		.room_count = sqlite3_column_int64(row, 9),
		.room_count_max = sqlite3_column_int64(row, 10),
		.threshold = sqlite3_column_int64(row, 11),
		.alert_ms = sqlite3_column_int64(row, 12),
	};
	/* what an earlier run heard counts by the wall clock, but lies not in the future */
	heard_ms = known->last_ms ? known->last_ms : known->first_ms;
	known->heard_ms = heard_ms < record->steady_ms ? heard_ms : record->steady_ms;
	(void)tsearch(known, &record->apps, record_compare); /* sdkappid is the primary key */
}

static int record_load_apps(struct record *record, struct error *err)
{
	static const struct sqlite_bounds bounds[] = {
		{0, 1, UINT32_MAX}, {3, 0, INT64_MAX}, {4, -1, INT64_MAX}, {5, -1, INT64_MAX},
		{6, 0, INT64_MAX},  {9, 0, INT64_MAX}, {10, 0, INT64_MAX}, {11, -1, INT64_MAX},
	};
	sqlite3_stmt *statement = NULL;
	int rc;

	record_forget_apps(record);
	if (sqlite_prepare(record->db, "SELECT * FROM apps", &statement, err))
		return -1;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW && sqlite_in_bounds(statement, bounds, ARRAY_LEN(bounds)))
		record_read_known(record, statement);
	(void)sqlite3_finalize(statement); /* repeats the error that rc has */
	if (rc == SQLITE_ROW)
		return error_set(err, ERR_INTERNAL, "what the record says of an app is out of bounds");
	if (rc != SQLITE_DONE)
		return sqlite_fail(record->db, rc, "reading what is known of the apps", err);
	record->apps_known = true;
	return 0;
}

static struct record_known *record_know(struct record *record, uint32_t sdkappid, int64_t now_ms)
{
	struct record_known key = {.sdkappid = sdkappid};
	void *node = tfind(&key, &record->apps, record_compare);
	struct record_known *known = node ? *(struct record_known **)node : NULL;

	if (!known) {
		known = mem_zalloc(sizeof(*known));
		known->sdkappid = sdkappid;
		known->first_ms = now_ms;
		known->heard_ms = record->steady_ms;
		known->sequence = (struct record_sequence){-1, -1, 0};
		known->threshold = -1;
		(void)tsearch(known, &record->apps, record_compare); /* was not there */
	}
	return known;
}

static void record_touch(struct record *record, struct record_known *known)
{
	if (known->is_dirty)
		return;
	known->is_dirty = true;
	known->next_dirty = record->dirty;
	record->dirty = known;
}

static int record_write_apps(struct record *record)
{
	int rc = SQLITE_OK;

	for (const struct record_known *known = record->dirty; known && rc == SQLITE_OK; known = known->next_dirty) {
		int64_t numbers[13];

		record_known_numbers(known, numbers);
		rc = record_run(record, RECORD_SQL_APP, ARRAY_LEN(numbers), numbers);
	}
	return rc;
}

/* ---- transactions ---- */

void record_abandon(struct record *record)
{
	if (!record->is_open)
		return;
	record->is_open = false;
	record_forget_apps(record);
	record->note_count = 0;
	if (!sqlite3_get_autocommit(record->db)) /* a failure may have rolled back already */
		(void)sqlite3_exec(record->db, "ROLLBACK", NULL, NULL,
				   NULL); /* nothing of it is in the file either way */
}

int record_fail(struct record *record, int rc, const char *doing, struct error *err)
{
	int result = sqlite_fail(record->db, rc, doing, err);

	record_abandon(record);
	return result;
}

int record_begin(struct record *record, int64_t steady_ms, struct error *err)
{
	int rc;

	assert(!record->is_open);
	record->steady_ms = steady_ms;
	record->note_count = 0;
	rc = record_step(record, RECORD_SQL_BEGIN);
	if (rc != SQLITE_OK)
		return sqlite_fail(record->db, rc, "beginning", err);
	record->is_open = true;
	if (!record->apps_known && record_load_apps(record, err)) {
		record_abandon(record);
		return -1;
	}
	return 0;
}

int record_commit(struct record *record, struct error *err)
{
	int rc = record_write_apps(record);

	assert(record->is_open);
	if (rc == SQLITE_OK)
		rc = record_step(record, RECORD_SQL_COMMIT);
	if (rc != SQLITE_OK)
		return record_fail(record, rc, "committing", err);
	record->is_open = false;
	for (struct record_known *known = record->dirty; known; known = known->next_dirty)
		known->is_dirty = false;
	record->dirty = NULL;
	return 0;
}

/* ---- notes ---- */

static int record_note(struct record *record, enum record_kind kind, struct record_known *known, int64_t now_ms,
		       struct error *err)
{
	int64_t silent_ms = record->steady_ms - known->heard_ms;
	struct record_note note = {
		.kind = kind, .sdkappid = known->sdkappid, .time_ms = now_ms, .number = silent_ms / 1000};
	int rc = record_note_insert(record->db, record->statements[RECORD_SQL_NOTE], &note);

	if (rc != SQLITE_OK)
		return record_fail(record, rc, "noting silence", err);
	if (record->note_count == record->note_capacity) {
		record->note_capacity = record->note_capacity ? record->note_capacity * 2 : 16;
		record->notes = mem_realloc(record->notes, record->note_capacity * sizeof(*record->notes));
	}
	record->notes[record->note_count++] = note;
	known->is_silent = kind == RECORD_SILENT;
	record_touch(record, known);
	return 0;
}

const struct record_note *record_notes(const struct record *record, size_t *count_out)
{
	*count_out = record->note_count;
	return record->notes;
}

int record_meet(struct record *record, uint32_t sdkappid, int64_t now_ms, struct error *err)
{
	(void)err; /* like its neighbours, though memory is all it needs so far */
	assert(record->is_open);
	record_touch(record, record_know(record, sdkappid, now_ms));
	return 0;
}

int record_check_silence(struct record *record, uint32_t sdkappid, uint64_t silence_ms, int64_t now_ms,
			 struct error *err)
{
	struct record_known *known = record_know(record, sdkappid, now_ms);

	assert(record->is_open);
	if (known->is_silent || record->steady_ms - known->heard_ms < (int64_t)silence_ms)
		return 0;
	return record_note(record, RECORD_SILENT, known, now_ms, err);
}

/* ---- events ---- */

static int record_hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The key's 32 bytes. */
static void record_key_bytes(const char key[HW_EVENT_KEY_BYTES + 1], unsigned char out[HW_EVENT_KEY_BYTES / 2])
{
	for (size_t i = 0; i < HW_EVENT_KEY_BYTES / 2; i++)
		out[i] = (unsigned char)(record_hex_digit(key[2 * i]) << 4 | record_hex_digit(key[2 * i + 1]));
}

/* Returns SQLITE_ROW when it came before and was counted again, SQLITE_DONE when it is new, or an error. */
static int record_find(struct record *record, const unsigned char *key, struct record_row *row)
{
	sqlite3_stmt *find = record->statements[RECORD_SQL_FIND];
	int64_t replay;
	int rc;

	(void)sqlite3_bind_blob(find, 1, key, HW_EVENT_KEY_BYTES / 2, SQLITE_STATIC); /* as record_bind */
	rc = sqlite3_step(find);
	if (rc == SQLITE_ROW) {
		row->id = sqlite3_column_int64(find, 0);
		row->times = (uint64_t)sqlite3_column_int64(find, 1) + 1;
		replay = sqlite3_column_type(find, 2) == SQLITE_NULL ? -1 : sqlite3_column_int64(find, 2);
		row->replay = row->replay > replay ? row->replay : replay;
	}
	(void)sqlite3_reset(find); /* repeats the error that rc has */
	return rc;
}

static void record_bind_or_null(sqlite3_stmt *statement, int index, int64_t value)
{
	/* as record_bind */
	(void)(value < 0 ? sqlite3_bind_null(statement, index) : sqlite3_bind_int64(statement, index, value));
}

static int record_count_again(struct record *record, const struct record_row *row)
{
	sqlite3_stmt *again = record->statements[RECORD_SQL_AGAIN];
	const int64_t numbers[] = {row->id, (int64_t)row->times, row->last_ms};

	record_bind(again, ARRAY_LEN(numbers), numbers);
	record_bind_or_null(again, 4, row->replay);
	return record_step(record, RECORD_SQL_AGAIN);
}

static int record_insert(struct record *record, const unsigned char *key, struct record_row *row)
{
	sqlite3_stmt *insert = record->statements[RECORD_SQL_INSERT];
	const struct {
		int index;
		int64_t value;
	} numbers[] = {{2, row->kind},	    {3, row->receive_ms},    {4, row->sdkappid},
		       {9, row->is_signed}, {10, row->webhook_kind}, {16, row->is_test}},
	  said[] = {{12, row->attempt}, {13, row->sequence}, {14, row->threshold}, {15, row->replay}};
	const struct {
		int index;
		struct str value;
	} texts[] = {{5, row->command}, {6, row->client_ip},   {7, row->platform},
		     {8, row->peer},	{11, row->webhook_id}, {17, row->body}};
	int rc;

	(void)sqlite3_bind_blob(insert, 1, key, HW_EVENT_KEY_BYTES / 2, SQLITE_STATIC); /* as record_bind */
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)sqlite3_bind_int64(insert, numbers[i].index, numbers[i].value); /* as record_bind */
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		record_bind_or_null(insert, said[i].index, said[i].value);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		sqlite_bind_str(insert, texts[i].index, texts[i].value);
	rc = record_step(record, RECORD_SQL_INSERT);
	(void)sqlite3_clear_bindings(insert); /* the texts are the caller's; cannot fail */
	row->id = sqlite3_last_insert_rowid(record->db);
	return rc;
}

/* What an event tells of its app. Returns an SQLite result code. */
static int record_learn(struct record *record, struct record_known *known, const struct record_row *row)
{
	struct hw_alert alert;

	known->callbacks++;
	if (known->alert_ms > row->receive_ms) /* of a clock that was ahead, here or there */
		known->alert_ms = row->receive_ms;
	if (str_eq(row->command, str_c(hw_callback_word(HW_CALLBACK_THRESHOLD))) && !row->is_test &&
	    hw_alert_parse(row->body.ptr, row->body.len, &alert, NULL, 0) == 0 &&
	    record_event_ms(row, alert.event_time_ms) >= known->alert_ms) {
		known->has_alert = true;
		known->room_count = alert.room_count > INT64_MAX ? INT64_MAX : (int64_t)alert.room_count;
		known->room_count_max = alert.room_count_max > INT64_MAX ? INT64_MAX : (int64_t)alert.room_count_max;
		known->threshold = row->threshold;
		known->alert_ms = record_event_ms(row, alert.event_time_ms);
	}
	if (row->sequence < 1)
		return SQLITE_OK;
	return record_sequence_take(record->sequence, &known->sequence, row->sdkappid, row->sequence, row->is_test,
				    row->receive_ms);
}

int record_add(struct record *record, const char key[HW_EVENT_KEY_BYTES + 1], struct record_row *row, bool *is_new_out,
	       struct error *err)
{
	struct record_known *known = record_know(record, row->sdkappid, row->receive_ms);
	unsigned char bytes[HW_EVENT_KEY_BYTES / 2];
	bool was_silent = known->is_silent;
	int rc;

	assert(record->is_open && row->kind == RECORD_CALLBACK);
	record_key_bytes(key, bytes);
	row->times = 1;
	row->last_ms = row->receive_ms;
	rc = record_find(record, bytes, row);
	*is_new_out = rc == SQLITE_DONE;
	if (rc == SQLITE_ROW)
		rc = record_count_again(record, row);
	else if (rc == SQLITE_DONE)
		rc = record_insert(record, bytes, row);
	if (rc == SQLITE_OK && *is_new_out)
		rc = record_learn(record, known, row);
	if (rc != SQLITE_OK)
		return record_fail(record, rc, "adding a callback", err);
	if (was_silent && record_note(record, RECORD_RESUMED, known, row->receive_ms, err))
		return -1;
	known->last_ms = row->receive_ms;
	known->heard_ms = record->steady_ms;
	record_touch(record, known);
	return 0;
}

int record_mark(struct record *record, const char *sink, int64_t id, struct str state, struct error *err)
{
	sqlite3_stmt *mark = record->statements[RECORD_SQL_MARK];
	int rc;

	assert(record->is_open && state.len <= RECORD_STATE_BYTES_MAX);
	record_bind(mark, 1, &id);
	sqlite_bind_str(mark, 2, str_c(sink));
	sqlite_bind_str(mark, 3, state);
	rc = record_step(record, RECORD_SQL_MARK);
	(void)sqlite3_clear_bindings(mark); /* the texts are the caller's; cannot fail */
	return rc == SQLITE_OK ? 0 : record_fail(record, rc, "keeping a sink's place", err);
}

/* ---- life ---- */

int record_open(const char *path, struct record **record_out, struct error *err)
{
	struct record *record = mem_zalloc(sizeof(*record));
	int64_t version;

	record->lock_fd = -1;
	record->path = mem_dup(path, strlen(path));
	if (sqlite_lock(path, &record->lock_fd, err) || sqlite_connect(path, SQLITE_OPEN_READWRITE, &record->db, err) ||
	    sqlite_check_schema(record->db, &record_schema, &version, err) || sqlite_use_wal(record->db, err) ||
	    sqlite_execute(record->db, RECORD_PRAGMAS, err) || sqlite_migrate(record->db, &record_schema, err) ||
	    record_prepare(record, err)) {
		(void)error_wrap(err, "record %s", path);
		record_close(&record);
		return -1;
	}
	*record_out = record;
	return 0;
}

void record_close(struct record **record_ptr)
{
	struct record *record = *record_ptr;

	if (!record)
		return;
	record_abandon(record);
	for (size_t i = 0; i < RECORD_STATEMENT_COUNT; i++)
		(void)sqlite3_finalize(record->statements[i]); /* repeats an error that was told, as the next */
	for (size_t i = 0; i < RECORD_SEQUENCE_STATEMENT_COUNT; i++)
		(void)sqlite3_finalize(record->sequence[i]);
	(void)sqlite3_close(record->db); /* nothing is open in it; every commit is synced */
	if (record->lock_fd >= 0)
		(void)close(record->lock_fd); /* gives up the lock */
	record_forget_apps(record);
	mem_free(record->notes);
	mem_free(record->path);
	mem_free(record);
	*record_ptr = NULL;
}
