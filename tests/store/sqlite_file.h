#pragma once
/* For tests that know of the file behind a SQLite store: opening it, and looking into it behind the store's back. */
#include "store/fixture.h"

#include <fcntl.h>
#include <sqlite3.h>

static inline void fixture_open(struct fixture *fixture)
{
	struct error err;

	if (fixture_open_sqlite(fixture, &err) || store_reader_open(fixture->store, &fixture->reader, &err))
		fail_msg("%s", err.text);
}

/* Changes the closed file. */
static inline void fixture_tamper(struct fixture *fixture, const char *sql)
{
	char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why))
		fail_msg("%s: %s", sql, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The number that a query gives. */
static inline int64_t fixture_look(struct fixture *fixture, const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3 *db;
	int64_t value;

	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return value;
}

/* Overwrites bytes of the closed file. */
static inline void fixture_overwrite(struct fixture *fixture, const void *bytes, size_t len, off_t at)
{
	int fd = open(fixture->path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	assert_int_equal(close(fd), 0);
}
