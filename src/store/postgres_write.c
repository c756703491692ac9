/* The difference that a batch makes, as a few statements with arrays, whatever its size; see postgres_internal.h.
 *
 * What goes away goes first, so that a room or an app that ends and begins again in one batch is a new row. */
#include "store/postgres_internal.h"

const char *const postgres_write_sql[PG_WRITE_COUNT] = {
#define POSTGRES_SQL(name, sql) [name] = (sql),
	POSTGRES_WRITE_STATEMENTS(POSTGRES_SQL)
#undef POSTGRES_SQL
};

/* Sends it unless it has no row. */
static void postgres_send_rows(struct postgres_store *store, enum postgres_write_statement which, size_t rows)
{
	if (rows)
		pg_send(store->pg, which, &store->params);
}

/* ---- rooms ---- */

static void postgres_delete_rooms(struct postgres_store *store, const struct live_set *set,
				  enum postgres_write_statement which)
{
	size_t rows = 0;

	pg_params_begin(&store->params, 2, true);
	for (size_t i = 0; i < set->room_count; i++) {
		if (!live_room_is_gone(set->rooms[i]))
			continue;
		pg_param_i64(&store->params, 0, app_id_number(set->rooms[i]->id_before));
		pg_param_i64(&store->params, 1, set->rooms[i]->id_before);
		rows++;
	}
	postgres_send_rows(store, which, rows);
}

static void postgres_insert_rooms(struct postgres_store *store, const struct live_set *set)
{
	struct pg_params *params = &store->params;
	size_t rows = 0;

	pg_params_begin(params, 7, true);
	for (size_t i = 0; i < set->room_count; i++) {
		const struct live_room *room = set->rooms[i];

		if (!live_room_is_new(room))
			continue;
		pg_param_i64(params, 0, app_id_number(room->id));
		pg_param_i64(params, 1, room->id);
		pg_param_str(params, 2, room->room_id);
		pg_param_str(params, 3, str_c(room->owner));
		pg_param_i64(params, 4, room->create_ms);
		pg_param_i64(params, 5, room->visible);
		pg_param_str(params, 6, room->info);
		rows++;
	}
	postgres_send_rows(store, PG_ROOMS_INSERT, rows);
}

static void postgres_update_rooms(struct postgres_store *store, const struct live_set *set)
{
	struct pg_params *params = &store->params;
	size_t rows = 0;

	pg_params_begin(params, 5, true);
	for (size_t i = 0; i < set->room_count; i++) {
		const struct live_room *room = set->rooms[i];

		if (!live_room_is_changed(room))
			continue;
		pg_param_i64(params, 0, app_id_number(room->id));
		pg_param_i64(params, 1, room->id);
		pg_param_str(params, 2, str_c(room->owner));
		pg_param_i64(params, 3, room->visible);
		pg_param_str(params, 4, room->info);
		rows++;
	}
	postgres_send_rows(store, PG_ROOMS_UPDATE, rows);
}

/* Of one room and kind: the items that go, or those that are written. Returns how many. */
static size_t postgres_add_items(struct pg_params *params, const struct live_room *room, enum item_kind kind, bool gone)
{
	size_t rows = 0;

	for (const struct live_item *item = room->items[kind]; item; item = item->next) {
		if (gone ? !live_item_is_gone(room, item) : !live_item_is_written(room, item))
			continue;
		pg_param_i64(params, 0, app_id_number(room->id));
		pg_param_i64(params, 1, room->id);
		pg_param_i64(params, 2, (int64_t)kind);
		pg_param_str(params, 3, item->name);
		if (!gone) {
			pg_param_str(params, 4, item->value);
			pg_param_i64(params, 5, item->until_s);
		}
		rows++;
	}
	return rows;
}

static void postgres_send_room_items(struct postgres_store *store, const struct live_set *set, bool gone)
{
	size_t rows = 0;

	pg_params_begin(&store->params, gone ? 4 : 6, true);
	for (size_t i = 0; i < set->room_count; i++)
		for (unsigned kind = 0; kind < ITEM_KIND_COUNT; kind++)
			rows += postgres_add_items(&store->params, set->rooms[i], (enum item_kind)kind, gone);
	postgres_send_rows(store, gone ? PG_ITEMS_DELETE : PG_ITEMS_WRITE, rows);
}

static void postgres_write_accounts(struct postgres_store *store, const struct live_set *set)
{
	struct pg_params *params = &store->params;
	size_t rows = 0;

	pg_params_begin(params, 5, true);
	for (const struct live_account *account = set->accounts; account; account = account->next) {
		if (!live_account_is_written(account))
			continue;
		pg_param_i64(params, 0, account->app->config->number);
		pg_param_str(params, 1, account->name);
		pg_param_str(params, 2, account->nick);
		pg_param_str(params, 3, account->face_url);
		pg_param_i64(params, 4, account->create_ms);
		rows++;
	}
	postgres_send_rows(store, PG_ACCOUNTS_WRITE, rows);
}

/* ---- callbacks ---- */

static void postgres_insert_callbacks(struct postgres_store *store, const struct live_set *set)
{
	struct pg_params *params = &store->params;

	pg_params_begin(params, 9, true);
	for (size_t i = 0; i < set->callback_count; i++) {
		const struct live_callback *callback = &set->callbacks[i];

		pg_param_i64(params, 0, app_id_number(callback->id));
		pg_param_i64(params, 1, callback->id);
		pg_param_i64(params, 2, callback->sdkappid);
		pg_param_i64(params, 3, (int64_t)callback->command);
		pg_param_i64(params, 4, callback->threshold);
		pg_param_i64(params, 5, (int64_t)callback->platform);
		pg_param_str(params, 6, callback->client_ip);
		pg_param_str(params, 7, callback->body);
		pg_param_i64(params, 8, callback->event_ms);
	}
	postgres_send_rows(store, PG_CALLBACKS_INSERT, set->callback_count);
}

static void postgres_add_mark(struct pg_params *params, const struct delivery_result *result)
{

	pg_param_i64(params, 0, app_id_number(result->callback_id));
	pg_param_i64(params, 1, result->callback_id);
	pg_param_i64(params, 2, (int64_t)live_mark_state(result->mark));
	pg_param_i64(params, 3, result->attempts);
	pg_param_i64(params, 4, result->due_ms);
	pg_param_i64(params, 5, result->attempt_ms);
	pg_param_i64(params, 6, result->http_status);
	pg_param_str(params, 7, str_c(result->error));
	pg_param_i64(params, 8, result->log.ptr != NULL);
	pg_param_str(params, 9, result->log);
}

/* Two marks of one callback, which one batch hardly ever has, are two statements: of two rows for one, an UPDATE takes
 * any. */
static bool postgres_is_marked(const struct live_set *set, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (set->marks[i]->callback_id == set->marks[to]->callback_id)
			return true;
	return false;
}

static void postgres_write_marks(struct postgres_store *store, const struct live_set *set)
{
	size_t from = 0;

	pg_params_begin(&store->params, 10, true);
	for (size_t i = 0; i < set->mark_count; i++) {
		if (postgres_is_marked(set, from, i)) {
			postgres_send_rows(store, PG_CALLBACKS_MARK, i - from);
			pg_params_begin(&store->params, 10, true);
			from = i;
		}
		postgres_add_mark(&store->params, set->marks[i]);
	}
	postgres_send_rows(store, PG_CALLBACKS_MARK, set->mark_count - from);
}

static void postgres_write_replays(struct postgres_store *store, const struct live_set *set)
{
	struct pg_params *params = &store->params;
	size_t rows = 0;

	pg_params_begin(params, 4, true);
	for (const struct live_delivery *delivery = set->deliveries; delivery; delivery = delivery->next) {
		if (!delivery->replayed)
			continue;
		pg_param_i64(params, 0, app_id_number(delivery->id));
		pg_param_i64(params, 1, delivery->id);
		pg_param_i64(params, 2, delivery->due_ms);
		pg_param_i64(params, 3, delivery->replay_ms);
		rows++;
	}
	postgres_send_rows(store, PG_CALLBACKS_REPLAY, rows);
}

/* ---- history ---- */

static void postgres_write_audits(struct postgres_store *store, const struct live_set *set)
{
	struct pg_params *params = &store->params;
	int64_t rows = 0;

	pg_params_begin(params, 6, true);
	for (const struct live_audit *audit = set->audits; audit; audit = audit->next) {
		pg_param_i64(params, 0, audit->sdkappid);
		pg_param_i64(params, 1, audit->time_ms);
		pg_param_str(params, 2, audit->actor);
		pg_param_str(params, 3, audit->client_ip);
		pg_param_str(params, 4, audit->action);
		pg_param_str(params, 5, audit->detail);
		rows++;
	}
	postgres_send_rows(store, PG_AUDITS_INSERT, (size_t)rows);
	if (!rows || !set->audit_before_ms)
		return;
	pg_params_begin(params, 2, false);
	pg_param_i64(params, 0, rows * STORE_AUDIT_DROP_MAX);
	pg_param_i64(params, 1, set->audit_before_ms);
	pg_send(store->pg, PG_AUDITS_DROP, params);
}

static void postgres_write_samples(struct postgres_store *store, const struct live_set *set)
{
	struct pg_params *params = &store->params;

	if (!set->samples)
		return;
	pg_params_begin(params, 5, true);
	for (const struct live_sample *sample = set->samples; sample; sample = sample->next) {
		pg_param_i64(params, 0, sample->number);
		pg_param_i64(params, 1, sample->minute_ms);
		pg_param_i64(params, 2, (int64_t)sample->room_count);
		pg_param_i64(params, 3, (int64_t)sample->room_count_highest);
		pg_param_i64(params, 4, sample->room_count_max);
	}
	pg_send(store->pg, PG_SAMPLES_WRITE, params);
	if (!set->sample_before_ms)
		return;
	pg_params_begin(params, 2, true);
	for (const struct live_sample *sample = set->samples; sample; sample = sample->next)
		pg_param_i64(params, 0, sample->number);
	pg_param_scalar_i64(params, 1, set->sample_before_ms);
	pg_send(store->pg, PG_SAMPLES_DROP, params);
}

/* ---- apps ---- */

static void postgres_cancel_callbacks(struct postgres_store *store, const struct live_set *set)
{
	size_t rows = 0;

	pg_params_begin(&store->params, 2, true);
	for (size_t i = 0; i < set->app_count; i++) {
		if (!set->apps[i]->pending_cancelled)
			continue;
		pg_param_i64(&store->params, 0, set->apps[i]->sdkappid);
		pg_param_i64(&store->params, 1, live_app_cancel_below(set->apps[i]));
		rows++;
	}
	postgres_send_rows(store, PG_CALLBACKS_CANCEL, rows);
}

static bool postgres_config_is_written(const struct live_app *app)
{
	return app->exists && (app->config_changed || live_app_is_new(app));
}

/* Deletes, of each app for which `is` says so, what has its number or its SDKAppID. */
static void postgres_delete_of_apps(struct postgres_store *store, const struct live_set *set,
				    bool (*is)(const struct live_app *app), bool by_number,
				    enum postgres_write_statement which)
{
	size_t rows = 0;

	pg_params_begin(&store->params, 1, true);
	for (size_t i = 0; i < set->app_count; i++) {
		if (!is(set->apps[i]))
			continue;
		pg_param_i64(&store->params, 0, by_number ? set->apps[i]->number_before : set->apps[i]->sdkappid);
		rows++;
	}
	postgres_send_rows(store, which, rows);
}

/* A row that is written anew is deleted first. */
static bool postgres_config_row_goes(const struct live_app *app)
{
	return live_app_is_gone(app) || (postgres_config_is_written(app) && app->exists_before);
}

static bool postgres_certificate_goes(const struct live_app *app)
{
	return live_app_is_gone(app) || (app->exists && app->certificate_changed && !app->certificate.len);
}

static void postgres_delete_apps(struct postgres_store *store, const struct live_set *set)
{
	postgres_delete_of_apps(store, set, postgres_config_row_goes, false, PG_APPS_DELETE);
	postgres_delete_of_apps(store, set, live_app_is_gone, true, PG_STATES_DELETE);
	postgres_delete_of_apps(store, set, live_app_is_gone, true, PG_ACCOUNTS_DELETE);
	postgres_delete_of_apps(store, set, live_app_is_gone, true, PG_SAMPLES_DELETE);
	postgres_delete_of_apps(store, set, postgres_certificate_goes, false, PG_CERTIFICATES_DELETE);
}

static void postgres_add_config(struct pg_params *params, const struct app_config *config)
{
	struct app_row row;
	struct app_row_text text;

	app_row_write_config(config, &row, &text);
	for (size_t i = 0; i < CONFIG_COLUMN_COUNT; i++) {
		if (app_column_is_bytes((enum app_config_column)i))
			pg_param_bytes(params, i, row.config[i].text);
		else if (app_column_is_text((enum app_config_column)i))
			pg_param_str(params, i, row.config[i].text);
		else
			pg_param_i64(params, i, row.config[i].number);
	}
	app_row_text_fini(&text);
}

static void postgres_write_configs(struct postgres_store *store, const struct live_set *set)
{
	size_t rows = 0;

	pg_params_begin(&store->params, CONFIG_COLUMN_COUNT, true);
	for (size_t i = 0; i < set->app_count; i++) {
		if (!postgres_config_is_written(set->apps[i]))
			continue;
		postgres_add_config(&store->params, set->apps[i]->config);
		rows++;
	}
	postgres_send_rows(store, PG_CONFIGS_WRITE, rows);
}

static void postgres_write_certificates(struct postgres_store *store, const struct live_set *set)
{
	size_t rows = 0;

	pg_params_begin(&store->params, 3, true);
	for (size_t i = 0; i < set->app_count; i++) {
		const struct live_app *app = set->apps[i];

		if (!app->exists || !app->certificate_changed || !app->certificate.len)
			continue;
		pg_param_i64(&store->params, 0, app->sdkappid);
		pg_param_str(&store->params, 1, app->certificate);
		pg_param_str(&store->params, 2, app->certificate_key);
		rows++;
	}
	postgres_send_rows(store, PG_CERTIFICATES_WRITE, rows);
}

#define POSTGRES_STATE_FIRST 3 /* parameters before the state's: number, changed, version */

static bool postgres_write_states(struct postgres_store *store, const struct live_set *set)
{
	struct pg_params *params = &store->params;
	size_t rows = 0;

	pg_params_begin(params, POSTGRES_STATE_FIRST + STATE_COLUMN_COUNT, true);
	for (size_t i = 0; i < set->app_count; i++) {
		const struct live_app *app = set->apps[i];
		bool changed = postgres_config_is_written(app);
		const struct postgres_app *cached = postgres_cached(store, app->sdkappid);
		struct app_row row;

		if (!app->exists || (!changed && !app->state_changed))
			continue;
		app_row_write_state(app->sdkappid, &app->state, &row);
		pg_param_i64(params, 0, app->config->number);
		pg_param_i64(params, 1, changed);
		pg_param_i64(params, 2, cached ? cached->version : 0);
		for (size_t k = 0; k < STATE_COLUMN_COUNT; k++)
			pg_param_i64(params, POSTGRES_STATE_FIRST + k, row.state[k]);
		rows++;
	}
	postgres_send_rows(store, PG_STATES_WRITE, rows);
	return rows > 0;
}

static void postgres_write_number(struct postgres_store *store, const struct live_set *set)
{
	if (!set->app_number_used)
		return;
	pg_params_begin(&store->params, 1, false);
	pg_param_i64(&store->params, 0, set->app_number_next);
	pg_send(store->pg, PG_NUMBER_SET, &store->params);
}

/* ---- all of it ---- */

bool postgres_send_set(struct postgres_store *store, const struct live_set *set)
{
	bool has_states;

	has_states = postgres_write_states(store, set);
	postgres_delete_rooms(store, set, PG_ROOM_ITEMS_DELETE);
	postgres_delete_rooms(store, set, PG_ROOMS_DELETE);
	postgres_insert_rooms(store, set);
	postgres_update_rooms(store, set);
	postgres_send_room_items(store, set, true);
	postgres_send_room_items(store, set, false);
	postgres_write_accounts(store, set);
	postgres_insert_callbacks(store, set);
	postgres_write_marks(store, set);
	postgres_write_replays(store, set);
	postgres_write_audits(store, set);
	postgres_write_samples(store, set);
	postgres_cancel_callbacks(store, set); /* what a deleted app leaves ends here */
	postgres_delete_apps(store, set);
	postgres_write_configs(store, set);
	postgres_write_certificates(store, set);
	postgres_write_number(store, set);
	return has_states;
}
