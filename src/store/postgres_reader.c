/* Read-only views of the PostgreSQL store: one connection each. Every read is one statement and so sees one committed
 * state. Reads of callbacks stand in postgres_callbacks.c.
 *
 * A connection that was lost is made anew by the read that finds it so, once: a read can be done twice. */
#include "base/mem.h"
#include "store/postgres_internal.h"

#define POSTGRES_READ_CONNECT_MS 5000

static const char *const postgres_read_sql[] = {
#define POSTGRES_SQL(name, sql) [name] = (sql),
	POSTGRES_READ_STATEMENTS(POSTGRES_SQL)
#undef POSTGRES_SQL
};

static int postgres_query_once(struct postgres_reader *reader, enum postgres_read_statement which, size_t count,
			       const int64_t *numbers, struct str text, PGresult **result_out, struct error *err)
{
	struct pg_params *params = &reader->params;

	if (pg_connect(reader->pg, err))
		return -1;
	pg_params_begin(params, count + (text.ptr != NULL), false);
	for (size_t i = 0; i < count; i++)
		pg_param_i64(params, i, numbers[i]);
	if (text.ptr)
		pg_param_str(params, count, text);
	pg_send(reader->pg, which, params);
	return pg_trip(reader->pg, result_out, 1, err);
}

int postgres_query(struct store_reader *base, enum postgres_read_statement which, size_t count, const int64_t *numbers,
		   struct str text, PGresult **result_out, struct error *err)
{
	struct postgres_reader *reader = (struct postgres_reader *)base;
	bool connected = pg_is_connected(reader->pg);

	if (postgres_query_once(reader, which, count, numbers, text, result_out, err) == 0)
		return 0;
	if (!connected || pg_is_connected(reader->pg) || err->class == ERR_TIMEOUT)
		return -1;
	return postgres_query_once(reader, which, count, numbers, text, result_out, err);
}

/* ---- apps ---- */

static int postgres_take_app(const PGresult *result, int row, struct store_app *app_out, struct error *err)
{
	struct app_row app_row = {0};
	struct app_row_text text;
	int failed;

	postgres_read_config(result, row, 0, &app_row, &text);
	postgres_read_state(result, row, CONFIG_COLUMN_COUNT, &app_row);
	if (app_row.state[STATE_SDKAPPID] == APP_NUMBER_NONE) /* its state is missing: then this names it */
		app_row.state[STATE_SDKAPPID] = app_row.config[CONFIG_SDKAPPID].number;
	failed = app_row_read_config(&app_row, &app_out->config, err);
	app_row_text_fini(&text);
	return failed ? -1 : app_row_read_state(&app_row, &app_out->state, err);
}

static int postgres_app_each(struct store_reader *base, void (*each)(void *context, const struct store_app *app),
			     void *context, struct error *err)
{
	PGresult *result;
	int failed = 0;

	if (postgres_query(base, PG_APP_EACH, 0, NULL, POSTGRES_NO_TEXT, &result, err))
		return -1;
	for (int row = 0; !failed && row < PQntuples(result); row++) {
		struct store_app app;

		failed = postgres_take_app(result, row, &app, err);
		if (!failed)
			each(context, &app);
	}
	PQclear(result);
	return failed;
}

static int postgres_app_get(struct store_reader *base, uint32_t sdkappid, struct store_app *app_out, struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, PG_APP_GET, 1, (const int64_t[]){sdkappid}, POSTGRES_NO_TEXT, &result, err))
		return -1;
	found = PQntuples(result) > 0;
	if (found && postgres_take_app(result, 0, app_out, err))
		found = -1;
	PQclear(result);
	return found;
}

/* ---- rooms ---- */

static struct store_room postgres_take_room(const PGresult *result, int row, struct arena *arena)
{
	return (struct store_room){
		.id = pg_i64(result, row, 0, 0),
		.room_id = arena_dup(arena, pg_str(result, row, 1)),
		.owner = arena_dup(arena, pg_str(result, row, 2)),
		.create_ms = pg_i64(result, row, 3, 0),
		.visible = pg_i64(result, row, 4, 0) != 0,
		.info = arena_dup(arena, pg_str(result, row, 5)),
	};
}

static int postgres_room_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str room_id,
			     struct store_room *room_out, struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, PG_ROOM_GET, 1, (const int64_t[]){number}, room_id, &result, err))
		return -1;
	found = PQntuples(result) > 0;
	if (found)
		*room_out = postgres_take_room(result, 0, arena);
	PQclear(result);
	return found;
}

static int postgres_room_list(struct store_reader *base, struct arena *arena, uint32_t number, int64_t before_id,
			      bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out,
			      struct error *err)
{
	PGresult *result;

	if (postgres_query(base, visible_only ? PG_ROOM_LIST_VISIBLE : PG_ROOM_LIST, 3,
			   (const int64_t[]){number, before_id, (int64_t)limit}, POSTGRES_NO_TEXT, &result, err))
		return -1;
	*count_out = (size_t)PQntuples(result);
	for (int row = 0; row < PQntuples(result); row++)
		rooms_out[row] = postgres_take_room(result, row, arena);
	PQclear(result);
	return 0;
}

static int postgres_room_items(struct store_reader *base, struct arena *arena, int64_t room, enum item_kind kind,
			       size_t limit, struct store_item *items_out, size_t *count_out, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, PG_ROOM_ITEMS, 4,
			   (const int64_t[]){app_id_number(room), room, (int64_t)kind, (int64_t)limit},
			   POSTGRES_NO_TEXT, &result, err))
		return -1;
	*count_out = (size_t)PQntuples(result);
	for (int row = 0; row < PQntuples(result); row++)
		items_out[row] = (struct store_item){.name = arena_dup(arena, pg_str(result, row, 0)),
						     .value = arena_dup(arena, pg_str(result, row, 1)),
						     .until_s = pg_i64(result, row, 2, 0)};
	PQclear(result);
	return 0;
}

static int postgres_account_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str name,
				struct store_account *account_out, struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, PG_ACCOUNT_GET, 1, (const int64_t[]){number}, name, &result, err))
		return -1;
	found = PQntuples(result) > 0;
	if (found)
		*account_out = (struct store_account){.nick = arena_dup(arena, pg_str(result, 0, 0)),
						      .face_url = arena_dup(arena, pg_str(result, 0, 1)),
						      .create_ms = pg_i64(result, 0, 2, 0)};
	PQclear(result);
	return found;
}

/* ---- counts ---- */

static int postgres_count(struct store_reader *base, enum postgres_read_statement which, uint32_t number,
			  uint64_t *count_out, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, which, 1, (const int64_t[]){number}, POSTGRES_NO_TEXT, &result, err))
		return -1;
	*count_out = (uint64_t)pg_i64(result, 0, 0, 0);
	PQclear(result);
	return 0;
}

static int postgres_room_count(struct store_reader *base, uint32_t number, uint64_t *count_out, struct error *err)
{
	return postgres_count(base, PG_ROOM_COUNT, number, count_out, err);
}

static int postgres_waiting_count(struct store_reader *base, uint32_t sdkappid, uint64_t *count_out, struct error *err)
{
	return postgres_count(base, PG_WAITING_COUNT, sdkappid, count_out, err);
}

/* ---- history and certificates ---- */

static int postgres_audit_list(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t before_id,
			       size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, sdkappid ? PG_AUDIT_LIST_OF_APP : PG_AUDIT_LIST, sdkappid ? 3 : 2,
			   (const int64_t[]){before_id, (int64_t)limit, sdkappid}, POSTGRES_NO_TEXT, &result, err))
		return -1;
	*count_out = (size_t)PQntuples(result);
	for (int row = 0; row < PQntuples(result); row++)
		audits_out[row] = (struct store_audit){
			.id = pg_i64(result, row, 0, 0),
			.sdkappid = (uint32_t)pg_i64(result, row, 1, 0),
			.time_ms = pg_i64(result, row, 2, 0),
			.actor = arena_dup(arena, pg_str(result, row, 3)),
			.client_ip = arena_dup(arena, pg_str(result, row, 4)),
			.action = arena_dup(arena, pg_str(result, row, 5)),
			.detail = arena_dup(arena, pg_str(result, row, 6)),
		};
	PQclear(result);
	return 0;
}

static int postgres_sample_list(struct store_reader *base, uint32_t number, int64_t since_ms, size_t limit,
				struct store_sample *samples_out, size_t *count_out, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, PG_SAMPLE_LIST, 3, (const int64_t[]){number, since_ms, (int64_t)limit},
			   POSTGRES_NO_TEXT, &result, err))
		return -1;
	*count_out = (size_t)PQntuples(result);
	for (int row = 0; row < PQntuples(result); row++)
		samples_out[row] = (struct store_sample){
			.minute_ms = pg_i64(result, row, 0, 0),
			.room_count = (uint64_t)pg_i64(result, row, 1, 0),
			.room_count_highest = (uint64_t)pg_i64(result, row, 2, 0),
			.room_count_max = (uint32_t)pg_i64(result, row, 3, 0),
		};
	PQclear(result);
	return 0;
}

static int postgres_certificate_get(struct store_reader *base, struct arena *arena, uint32_t sdkappid,
				    struct str *chain_out, struct str *key_out, struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, PG_CERTIFICATE_GET, 1, (const int64_t[]){sdkappid}, POSTGRES_NO_TEXT, &result, err))
		return -1;
	found = PQntuples(result) > 0;
	if (found) {
		struct str chain = pg_str(result, 0, 0);
		struct str key = pg_str(result, 0, 1);

		if (chain.len < 1 || chain.len > CERTIFICATE_BYTES_MAX || key.len > CERTIFICATE_BYTES_MAX) {
			PQclear(result);
			return error_set(err, ERR_INTERNAL, "the certificate of app %u has a size out of bounds",
					 sdkappid);
		}
		*chain_out = arena_dup(arena, chain);
		*key_out = arena_dup(arena, key);
	}
	PQclear(result);
	return found;
}

/* ---- life ---- */

static void postgres_reader_close(struct store_reader *base)
{
	struct postgres_reader *reader = (struct postgres_reader *)base;

	pg_close(&reader->pg);
	pg_params_fini(&reader->params);
	mem_free(reader);
}

static const struct store_reader_ops postgres_reader_ops = {
	.close = postgres_reader_close,
	.app_each = postgres_app_each,
	.app_get = postgres_app_get,
	.room_get = postgres_room_get,
	.room_list = postgres_room_list,
	.room_items = postgres_room_items,
	.account_get = postgres_account_get,
	.room_count = postgres_room_count,
	.waiting_each = postgres_waiting_each,
	.waiting_count = postgres_waiting_count,
	.callback_next = postgres_callback_next,
	.callback_due = postgres_callback_due,
	.callback_get = postgres_callback_get,
	.alert_newest = postgres_alert_newest,
	.callback_list = postgres_callback_list,
	.audit_list = postgres_audit_list,
	.sample_list = postgres_sample_list,
	.certificate_get = postgres_certificate_get,
};

int postgres_reader_open(const struct store_postgres_options *options, struct store_reader **reader_out,
			 struct error *err)
{
	struct postgres_reader *reader = mem_zalloc(sizeof(*reader));
	struct pg_options pg_options = {
		.conninfo = options->conninfo,
		.connect_timeout_ms = POSTGRES_READ_CONNECT_MS,
		.answer_timeout_ms = options->answer_timeout_ms,
		.statements = postgres_read_sql,
		.statement_count = PG_READ_COUNT,
	};

	reader->base.ops = &postgres_reader_ops;
	pg_params_init(&reader->params);
	if (pg_open(&pg_options, &reader->pg, err) || pg_connect(reader->pg, err)) {
		postgres_reader_close(&reader->base);
		return -1;
	}
	*reader_out = &reader->base;
	return 0;
}
