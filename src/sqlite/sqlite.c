/* Connections, statements, errors and schemas; see sqlite.h. */
#include "sqlite/sqlite.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define SQLITE_LOCK_PAUSE_MS 20
#define SQLITE_LOCK_TRIES 50 /* a second */

/* SQLite knows a full disk by ENOSPC alone. What the system said is asked of the file that is written, the log: the
 * connection's own memory of it is not set by a COMMIT. */
static bool sqlite_is_out_of_space(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	int error = 0;

	if (!db || sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK || !file ||
	    !file->pMethods || file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error) != SQLITE_OK)
		return false;
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static enum error_class sqlite_error_class(sqlite3 *db, int rc, int extended)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_INTERNAL;
	default:
		if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC)
			return ERR_INTERNAL;
		return extended == SQLITE_IOERR_WRITE && sqlite_is_out_of_space(db) ? ERR_FULL : ERR_IO;
	}
}

int sqlite_fail(sqlite3 *db, int rc, const char *doing, struct error *err)
{
	bool ours = !db || sqlite3_errcode(db) != rc; /* we found it, SQLite has not met it */
	int extended = ours ? rc : sqlite3_extended_errcode(db);
	const char *text = ours ? sqlite3_errstr(rc) : sqlite3_errmsg(db);

	return error_set(err, sqlite_error_class(db, rc, extended), "SQLite, %s: %s (code %d)", doing, text, extended);
}

int sqlite_execute(sqlite3 *db, const char *sql, struct error *err)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sqlite_fail(db, rc, "executing", err);
}

int sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement_out, struct error *err)
{
	int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement_out, NULL);

	return rc == SQLITE_OK ? 0 : sqlite_fail(db, rc, "preparing a statement", err);
}

int sqlite_connect(const char *path, int flags, sqlite3 **db_out, struct error *err)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	int result = 0;

	if (rc != SQLITE_OK)
		result = sqlite_fail(db, rc, "opening", err);
	else if (sqlite3_busy_timeout(db, 2000) != SQLITE_OK)
		result = sqlite_fail(db, SQLITE_ERROR, "setting the busy timeout", err);
	if (result) {
		(void)sqlite3_close(db); /* nothing is open in it */
		return -1;
	}
	*db_out = db;
	return 0;
}

struct str sqlite_column_str(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return (struct str){text, (size_t)sqlite3_column_bytes(statement, column)};
}

void sqlite_bind_str(sqlite3_stmt *statement, int index, struct str s)
{
	/* binding fails only for an index that does not exist, which the tests would meet at once */
	(void)sqlite3_bind_text(statement, index, s.ptr ? s.ptr : "", (int)s.len, SQLITE_STATIC);
}

bool sqlite_in_bounds(sqlite3_stmt *statement, const struct sqlite_bounds *bounds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int64_t value = sqlite3_column_int64(statement, bounds[i].column);

		if (sqlite3_column_type(statement, bounds[i].column) != SQLITE_INTEGER || value < bounds[i].min ||
		    value > bounds[i].max)
			return false;
	}
	return true;
}

/* ---- files ---- */

/* Takes the lock. A process that was killed while it started a program leaves a child behind that holds the lock until it
 * is that program: a moment, on a busy machine a longer one. So a lock that is held is asked for again. */
static int sqlite_take_lock(int fd)
{
	const struct timespec pause = {.tv_nsec = SQLITE_LOCK_PAUSE_MS * 1000000L};
	int rc = flock(fd, LOCK_EX | LOCK_NB);

	for (unsigned i = 0; rc && errno == EWOULDBLOCK && i < SQLITE_LOCK_TRIES; i++) {
		(void)nanosleep(&pause, NULL); /* waking early only means asking early */
		rc = flock(fd, LOCK_EX | LOCK_NB);
	}
	return rc;
}

int sqlite_lock(const char *path, int *lock_fd_out, struct error *err)
{
	char *real =
		realpath(path, NULL); /* one file, one lock: a link is another name of it. NULL before it is made */
	struct buf name;
	int result = 0;
	int lock_fd;
	int fd;

	buf_init(&name, 4096 + 8);
	buf_printf(&name, "%s.lock", real ? real : path);
	free(real);
	lock_fd = open(buf_c(&name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock_fd < 0)
		result = error_set_errno(err, errno, "opening %s", buf_c(&name));
	else if (sqlite_take_lock(lock_fd))
		result = errno == EWOULDBLOCK ? error_set(err, ERR_BUSY, "another highwater process uses it")
					      : error_set_errno(err, errno, "locking %s", buf_c(&name));
	buf_fini(&name);
	if (result == 0) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* nobody else may read it */
		if (fd < 0)
			result = error_set_errno(err, errno, "opening");
		else
			(void)close(fd); /* SQLite opens its own */
	}
	if (result) {
		if (lock_fd >= 0)
			(void)close(lock_fd); /* nothing was written through it */
		return -1;
	}
	*lock_fd_out = lock_fd;
	return 0;
}

/* The mode belongs to the file and the pragma does not fail when it cannot be had: the answer must be looked at. */
int sqlite_use_wal(sqlite3 *db, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = -1;
	int rc;

	if (sqlite_prepare(db, "PRAGMA journal_mode = WAL", &statement, err))
		return -1;
	rc = sqlite3_step(statement);
	if (rc != SQLITE_ROW)
		(void)sqlite_fail(db, rc, "switching to a write-ahead log", err); /* result says -1 */
	else if (!str_eq(sqlite_column_str(statement, 0), STR("wal")))
		(void)error_set(err, ERR_IO, "its file system cannot hold a write-ahead log"); /* as above */
	else
		result = 0;
	(void)sqlite3_finalize(statement); /* repeats the error that rc has */
	return result;
}

/* ---- schemas ---- */

static int sqlite_read_int(sqlite3 *db, const char *sql, int64_t *out, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc;

	if (sqlite_prepare(db, sql, &statement, err))
		return -1;
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement); /* repeats the error that rc has */
	return rc == SQLITE_ROW ? 0 : sqlite_fail(db, rc, "reading the schema version", err);
}

static int sqlite_apply_step(sqlite3 *db, const struct sqlite_schema *schema, size_t index, struct error *err)
{
	char *pragmas = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
					schema->application_id, (int)index + 1);
	int result = -1;

	if (sqlite_execute(db, "BEGIN IMMEDIATE", err) || sqlite_execute(db, schema->steps[index], err) ||
	    sqlite_execute(db, pragmas, err))
		goto done;
	result = 0;
done:
	sqlite3_free(pragmas);
	if (result) {
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* the first error is the one to tell */
		(void)error_wrap(err, "schema step %zu", index + 1);
	}
	return result;
}

int sqlite_check_schema(sqlite3 *db, const struct sqlite_schema *schema, int64_t *version_out, struct error *err)
{
	int64_t application_id;
	int64_t version;
	int64_t objects;

	if (sqlite_read_int(db, "PRAGMA application_id", &application_id, err) ||
	    sqlite_read_int(db, "PRAGMA user_version", &version, err) ||
	    sqlite_read_int(db, "SELECT count(*) FROM sqlite_schema", &objects, err)) {
		if (sqlite3_errcode(db) == SQLITE_NOTADB)
			return error_set(err, ERR_INVALID, "this is not an SQLite file");
		return -1;
	}
	if (application_id != schema->application_id && (application_id || version || objects))
		return error_set(err, ERR_INVALID, "this SQLite file belongs to another program");
	if (version < 0 || (uint64_t)version > schema->step_count)
		return error_set(err, ERR_INVALID,
				 "its schema version %lld is newer than this program's %zu: use a newer highwater",
				 (long long)version, schema->step_count);
	*version_out = version;
	return 0;
}

/* "file:PATH?immutable=1" */
static void sqlite_append_immutable(const char *path, struct buf *out)
{
	buf_append_c(out, "file:");
	for (; *path; path++) {
		if (*path == '?' || *path == '#' || *path == '%')
			buf_printf(out, "%%%02x", (unsigned)(unsigned char)*path);
		else
			buf_append_char(out, *path);
	}
	buf_append_c(out, "?immutable=1");
}

/* Without a log nobody has the file open, or has written to it: all of it is in the file, which is then read as one that
 * never changes. Any other way SQLite would make a log and its index beside it. */
int sqlite_inspect(const char *path, const struct sqlite_schema *schema, int64_t *version_out, struct error *err)
{
	sqlite3 *db = NULL;
	struct buf uri;
	struct buf log;
	int result;

	if (access(path, R_OK))
		return error_set_errno(err, errno, "reading %s", path);
	buf_init(&uri, 3 * 4096);
	buf_init(&log, 4096 + 8);
	buf_printf(&log, "%s-wal", path);
	sqlite_append_immutable(path, &uri);
	if (access(buf_c(&log), F_OK))
		result = sqlite_connect(buf_c(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &db, err);
	else
		result = sqlite_connect(path, SQLITE_OPEN_READONLY, &db, err);
	if (result == 0)
		result = sqlite_check_schema(db, schema, version_out, err);
	(void)sqlite3_close(db); /* nothing is open in it */
	buf_fini(&uri);
	buf_fini(&log);
	return result ? error_wrap(err, "%s", path) : 0;
}

int sqlite_migrate(sqlite3 *db, const struct sqlite_schema *schema, struct error *err)
{
	int64_t version;

	if (sqlite_check_schema(db, schema, &version, err))
		return -1;
	for (size_t i = (size_t)version; i < schema->step_count; i++)
		if (sqlite_apply_step(db, schema, i, err))
			return -1;
	return 0;
}
