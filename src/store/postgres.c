/* The PostgreSQL store's write side: tables of one process at a time, which holds a lock of the database while it runs. What a batch loads stands in postgres_load.c,
 * what it writes in postgres_write.c.
 *
 * A batch is two trips: begin, lock and look; write and commit. COMMIT returns when the server has made it durable as it
 * is configured to, at least on its own disk. Nothing is kept between batches but configurations, under the version that
 * app_state names.
 *
 * Failures: an error of the server rolls back and the store goes on; a lost connection is made anew with the next batch.
 * When it is lost after COMMIT may have been sent, the outcome is on the server and not here: every batch writes its
 * number into this process's row of `nodes`, so that the row tells. Reading it FOR UPDATE waits for the session that
 * was lost, if the server still has it. When the server cannot be asked for as long as a batch may take, nobody may be
 * told that the batch was stored, nor that it was not: ERR_INTERNAL, the process ends without an answer. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/postgres_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define POSTGRES_CONNECT_TIMEOUT_MS 5000
#define POSTGRES_ASK_PAUSE_MS 200

/* ---- connecting ---- */

/* Returns 1 when the lock is ours, 0 when it is not, -1. */
static int postgres_try_lock(struct postgres_store *store, struct error *err)
{
	PGresult *result;
	bool owner;

	pg_send(store->pg, PG_OWNER_LOCK, NULL);
	if (pg_trip(store->pg, &result, 1, err))
		return -1;
	owner = PQntuples(result) == 1 && pg_i64(result, 0, 0, 0) == 1;
	if (owner) {
		store->session_pid = pg_i64(result, 0, 1, 0);
		store->session_us = pg_i64(result, 0, 2, 0);
	}
	PQclear(result);
	return owner;
}

/* A session of ours whose connection was lost on the way holds the lock until the server finds that out. */
static int postgres_end_former(struct postgres_store *store, struct error *err)
{
	pg_params_begin(&store->params, 2, false);
	pg_param_i64(&store->params, 0, store->session_pid);
	pg_param_i64(&store->params, 1, store->session_us);
	pg_send(store->pg, PG_OWNER_END, &store->params);
	return pg_trip(store->pg, NULL, 0, err);
}

/* The lock is held. What this process keeps in memory, keys and figures among it, is what it wrote or read itself: when
 * another process had the tables meanwhile, only a new start knows what is there. */
static int postgres_note_owner(struct postgres_store *store, struct error *err)
{
	PGresult *result;
	int64_t owner;

	if (!store->is_owner) {
		pg_params_begin(&store->params, 1, false);
		pg_param_i64(&store->params, 0, store->node);
		pg_send(store->pg, PG_OWNER_WRITE, &store->params);
		store->is_owner = pg_trip(store->pg, NULL, 0, err) == 0;
		return store->is_owner ? 0 : -1;
	}
	pg_send(store->pg, PG_OWNER_READ, NULL);
	if (pg_trip(store->pg, &result, 1, err))
		return -1;
	owner = PQntuples(result) == 1 ? pg_i64(result, 0, 0, -1) : -1;
	PQclear(result);
	return owner == store->node
		       ? 0
		       : error_set(err, ERR_INTERNAL, "another highwater process has used this database meanwhile");
}

/* The lock belongs to the session: it ends with this process, however that ends, and with the connection. */
int postgres_connect(struct postgres_store *store, struct error *err)
{
	int owner;

	if (pg_is_connected(store->pg))
		return 0;
	if (pg_connect(store->pg, err))
		return -1;
	owner = postgres_try_lock(store, err);
	if (owner == 0 && store->session_pid)
		owner = postgres_end_former(store, err) ? -1 : postgres_try_lock(store, err);
	if (owner > 0 && postgres_note_owner(store, err) == 0)
		return 0;
	if (owner > 0)
		owner = -1;
	pg_disconnect(store->pg);
	return owner ? -1 : error_set(err, ERR_BUSY, "another highwater process uses this database");
}

/* ---- load ---- */

static int postgres_load(struct store *base, struct live_set *set, struct error *err)
{
	struct postgres_store *store = (struct postgres_store *)base;

	if (store->forgets)
		postgres_forget_all(store);
	store->forgets = false;
	store_abandon(base); /* nothing is open, unless a rollback failed: then the connection ends */
	store->in_batch = true;
	if (postgres_load_set(store, set, err) == 0)
		return 0;
	store_abandon(base);
	return -1;
}

static void postgres_abandon(struct store *base)
{
	struct postgres_store *store = (struct postgres_store *)base;
	struct error ignored; /* a session that cannot roll back is ended, which does it too */

	if (!store->in_batch)
		return;
	store->in_batch = false;
	if (!pg_is_connected(store->pg))
		return;
	pg_send(store->pg, PG_ROLLBACK, NULL);
	if (pg_trip(store->pg, NULL, 0, &ignored))
		pg_disconnect(store->pg);
}

/* ---- commit ---- */

static void postgres_pause(void)
{
	const struct timespec pause = {0, POSTGRES_ASK_PAUSE_MS * 1000000L};

	(void)nanosleep(&pause, NULL); /* a shorter one asks sooner */
}

/* The server has committed and was told, or took too long, to wait for its standbys no more. */
static int postgres_fail_alone(struct error *err)
{
	return error_set(err, ERR_IO, "PostgreSQL gave a warning: perhaps the standbys do not have the commit");
}

/* Asks once; reading the row for update is a commit too, which waits for the standbys as the batch did. Returns 1: the batch was stored; 0: it was not; -1: no answer. */
static int postgres_ask(struct postgres_store *store, struct error *err)
{
	PGresult *result;
	int stored;

	if (postgres_connect(store, err))
		return -1;
	pg_params_begin(&store->params, 1, false);
	pg_param_i64(&store->params, 0, store->node);
	pg_send(store->pg, PG_NODE_READ, &store->params);
	if (pg_trip(store->pg, &result, 1, err))
		return -1;
	stored = PQntuples(result) == 1 && pg_i64(result, 0, 0, -1) == store->batch;
	PQclear(result);
	return pg_was_warned(store->pg) ? postgres_fail_alone(err) : stored;
}

/* The connection was lost while the batch was being committed. Returns 0 when it was stored. */
static int postgres_resolve(struct postgres_store *store, struct error *err)
{
	int64_t until_ms = clock_mono_ms() + 2 * (int64_t)store->options.answer_timeout_ms;
	struct error why = *err;
	int stored;

	while ((stored = postgres_ask(store, err)) < 0 && clock_mono_ms() < until_ms)
		postgres_pause();
	store->forgets = true; /* the versions that the batch gave are not known */
	if (stored > 0)
		return 0;
	*err = why;
	if (stored < 0)
		return error_set(err, ERR_INTERNAL, "it is not known whether a batch was stored: %.300s", why.text);
	err->class = ERR_IO;
	return -1;
}

/* Takes the versions that the batch gave, and forgets apps that are gone. */
static void postgres_learn(struct postgres_store *store, const struct live_set *set, const PGresult *states)
{
	for (size_t i = 0; i < set->app_count; i++)
		if (!set->apps[i]->exists)
			postgres_forget(store, set->apps[i]->sdkappid);
	for (int row = 0; states && row < PQntuples(states); row++) {
		const struct live_app *app = live_set_app(set, (uint32_t)pg_i64(states, row, 0, 0));

		if (app && app->exists && (app->config_changed || live_app_is_new(app)))
			postgres_remember(store, app->config, pg_i64(states, row, 1, -1));
	}
}

static void postgres_send_note(struct postgres_store *store)
{
	store->batch++;
	pg_params_begin(&store->params, 2, false);
	pg_param_i64(&store->params, 0, store->node);
	pg_param_i64(&store->params, 1, store->batch);
	pg_send(store->pg, PG_NODE_WRITE, &store->params);
}

static int postgres_commit(struct store *base, struct live_set *set, struct error *err)
{
	struct postgres_store *store = (struct postgres_store *)base;
	PGresult *states = NULL;
	bool has_states;

	assert(store->in_batch);
	has_states = postgres_send_set(store, set);
	postgres_send_note(store);
	pg_send(store->pg, PG_COMMIT, NULL);
	if (pg_trip(store->pg, &states, has_states, err)) {
		bool lost = !pg_is_connected(store->pg);

		store_abandon(base);
		return lost ? postgres_resolve(store, err) : -1;
	}
	store->in_batch = false;
	if (pg_was_warned(store->pg)) {
		PQclear(states);
		return postgres_fail_alone(err) ? postgres_resolve(store, err) : 0;
	}
	postgres_learn(store, set, states);
	PQclear(states);
	return 0;
}

static void postgres_tidy(struct store *base)
{
	(void)base; /* the server's own vacuum does what there is */
}

/* ---- old callbacks ---- */

/* A round of removing: where it stands, and what goes. */
struct postgres_prune {
	const struct store_retention *retention;
	struct pg_params goes; /* of PG_PRUNE_DELETE */
	size_t removed;
	int64_t cursor;
	size_t looked;
	bool next_app; /* the last row says that its app is done */
};

static void postgres_judge(struct postgres_prune *prune, const PGresult *rows)
{
	prune->next_app = false;
	for (int row = 0; !prune->next_app && row < PQntuples(rows); row++) {
		int64_t id = pg_i64(rows, row, 0, 0);
		enum store_prune_verdict verdict =
			store_prune_judge(prune->retention, (enum callback_state)pg_i64(rows, row, 1, CALLBACK_WAITING),
					  pg_i64(rows, row, 2, 0), pg_i64(rows, row, 3, 0));

		prune->looked++;
		prune->next_app = verdict == PRUNE_NEXT_APP;
		prune->cursor = prune->next_app ? store_prune_next_app(id) : id;
		if (verdict != PRUNE_REMOVE)
			continue;
		pg_param_i64(&prune->goes, 0, app_id_number(id));
		pg_param_i64(&prune->goes, 1, id);
		prune->removed++;
	}
}

/* Of most apps the first row says that there is nothing to remove: so one row is asked for, and more when it goes on. */
static int postgres_prune_look(struct postgres_store *store, struct postgres_prune *prune, struct error *err)
{
	size_t limit = 1;
	bool more = true;

	while (more && prune->looked < STORE_PRUNE_ROWS_MAX) {
		PGresult *rows;

		if (limit > STORE_PRUNE_ROWS_MAX - prune->looked)
			limit = STORE_PRUNE_ROWS_MAX - prune->looked;
		pg_params_begin(&store->params, 3, false);
		pg_param_i64(&store->params, 0, app_id_number(prune->cursor));
		pg_param_i64(&store->params, 1, prune->cursor);
		pg_param_i64(&store->params, 2, (int64_t)limit);
		pg_send(store->pg, PG_PRUNE_LOOK, &store->params);
		if (pg_trip(store->pg, &rows, 1, err))
			return -1;
		more = (size_t)PQntuples(rows) == limit;
		postgres_judge(prune, rows);
		PQclear(rows);
		more = more || prune->next_app;
		limit = prune->next_app ? 1 : limit * 8;
	}
	if (!more)
		prune->cursor = 0;
	return 0;
}

static int postgres_prune(struct store *base, const struct store_retention *retention, int64_t *cursor,
			  size_t *removed_out, struct error *err)
{
	struct postgres_store *store = (struct postgres_store *)base;
	struct postgres_prune prune = {.retention = retention, .cursor = *cursor};
	int failed;

	assert(!store->in_batch);
	if (postgres_connect(store, err))
		return -1;
	pg_params_init(&prune.goes);
	pg_params_begin(&prune.goes, 2, true);
	failed = postgres_prune_look(store, &prune, err);
	if (!failed && prune.removed) {
		pg_send(store->pg, PG_PRUNE_DELETE, &prune.goes); /* a transaction by itself */
		failed = pg_trip(store->pg, NULL, 0, err);
	}
	pg_params_fini(&prune.goes);
	if (failed)
		return -1;
	*cursor = prune.cursor;
	*removed_out = prune.removed;
	return prune.cursor != 0;
}

static int postgres_clip_due(struct store *base, int64_t latest_ms, struct error *err)
{
	struct postgres_store *store = (struct postgres_store *)base;

	assert(!store->in_batch);
	if (postgres_connect(store, err))
		return -1;
	pg_params_begin(&store->params, 1, false);
	pg_param_i64(&store->params, 0, latest_ms);
	pg_send(store->pg, PG_CALLBACKS_CLIP, &store->params);
	return pg_trip(store->pg, NULL, 0, err);
}

static int postgres_probe(struct store *base, struct error *err)
{
	struct postgres_store *store = (struct postgres_store *)base;

	assert(!store->in_batch);
	if (postgres_connect(store, err))
		return -1;
	pg_params_begin(&store->params, 1, false);
	pg_param_i64(&store->params, 0, store->node);
	pg_send(store->pg, PG_PROBE, &store->params);
	return pg_trip(store->pg, NULL, 0, err);
}

/* ---- open and close ---- */

static void postgres_close(struct store *base)
{
	struct postgres_store *store = (struct postgres_store *)base;

	pg_close(&store->pg);
	pg_params_fini(&store->params);
	postgres_forget_all(store);
	if (store->conninfo)
		mem_wipe(store->conninfo, strlen(store->conninfo)); /* may hold a password */
	mem_free(store->conninfo);
	mem_free(store);
}

static int postgres_store_reader_open(struct store *base, struct store_reader **reader_out, struct error *err)
{
	return postgres_reader_open(&((struct postgres_store *)base)->options, reader_out, err);
}

static const struct store_ops postgres_ops = {
	.load = postgres_load,
	.commit = postgres_commit,
	.abandon = postgres_abandon,
	.tidy = postgres_tidy,
	.prune = postgres_prune,
	.probe = postgres_probe,
	.clip_due = postgres_clip_due,
	.close = postgres_close,
	.reader_open = postgres_store_reader_open,
};

static int postgres_read_meta(struct postgres_store *store, struct error *err)
{
	PGresult *result;
	unsigned found = 0;

	pg_send_sql(store->pg, "SELECT key, value FROM meta");
	if (pg_trip(store->pg, &result, 1, err))
		return -1;
	for (int row = 0; row < PQntuples(result); row++) {
		struct str key = pg_str(result, row, 0);
		const char *value = PQgetvalue(result, row, 1);

		if (str_eq(key, STR("store_id")))
			found += sscanf(value, "%16lx", &store->base.id) == 1;
		else if (str_eq(key, STR("secret")))
			found += store_read_secret(value, store->base.secret) == 0;
	}
	PQclear(result);
	return found == 2 ? 0 : error_set(err, ERR_INTERNAL, "its meta table is incomplete");
}

int store_postgres_open(const struct store_postgres_options *options, struct store **store_out, struct error *err)
{
	struct postgres_store *store = mem_zalloc(sizeof(*store));
	struct pg_options pg_options = {
		.conninfo = options->conninfo,
		.connect_timeout_ms = POSTGRES_CONNECT_TIMEOUT_MS,
		.answer_timeout_ms = options->answer_timeout_ms,
		.statements = postgres_write_sql,
		.statement_count = PG_WRITE_COUNT,
	};

	store->base.ops = &postgres_ops;
	store->conninfo = mem_dup(options->conninfo, strlen(options->conninfo));
	store->options = (struct store_postgres_options){store->conninfo, options->answer_timeout_ms};
	pg_params_init(&store->params);
	random_bytes(&store->node, sizeof(store->node));
	store->node &= INT64_MAX;
	if (pg_open(&pg_options, &store->pg, err) ||
	    postgres_migrate(options->conninfo, options->answer_timeout_ms, err) || postgres_connect(store, err) ||
	    postgres_read_meta(store, err)) {
		(void)error_wrap(err, "store"); /* -1 follows */
		postgres_close(&store->base);
		return -1;
	}
	*store_out = &store->base;
	return 0;
}
