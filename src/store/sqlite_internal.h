#pragma once
/* What the files of the SQLite store share. */
#include "base/buf.h"
#include "store/store_ops.h"

#include <pthread.h>
#include <sqlite3.h>

/* Only looks: how many steps of the schema's history the file has. Errors ERR_INVALID for a file that is newer or not
 * ours; call it before anything that writes, which a file of another program must not suffer. */
MUST_CHECK int sqlite_check_schema(sqlite3 *db, int64_t *version_out, struct error *err);
/* Brings a new or older file to the current schema in one transaction per step. Errors as sqlite_check_schema's. */
MUST_CHECK int sqlite_migrate(sqlite3 *db, struct error *err);

/* Runs statements without results. */
MUST_CHECK int sqlite_execute(sqlite3 *db, const char *sql, struct error *err);

/* Turns a result code into err (ERR_FULL, ERR_BUSY, ERR_INTERNAL for a failed sync or a damaged file, else ERR_IO);
 * returns -1. */
int sqlite_fail(sqlite3 *db, int rc, const char *doing, struct error *err);

MUST_CHECK int sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement_out, struct error *err);

/* A view of a text column, valid until the statement steps; a copy in the arena. */
struct str sqlite_column_str(sqlite3_stmt *statement, int column);
void sqlite_bind_str(sqlite3_stmt *statement, int index, struct str s);

/* The columns of apps joined with app_state, in the order sqlite_read_app wants them. */
#define SQLITE_APP_COLUMNS                                                                                             \
	"a.sdkappid, a.number, a.create_ms, a.room_count_max, a.alert_mode, a.thresholds, a.rearm_margin, "            \
	"a.step_percent, a.keys, a.admins, a.callback_set, a.callback_url, a.callback_commands, "                      \
	"a.callback_overwrite, a.token_set, a.token_enabled, a.token, s.room_count, s.room_sequence, "                 \
	"s.callback_sequence, s.callback_pending, s.alert_level, a.key_id_next, a.accounts_required"
/* LEFT: an app whose state is missing is a damaged file, not an app that does not exist. */
#define SQLITE_APP_TABLES "apps a LEFT JOIN app_state s ON s.sdkappid = a.sdkappid"
/* Errors ERR_INTERNAL: the row holds what this program never writes. */
MUST_CHECK int sqlite_read_app(sqlite3_stmt *statement, struct store_app *app_out, struct error *err);
/* Binds parameters 1 to 19 of an insert into apps. `scratch` must live until the statement is reset. */
struct sqlite_app_text {
	struct buf thresholds;
	struct buf admins;
	struct buf keys; /* secret */
};
void sqlite_bind_app(sqlite3_stmt *statement, const struct app_config *config, struct sqlite_app_text *scratch);
void sqlite_app_text_fini(struct sqlite_app_text *scratch);

MUST_CHECK int sqlite_reader_open(const char *path, struct store_reader **reader_out, struct error *err);
/* A connection with our pragmas. */
MUST_CHECK int sqlite_connect(const char *path, int flags, sqlite3 **db_out, struct error *err);

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
	X(SQL_CALLBACK_INSERT, "INSERT INTO callbacks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9, 0, 0, '')")    \
	X(SQL_CALLBACK_MARK, "UPDATE callbacks SET state = ?2, attempts = ?3, due_ms = ?4, attempt_ms = ?5, "          \
			     "http_status = ?6, error = ?7 "                                                           \
			     "WHERE id = ?1 AND state = 0")                                                            \
	X(SQL_CALLBACK_CANCEL,                                                                                         \
	  "UPDATE callbacks SET state = 2, error = 'app deleted' WHERE sdkappid = ?1 AND id < ?2 AND state = 0")       \
	X(SQL_APP_DELETE, "DELETE FROM apps WHERE sdkappid = ?1")                                                      \
	X(SQL_STATE_DELETE, "DELETE FROM app_state WHERE sdkappid = ?1")                                               \
	X(SQL_APP_REPLACE, "INSERT OR REPLACE INTO apps VALUES "                                                       \
			   "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)")   \
	X(SQL_STATE_REPLACE, "INSERT OR REPLACE INTO app_state VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                       \
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
