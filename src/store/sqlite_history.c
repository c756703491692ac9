/* The audit log and the samples of room counts in the SQLite store. */
#include "store/sqlite_internal.h"

/* ---- the write side ---- */

static int sqlite_write_audit(struct sqlite_writer *writer, const struct live_audit *audit)
{
	const int64_t numbers[] = {audit->sdkappid, audit->time_ms};
	sqlite3_stmt *statement = sqlite_writer_bind(writer, SQL_AUDIT_INSERT, ARRAY_LEN(numbers), numbers);

	sqlite_bind_str(statement, 3, audit->actor);
	sqlite_bind_str(statement, 4, audit->client_ip);
	sqlite_bind_str(statement, 5, audit->action);
	sqlite_bind_str(statement, 6, audit->detail);
	return sqlite_writer_step(statement);
}

static int sqlite_drop_audits(struct sqlite_writer *writer, int64_t before_ms)
{
	const int64_t numbers[] = {STORE_AUDIT_DROP_MAX, before_ms};

	return sqlite_writer_step(sqlite_writer_bind(writer, SQL_AUDIT_DROP, ARRAY_LEN(numbers), numbers));
}

static int sqlite_write_sample(struct sqlite_writer *writer, const struct live_sample *sample, int64_t before_ms)
{
	const int64_t numbers[] = {sample->number, sample->minute_ms, (int64_t)sample->room_count,
				   (int64_t)sample->room_count_highest, sample->room_count_max};
	const int64_t drop[] = {sample->number, before_ms};
	int rc = sqlite_writer_step(sqlite_writer_bind(writer, SQL_SAMPLE_REPLACE, ARRAY_LEN(numbers), numbers));

	if (rc == SQLITE_OK && before_ms)
		rc = sqlite_writer_step(sqlite_writer_bind(writer, SQL_SAMPLE_DROP, ARRAY_LEN(drop), drop));
	return rc;
}

int sqlite_writer_write_history(struct sqlite_writer *writer, const struct live_set *set)
{
	int rc = SQLITE_OK;

	for (const struct live_audit *audit = set->audits; rc == SQLITE_OK && audit; audit = audit->next) {
		rc = sqlite_write_audit(writer, audit);
		if (rc == SQLITE_OK && set->audit_before_ms)
			rc = sqlite_drop_audits(writer, set->audit_before_ms);
	}
	for (const struct live_sample *sample = set->samples; rc == SQLITE_OK && sample; sample = sample->next)
		rc = sqlite_write_sample(writer, sample, set->sample_before_ms);
	return rc;
}

/* ---- readers ---- */

int sqlite_audit_list(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t before_id,
		      size_t limit, struct store_audit *audits_out, size_t *count_out, struct error *err)
{
	sqlite3_stmt *statement =
		sqlite_query(base, sdkappid ? SQL_AUDIT_LIST_OF_APP : SQL_AUDIT_LIST, sdkappid ? 3 : 2,
			     (const int64_t[]){before_id, (int64_t)limit, sdkappid});
	size_t count = 0;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		audits_out[count++] = (struct store_audit){
			.id = sqlite3_column_int64(statement, 0),
			.sdkappid = (uint32_t)sqlite3_column_int64(statement, 1),
			.time_ms = sqlite3_column_int64(statement, 2),
			.actor = arena_dup(arena, sqlite_column_str(statement, 3)),
			.client_ip = arena_dup(arena, sqlite_column_str(statement, 4)),
			.action = arena_dup(arena, sqlite_column_str(statement, 5)),
			.detail = arena_dup(arena, sqlite_column_str(statement, 6)),
		};
	if (sqlite_query_end(base, statement, rc, err))
		return -1;
	*count_out = count;
	return 0;
}

/* The row of a sample. Returns 0, or -1 when it holds what this program never writes. */
static int sqlite_read_sample(sqlite3_stmt *statement, uint32_t number, struct store_sample *sample_out,
			      struct error *err)
{
	static const struct sqlite_bounds bounds[] = {
		{0, 0, INT64_MAX}, {1, 0, INT64_MAX}, {2, 0, INT64_MAX}, {3, 0, APP_ROOM_COUNT_MAX_LIMIT}};

	if (!sqlite_in_bounds(statement, bounds, ARRAY_LEN(bounds)))
		return error_set(err, ERR_INTERNAL, "a sample of app number %u holds values out of bounds", number);
	*sample_out = (struct store_sample){
		.minute_ms = sqlite3_column_int64(statement, 0),
		.room_count = (uint64_t)sqlite3_column_int64(statement, 1),
		.room_count_highest = (uint64_t)sqlite3_column_int64(statement, 2),
		.room_count_max = (uint32_t)sqlite3_column_int64(statement, 3),
	};
	return 0;
}

int sqlite_sample_list(struct store_reader *base, uint32_t number, int64_t since_ms, size_t limit,
		       struct store_sample *samples_out, size_t *count_out, struct error *err)
{
	sqlite3_stmt *statement =
		sqlite_query(base, SQL_SAMPLE_LIST, 3, (const int64_t[]){number, since_ms, (int64_t)limit});
	size_t count = 0;
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		if (sqlite_read_sample(statement, number, &samples_out[count++], err)) {
			(void)sqlite3_reset(statement); /* the error to tell is the row's */
			return -1;
		}
	}
	if (sqlite_query_end(base, statement, rc, err))
		return -1;
	*count_out = count;
	return 0;
}

int sqlite_sample_at(struct store_reader *base, uint32_t number, int64_t time_ms, struct store_sample *sample_out,
		     struct error *err)
{
	sqlite3_stmt *statement = sqlite_query(base, SQL_SAMPLE_AT, 2, (const int64_t[]){number, time_ms});
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW && sqlite_read_sample(statement, number, sample_out, err)) {
		(void)sqlite3_reset(statement); /* the error to tell is the row's */
		return -1;
	}
	return sqlite_query_end(base, statement, rc, err) ? -1 : rc == SQLITE_ROW;
}
