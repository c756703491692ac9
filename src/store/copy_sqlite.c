/* The SQLite end of a copy between kinds of stores.
 *
 * What is written becomes a file beside the one that is asked for, which gets its name when all of it is synced. */
#include "base/mem.h"
#include "store/copy_internal.h"
#include "store/sqlite_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct copy_sqlite {
	struct copy_end base;
	sqlite3 *db;
	int lock_fd;		  /* -1: none */
	char *path;		  /* what is asked for */
	char *partial;		  /* what is written meanwhile; NULL: nothing is */
	sqlite3_stmt *insert;	  /* of the table that is being written */
	const char *insert_table; /* its name */
};

/* ---- reading ---- */

static int copy_sqlite_read_meta(struct copy_end *base, struct copy_meta *meta_out, struct error *err)
{
	struct copy_sqlite *end = (struct copy_sqlite *)base;
	const struct {
		const char *key;
		char *out;
		size_t size;
	} rows[] = {{"store_id", meta_out->store_id, sizeof(meta_out->store_id)},
		    {"secret", meta_out->secret, sizeof(meta_out->secret)},
		    {"app_number_next", meta_out->app_number_next, sizeof(meta_out->app_number_next)}};
	int failed = 0;

	for (size_t i = 0; !failed && i < ARRAY_LEN(rows); i++) {
		sqlite3_stmt *statement = NULL;

		if (sqlite_prepare(end->db, "SELECT value FROM meta WHERE key = ?1", &statement, err))
			return -1;
		sqlite_bind_str(statement, 1, str_c(rows[i].key));
		if (sqlite3_step(statement) != SQLITE_ROW ||
		    !str_copy(rows[i].out, rows[i].size, sqlite_column_str(statement, 0)))
			failed = error_set(err, ERR_INTERNAL, "its meta table is incomplete");
		(void)sqlite3_finalize(statement); /* repeats old errors */
	}
	return failed;
}

static int copy_sqlite_read(struct copy_end *base, const struct copy_table *table, copy_row row, void *context,
			    struct error *err)
{
	struct copy_sqlite *end = (struct copy_sqlite *)base;
	sqlite3_stmt *statement = NULL;
	int failed = 0;
	int rc = SQLITE_DONE;

	if (sqlite_prepare(end->db, table->sqlite_select, &statement, err))
		return -1;
	while (!failed && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct copy_value values[COPY_COLUMN_COUNT_MAX];

		for (int i = 0; table->kinds[i]; i++) {
			values[i].number = sqlite3_column_int64(statement, i);
			values[i].text = table->kinds[i] == 'n' ? STR("") : sqlite_column_str(statement, i);
		}
		failed = row(context, values, err);
	}
	if (!failed && rc != SQLITE_DONE)
		failed = sqlite_fail(end->db, rc, "reading", err);
	(void)sqlite3_finalize(statement); /* repeats the error that rc has */
	return failed;
}

/* ---- writing ---- */

static int copy_sqlite_write_meta(struct copy_end *base, const struct copy_meta *meta, struct error *err)
{
	struct copy_sqlite *end = (struct copy_sqlite *)base;
	char *sql = sqlite3_mprintf("UPDATE meta SET value = %Q WHERE key = 'store_id';"
				    "UPDATE meta SET value = %Q WHERE key = 'secret';"
				    "UPDATE meta SET value = %Q WHERE key = 'app_number_next'",
				    meta->store_id, meta->secret, meta->app_number_next);
	int failed = sqlite_execute(end->db, sql, err);

	mem_wipe(sql, strlen(sql));
	sqlite3_free(sql);
	return failed;
}

static int copy_sqlite_write(struct copy_end *base, const struct copy_table *table, const struct copy_value *values,
			     struct error *err)
{
	struct copy_sqlite *end = (struct copy_sqlite *)base;
	int rc;

	if (end->insert_table != table->name) {
		(void)sqlite3_finalize(end->insert); /* repeats old errors */
		end->insert = NULL;
		end->insert_table = table->name;
		if (sqlite_prepare(end->db, table->sqlite_insert, &end->insert, err))
			return -1;
	}
	for (int i = 0; table->kinds[i]; i++) {
		if (table->kinds[i] == 'n')
			(void)sqlite3_bind_int64(end->insert, i + 1, values[i].number); /* as sqlite_bind_str */
		else
			sqlite_bind_str(end->insert, i + 1, values[i].text);
	}
	rc = sqlite3_step(end->insert);
	(void)sqlite3_reset(end->insert); /* repeats the error that rc has */
	return rc == SQLITE_DONE ? 0 : sqlite_fail(end->db, rc, "writing", err);
}

static int copy_sqlite_flush(struct copy_end *base, const struct copy_table *table, struct error *err)
{
	(void)base; /* rows are written as they come */
	(void)table;
	(void)err;
	return 0;
}

static void copy_sqlite_shut(struct copy_sqlite *end)
{
	(void)sqlite3_finalize(end->insert); /* repeats old errors */
	end->insert = NULL;
	(void)sqlite3_close(end->db); /* nothing is open in it; what was not committed goes */
	end->db = NULL;
}

static int copy_sqlite_commit(struct copy_end *base, struct error *err)
{
	struct copy_sqlite *end = (struct copy_sqlite *)base;

	(void)sqlite3_finalize(end->insert); /* as above */
	end->insert = NULL;
	if (sqlite_execute(end->db, "COMMIT", err))
		return -1;
	copy_sqlite_shut(end);
	if (sqlite_file_finish(end->partial, end->path, err))
		return -1;
	sqlite3_free(end->partial);
	end->partial = NULL;
	return 0;
}

static void copy_sqlite_close(struct copy_end *base)
{
	struct copy_sqlite *end = (struct copy_sqlite *)base;

	copy_sqlite_shut(end);
	if (end->partial)
		(void)unlink(end->partial); /* no copy is better than half of one */
	if (end->lock_fd >= 0)
		(void)close(end->lock_fd); /* releases the lock */
	sqlite3_free(end->partial);
	mem_free(end->path);
	mem_free(end);
}

static const struct copy_end_ops copy_sqlite_ops = {
	.read_meta = copy_sqlite_read_meta,
	.write_meta = copy_sqlite_write_meta,
	.read = copy_sqlite_read,
	.write = copy_sqlite_write,
	.flush = copy_sqlite_flush,
	.commit = copy_sqlite_commit,
	.close = copy_sqlite_close,
};

/* ---- opening ---- */

static int copy_sqlite_from(struct copy_sqlite *end, struct error *err)
{
	if (access(end->path, R_OK))
		return error_set_errno(err, errno, "%s", end->path);
	return sqlite_lock(end->path, &end->lock_fd, err) ||
			       sqlite_file_open(end->path, SQLITE_OPEN_READONLY, &end->db, err) ||
			       sqlite_execute(end->db, "BEGIN", err)
		       ? -1
		       : 0;
}

static int copy_sqlite_to(struct copy_sqlite *end, struct error *err)
{
	end->partial = sqlite3_mprintf("%s.partial", end->path);
	if (sqlite_file_begin(end->partial, err)) {
		sqlite3_free(end->partial); /* it is not ours to remove */
		end->partial = NULL;
		return -1;
	}
	return sqlite_connect(end->partial, SQLITE_OPEN_READWRITE, &end->db, err) ||
			       sqlite_migrate(end->db, &sqlite_store_schema, err) ||
			       sqlite_execute(end->db, "BEGIN IMMEDIATE", err)
		       ? -1
		       : 0;
}

int copy_open_sqlite(const char *path, bool to, bool look, struct copy_end **end_out, struct error *err)
{
	struct copy_sqlite *end;

	*end_out = NULL;
	if (to && access(path, F_OK) == 0)
		return error_set(err, ERR_INVALID, "%s exists already", path);
	if (look)
		return 0;
	end = mem_zalloc(sizeof(*end));
	end->base.ops = &copy_sqlite_ops;
	end->lock_fd = -1;
	end->path = mem_dup(path, strlen(path));
	if (to ? copy_sqlite_to(end, err) : copy_sqlite_from(end, err)) {
		copy_sqlite_close(&end->base);
		return -1;
	}
	*end_out = &end->base;
	return 0;
}
