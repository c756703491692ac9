/* The SQLite store as a file, beside a server that may be using it: looking at one moment of it, copying that moment,
 * naming a copy anew. None of this takes the lock or writes to the file that is looked at. */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int sqlite_file_open(const char *path, int flags, sqlite3 **db_out, struct error *err)
{
	int64_t version;

	*db_out = NULL;
	if (access(path, R_OK)) /* else SQLite would say "unable to open" */
		return error_set_errno(err, errno, "%s", path);
	if (sqlite_connect(path, flags, db_out, err) ||
	    sqlite_check_schema(*db_out, &sqlite_store_schema, &version, err))
		goto fail;
	if ((size_t)version == sqlite_store_schema.step_count)
		return 0;
	(void)error_set(err, ERR_INVALID,
			"its schema version %lld is older than this program's %zu: a start of the server brings it "
			"forward",
			(long long)version, sqlite_store_schema.step_count); /* -1 comes below */
fail:
	(void)sqlite3_close(*db_out); /* nothing is open in it */
	*db_out = NULL;
	return error_wrap(err, "store %s", path);
}

int store_sqlite_look(const char *path, struct store_reader **reader_out, struct error *err)
{
	sqlite3 *db;

	if (sqlite_file_open(path, SQLITE_OPEN_READONLY, &db, err))
		return -1;
	(void)sqlite3_close(db); /* nothing is open in it */
	if (sqlite_reader_open(path, reader_out, err) == 0) {
		sqlite3 *reader_db = ((struct sqlite_reader *)*reader_out)->db;

		/* the first read fixes what is seen */
		if (sqlite_execute(reader_db, "BEGIN; SELECT count(*) FROM meta", err) == 0)
			return 0;
		store_reader_close(reader_out);
	}
	return error_wrap(err, "store %s", path);
}

int store_sqlite_inspect(const char *path, unsigned *steps_out, struct error *err)
{
	int64_t version;

	if (sqlite_inspect(path, &sqlite_store_schema, &version, err))
		return error_wrap(err, "store");
	*steps_out = (unsigned)(sqlite_store_schema.step_count - (size_t)version);
	return 0;
}

int store_sqlite_verify(const char *path, char *finding, size_t size, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	sqlite3 *db;
	int result = -1;
	int rc;

	if (sqlite_file_open(path, SQLITE_OPEN_READONLY, &db, err))
		return -1;
	if (sqlite_prepare(db, "PRAGMA integrity_check(1)", &statement, err))
		goto done;
	rc = sqlite3_step(statement);
	if (rc != SQLITE_ROW) {
		(void)sqlite_fail(db, rc, "checking the file", err); /* result says -1 */
		goto done;
	}
	result = str_eq(sqlite_column_str(statement, 0), STR("ok"));
	(void)str_copy(finding, size, result ? STR("") : sqlite_column_str(statement, 0)); /* may be cut */
done:
	(void)sqlite3_finalize(statement); /* repeats old errors */
	(void)sqlite3_close(db);	   /* nothing is open in it */
	return result < 0 ? error_wrap(err, "store %s", path) : result;
}

/* ---- copies ---- */

static int sqlite_sync_path(const char *path, int flags, struct error *err)
{
	int fd = open(path, flags | O_CLOEXEC);
	int result = 0;

	if (fd < 0)
		return error_set_errno(err, errno, "%s", path);
	if (fsync(fd))
		result = error_set_errno(err, errno, "syncing %s", path);
	(void)close(fd); /* it is synced */
	return result;
}

/* The folder that holds the path. */
static int sqlite_sync_folder(const char *path, struct error *err)
{
	char *folder = sqlite3_mprintf("%s", path);
	char *slash = strrchr(folder, '/');
	int result;

	if (slash == folder)
		slash++;
	if (slash)
		*slash = '\0';
	result = sqlite_sync_path(slash ? folder : ".", O_RDONLY | O_DIRECTORY, err);
	sqlite3_free(folder);
	return result;
}

int sqlite_file_begin(const char *path, struct error *err)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return error_set(err, ERR_INVALID,
				 "%s exists: a copy is being made, or was interrupted; remove it then", path);
	if (fd < 0)
		return error_set_errno(err, errno, "making %s", path);
	(void)close(fd); /* nothing was written */
	return 0;
}

/* VACUUM INTO reads one moment of the file, writes a whole one into the empty one, and does not sync it. */
static int sqlite_copy_into(const char *path, const char *to, struct error *err)
{
	sqlite3 *db;
	char *sql;
	int result;

	if (sqlite_file_open(path, SQLITE_OPEN_READONLY, &db, err))
		return -1;
	sql = sqlite3_mprintf("VACUUM INTO %Q", to);
	result = sqlite_execute(db, sql, err);
	sqlite3_free(sql);
	(void)sqlite3_close(db); /* nothing is open in it */
	return result;
}

/* A store id of its own, so that what it makes from now on is not taken for what the original made after this moment. */
static int sqlite_rename_store(const char *path, struct error *err)
{
	sqlite3 *db;
	int result;

	if (sqlite_file_open(path, SQLITE_OPEN_READWRITE, &db, err))
		return -1;
	result = sqlite_execute(db, "UPDATE meta SET value = lower(hex(randomblob(8))) WHERE key = 'store_id'", err);
	(void)sqlite3_close(db); /* nothing is open in it */
	return result;
}

/* Gives the finished copy its name, which must be free still. */
static int sqlite_name_copy(const char *partial, const char *to, struct error *err)
{
	if (renameat2(AT_FDCWD, partial, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return sqlite_sync_folder(to, err);
	if (errno == EEXIST)
		return error_set(err, ERR_INVALID, "%s exists already", to);
	return error_set_errno(err, errno, "naming %s", to);
}

int sqlite_file_finish(const char *partial, const char *path, struct error *err)
{
	return sqlite_sync_path(partial, O_RDONLY, err) || sqlite_name_copy(partial, path, err) ? -1 : 0;
}

int store_sqlite_copy(const char *path, const char *to, bool new_id, struct error *err)
{
	char *partial = sqlite3_mprintf("%s.partial", to);
	int result = -1;

	if (access(to, F_OK) == 0)
		(void)error_set(err, ERR_INVALID, "%s exists already", to); /* result says -1 */
	else if (sqlite_file_begin(partial, err) == 0) {
		if (sqlite_copy_into(path, partial, err) || (new_id && sqlite_rename_store(partial, err)) ||
		    sqlite_file_finish(partial, to, err))
			(void)unlink(
				partial); /* no copy is better than half of one; a leftover is told by the next try */
		else
			result = 0;
	}
	sqlite3_free(partial);
	return result;
}
