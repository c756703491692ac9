/* Read-only views of the PostgreSQL store: one connection each. Every read is one statement and so sees one committed
 * state. Reads of rooms, callbacks and history stand in files of their own.
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

static int postgres_query_once(struct postgres_reader *reader, enum postgres_read_statement which, size_t number_count,
			       const int64_t *numbers, size_t text_count, const struct str *texts,
			       PGresult **result_out, struct error *err)
{
	struct pg_params *params = &reader->params;

	if (pg_connect(reader->pg, err))
		return -1;
	pg_params_begin(params, number_count + text_count, false);
	for (size_t i = 0; i < number_count; i++)
		pg_param_i64(params, i, numbers[i]);
	for (size_t i = 0; i < text_count; i++)
		pg_param_str(params, number_count + i, texts[i]);
	pg_send(reader->pg, which, params);
	return pg_trip(reader->pg, result_out, 1, err);
}

int postgres_query(struct store_reader *base, enum postgres_read_statement which, size_t number_count,
		   const int64_t *numbers, size_t text_count, const struct str *texts, PGresult **result_out,
		   struct error *err)
{
	struct postgres_reader *reader = (struct postgres_reader *)base;
	bool connected = pg_is_connected(reader->pg);

	if (postgres_query_once(reader, which, number_count, numbers, text_count, texts, result_out, err) == 0)
		return 0;
	if (!connected || pg_is_connected(reader->pg) || err->class == ERR_TIMEOUT)
		return -1;
	return postgres_query_once(reader, which, number_count, numbers, text_count, texts, result_out, err);
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

	if (postgres_query(base, PG_APP_EACH, 0, NULL, 0, NULL, &result, err))
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

static int postgres_app_line_each(struct store_reader *base,
				  void (*each)(void *context, const struct store_app_line *line), void *context,
				  struct error *err)
{
	static const int64_t maxima[] = {
		HW_SDKAPPID_MAX, APP_ROOM_COUNT_MAX_LIMIT, 100, APP_PAUSE_COUNT - 1, INT64_MAX, INT64_MAX, UINT32_MAX};
	PGresult *result;

	if (postgres_query(base, PG_APP_LINE_EACH, 0, NULL, 0, NULL, &result, err))
		return -1;
	for (int row = 0; row < PQntuples(result); row++) {
		int64_t values[ARRAY_LEN(maxima)];
		bool sound = true;

		for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
			values[i] = pg_i64(result, row, (int)i, -1);
			sound = sound && values[i] >= 0 && values[i] <= maxima[i];
		}
		if (!sound) {
			PQclear(result);
			return error_set(err, ERR_INTERNAL, "the row of app %lld holds values out of bounds",
					 (long long)values[0]);
		}
		each(context, &(struct store_app_line){.sdkappid = (uint32_t)values[0],
						       .room_count_max = (uint32_t)values[1],
						       .threshold_lowest = (uint8_t)values[2],
						       .pause = (enum app_pause)values[3],
						       .room_count = (uint64_t)values[4],
						       .callback_pending = (uint64_t)values[5],
						       .failures = (uint32_t)values[6]});
	}
	PQclear(result);
	return 0;
}

static int postgres_app_get(struct store_reader *base, uint32_t sdkappid, struct store_app *app_out, struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, PG_APP_GET, 1, (const int64_t[]){sdkappid}, 0, NULL, &result, err))
		return -1;
	found = PQntuples(result) > 0;
	if (found && postgres_take_app(result, 0, app_out, err))
		found = -1;
	PQclear(result);
	return found;
}

/* ---- counts ---- */

static int postgres_count(struct store_reader *base, enum postgres_read_statement which, uint32_t number,
			  uint64_t *count_out, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, which, 1, (const int64_t[]){number}, 0, NULL, &result, err))
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

/* ---- certificates ---- */

static int postgres_certificate_get(struct store_reader *base, struct arena *arena, uint32_t sdkappid,
				    struct str *chain_out, struct str *key_out, struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, PG_CERTIFICATE_GET, 1, (const int64_t[]){sdkappid}, 0, NULL, &result, err))
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
	.app_line_each = postgres_app_line_each,
	.app_get = postgres_app_get,
	.room_get = postgres_room_get,
	.room_list = postgres_room_list,
	.room_list_oldest = postgres_room_list_oldest,
	.room_list_named = postgres_room_list_named,
	.room_owner_each = postgres_room_owner_each,
	.room_items = postgres_room_items,
	.account_get = postgres_account_get,
	.room_count = postgres_room_count,
	.waiting_each = postgres_waiting_each,
	.waiting_count = postgres_waiting_count,
	.waiting_oldest = postgres_waiting_oldest,
	.callback_next = postgres_callback_next,
	.callback_due = postgres_callback_due,
	.callback_get = postgres_callback_get,
	.alert_newest = postgres_alert_newest,
	.callback_list = postgres_callback_list,
	.audit_list = postgres_audit_list,
	.sample_list = postgres_sample_list,
	.sample_at = postgres_sample_at,
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

/* The transaction fixes what is seen: later trips on the connection are a part of it. */
int store_postgres_look(const struct store_postgres_options *options, struct store_reader **reader_out,
			struct error *err)
{
	unsigned steps;

	if (store_postgres_inspect(options, &steps, err))
		return -1;
	if (steps)
		return error_set(err, ERR_INVALID,
				 "the database has no tables of this version: a start of the server "
				 "makes them, or brings them forward");
	if (postgres_reader_open(options, reader_out, err))
		return -1;
	if (pg_execute(((struct postgres_reader *)*reader_out)->pg,
		       "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT count(*) FROM meta", err) == 0)
		return 0;
	store_reader_close(reader_out);
	return -1;
}
