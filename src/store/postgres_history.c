/* Reads of the audit log and of samples of room counts in the PostgreSQL store. */
#include "store/postgres_internal.h"

int postgres_audit_list(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t before_id,
			size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err)
{
	PGresult *result;

	if (postgres_query(base, sdkappid ? PG_AUDIT_LIST_OF_APP : PG_AUDIT_LIST, sdkappid ? 3 : 2,
			   (const int64_t[]){before_id, (int64_t)limit, sdkappid}, 0, NULL, &result, err))
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

static int postgres_take_sample(const PGresult *result, int row, uint32_t number, struct store_sample *sample_out,
				struct error *err)
{
	int64_t values[4];

	for (int i = 0; i < (int)ARRAY_LEN(values); i++)
		values[i] = pg_i64(result, row, i, -1);
	if (values[0] < 0 || values[1] < 0 || values[2] < 0 || values[3] < 0 || values[3] > APP_ROOM_COUNT_MAX_LIMIT)
		return error_set(err, ERR_INTERNAL, "a sample of app number %u holds values out of bounds", number);
	*sample_out = (struct store_sample){.minute_ms = values[0],
					    .room_count = (uint64_t)values[1],
					    .room_count_highest = (uint64_t)values[2],
					    .room_count_max = (uint32_t)values[3]};
	return 0;
}

int postgres_sample_list(struct store_reader *base, uint32_t number, int64_t since_ms, size_t limit,
			 struct store_sample *samples_out, size_t *count_out, struct error *err)
{
	const int64_t numbers[] = {number, since_ms, (int64_t)limit};
	PGresult *result;
	int failed = 0;

	if (postgres_query(base, PG_SAMPLE_LIST, ARRAY_LEN(numbers), numbers, 0, NULL, &result, err))
		return -1;
	*count_out = (size_t)PQntuples(result);
	for (int row = 0; !failed && row < PQntuples(result); row++)
		failed = postgres_take_sample(result, row, number, &samples_out[row], err);
	PQclear(result);
	return failed;
}

int postgres_sample_at(struct store_reader *base, uint32_t number, int64_t time_ms, struct store_sample *sample_out,
		       struct error *err)
{
	PGresult *result;
	int found;

	if (postgres_query(base, PG_SAMPLE_AT, 2, (const int64_t[]){number, time_ms}, 0, NULL, &result, err))
		return -1;
	found = PQntuples(result) > 0;
	if (found && postgres_take_sample(result, 0, number, sample_out, err))
		found = -1;
	PQclear(result);
	return found;
}
