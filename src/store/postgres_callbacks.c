/* Reads of callbacks in the PostgreSQL store: what waits, in the order of delivery, and lists for people.
 *
 * A list looks at three small columns of a bounded number of rows and fetches the rows that pass its filter with a
 * second statement; a row that goes away in between is left out. A row with values that this program never writes is
 * ERR_INTERNAL. */
#include "store/postgres_internal.h"

static int postgres_take_callback(const PGresult *result, int row, struct arena *arena, bool with_log,
				  struct store_callback *callback_out, struct error *err)
{
	struct callback_row taken = {0};

	for (int i = 0; i < CALLBACK_COLUMN_COUNT; i++) {
		if (callback_column_is_text((enum callback_column)i))
			taken.texts[i] = pg_str(result, row, i);
		else
			taken.numbers[i] = pg_i64(result, row, i, APP_NUMBER_NONE);
	}
	return callback_row_read(&taken, arena, with_log, callback_out, err);
}

/* Returns 1 with the callback, 0 when there is none, -1. */
static int postgres_one_callback(struct store_reader *base, enum postgres_read_statement which, const int64_t *numbers,
				 struct arena *arena, struct store_callback *callback_out, struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, which, 2, numbers, 0, NULL, &result, err))
		return -1;
	found = PQntuples(result) > 0;
	if (found && postgres_take_callback(result, 0, arena, true, callback_out, err))
		found = -1;
	PQclear(result);
	return found;
}

int postgres_waiting_each(struct store_reader *base, void (*each)(void *context, uint32_t sdkappid, uint32_t failures),
			  void *context, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, PG_WAITING_EACH, 0, NULL, 0, NULL, &result, err))
		return -1;
	for (int row = 0; row < PQntuples(result); row++) {
		int64_t sdkappid = pg_i64(result, row, 0, 0);
		int64_t failures = pg_i64(result, row, 1, -1);

		if (sdkappid < 1 || sdkappid > HW_SDKAPPID_MAX || failures < 0 || failures > UINT32_MAX) {
			PQclear(result);
			return error_set(err, ERR_INTERNAL, "the state of app %lld holds values out of bounds",
					 (long long)sdkappid);
		}
		each(context, (uint32_t)sdkappid, (uint32_t)failures);
	}
	PQclear(result);
	return 0;
}

int postgres_waiting_oldest(struct store_reader *base, uint32_t sdkappid, int64_t *event_ms_out, struct error *err)
{
	const int64_t numbers[] = {sdkappid, STORE_OLDEST_SCAN_MAX};
	PGresult *result;
	int found;

	if (postgres_query(base, sdkappid ? PG_WAITING_OLDEST_OF : PG_WAITING_OLDEST, sdkappid ? 2 : 0, numbers, 0,
			   NULL, &result, err))
		return -1;
	found = PQntuples(result) > 0 && !PQgetisnull(result, 0, 0);
	if (found)
		*event_ms_out = pg_i64(result, 0, 0, 0);
	PQclear(result);
	return found;
}

int postgres_callback_next(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t after_id,
			   struct store_callback *callback_out, struct error *err)
{
	return postgres_one_callback(base, PG_CALLBACK_NEXT, (const int64_t[]){sdkappid, after_id}, arena, callback_out,
				     err);
}

int postgres_callback_due(struct store_reader *base, uint32_t sdkappid, size_t limit, struct store_due *due_out,
			  size_t *count_out, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, PG_CALLBACK_DUE, 2, (const int64_t[]){sdkappid, (int64_t)limit}, 0, NULL, &result,
			   err))
		return -1;
	*count_out = (size_t)PQntuples(result);
	for (int row = 0; row < PQntuples(result); row++)
		due_out[row] = (struct store_due){.id = pg_i64(result, row, 0, 0), .due_ms = pg_i64(result, row, 1, 0)};
	PQclear(result);
	return 0;
}

int postgres_callback_get(struct store_reader *base, struct arena *arena, int64_t id,
			  struct store_callback *callback_out, struct error *err)
{
	return postgres_one_callback(base, PG_CALLBACK_GET, (const int64_t[]){app_id_number(id), id}, arena,
				     callback_out, err);
}

int postgres_alert_newest(struct store_reader *base, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
			  struct error *err)
{
	PGresult *result;

	if (postgres_query(base, PG_ALERT_NEWEST, 2, (const int64_t[]){sdkappid, threshold}, 0, NULL, &result, err))
		return -1;
	*id_out = PQntuples(result) ? pg_i64(result, 0, 0, 0) : 0;
	PQclear(result);
	return 0;
}

/* ---- lists ---- */

/* The ids of `looked` that pass, at most `limit`, become the parameters of PG_CALLBACKS_GET. `next_out` as of
 * store_callback_list, when there are more rows than those that were looked at or taken. */
static int postgres_choose(struct pg_params *params, const PGresult *looked, const struct store_callback_filter *filter,
			   size_t limit, size_t *chosen, int64_t *next_out, struct error *err)
{
	int64_t last = filter->before_id;

	pg_params_begin(params, 2, true);
	*chosen = 0;
	*next_out = 0;
	for (int row = 0; row < PQntuples(looked); row++) {
		int64_t id = pg_i64(looked, row, 0, 0);
		int64_t state = pg_i64(looked, row, 1, -1);

		if (*chosen == limit || row == STORE_LIST_SCAN_MAX) {
			*next_out = last;
			return 0;
		}
		if (state < 0 || state >= CALLBACK_STATE_COUNT)
			return error_set(err, ERR_INTERNAL, "the row of callback %lld holds values out of bounds",
					 (long long)id);
		last = id;
		if (!store_filter_passes(filter, (enum callback_state)state, pg_i64(looked, row, 2, 0)))
			continue;
		pg_param_i64(params, 0, app_id_number(id));
		pg_param_i64(params, 1, id);
		++*chosen;
	}
	return 0;
}

static int postgres_fetch(struct postgres_reader *reader, struct arena *arena, struct store_callback *callbacks_out,
			  size_t *count_out, struct error *err)
{
	PGresult *result;
	int failed = 0;

	pg_send(reader->pg, PG_CALLBACKS_GET, &reader->params);
	if (pg_trip(reader->pg, &result, 1, err))
		return -1;
	*count_out = (size_t)PQntuples(result);
	for (int row = 0; !failed && row < PQntuples(result); row++)
		failed = postgres_take_callback(result, row, arena, false, &callbacks_out[row], err);
	PQclear(result);
	return failed;
}

int postgres_callback_list(struct store_reader *base, struct arena *arena, const struct store_callback_filter *filter,
			   size_t limit, struct store_callback *callbacks_out, size_t *count_out, int64_t *next_out,
			   struct error *err)
{
	struct postgres_reader *reader = (struct postgres_reader *)base;
	const int64_t numbers[] = {app_id_number(filter->after_id), filter->after_id, app_id_number(filter->before_id),
				   filter->before_id, STORE_LIST_SCAN_MAX + 1};
	PGresult *looked;
	size_t chosen;
	int failed;

	if (postgres_query(base, store_filter_is_of_ended(filter) ? PG_CALLBACK_LIST_ENDED : PG_CALLBACK_LIST,
			   ARRAY_LEN(numbers), numbers, 0, NULL, &looked, err))
		return -1;
	failed = postgres_choose(&reader->params, looked, filter, limit, &chosen, next_out, err);
	PQclear(looked);
	if (failed)
		return -1;
	*count_out = 0;
	return chosen ? postgres_fetch(reader, arena, callbacks_out, count_out, err) : 0;
}
