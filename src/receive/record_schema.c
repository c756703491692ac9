/* The record's schema, and what both of its sides do with a row; what a schema is stands in sqlite/sqlite.h. */
#include "base/mem.h"
#include "receive/record_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_APPLICATION_ID 0x48575252 /* "HWRR" */

static const char *const record_steps[] = {
	/* 1: the first. Events are in the order of their ids, which AUTOINCREMENT never gives twice, so that a sink's place
	 * stays right when old rows are removed. key is what makes an event one; notes have none. What the sender did not
	 * say is NULL, or "" where it is text. */
	"CREATE TABLE callbacks (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB UNIQUE, kind INTEGER NOT NULL,"
	" receive_ms INTEGER NOT NULL, sdkappid INTEGER NOT NULL, command TEXT NOT NULL,"
	" client_ip TEXT NOT NULL DEFAULT '', platform TEXT NOT NULL DEFAULT '', peer TEXT NOT NULL DEFAULT '',"
	" signed INTEGER NOT NULL DEFAULT 0, webhook_kind INTEGER NOT NULL DEFAULT 0,"
	" webhook_id TEXT NOT NULL DEFAULT '', attempt INTEGER, sequence INTEGER, threshold INTEGER, replay INTEGER,"
	" test INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL, times INTEGER NOT NULL DEFAULT 1,"
	" last_ms INTEGER NOT NULL) STRICT;"
	"CREATE INDEX callbacks_by_app ON callbacks (sdkappid, id);"
	"CREATE INDEX callbacks_by_webhook_id ON callbacks (webhook_id) WHERE webhook_id != '';"
	"CREATE TABLE sinks (name TEXT PRIMARY KEY, id INTEGER NOT NULL, state TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE apps (sdkappid INTEGER PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
	" callbacks INTEGER NOT NULL, sequence_first INTEGER NOT NULL, sequence_last INTEGER NOT NULL,"
	" resets INTEGER NOT NULL, silent INTEGER NOT NULL, has_alert INTEGER NOT NULL, room_count INTEGER NOT NULL,"
	" room_count_max INTEGER NOT NULL, threshold INTEGER NOT NULL, alert_ms INTEGER NOT NULL) STRICT;"
	"CREATE TABLE gaps (sdkappid INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
	" since_ms INTEGER NOT NULL, told INTEGER NOT NULL, PRIMARY KEY (sdkappid, first)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX gaps_untold ON gaps (since_ms) WHERE told = 0;",
};

const struct sqlite_schema record_schema = {RECORD_APPLICATION_ID, record_steps, ARRAY_LEN(record_steps)};

/* May this process do with the file what SQLite does, who only reads, too: keep the log beside it? */
static bool record_may_open(const char *path)
{
	const char *slash = strrchr(path, '/');
	bool may;
	struct buf folder;

	buf_init(&folder, 4096);
	if (slash)
		buf_append(&folder, path, slash == path ? 1 : (size_t)(slash - path));
	else
		buf_append_char(&folder, '.');
	may = access(path, R_OK | W_OK) == 0 && access(buf_c(&folder), W_OK | X_OK) == 0;
	buf_fini(&folder);
	return may;
}

int record_connect(const char *path, int flags, sqlite3 **db_out, struct error *err)
{
	sqlite3 *db = NULL;
	struct stat status;
	int64_t version;

	if (stat(path, &status)) /* SQLite would not say why */
		return errno == ENOENT ? error_set(err, ERR_IO, "it cannot be found")
				       : error_set_errno(err, errno, "it cannot be looked at");
	if (S_ISDIR(status.st_mode))
		return error_set(err, ERR_IO, "it is a folder");
	if (sqlite_connect(path, flags, &db, err) || sqlite_check_schema(db, &record_schema, &version, err)) {
		(void)sqlite3_close(db); /* nothing is open in it */
		return record_may_open(path)
			       ? -1
			       : error_set(err, ERR_IO,
					   "this user may not write it and its folder, which reading needs, too: run "
					   "this as the user that `highwater receive` runs as");
	}
	if ((uint64_t)version != record_schema.step_count) {
		(void)sqlite3_close(db); /* as above */
		return error_set(err, ERR_INVALID,
				 "it holds no record of callbacks of this version: start `highwater "
				 "receive` with it once");
	}
	*db_out = db;
	return 0;
}

/* ---- notes ---- */

/* Their bodies have one number each. */
static const char *record_note_field(enum record_kind kind)
{
	return kind == RECORD_RESOLVED ? "Threshold" : "SilentSeconds";
}

void record_note_row(const struct record_note *note, struct arena *arena, struct record_row *row_out)
{
	struct str command;
	struct buf text;

	buf_init(&text, 512);
	buf_printf(&text, "Highwater.%s", record_kind_word(note->kind));
	command = arena_dup(arena, buf_str(&text));
	buf_reset(&text);
	buf_printf(&text, "{\"CallbackCommand\":\"%.*s\",\"EventTime\":%" PRId64 ",\"%s\":%" PRId64 "}",
		   STR_ARG(command), note->time_ms, record_note_field(note->kind), note->number);
	*row_out = (struct record_row){
		.id = note->id,
		.kind = note->kind,
		.receive_ms = note->time_ms,
		.sdkappid = note->sdkappid,
		.command = command,
		.client_ip = STR(""),
		.platform = STR(""),
		.peer = STR(""),
		.webhook_id = STR(""),
		.attempt = -1,
		.sequence = -1,
		.threshold = -1,
		.replay = -1,
		.body = arena_dup(arena, buf_str(&text)),
		.times = 1,
		.last_ms = note->time_ms,
	};
	buf_fini(&text);
}

int record_note_insert(sqlite3 *db, sqlite3_stmt *statement, struct record_note *note)
{
	const int64_t numbers[] = {note->kind, note->time_ms, note->sdkappid};
	struct record_row row;
	struct arena arena;
	int rc;

	arena_init(&arena, 1024);
	record_note_row(note, &arena, &row);
	record_bind(statement, ARRAY_LEN(numbers), numbers);
	sqlite_bind_str(statement, 4, row.command);
	sqlite_bind_str(statement, 5, row.body);
	rc = sqlite3_step(statement);
	(void)sqlite3_reset(statement);		 /* repeats the error that rc has */
	(void)sqlite3_clear_bindings(statement); /* the texts go; cannot fail */
	arena_fini(&arena);
	if (rc != SQLITE_DONE)
		return rc;
	note->id = sqlite3_last_insert_rowid(db);
	return SQLITE_OK;
}

int record_inspect(const char *path, struct error *err)
{
	int64_t version;

	return sqlite_inspect(path, &record_schema, &version, err);
}
