/* The SQLite store's write side: one file, one writer. Its statements stand in sqlite_write.c.
 *
 * A batch is one transaction: BEGIN IMMEDIATE at load, COMMIT at commit, with WAL and synchronous=FULL, so COMMIT
 * returns after the log is synced. Apps are few and read in every batch, so the writer keeps all of them in memory and
 * changes that copy only after a COMMIT has succeeded; rooms are looked up by name.
 *
 * Checkpoints (copying the log into the file) would be the whole tail latency if they ran inside COMMIT. A thread with
 * a connection of its own runs them, small and often. While writes keep coming it never quite catches up, and only a
 * complete checkpoint lets the log start over; so when the log has grown past wal_bytes_max, store_tidy finishes the
 * rest on the writer's thread, after the replies have left.
 *
 * Failures: a full disk or an I/O error rolls back and the store goes on. A failed sync, or a damaged file, is
 * ERR_INTERNAL: what the page cache holds is then unknown, so the process must end and recover from the log. */
#include "base/mem.h"
#include "store/sqlite_internal.h"

#include <assert.h>
#include <search.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SQLITE_PAGE_BYTES 4096
#define SQLITE_CHECKPOINT_PAGES 1024 /* wake the checkpoint thread when the log has grown by this */

struct sqlite_store {
	struct store base;
	char *path;
	int lock_fd;
	sqlite3 *db;
	struct sqlite_writer writer;
	void *apps; /* tree of struct store_app by sdkappid: all apps, as committed */
	uint32_t app_number_next;
	int64_t probe_count;
	bool in_batch; /* loaded, and neither committed nor abandoned */
	uint64_t wal_pages_max;
	_Atomic int wal_pages; /* frames in the log after the last commit */

	sqlite3 *checkpoint_db;
	pthread_t checkpoint_thread;
	bool checkpoint_running; /* the thread exists */
	pthread_mutex_t checkpoint_lock;
	pthread_cond_t checkpoint_wanted;
	bool checkpoint_stop;	  /* under the lock */
	int checkpoint_at_pages;  /* under the lock: log size at which the thread was last woken */
	_Atomic bool sync_failed; /* a checkpoint's sync failed: the next commit must not succeed */
};

/* ---- apps in memory ---- */

static int sqlite_compare_apps(const void *a, const void *b)
{
	uint32_t left = ((const struct store_app *)a)->config.sdkappid;
	uint32_t right = ((const struct store_app *)b)->config.sdkappid;

	return left < right ? -1 : left > right;
}

static struct store_app *sqlite_cached_app(struct sqlite_store *store, uint32_t sdkappid)
{
	struct store_app key; /* only the compared field is read */
	void *node;

	key.config.sdkappid = sdkappid;
	node = tfind(&key, &store->apps, sqlite_compare_apps);
	return node ? *(struct store_app **)node : NULL;
}

static void sqlite_remember_app(struct sqlite_store *store, const struct live_app *app)
{
	struct store_app *cached = sqlite_cached_app(store, app->sdkappid);

	if (!app->exists) {
		if (cached)
			tdelete(cached, &store->apps, sqlite_compare_apps);
		mem_free(cached);
		return;
	}
	if (!cached) {
		cached = mem_zalloc(sizeof(*cached));
		cached->config.sdkappid = app->sdkappid;
		(void)tsearch(cached, &store->apps, sqlite_compare_apps); /* was not there */
	}
	if (app->config != &cached->config)
		cached->config = *app->config;
	cached->state = app->state;
}

static int sqlite_load_apps(struct sqlite_store *store, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = -1;
	int rc;

	if (sqlite_prepare(store->db, SQLITE_APP_SELECT, &statement, err))
		return -1;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_app *app = mem_zalloc(sizeof(*app));

		if (sqlite_read_app(statement, app, err)) {
			mem_free(app);
			goto done;
		}
		if (app->config.number >= store->app_number_next) { /* the next app would take a number again */
			(void)error_set(err, ERR_INTERNAL, "its next app number is %u, but app %u has %u",
					store->app_number_next, app->config.sdkappid,
					app->config.number); /* result says -1 */
			mem_free(app);
			goto done;
		}
		(void)tsearch(app, &store->apps, sqlite_compare_apps); /* sdkappid is the primary key */
	}
	result = rc == SQLITE_DONE ? 0 : sqlite_fail(store->db, rc, "reading the apps", err);
done:
	(void)sqlite3_finalize(statement); /* repeats the error that rc has */
	return result;
}

/* ---- load ---- */

static int sqlite_load(struct store *base, struct live_set *set, struct error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	int rc;

	store_abandon(base); /* nothing is open, unless a rollback failed: then it is tried again */
	rc = sqlite_writer_run(&store->writer, SQL_BEGIN);
	if (rc != SQLITE_OK)
		return sqlite_fail(store->db, rc, "beginning a batch", err);
	for (size_t i = 0; i < set->app_count; i++) {
		struct live_app *app = set->apps[i];
		const struct store_app *cached = sqlite_cached_app(store, app->sdkappid);

		if (!cached)
			continue;
		app->exists = app->exists_before = true;
		app->number_before = cached->config.number;
		app->config = &cached->config;
		app->state = cached->state;
	}
	set->app_number_next = store->app_number_next;
	rc = sqlite_writer_load(&store->writer, set);
	if (rc != SQLITE_OK) {
		(void)sqlite_fail(store->db, rc, "loading a batch", err); /* returned below */
		store_abandon(base);
		return -1;
	}
	store->in_batch = true;
	return 0;
}

static void sqlite_abandon(struct store *base)
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	store->in_batch = false;
	if (!sqlite3_get_autocommit(store->db))
		(void)sqlite_writer_run(&store->writer, SQL_ROLLBACK); /* SQLite may have rolled back by itself */
}

/* Ends the transaction whose last statement gave rc. Returns 0 when it is on disk, or -1 after a rollback. */
static int sqlite_end(struct sqlite_store *store, int rc, const char *doing, struct error *err)
{
	if (atomic_load(&store->sync_failed)) {
		store_abandon(&store->base);
		return error_set(err, ERR_INTERNAL, "SQLite, checkpoint: a sync of %s failed", store->path);
	}
	if (rc == SQLITE_OK)
		rc = sqlite_writer_run(&store->writer, SQL_COMMIT);
	if (rc != SQLITE_OK) {
		(void)sqlite_fail(store->db, rc, doing, err); /* returned below */
		store_abandon(&store->base);
		return -1;
	}
	store->in_batch = false;
	return 0;
}

static int sqlite_commit(struct store *base, struct live_set *set, struct error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	if (sqlite_end(store, sqlite_writer_write(&store->writer, set), "committing", err))
		return -1;
	for (size_t i = 0; i < set->app_count; i++)
		sqlite_remember_app(store, set->apps[i]);
	if (set->app_number_used)
		store->app_number_next = set->app_number_next;
	return 0;
}

static int sqlite_prune(struct store *base, const struct store_retention *retention, int64_t *cursor,
			size_t *removed_out, struct error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	struct sqlite_prune prune = {.cursor = *cursor};
	int rc;

	assert(!store->in_batch);
	store_abandon(base); /* as in sqlite_load */
	rc = sqlite_prune_look(&store->writer, retention, &prune);
	if (rc != SQLITE_OK)
		return sqlite_fail(store->db, rc, "looking for old callbacks", err);
	if (prune.count && sqlite_end(store, sqlite_prune_write(&store->writer, &prune), "removing old callbacks", err))
		return -1;
	*cursor = prune.cursor;
	*removed_out = prune.count;
	return prune.cursor != 0;
}

static int sqlite_clip_due(struct store *base, int64_t latest_ms, struct error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	int rc;

	assert(!store->in_batch);
	store_abandon(base); /* as in sqlite_load */
	rc = sqlite_writer_run_with(&store->writer, SQL_CALLBACK_CLIP, latest_ms);
	return rc == SQLITE_OK ? 0 : sqlite_fail(store->db, rc, "looking at times of retries", err);
}

/* The value changes each time: SQLite writes nothing when it stays as it is. */
static int sqlite_probe(struct store *base, struct error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	int rc;

	assert(!store->in_batch);
	store_abandon(base); /* as in sqlite_load */
	rc = sqlite_writer_run_with(&store->writer, SQL_PROBE, ++store->probe_count);
	return rc == SQLITE_OK ? 0 : sqlite_fail(store->db, rc, "writing", err);
}

/* ---- checkpoints ---- */

/* Called by SQLite after each commit with the number of frames in the log. */
static int sqlite_on_wal(void *context, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_store *store = context;

	(void)db;   /* the writer's */
	(void)name; /* "main" */
	atomic_store(&store->wal_pages, pages);
	return SQLITE_OK;
}

static void sqlite_checkpoint(struct sqlite_store *store, sqlite3 *db)
{
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	int extended = sqlite3_extended_errcode(db);

	/* Other failures (busy, disk full) cost nothing but a longer log: the next one tries again. */
	if (rc != SQLITE_OK && (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC))
		atomic_store(&store->sync_failed, true);
}

static void *sqlite_checkpoint_main(void *context)
{
	struct sqlite_store *store = context;

	pthread_mutex_lock(&store->checkpoint_lock);
	while (!store->checkpoint_stop) {
		pthread_cond_wait(&store->checkpoint_wanted, &store->checkpoint_lock);
		if (!store->checkpoint_stop)
			sqlite_checkpoint(store, store->checkpoint_db);
	}
	pthread_mutex_unlock(&store->checkpoint_lock);
	return NULL;
}

/* The lock is held while a checkpoint runs: a writer that cannot take it knows that one is under way. */
static void sqlite_tidy(struct store *base)
{
	struct sqlite_store *store = (struct sqlite_store *)base;
	int pages = atomic_load(&store->wal_pages);
	bool overdue = (uint64_t)pages > store->wal_pages_max;

	if (overdue)
		pthread_mutex_lock(&store->checkpoint_lock);
	else if (pthread_mutex_trylock(&store->checkpoint_lock))
		return;
	if (pages < store->checkpoint_at_pages)
		store->checkpoint_at_pages = 0; /* the log has started over */
	if (overdue) {
		sqlite_checkpoint(store, store->db);
		store->checkpoint_at_pages = pages;
	} else if (pages - store->checkpoint_at_pages >= SQLITE_CHECKPOINT_PAGES) {
		store->checkpoint_at_pages = pages;
		pthread_cond_signal(&store->checkpoint_wanted);
	}
	pthread_mutex_unlock(&store->checkpoint_lock);
}

/* ---- open and close ---- */

static void sqlite_close(struct store *base)
{
	struct sqlite_store *store = (struct sqlite_store *)base;

	if (store->checkpoint_running) {
		pthread_mutex_lock(&store->checkpoint_lock);
		store->checkpoint_stop = true;
		pthread_cond_signal(&store->checkpoint_wanted);
		pthread_mutex_unlock(&store->checkpoint_lock);
		(void)pthread_join(store->checkpoint_thread, NULL); /* ours, joined once */
	}
	(void)sqlite3_close(store->checkpoint_db); /* no statement is open in it */
	sqlite_writer_fini(&store->writer);
	(void)sqlite3_close(store->db); /* the last close empties the log; the next open would as well */
	tdestroy(store->apps, mem_free);
	(void)pthread_cond_destroy(&store->checkpoint_wanted);
	(void)pthread_mutex_destroy(&store->checkpoint_lock);
	if (store->lock_fd >= 0)
		(void)close(store->lock_fd); /* releases the lock */
	mem_free(store->path);
	mem_free(store);
}

static int sqlite_store_reader_open(struct store *base, struct store_reader **reader_out, struct error *err)
{
	return sqlite_reader_open(((struct sqlite_store *)base)->path, reader_out, err);
}
static const struct store_ops sqlite_ops = {
	.load = sqlite_load,
	.commit = sqlite_commit,
	.abandon = sqlite_abandon,
	.tidy = sqlite_tidy,
	.prune = sqlite_prune,
	.clip_due = sqlite_clip_due,
	.probe = sqlite_probe,
	.close = sqlite_close,
	.reader_open = sqlite_store_reader_open,
};

static int sqlite_read_meta(struct sqlite_store *store, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	unsigned found = 0;
	int rc;

	if (sqlite_prepare(store->db, "SELECT key, value FROM meta", &statement, err))
		return -1;
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct str key = sqlite_column_str(statement, 0);
		const char *value = (const char *)sqlite3_column_text(statement, 1);

		if (str_eq(key, STR("store_id")))
			found += sscanf(value, "%16lx", &store->base.id) == 1;
		else if (str_eq(key, STR("secret")))
			found += store_read_secret(value, store->base.secret) == 0;
		else if (str_eq(key, STR("app_number_next")))
			found += sscanf(value, "%10u", &store->app_number_next) == 1;
	}
	(void)sqlite3_finalize(statement); /* repeats the error that rc has */
	if (rc != SQLITE_DONE)
		return sqlite_fail(store->db, rc, "reading the meta table", err);
	if (found != 3)
		return error_set(err, ERR_INTERNAL, "its meta table is incomplete");
	return 0;
}

static int sqlite_start_checkpoints(struct sqlite_store *store, struct error *err)
{
	int rc;

	if (sqlite_connect(store->path, SQLITE_OPEN_READWRITE, &store->checkpoint_db, err) ||
	    sqlite_execute(store->checkpoint_db, "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL", err))
		return -1;
	rc = pthread_create(&store->checkpoint_thread, NULL, sqlite_checkpoint_main, store);
	if (rc)
		return error_set_errno(err, rc, "starting the checkpoint thread");
	store->checkpoint_running = true;
	return 0;
}

int store_sqlite_open(const struct store_sqlite_options *options, struct store **store_out, struct error *err)
{
	struct sqlite_store *store = mem_zalloc(sizeof(*store));
	char *cache = sqlite3_mprintf("PRAGMA synchronous = FULL; PRAGMA cache_size = -%llu",
				      (unsigned long long)(options->cache_bytes / 1024));
	int64_t version;
	int rc = pthread_mutex_init(&store->checkpoint_lock, NULL);

	assert(rc == 0);
	rc = pthread_cond_init(&store->checkpoint_wanted, NULL);
	assert(rc == 0);
	store->base.ops = &sqlite_ops;
	store->lock_fd = -1;
	store->path = mem_dup(options->path, strlen(options->path));
	store->wal_pages_max = options->wal_bytes_max / SQLITE_PAGE_BYTES;
	/* one process per file: two writers would each trust a memory of the apps that the other makes stale */
	if (sqlite_lock(store->path, &store->lock_fd, err) ||
	    sqlite_connect(store->path, SQLITE_OPEN_READWRITE, &store->db, err) ||
	    sqlite_check_schema(store->db, &sqlite_store_schema, &version, err) || sqlite_use_wal(store->db, err) ||
	    sqlite_execute(store->db, cache, err) || sqlite_migrate(store->db, &sqlite_store_schema, err) ||
	    sqlite_read_meta(store, err) || sqlite_load_apps(store, err) ||
	    sqlite_writer_init(&store->writer, store->db, err) || sqlite_start_checkpoints(store, err))
		goto fail;
	sqlite3_wal_hook(store->db, sqlite_on_wal, store);
	sqlite3_free(cache);
	*store_out = &store->base;
	return 0;
fail:
	sqlite3_free(cache);
	(void)error_wrap(err, "store %s", options->path);
	sqlite_close(&store->base);
	return -1;
}
