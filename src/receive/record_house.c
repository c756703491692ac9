/* Housekeeping of the record: gaps that are to be told, rows that are too old. Each has a transaction of its own, and none
 * when there is nothing to do. */
#include "receive/record_internal.h"

#include <assert.h>

static int record_read_untold(struct record *record, int64_t before_ms, size_t limit, struct record_gap *gaps_out,
			      size_t *count_out)
{
	sqlite3_stmt *untold = record->statements[RECORD_SQL_UNTOLD];
	const int64_t numbers[] = {before_ms, (int64_t)limit};
	size_t count = 0;
	int rc;

	record_bind(untold, ARRAY_LEN(numbers), numbers);
	while ((rc = sqlite3_step(untold)) == SQLITE_ROW)
		gaps_out[count++] =
			(struct record_gap){(uint32_t)sqlite3_column_int64(untold, 0), sqlite3_column_int64(untold, 1),
					    sqlite3_column_int64(untold, 2), sqlite3_column_int64(untold, 3)};
	(void)sqlite3_reset(untold); /* repeats the error that rc has */
	*count_out = count;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int record_tell_gaps(struct record *record, int64_t before_ms, size_t limit, struct record_gap *gaps_out,
		     size_t *count_out, struct error *err)
{
	size_t count = 0;
	int rc = record_read_untold(record, before_ms, limit, gaps_out, &count);

	assert(!record->is_open);
	*count_out = 0;
	if (rc != SQLITE_OK)
		return sqlite_fail(record->db, rc, "looking for gaps", err);
	if (count == 0)
		return 0;
	if (record_begin(record, record->steady_ms, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		const int64_t key[] = {gaps_out[i].sdkappid, gaps_out[i].first};

		rc = record_run(record, RECORD_SQL_TOLD, ARRAY_LEN(key), key);
		if (rc != SQLITE_OK)
			return record_fail(record, rc, "noting that gaps were told", err);
	}
	if (record_commit(record, err))
		return -1;
	*count_out = count;
	return 0;
}

/* The last of the oldest rows that may go: 0 for none. */
static int record_find_old(struct record *record, int64_t before_ms, int64_t keep_id, int64_t *last_out,
			   size_t *count_out)
{
	sqlite3_stmt *old = record->statements[RECORD_SQL_OLD];
	const int64_t numbers[] = {keep_id, RECORD_PRUNE_ROWS_MAX};
	int rc;

	*last_out = 0;
	*count_out = 0;
	record_bind(old, ARRAY_LEN(numbers), numbers);
	while ((rc = sqlite3_step(old)) == SQLITE_ROW && sqlite3_column_int64(old, 1) < before_ms) {
		*last_out = sqlite3_column_int64(old, 0);
		(*count_out)++;
	}
	(void)sqlite3_reset(old); /* repeats the error that rc has */
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int record_prune(struct record *record, int64_t before_ms, int64_t keep_id, size_t *removed_out, struct error *err)
{
	int64_t last;
	size_t count;
	int rc = record_find_old(record, before_ms, keep_id, &last, &count);

	assert(!record->is_open);
	*removed_out = 0;
	if (rc != SQLITE_OK)
		return sqlite_fail(record->db, rc, "looking for old callbacks", err);
	if (count == 0)
		return 0;
	rc = record_run(record, RECORD_SQL_REMOVE, 1, &last); /* a transaction by itself */
	if (rc != SQLITE_OK)
		return sqlite_fail(record->db, rc, "removing old callbacks", err);
	*removed_out = count;
	return count == RECORD_PRUNE_ROWS_MAX;
}
