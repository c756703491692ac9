/* Gaps in the numbers that a sender gives its callbacks (Highwater-Sequence), per app.
 *
 * Numbers from the first that ever came up to the greatest are expected; those that did not come are gaps, in a table.
 * They may still come: callbacks arrive in any order. A number that came before, on an event that did not, says that the
 * sender counts anew (its app was deleted and made again, or its database was restored): then all begins with that one.
 * Numbers below the first are from before this receiver's time.
 *
 * The header is not covered by a signature, so the table must not grow with what it says: of each app only the newest
 * RECORD_GAPS_MAX gaps are kept. */
#include "receive/record_internal.h"

void record_bind(sqlite3_stmt *statement, size_t count, const int64_t *numbers)
{
	for (size_t i = 0; i < count; i++)
		(void)sqlite3_bind_int64(statement, (int)i + 1,
					 numbers[i]); /* fails only for an index that is not there */
}

static int sequence_run(sqlite3_stmt *statement, size_t count, const int64_t *numbers)
{
	int rc;

	record_bind(statement, count, numbers);
	rc = sqlite3_step(statement);
	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int sequence_add_gap(sqlite3_stmt *const statements[], uint32_t sdkappid, const struct record_gap *gap,
			    bool told)
{
	const int64_t values[] = {sdkappid, gap->first, gap->last, gap->since_ms, told};

	return gap->first <= gap->last ? sequence_run(statements[GAP_INSERT], ARRAY_LEN(values), values) : SQLITE_OK;
}

/* Forgets the oldest gaps when there are too many: what is missing there counts as before our time. */
static int sequence_trim(sqlite3_stmt *const statements[], struct record_sequence *sequence, uint32_t sdkappid)
{
	const int64_t values[] = {sdkappid, RECORD_GAPS_MAX};
	sqlite3_stmt *trim = statements[GAPS_TRIM];
	int rc;

	record_bind(trim, ARRAY_LEN(values), values);
	while ((rc = sqlite3_step(trim)) == SQLITE_ROW)
		if (sequence->first <= sqlite3_column_int64(trim, 0))
			sequence->first = sqlite3_column_int64(trim, 0) + 1;
	(void)sqlite3_reset(trim); /* repeats the error that rc has */
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A number beyond the greatest: those between are missing from now on. */
static int sequence_rise(sqlite3_stmt *const statements[], struct record_sequence *sequence, uint32_t sdkappid,
			 int64_t number, int64_t now_ms)
{
	const struct record_gap gap = {sdkappid, sequence->last + 1, number - 1, now_ms};
	int rc;

	sequence->last = number;
	if (gap.first > gap.last)
		return SQLITE_OK;
	rc = sequence_add_gap(statements, sdkappid, &gap, RECORD_GAP_NEW);
	return rc == SQLITE_OK ? sequence_trim(statements, sequence, sdkappid) : rc;
}

/* Returns SQLITE_ROW with the gap that holds the number, SQLITE_DONE when there is none, or an error. */
static int sequence_find_gap(sqlite3_stmt *const statements[], uint32_t sdkappid, int64_t number,
			     struct record_gap *gap_out, int *told_out)
{
	sqlite3_stmt *statement = statements[GAP_FIND];
	const int64_t values[] = {sdkappid, number};
	int rc;

	record_bind(statement, ARRAY_LEN(values), values);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		*gap_out = (struct record_gap){sdkappid, sqlite3_column_int64(statement, 0),
					       sqlite3_column_int64(statement, 1), sqlite3_column_int64(statement, 2)};
		*told_out = sqlite3_column_int(statement, 3);
		if (gap_out->last < number)
			rc = SQLITE_DONE;
	}
	(void)sqlite3_reset(statement); /* repeats the error that rc has */
	return rc;
}

/* What is left of a gap in which a number came: up to two smaller ones. */
static int sequence_split_gap(sqlite3_stmt *const statements[], const struct record_gap *gap, int told, int64_t number)
{
	const int64_t key[] = {gap->sdkappid, gap->first};
	const struct record_gap below = {gap->sdkappid, gap->first, number - 1, gap->since_ms};
	const struct record_gap above = {gap->sdkappid, number + 1, gap->last, gap->since_ms};
	int rc = sequence_run(statements[GAP_DELETE], ARRAY_LEN(key), key);

	if (rc == SQLITE_OK)
		rc = sequence_add_gap(statements, gap->sdkappid, &below, told);
	return rc == SQLITE_OK ? sequence_add_gap(statements, gap->sdkappid, &above, told) : rc;
}

static int sequence_begin_anew(sqlite3_stmt *const statements[], struct record_sequence *sequence, uint32_t sdkappid,
			       int64_t number)
{
	const int64_t key[] = {sdkappid};

	sequence->first = sequence->last = number;
	sequence->resets++;
	return sequence_run(statements[GAPS_DELETE], ARRAY_LEN(key), key);
}

int record_sequence_take(sqlite3_stmt *const statements[RECORD_SEQUENCE_STATEMENT_COUNT],
			 struct record_sequence *sequence, uint32_t sdkappid, int64_t number, bool is_test,
			 int64_t now_ms)
{
	struct record_gap gap;
	int told;
	int rc;

	if (is_test && (sequence->first < 0 || number - 1 > sequence->last))
		return SQLITE_OK;
	if (sequence->first < 0) {
		sequence->first = sequence->last = number;
		return SQLITE_OK;
	}
	if (number > sequence->last)
		return sequence_rise(statements, sequence, sdkappid, number, now_ms);
	if (number < sequence->first)
		return SQLITE_OK;
	rc = sequence_find_gap(statements, sdkappid, number, &gap, &told);
	if (rc == SQLITE_ROW)
		return sequence_split_gap(statements, &gap, told, number);
	if (rc == SQLITE_DONE && is_test)
		return SQLITE_OK;
	return rc == SQLITE_DONE ? sequence_begin_anew(statements, sequence, sdkappid, number) : rc;
}
