#pragma once
/* What the files of the SQLite store share. */
#include "base/buf.h"
#include "sqlite/sqlite.h"
#include "store/callback_row.h"
#include "store/store_ops.h"

#include <pthread.h>

extern const struct sqlite_schema sqlite_store_schema;

#define SQLITE_NAME(name, column) column ", "
#define SQLITE_NAME_OF_APPS(name, column) "a." column ", "
#define SQLITE_NAME_OF_STATE(name, column) "s." column ", "
#define SQLITE_PARAMETER(name, column) "?, "
/* LEFT: an app whose state is missing is a damaged file, not an app that does not exist. */
#define SQLITE_APP_SELECT                                                                                              \
	"SELECT " APP_CONFIG_COLUMNS(SQLITE_NAME_OF_APPS) "a.sdkappid, " APP_STATE_COLUMNS(                            \
		SQLITE_NAME_OF_STATE) "s.sdkappid "                                                                    \
				      "FROM apps a LEFT JOIN app_state s ON s.sdkappid = a.sdkappid"
/* A column, or APP_NUMBER_NONE: what is no whole number is none that this program made. */
int64_t sqlite_column_number(sqlite3_stmt *statement, int column);
/* Reads a row of that select. Errors ERR_INTERNAL: it holds what this program never writes. */
MUST_CHECK int sqlite_read_app(sqlite3_stmt *statement, struct store_app *app_out, struct error *err);
/* Binds the parameters of an insert into apps. The row's text must live until the statement is reset. */
void sqlite_bind_config(sqlite3_stmt *statement, const struct app_row *row);

/* ---- the write side's statements (sqlite_write.c) ---- */

#define SQLITE_WRITE_STATEMENTS(X)                                                                                     \
	X(SQL_BEGIN, "BEGIN IMMEDIATE")                                                                                \
	X(SQL_COMMIT, "COMMIT")                                                                                        \
	X(SQL_ROLLBACK, "ROLLBACK")                                                                                    \
	X(SQL_ROOM_FIND, "SELECT id, owner, create_ms, visible, info FROM rooms WHERE number = ?1 AND room_id = ?2")   \
	X(SQL_ROOM_INSERT, "INSERT INTO rooms VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                    \
	X(SQL_ROOM_UPDATE, "UPDATE rooms SET owner = ?2, visible = ?3, info = ?4 WHERE id = ?1")                       \
	X(SQL_ROOM_DELETE, "DELETE FROM rooms WHERE id = ?1")                                                          \
	X(SQL_ITEMS_FIND, SQLITE_ITEMS_SELECT)                                                                         \
	X(SQL_ITEM_REPLACE, "INSERT OR REPLACE INTO room_items VALUES (?1, ?2, ?3, ?4, ?5)")                           \
	X(SQL_ITEM_DELETE, "DELETE FROM room_items WHERE room = ?1 AND kind = ?2 AND name = ?3")                       \
	X(SQL_ITEMS_DELETE, "DELETE FROM room_items WHERE room = ?1")                                                  \
	X(SQL_ACCOUNT_FIND, SQLITE_ACCOUNT_SELECT)                                                                     \
	X(SQL_ACCOUNT_REPLACE, "INSERT OR REPLACE INTO accounts VALUES (?1, ?2, ?3, ?4, ?5)")                          \
	X(SQL_ACCOUNTS_DELETE, "DELETE FROM accounts WHERE number = ?1")                                               \
	X(SQL_CALLBACK_FIND, "SELECT state FROM callbacks WHERE id = ?1")                                              \
	X(SQL_CALLBACK_INSERT, "INSERT INTO callbacks (id, sdkappid, command, threshold, platform, client_ip, body, "  \
			       "event_ms, state, attempts, due_ms, attempt_ms, http_status, error) "                   \
			       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, 0, 0, '')")                           \
	X(SQL_CALLBACK_MARK, "UPDATE callbacks SET state = ?2, attempts = ?3, due_ms = ?4, attempt_ms = ?5, "          \
			     "http_status = ?6, error = ?7, log = ifnull(?8, log) "                                    \
			     "WHERE id = ?1 AND state = 0")                                                            \
	X(SQL_CALLBACK_REPLAY, "UPDATE callbacks SET state = 0, due_ms = ?2, base_ms = ?3, base_attempts = attempts, " \
			       "replays = replays + 1 WHERE id = ?1 AND state != 0")                                   \
	X(SQL_CALLBACK_CANCEL,                                                                                         \
	  "UPDATE callbacks SET state = 2, error = 'app deleted' WHERE sdkappid = ?1 AND id < ?2 AND state = 0")       \
	X(SQL_APP_DELETE, "DELETE FROM apps WHERE sdkappid = ?1")                                                      \
	X(SQL_STATE_DELETE, "DELETE FROM app_state WHERE sdkappid = ?1")                                               \
	X(SQL_APP_REPLACE, "INSERT OR REPLACE INTO apps (" APP_CONFIG_COLUMNS(                                         \
				   SQLITE_NAME) "sdkappid) VALUES (" APP_CONFIG_COLUMNS(SQLITE_PARAMETER) "?)")        \
	X(SQL_STATE_REPLACE, "INSERT OR REPLACE INTO app_state (" APP_STATE_COLUMNS(                                   \
				     SQLITE_NAME) "sdkappid) VALUES (" APP_STATE_COLUMNS(SQLITE_PARAMETER) "?)")       \
	X(SQL_CERTIFICATE_REPLACE, "INSERT OR REPLACE INTO certificates (sdkappid, chain, key) VALUES (?1, ?2, ?3)")   \
	X(SQL_CERTIFICATE_DELETE, "DELETE FROM certificates WHERE sdkappid = ?1")                                      \
	X(SQL_PRUNE_LOOK, "SELECT id, state, event_ms, attempt_ms FROM callbacks WHERE id > ?1 ORDER BY id")           \
	X(SQL_CALLBACK_CLIP, "UPDATE callbacks INDEXED BY callbacks_pending SET due_ms = ?1 WHERE state = 0 AND "      \
			     "sdkappid IN (SELECT a.sdkappid FROM apps a) AND due_ms > ?1")                            \
	X(SQL_CALLBACK_DELETE, "DELETE FROM callbacks WHERE id = ?1")                                                  \
	X(SQL_AUDIT_INSERT, "INSERT INTO audit (sdkappid, time_ms, actor, client_ip, action, detail) "                 \
			    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                                         \
	X(SQL_AUDIT_DROP, "DELETE FROM audit WHERE id < (SELECT min(id) FROM audit) + ?1 AND time_ms < ?2")            \
	X(SQL_SAMPLE_REPLACE, "INSERT OR REPLACE INTO samples VALUES (?1, ?2, ?3, ?4, ?5)")                            \
	X(SQL_SAMPLE_DROP, "DELETE FROM samples WHERE number = ?1 AND minute_ms < (SELECT max(minute_ms) "             \
			   "FROM samples WHERE number = ?1 AND minute_ms < ?2)")                                       \
	X(SQL_SAMPLES_DELETE, "DELETE FROM samples WHERE number = ?1")                                                 \
	X(SQL_PROBE, "INSERT INTO meta VALUES ('probe', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1")               \
	X(SQL_NUMBER_SET, "UPDATE meta SET value = ?1 WHERE key = 'app_number_next'")

#define SQLITE_ACCOUNT_SELECT "SELECT nick, face_url, create_ms FROM accounts WHERE number = ?1 AND name = ?2"
#define SQLITE_ITEMS_SELECT "SELECT name, value, until_s FROM room_items WHERE room = ?1 AND kind = ?2 ORDER BY name"

enum sqlite_write_statement {
#define SQLITE_ENUM(name, sql) name,
	SQLITE_WRITE_STATEMENTS(SQLITE_ENUM)
#undef SQLITE_ENUM
		SQL_WRITE_COUNT
};

struct sqlite_writer {
	sqlite3_stmt *statements[SQL_WRITE_COUNT];
};

MUST_CHECK int sqlite_writer_init(struct sqlite_writer *writer, sqlite3 *db, struct error *err);
void sqlite_writer_fini(struct sqlite_writer *writer);
/* Each returns an SQLite result code. */
int sqlite_writer_run(struct sqlite_writer *writer, enum sqlite_write_statement which); /* one without parameters */
int sqlite_writer_load(struct sqlite_writer *writer, struct live_set *set); /* all but the apps, which are loaded */
int sqlite_writer_write(struct sqlite_writer *writer, const struct live_set *set); /* the whole difference */
/* The audit rows and samples of the difference (sqlite_history.c). */
int sqlite_writer_write_history(struct sqlite_writer *writer, const struct live_set *set);
/* Binds the numbers to parameters 1, 2, ... and gives the statement. */
sqlite3_stmt *sqlite_writer_bind(struct sqlite_writer *writer, enum sqlite_write_statement which, size_t count,
				 const int64_t *numbers);
/* Steps a statement that gives no rows, and resets it. */
int sqlite_writer_step(sqlite3_stmt *statement);
/* A statement without rows that takes one number. */
int sqlite_writer_run_with(struct sqlite_writer *writer, enum sqlite_write_statement which, int64_t value);

/* What store_prune removes next (sqlite_prune.c). */
struct sqlite_prune {
	int64_t ids[STORE_PRUNE_ROWS_MAX];
	size_t count;
	int64_t cursor; /* to go on from; 0 when the round is over */
};
/* Each returns an SQLite result code, as above. The first looks from prune->cursor on; the second begins a transaction
 * and leaves it open. */
int sqlite_prune_look(struct sqlite_writer *writer, const struct store_retention *retention,
		      struct sqlite_prune *prune);
int sqlite_prune_write(struct sqlite_writer *writer, const struct sqlite_prune *prune);

/* ---- readers (sqlite_reader.c and the files named below) ---- */

#define SQLITE_CALLBACK_SELECT                                                                                         \
	"SELECT id, sdkappid, command, threshold, platform, client_ip, body, event_ms, state, attempts, due_ms, "      \
	"attempt_ms, http_status, error, ifnull(base_ms, event_ms), base_attempts, replays, log FROM callbacks "
#define SQLITE_AUDIT_SELECT "SELECT id, sdkappid, time_ms, actor, client_ip, action, detail FROM audit "
#define SQLITE_ROOM_SELECT "SELECT id, room_id, owner, create_ms, visible, info FROM rooms "
#define SQLITE_CALLBACK_LOOK "SELECT id, state, event_ms FROM callbacks "

#define SQLITE_READ_STATEMENTS(X)                                                                                      \
	X(SQL_APP_EACH, SQLITE_APP_SELECT " ORDER BY a.sdkappid")                                                      \
	X(SQL_APP_LINE_EACH, /* thresholds begin with the lowest */                                                    \
	  "SELECT a.sdkappid, a.room_count_max, CAST(a.thresholds AS INTEGER), a.pause, s.room_count, "                \
	  "s.callback_pending, s.failures FROM apps a LEFT JOIN app_state s ON s.sdkappid = a.sdkappid "               \
	  "ORDER BY a.sdkappid")                                                                                       \
	X(SQL_APP_GET, SQLITE_APP_SELECT " WHERE a.sdkappid = ?1")                                                     \
	X(SQL_ROOM_GET, SQLITE_ROOM_SELECT "WHERE number = ?1 AND room_id = ?2")                                       \
	X(SQL_ROOM_LIST, SQLITE_ROOM_SELECT "WHERE id > ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3")                     \
	X(SQL_ROOM_LIST_OLDEST, SQLITE_ROOM_SELECT "WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3")                   \
	X(SQL_ROOM_LIST_NAMED, SQLITE_ROOM_SELECT "INDEXED BY rooms_by_name WHERE number = ?1 AND room_id >= ?3 "      \
						  "AND room_id != ?4 AND room_id < ?5 ORDER BY room_id LIMIT ?2")      \
	X(SQL_ROOM_OWNERS, "SELECT owner FROM rooms WHERE id > ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3")              \
	X(SQL_ROOM_LIST_VISIBLE,                                                                                       \
	  SQLITE_ROOM_SELECT "INDEXED BY rooms_visible WHERE visible = 1 AND id > ?1 AND id < ?2 "                     \
			     "ORDER BY id DESC LIMIT ?3")                                                              \
	X(SQL_ACCOUNT_GET, SQLITE_ACCOUNT_SELECT)                                                                      \
	X(SQL_ROOM_ITEMS, SQLITE_ITEMS_SELECT " LIMIT ?3")                                                             \
	X(SQL_ROOM_COUNT, "SELECT count(*) FROM rooms WHERE number = ?1")                                              \
	X(SQL_AUDIT_LIST, SQLITE_AUDIT_SELECT "WHERE id < ?1 ORDER BY id DESC LIMIT ?2")                               \
	X(SQL_AUDIT_LIST_OF_APP, SQLITE_AUDIT_SELECT "INDEXED BY audit_of_app WHERE id < ?1 AND sdkappid = ?3 "        \
						     "ORDER BY id DESC LIMIT ?2")                                      \
	X(SQL_SAMPLE_LIST, "SELECT minute_ms, room_count, room_count_highest, room_count_max FROM samples "            \
			   "WHERE number = ?1 AND minute_ms >= ifnull((SELECT max(minute_ms) FROM samples "            \
			   "WHERE number = ?1 AND minute_ms <= ?2), ?2) ORDER BY minute_ms LIMIT ?3")                  \
	X(SQL_SAMPLE_AT, "SELECT minute_ms, room_count, room_count_highest, room_count_max FROM samples "              \
			 "WHERE number = ?1 AND minute_ms <= ?2 ORDER BY minute_ms DESC LIMIT 1")                      \
	X(SQL_CERTIFICATE_GET, "SELECT chain, key FROM certificates WHERE sdkappid = ?1")                              \
	X(SQL_WAITING_EACH, /* from one app's first to the next app's first, whatever lies between */                  \
	  "WITH RECURSIVE waiting (sdkappid) AS ("                                                                     \
	  "SELECT min(sdkappid) FROM callbacks WHERE state = 0 UNION ALL "                                             \
	  "SELECT (SELECT min(c.sdkappid) FROM callbacks c WHERE c.state = 0 AND c.sdkappid > waiting.sdkappid) "      \
	  "FROM waiting WHERE waiting.sdkappid NOT NULL) "                                                             \
	  "SELECT w.sdkappid, ifnull(s.failures, 0) FROM waiting w LEFT JOIN app_state s "                             \
	  "ON s.sdkappid = w.sdkappid WHERE w.sdkappid NOT NULL")                                                      \
	X(SQL_WAITING_COUNT, "SELECT count(*) FROM callbacks WHERE state = 0 AND sdkappid = ?1")                       \
	X(SQL_WAITING_NEVER_TRIED, "SELECT id FROM callbacks WHERE state = 0 AND sdkappid = ?1 AND due_ms = 0 "        \
				   "ORDER BY id LIMIT 1")                                                              \
	X(SQL_CALLBACK_EVENT, "SELECT event_ms FROM callbacks WHERE id = ?1")                                          \
	X(SQL_WAITING_OLDEST,                                                                                          \
	  "SELECT event_ms FROM callbacks INDEXED BY callbacks_oldest WHERE state = 0 AND event_ms >= 0 "              \
	  "ORDER BY event_ms LIMIT 1")                                                                                 \
	X(SQL_CALLBACK_NEXT,                                                                                           \
	  SQLITE_CALLBACK_SELECT "WHERE state = 0 AND sdkappid = ?1 AND due_ms = 0 AND id > ?2 ORDER BY id LIMIT 1")   \
	X(SQL_CALLBACK_DUE, "SELECT id, due_ms FROM callbacks WHERE state = 0 AND sdkappid = ?1 AND due_ms > 0 "       \
			    "ORDER BY due_ms, id LIMIT ?2")                                                            \
	X(SQL_CALLBACK_GET, SQLITE_CALLBACK_SELECT "WHERE id = ?1")                                                    \
	X(SQL_ALERT_NEWEST, "SELECT id FROM callbacks WHERE sdkappid = ?1 AND threshold = ?2 AND threshold != 0 "      \
			    "ORDER BY id DESC LIMIT 1")                                                                \
	X(SQL_CALLBACK_LIST, SQLITE_CALLBACK_LOOK "WHERE id > ?1 AND id < ?2 ORDER BY id DESC")                        \
	X(SQL_CALLBACK_LIST_ENDED, SQLITE_CALLBACK_LOOK "INDEXED BY callbacks_ended "                                  \
							"WHERE state >= 2 AND id > ?1 AND id < ?2 ORDER BY id DESC")

enum sqlite_read_statement {
#define SQLITE_ENUM(name, sql) name,
	SQLITE_READ_STATEMENTS(SQLITE_ENUM)
#undef SQLITE_ENUM
		SQL_READ_COUNT
};

struct sqlite_reader {
	struct store_reader base;
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_READ_COUNT];
};

MUST_CHECK int sqlite_reader_open(const char *path, struct store_reader **reader_out, struct error *err);
/* Binds the numbers to parameters 1, 2, ... and gives the statement. */
sqlite3_stmt *sqlite_query(struct store_reader *base, enum sqlite_read_statement which, size_t count,
			   const int64_t *numbers);
/* Ends a query: rc is the last step's result. Returns 0, or -1. */
MUST_CHECK int sqlite_query_end(struct store_reader *base, sqlite3_stmt *statement, int rc, struct error *err);

/* sqlite_rooms.c */
int sqlite_room_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str room_id,
		    struct store_room *room_out, struct error *err);
int sqlite_room_list(struct store_reader *base, struct arena *arena, uint32_t number, int64_t before_id,
		     bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out,
		     struct error *err);
int sqlite_room_list_oldest(struct store_reader *base, struct arena *arena, uint32_t number, int64_t after_id,
			    size_t limit, struct store_room *rooms_out, size_t *count_out, struct error *err);
int sqlite_room_list_named(struct store_reader *base, struct arena *arena, uint32_t number, struct str prefix,
			   struct str after, size_t limit, struct store_room *rooms_out, size_t *count_out,
			   struct error *err);
int sqlite_room_owner_each(struct store_reader *base, uint32_t number, size_t limit,
			   void (*each)(void *context, struct str owner), void *context, struct error *err);
int sqlite_room_items(struct store_reader *base, struct arena *arena, int64_t room, enum item_kind kind, size_t limit,
		      struct store_item *items_out, size_t *count_out, struct error *err);

/* sqlite_history.c */
int sqlite_audit_list(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t before_id,
		      size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err);
int sqlite_sample_list(struct store_reader *base, uint32_t number, int64_t since_ms, size_t limit,
		       struct store_sample *samples_out, size_t *count_out, struct error *err);
int sqlite_sample_at(struct store_reader *base, uint32_t number, int64_t time_ms, struct store_sample *sample_out,
		     struct error *err);

int sqlite_waiting_oldest(struct store_reader *base, uint32_t sdkappid, int64_t *event_ms_out, struct error *err);
int sqlite_waiting_each(struct store_reader *base, void (*each)(void *context, uint32_t sdkappid, uint32_t failures),
			void *context, struct error *err);
int sqlite_callback_next(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t after_id,
			 struct store_callback *callback_out, struct error *err);
int sqlite_callback_due(struct store_reader *base, uint32_t sdkappid, size_t limit, struct store_due *due_out,
			size_t *count_out, struct error *err);
int sqlite_callback_get(struct store_reader *base, struct arena *arena, int64_t id, struct store_callback *callback_out,
			struct error *err);
int sqlite_alert_newest(struct store_reader *base, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
			struct error *err);
int sqlite_callback_list(struct store_reader *base, struct arena *arena, const struct store_callback_filter *filter,
			 size_t limit, struct store_callback *callbacks_out, size_t *count_out, int64_t *next_out,
			 struct error *err);

/* ---- files that come into being as a whole (sqlite_file.c) ---- */

/* Opens a file of this program's present schema. Errors ERR_INVALID, ERR_IO. */
MUST_CHECK int sqlite_file_open(const char *path, int flags, sqlite3 **db_out, struct error *err);
/* An empty file, for its mode. Errors ERR_INVALID: it exists. */
MUST_CHECK int sqlite_file_begin(const char *partial, struct error *err);
/* Syncs the file and gives it its name, which must be free still. */
MUST_CHECK int sqlite_file_finish(const char *partial, const char *path, struct error *err);
