/* What a batch loads from PostgreSQL.
 *
 * One trip in the ordinary case: begin, lock the states of the apps in the order of their numbers, look up rooms, items,
 * accounts and callbacks. Each statement sees what was committed before it began (READ COMMITTED), and those after the
 * lock begin when it is held: so nothing that is read of these apps can change until the batch ends. Configurations are
 * cached and read again only when app_state names another version. */
#include "base/mem.h"
#include "store/postgres_internal.h"

#include <assert.h>
#include <search.h>

/* ---- columns ---- */

/* Bytes that are none become a text that no list has. */
static struct str postgres_read_bytes(const PGresult *result, int row, int column, struct buf *scratch)
{
	return pg_append_bytes(result, row, column, scratch) || !buf_ok(scratch) ? STR("?") : buf_str(scratch);
}

void postgres_read_config(const PGresult *result, int row, int first_column, struct app_row *out,
			  struct app_row_text *text)
{
	app_row_text_init(text);
	for (int i = 0; i < CONFIG_COLUMN_COUNT; i++) {
		if (app_column_is_bytes((enum app_config_column)i))
			out->config[i].text = postgres_read_bytes(result, row, first_column + i, &text->texts[i]);
		else if (app_column_is_text((enum app_config_column)i))
			out->config[i].text = pg_str(result, row, first_column + i);
		else
			out->config[i].number = pg_i64(result, row, first_column + i, APP_NUMBER_NONE);
	}
}

void postgres_read_state(const PGresult *result, int row, int first_column, struct app_row *out)
{
	for (int i = 0; i < STATE_COLUMN_COUNT; i++)
		out->state[i] = pg_i64(result, row, first_column + i, APP_NUMBER_NONE);
}

/* ---- the cache ---- */

static int postgres_compare_apps(const void *a, const void *b)
{
	uint32_t left = ((const struct postgres_app *)a)->sdkappid;
	uint32_t right = ((const struct postgres_app *)b)->sdkappid;

	return left < right ? -1 : left > right;
}

struct postgres_app *postgres_cached(struct postgres_store *store, uint32_t sdkappid)
{
	struct postgres_app key; /* only the compared field is read */
	void *node;

	key.sdkappid = sdkappid;
	node = tfind(&key, &store->apps, postgres_compare_apps);
	return node ? *(struct postgres_app **)node : NULL;
}

static struct postgres_app *postgres_cache(struct postgres_store *store, uint32_t sdkappid)
{
	struct postgres_app *app = postgres_cached(store, sdkappid);

	if (app)
		return app;
	app = mem_zalloc(sizeof(*app));
	app->sdkappid = sdkappid;
	(void)tsearch(app, &store->apps, postgres_compare_apps); /* was not there */
	return app;
}

void postgres_remember(struct postgres_store *store, const struct app_config *config, int64_t version)
{
	struct postgres_app *app = postgres_cache(store, config->sdkappid);

	if (config != &app->config)
		app->config = *config;
	app->version = version;
}

static void postgres_free_app(void *ptr)
{
	mem_wipe(ptr, sizeof(struct postgres_app)); /* holds keys and tokens */
	mem_free(ptr);
}

void postgres_forget(struct postgres_store *store, uint32_t sdkappid)
{
	struct postgres_app *app = postgres_cached(store, sdkappid);

	if (!app)
		return;
	(void)tdelete(app, &store->apps, postgres_compare_apps); /* is there */
	postgres_free_app(app);
}

void postgres_forget_all(struct postgres_store *store)
{
	tdestroy(store->apps, postgres_free_app);
	store->apps = NULL;
}

/* ---- sending ---- */

static void postgres_send_apps(struct postgres_store *store, const struct live_set *set, bool missing_only,
			       enum postgres_write_statement which)
{
	pg_params_begin(&store->params, 1, true);
	for (size_t i = 0; i < set->app_count; i++)
		if (!missing_only || !set->apps[i]->exists_before)
			pg_param_i64(&store->params, 0, set->apps[i]->sdkappid);
	pg_send(store->pg, which, &store->params);
}

static void postgres_send_rooms(struct postgres_store *store, const struct live_set *set)
{
	pg_params_begin(&store->params, 3, true);
	for (size_t i = 0; i < set->room_count; i++) {
		pg_param_i64(&store->params, 0, (int64_t)i);
		pg_param_i64(&store->params, 1, set->rooms[i]->app->sdkappid);
		pg_param_str(&store->params, 2, set->rooms[i]->room_id);
	}
	pg_send(store->pg, PG_ROOMS_FIND, &store->params);
}

static void postgres_send_items(struct postgres_store *store, const struct live_set *set)
{
	pg_params_begin(&store->params, 4, true);
	for (size_t i = 0; i < set->room_count; i++) {
		if (!set->rooms[i]->items_needed)
			continue;
		pg_param_i64(&store->params, 0, (int64_t)i);
		pg_param_i64(&store->params, 1, set->rooms[i]->app->sdkappid);
		pg_param_str(&store->params, 2, set->rooms[i]->room_id);
		pg_param_i64(&store->params, 3, set->rooms[i]->items_needed);
	}
	pg_send(store->pg, PG_ITEMS_FIND, &store->params);
}

static void postgres_send_accounts(struct postgres_store *store, const struct live_set *set)
{
	int64_t i = 0;

	pg_params_begin(&store->params, 3, true);
	for (const struct live_account *account = set->accounts; account; account = account->next) {
		pg_param_i64(&store->params, 0, i++);
		pg_param_i64(&store->params, 1, account->app->sdkappid);
		pg_param_str(&store->params, 2, account->name);
	}
	pg_send(store->pg, PG_ACCOUNTS_FIND, &store->params);
}

static void postgres_send_deliveries(struct postgres_store *store, const struct live_set *set)
{
	int64_t i = 0;

	pg_params_begin(&store->params, 3, true);
	for (const struct live_delivery *delivery = set->deliveries; delivery; delivery = delivery->next) {
		pg_param_i64(&store->params, 0, i++);
		pg_param_i64(&store->params, 1, app_id_number(delivery->id));
		pg_param_i64(&store->params, 2, delivery->id);
	}
	pg_send(store->pg, PG_CALLBACKS_FIND, &store->params);
}

/* ---- taking ---- */

/* Columns of PG_APPS_LOCK: number, version, the state. Apps whose configuration is not cached are counted. */
static int postgres_take_state(struct postgres_store *store, struct live_set *set, const PGresult *result, int row,
			       size_t *stale, struct error *err)
{
	struct app_row app_row = {0};
	struct store_app loaded;
	struct live_app *app;
	const struct postgres_app *cached;
	int64_t version = pg_i64(result, row, 1, -1);

	postgres_read_state(result, row, 2, &app_row);
	if (app_row_read_state(&app_row, &loaded.state, err))
		return -1;
	app = live_set_app(set, (uint32_t)app_row.state[STATE_SDKAPPID]);
	if (!app)
		return error_set(err, ERR_INTERNAL, "PostgreSQL gave the state of an app that was not asked for");
	app->exists = app->exists_before = true;
	app->number_before = (uint32_t)pg_i64(result, row, 0, 0);
	app->state = loaded.state;
	cached = postgres_cached(store, app->sdkappid);
	if (cached && cached->version == version)
		app->config = &cached->config;
	else
		++*stale;
	return 0;
}

static int postgres_take_apps(struct postgres_store *store, struct live_set *set, const PGresult *result, size_t *stale,
			      struct error *err)
{
	for (int row = 0; row < PQntuples(result); row++)
		if (postgres_take_state(store, set, result, row, stale, err))
			return -1;
	return 0;
}

/* The index that a row begins with names one of `count`; false for what cannot be. */
static bool postgres_take_index(const PGresult *result, int row, size_t count, size_t *index_out)
{
	int64_t index = pg_i64(result, row, 0, -1);

	*index_out = (size_t)index;
	return index >= 0 && (size_t)index < count;
}

static void postgres_take_rooms(struct live_set *set, const PGresult *result)
{
	for (int row = 0; row < PQntuples(result); row++) {
		struct live_room *room;
		size_t index;

		if (!postgres_take_index(result, row, set->room_count, &index))
			continue;
		room = set->rooms[index];
		room->exists = room->exists_before = true;
		room->id = room->id_before = pg_i64(result, row, 1, 0);
		(void)str_copy(room->owner, sizeof(room->owner), pg_str(result, row, 2)); /* fitted when stored */
		room->create_ms = pg_i64(result, row, 3, 0);
		room->visible = pg_i64(result, row, 4, 0) != 0;
		room->info = arena_dup(set->arena, pg_str(result, row, 5));
	}
}

static void postgres_take_items(struct live_set *set, const PGresult *result)
{
	struct live_item *last = NULL;
	struct live_room *last_room = NULL;
	int64_t last_kind = -1;

	for (int row = 0; row < PQntuples(result); row++) {
		int64_t kind = pg_i64(result, row, 1, -1);
		size_t index;

		if (!postgres_take_index(result, row, set->room_count, &index) || kind < 0 || kind >= ITEM_KIND_COUNT)
			continue;
		if (set->rooms[index] != last_room || kind != last_kind)
			last = NULL; /* the first of its list */
		last_room = set->rooms[index];
		last_kind = kind;
		live_room_add_item(set, last_room, (enum item_kind)kind, &last,
				   (struct live_item){.name = arena_dup(set->arena, pg_str(result, row, 2)),
						      .value = arena_dup(set->arena, pg_str(result, row, 3)),
						      .until_s = pg_i64(result, row, 4, 0)});
	}
}

static void postgres_take_accounts(struct live_set *set, const PGresult *result)
{
	size_t count = 0;
	struct live_account **accounts;
	size_t i = 0;

	for (const struct live_account *account = set->accounts; account; account = account->next)
		count++;
	accounts = arena_array(set->arena, count, sizeof(struct live_account *));
	for (struct live_account *account = set->accounts; account; account = account->next)
		accounts[i++] = account;
	for (int row = 0; row < PQntuples(result); row++) {
		size_t index;

		if (!postgres_take_index(result, row, count, &index))
			continue;
		accounts[index]->exists = accounts[index]->exists_before = true;
		accounts[index]->nick = arena_dup(set->arena, pg_str(result, row, 1));
		accounts[index]->face_url = arena_dup(set->arena, pg_str(result, row, 2));
		accounts[index]->create_ms = pg_i64(result, row, 3, 0);
	}
}

static int postgres_take_deliveries(struct live_set *set, const PGresult *result, struct error *err)
{
	size_t count = 0;
	struct live_delivery **deliveries;
	size_t i = 0;

	for (const struct live_delivery *delivery = set->deliveries; delivery; delivery = delivery->next)
		count++;
	deliveries = arena_array(set->arena, count, sizeof(struct live_delivery *));
	for (struct live_delivery *delivery = set->deliveries; delivery; delivery = delivery->next)
		deliveries[i++] = delivery;
	for (int row = 0; row < PQntuples(result); row++) {
		int64_t state = pg_i64(result, row, 1, -1);
		size_t index;

		if (!postgres_take_index(result, row, count, &index))
			continue;
		if (state < 0 || state >= CALLBACK_STATE_COUNT)
			return error_set(err, ERR_INTERNAL, "the row of callback %lld holds values out of bounds",
					 (long long)deliveries[index]->id);
		deliveries[index]->exists = true;
		deliveries[index]->state = (enum callback_state)state;
	}
	return 0;
}

/* ---- the trips ---- */

/* Reads the configurations that the cache does not have in the version that is now. */
static int postgres_refresh(struct postgres_store *store, struct live_set *set, struct error *err)
{
	PGresult *result;
	int failed = 0;

	pg_params_begin(&store->params, 1, true);
	for (size_t i = 0; i < set->app_count; i++)
		if (set->apps[i]->exists && !set->apps[i]->config)
			pg_param_i64(&store->params, 0, set->apps[i]->sdkappid);
	pg_send(store->pg, PG_CONFIGS_READ, &store->params);
	if (pg_trip(store->pg, &result, 1, err))
		return -1;
	for (int row = 0; !failed && row < PQntuples(result); row++) {
		struct app_row app_row = {0};
		struct app_row_text text;
		struct app_config config;

		postgres_read_config(result, row, 1, &app_row, &text);
		failed = app_row_read_config(&app_row, &config, err);
		app_row_text_fini(&text);
		if (!failed)
			postgres_remember(store, &config, pg_i64(result, row, 0, -1));
		mem_wipe(&config, sizeof(config));
	}
	PQclear(result);
	for (size_t i = 0; !failed && i < set->app_count; i++) {
		const struct postgres_app *cached = postgres_cached(store, set->apps[i]->sdkappid);

		if (!set->apps[i]->exists || set->apps[i]->config)
			continue;
		if (!cached)
			return error_set(err, ERR_INTERNAL, "the row of app %u has a state and no configuration",
					 set->apps[i]->sdkappid);
		set->apps[i]->config = &cached->config;
	}
	return failed;
}

/* A batch that may create apps: they must not come into being elsewhere at the same time, nor take the same number. */
static int postgres_lock_new(struct postgres_store *store, struct live_set *set, struct error *err)
{
	PGresult *results[3];
	int found;

	postgres_send_apps(store, set, true, PG_APPS_WAIT);
	postgres_send_apps(store, set, true, PG_APPS_LOCK);
	pg_send(store->pg, PG_NUMBER_LOCK, NULL);
	if (pg_trip(store->pg, results, ARRAY_LEN(results), err))
		return -1;
	found = PQntuples(results[1]);
	if (PQntuples(results[2]) == 1)
		set->app_number_next = (uint32_t)pg_i64(results[2], 0, 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		PQclear(results[i]);
	if (found)
		return error_set(err, ERR_BUSY, "an app was created by another node meanwhile");
	if (!set->app_number_next)
		return error_set(err, ERR_INTERNAL, "its meta table is incomplete");
	return 0;
}

enum postgres_load_part { LOAD_BEGIN, LOAD_APPS, LOAD_ROOMS, LOAD_ITEMS, LOAD_ACCOUNTS, LOAD_DELIVERIES, LOAD_COUNT };

static bool postgres_needs_items(const struct live_set *set)
{
	for (size_t i = 0; i < set->room_count; i++)
		if (set->rooms[i]->items_needed)
			return true;
	return false;
}

/* The place of each part among the statements sent, or -1. Returns how many were sent. */
static size_t postgres_send_load(struct postgres_store *store, const struct live_set *set, int places[LOAD_COUNT])
{
	size_t count = 0;

	for (size_t i = 0; i < LOAD_COUNT; i++)
		places[i] = -1;
	pg_send(store->pg, PG_BEGIN, NULL);
	places[LOAD_BEGIN] = (int)count++;
	postgres_send_apps(store, set, false, PG_APPS_LOCK);
	places[LOAD_APPS] = (int)count++;
	if (set->room_count) {
		postgres_send_rooms(store, set);
		places[LOAD_ROOMS] = (int)count++;
	}
	if (postgres_needs_items(set)) {
		postgres_send_items(store, set);
		places[LOAD_ITEMS] = (int)count++;
	}
	if (set->accounts) {
		postgres_send_accounts(store, set);
		places[LOAD_ACCOUNTS] = (int)count++;
	}
	if (set->deliveries) {
		postgres_send_deliveries(store, set);
		places[LOAD_DELIVERIES] = (int)count++;
	}
	return count;
}

static int postgres_take_load(struct postgres_store *store, struct live_set *set, PGresult *const *results,
			      const int places[LOAD_COUNT], size_t *stale, struct error *err)
{
	if (postgres_take_apps(store, set, results[places[LOAD_APPS]], stale, err))
		return -1;
	if (places[LOAD_ROOMS] >= 0)
		postgres_take_rooms(set, results[places[LOAD_ROOMS]]);
	if (places[LOAD_ITEMS] >= 0)
		postgres_take_items(set, results[places[LOAD_ITEMS]]);
	if (places[LOAD_ACCOUNTS] >= 0)
		postgres_take_accounts(set, results[places[LOAD_ACCOUNTS]]);
	return places[LOAD_DELIVERIES] >= 0 ? postgres_take_deliveries(set, results[places[LOAD_DELIVERIES]], err) : 0;
}

/* The first trip. Nothing is taken from it yet, so that it can be done again when the connection turns out to be gone:
 * a database that was started anew between two batches costs nobody an error. */
static int postgres_begin(struct postgres_store *store, const struct live_set *set, PGresult **results,
			  int places[LOAD_COUNT], size_t *count, struct error *err)
{
	if (postgres_connect(store, err))
		return -1;
	*count = postgres_send_load(store, set, places);
	return pg_trip(store->pg, results, *count, err);
}

int postgres_load_set(struct postgres_store *store, struct live_set *set, struct error *err)
{
	PGresult *results[LOAD_COUNT];
	int places[LOAD_COUNT];
	bool connected = pg_is_connected(store->pg);
	size_t stale = 0;
	size_t count;
	int failed;

	failed = postgres_begin(store, set, results, places, &count, err);
	if (failed && connected && !pg_is_connected(store->pg) && err->class != ERR_TIMEOUT)
		failed = postgres_begin(store, set, results, places, &count, err);
	if (failed)
		return -1;
	failed = postgres_take_load(store, set, results, places, &stale, err);
	for (size_t i = 0; i < count; i++)
		PQclear(results[i]);
	if (!failed && stale)
		failed = postgres_refresh(store, set, err);
	if (!failed && set->needs_app_number)
		failed = postgres_lock_new(store, set, err);
	return failed;
}
