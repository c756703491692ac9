#pragma once
/* SQLite as this program uses it: connections, statements, errors by class, and a schema that is a list of steps. What
 * is stored is the caller's matter. Threads: one at a time per connection. */
#include "base/error.h"
#include "base/str.h"

#include <sqlite3.h>

/* Opens with the flags of sqlite3_open_v2, and lets a connection wait 2 s for another's lock. */
MUST_CHECK int sqlite_connect(const char *path, int flags, sqlite3 **db_out, struct error *err);

/* Makes the file (mode 0600) where it is missing, and locks it against other processes that call this, by a lock file
 * beside it: path, with links followed, and ".lock". The lock ends when `lock_fd_out` is closed. Errors ERR_BUSY (another
 * process has it, and has it still after a second), ERR_IO. */
MUST_CHECK int sqlite_lock(const char *path, int *lock_fd_out, struct error *err);
/* Switches the file to a write-ahead log. Errors ERR_IO where its file system cannot hold one, and as sqlite_fail's. */
MUST_CHECK int sqlite_use_wal(sqlite3 *db, struct error *err);

/* Turns a result code into err (ERR_FULL, ERR_BUSY, ERR_INTERNAL for a failed sync or a damaged file, else ERR_IO);
 * returns -1. `doing` is for people. */
int sqlite_fail(sqlite3 *db, int rc, const char *doing, struct error *err);

/* Runs statements without results. */
MUST_CHECK int sqlite_execute(sqlite3 *db, const char *sql, struct error *err);
/* One that is kept for the connection's life. */
MUST_CHECK int sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement_out, struct error *err);

/* A view of a text column, valid until the statement steps. */
struct str sqlite_column_str(sqlite3_stmt *statement, int column);
/* The text is borrowed until the statement is reset or bound anew. */
void sqlite_bind_str(sqlite3_stmt *statement, int index, struct str s);

struct sqlite_bounds {
	int column;
	int64_t min, max;
};
/* Are all of these columns numbers within their bounds? NULL, as of a row that a join misses, is none. */
bool sqlite_in_bounds(sqlite3_stmt *statement, const struct sqlite_bounds *bounds, size_t count);

/* A schema and its history: `application_id` marks the file as of this kind, `user_version` is the number of steps
 * applied. A step, once released, is never edited: a change is a new step. */
struct sqlite_schema {
	int32_t application_id;
	const char *const *steps;
	size_t step_count;
};
/* Only looks: how many steps the file has. Errors ERR_INVALID for a file that is newer or not ours; call it before
 * anything that writes, which a file of another program must not suffer. */
MUST_CHECK int sqlite_check_schema(sqlite3 *db, const struct sqlite_schema *schema, int64_t *version_out,
				   struct error *err);
/* The same for a file that is there, by its path, and without changing anything of it or beside it, also when nobody has it
 * open. Errors as sqlite_check_schema's, ERR_IO. */
MUST_CHECK int sqlite_inspect(const char *path, const struct sqlite_schema *schema, int64_t *version_out,
			      struct error *err);
/* Brings a new or older file to the current schema in one transaction per step. Errors as sqlite_check_schema's. */
MUST_CHECK int sqlite_migrate(sqlite3 *db, const struct sqlite_schema *schema, struct error *err);
