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
	"a.step_percent, a.key, a.admins, a.callback_set, a.callback_url, a.callback_commands, "                       \
	"a.callback_overwrite, a.token_set, a.token_enabled, a.token, s.room_count, s.room_sequence, "                 \
	"s.callback_sequence, s.callback_pending, s.alert_level"
/* LEFT: an app whose state is missing is a damaged file, not an app that does not exist. */
#define SQLITE_APP_TABLES "apps a LEFT JOIN app_state s ON s.sdkappid = a.sdkappid"
/* Errors ERR_INTERNAL: the row holds what this program never writes. */
MUST_CHECK int sqlite_read_app(sqlite3_stmt *statement, struct store_app *app_out, struct error *err);
/* Binds parameters 1 to 17 of an insert into apps. `scratch` must live until the statement is reset. */
struct sqlite_app_text {
	struct buf thresholds;
	struct buf admins;
};
void sqlite_bind_app(sqlite3_stmt *statement, const struct app_config *config, struct sqlite_app_text *scratch);
void sqlite_app_text_fini(struct sqlite_app_text *scratch);

MUST_CHECK int sqlite_reader_open(const char *path, struct store_reader **reader_out, struct error *err);
/* A connection with our pragmas. */
MUST_CHECK int sqlite_connect(const char *path, int flags, sqlite3 **db_out, struct error *err);
