/* Marks, replays and the removal of callbacks in the SQLite store while writes and syncs fail.
 *
 * As in test_sqlite_faults.c the k-th call fails, once or from then on, for k = 1, 2, ... until a run meets no fault.
 * What failed must have changed nothing, and what succeeded must be there after the file was opened again; after a
 * failed sync either may be. */
#include "store/fault_shim.h"
#include "store/sqlite_file.h"

#define ROWS 4

static char long_log[5000];

static int64_t row_id(unsigned i)
{
	return app_id_make(1, i + 1);
}

/* A store with ROWS callbacks, all waiting. */
static struct fixture *start(void)
{
	struct fixture *fixture = fixture_new();

	arm(FAULT_NONE, SQLITE_OK, 0, false);
	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, ROWS, 1000);
	return fixture;
}

static void check_class(const struct error *err, enum error_class want)
{
	if (err->class != want)
		fail_msg("%s, where %s was expected: %s", error_class_word(err->class), error_class_word(want),
			 err->text);
}

/* ---- marks and replays ---- */

enum outcome { OUTCOME_NOT_TRIED, OUTCOME_STORED, OUTCOME_REFUSED, OUTCOME_UNKNOWN };

/* Marks each row as failed, with a log that takes pages of its own, then replays it. Returns at ERR_INTERNAL, at which a
 * process would end. */
static void run_marks(struct fixture *fixture, enum outcome outcomes[2 * ROWS], enum error_class want)
{
	memset(long_log, 'l', sizeof(long_log));
	for (unsigned i = 0; i < 2 * ROWS; i++) {
		struct command command = i % 2 ? world_command(COMMAND_CALLBACK_REPLAY, APP)
					       : world_mark(APP, row_id(i / 2), DELIVERY_FAILED);
		int64_t id = row_id(i / 2);
		struct error err;

		if (i % 2) {
			command.u.replay.ids = &id;
			command.u.replay.count = 1;
		} else {
			command.u.delivery.log = (struct str){long_log, sizeof(long_log)};
		}
		if (fixture_try_batch(fixture->store, &command, 1, &err) == 0) {
			outcomes[i] = OUTCOME_STORED;
			continue;
		}
		check_class(&err, want);
		outcomes[i] = want == ERR_INTERNAL ? OUTCOME_UNKNOWN : OUTCOME_REFUSED;
		if (want == ERR_INTERNAL)
			return;
	}
}

static void check_marks(struct fixture *fixture, const enum outcome outcomes[2 * ROWS])
{
	uint64_t waiting = 0;

	for (unsigned i = 0; i < ROWS; i++) {
		struct store_callback row = fixture_callback(fixture, row_id(i));
		bool marked = row.attempts == 1;

		waiting += row.state == CALLBACK_WAITING;
		if (outcomes[2 * i] != OUTCOME_UNKNOWN)
			assert_int_equal(marked, outcomes[2 * i] == OUTCOME_STORED);
		if (outcomes[2 * i + 1] != OUTCOME_UNKNOWN) /* replaying one that waits changes nothing */
			assert_int_equal(row.replays, marked && outcomes[2 * i + 1] == OUTCOME_STORED);
		assert_int_equal(row.log.len, marked ? sizeof(long_log) : 0);
		assert_int_equal(row.state, marked && !row.replays ? CALLBACK_FAILED : CALLBACK_WAITING);
	}
	assert_true(fixture_app(fixture, APP).state.callback_pending == waiting); /* in every committed state */
}

static void marks_loop(enum fault_call call, int result, bool for_ever, enum error_class want)
{
	bool fired;
	int runs = 0;

	do {
		struct fixture *fixture = start();
		enum outcome outcomes[2 * ROWS] = {OUTCOME_NOT_TRIED};

		arm(call, result, ++runs, for_ever);
		run_marks(fixture, outcomes, want);
		fired = atomic_load(&fault.fired) > 0;
		arm(FAULT_NONE, SQLITE_OK, 0, false);
		if (want != ERR_INTERNAL)
			check_marks(fixture, outcomes);
		fixture_close(fixture);
		fixture_open(fixture);
		check_marks(fixture, outcomes);
		fixture_free(fixture);
	} while (fired);
	assert_true(runs > 2 * ROWS);
}

static void test_sqlite_failing_writes_lose_no_mark_and_no_log(void **state)
{
	(void)state;
	marks_loop(FAULT_WRITE, SQLITE_FULL, false, ERR_FULL);
	marks_loop(FAULT_WRITE, SQLITE_FULL, true, ERR_FULL);
	marks_loop(FAULT_WRITE, SQLITE_IOERR_WRITE, true, ERR_IO);
}

static void test_sqlite_failing_sync_of_a_mark_is_the_end(void **state)
{
	(void)state;
	marks_loop(FAULT_SYNC, SQLITE_IOERR_FSYNC, false, ERR_INTERNAL);
	marks_loop(FAULT_SYNC, SQLITE_IOERR_FSYNC, true, ERR_INTERNAL);
}

/* ---- removal ---- */

static const struct store_retention retention = {.delivered_before_ms = 1000000, .failed_before_ms = 1000000};

/* All but the last are final and old. */
static struct fixture *start_with_old(void)
{
	struct fixture *fixture = start();

	for (unsigned i = 0; i < ROWS - 1; i++)
		fixture_mark(fixture->store, APP, row_id(i), DELIVERY_FAILED, 0);
	return fixture;
}

static size_t rows_there(struct fixture *fixture)
{
	struct store_callback rows[ROWS + 1];

	return fixture_list(fixture, 1, rows, ROWS + 1);
}

/* One call with the fault armed: it works as a whole or not at all. Returns whether the fault was met. */
static bool prune_run(enum fault_call call, int result, int k, bool for_ever, enum error_class want)
{
	struct fixture *fixture = start_with_old();
	struct error err = {0};
	int64_t cursor = 0;
	size_t removed = 99;
	bool fired;
	int more;

	arm(call, result, k, for_ever);
	more = store_prune(fixture->store, &retention, &cursor, &removed, &err);
	fired = atomic_load(&fault.fired) > 0;
	arm(FAULT_NONE, SQLITE_OK, 0, false);
	assert_int_equal(more, fired ? -1 : 0);
	assert_int_equal(cursor, 0);
	assert_int_equal(removed, fired ? 99 : ROWS - 1);
	if (fired)
		check_class(&err, want);
	if (fired && want != ERR_INTERNAL) {
		assert_int_equal(rows_there(fixture), ROWS);
		assert_int_equal(fixture_run(fixture->store, world_create(APP, "again", "u")), HW_OK); /* it goes on */
		assert_int_equal(store_prune(fixture->store, &retention, &cursor, &removed, &err), 0);
		assert_int_equal(removed, ROWS - 1);
	}
	fixture_close(fixture);
	fixture_open(fixture);
	if (fired && want == ERR_INTERNAL)
		assert_true(rows_there(fixture) == ROWS || rows_there(fixture) == 1); /* nobody knows which */
	else
		assert_int_equal(rows_there(fixture), fired ? 2 : 1); /* "again" was an alert */
	assert_int_equal(fixture_callback(fixture, row_id(ROWS - 1)).state, CALLBACK_WAITING);
	fixture_free(fixture);
	return fired;
}

static void prune_loop(enum fault_call call, int result, bool for_ever, enum error_class want)
{
	int runs = 1;

	while (prune_run(call, result, runs, for_ever, want))
		runs++;
	assert_true(runs > 1);
}

static void test_sqlite_pruning_that_fails_removes_nothing_and_passes(void **state)
{
	(void)state;
	prune_loop(FAULT_WRITE, SQLITE_FULL, false, ERR_FULL);
	prune_loop(FAULT_WRITE, SQLITE_IOERR_WRITE, false, ERR_IO);
	prune_loop(FAULT_WRITE, SQLITE_FULL, true, ERR_FULL);
}

static void test_sqlite_pruning_whose_sync_fails_is_the_end(void **state)
{
	(void)state;
	prune_loop(FAULT_SYNC, SQLITE_IOERR_FSYNC, false, ERR_INTERNAL);
	prune_loop(FAULT_SYNC, SQLITE_IOERR_FSYNC, true, ERR_INTERNAL);
}

static void test_sqlite_pruning_after_a_failed_sync_of_a_checkpoint_is_the_end(void **state)
{
	struct fixture *fixture;
	struct command command = world_create(APP, "room", "u");
	struct error err = {0};
	int64_t cursor = 0;
	size_t removed = 99;

	(void)state;
	fixture = fixture_new();
	fixture->sqlite.wal_bytes_max = 0; /* each tidy is overdue: the checkpoint runs in it */
	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 1);
	fixture_add_callbacks(fixture->store, APP, 1, 1000);
	fixture_mark(fixture->store, APP, row_id(0), DELIVERY_DELIVERED, 0);
	assert_int_equal(fixture_try_batch(fixture->store, &command, 1, &err), 0);
	arm(FAULT_SYNC, SQLITE_IOERR_FSYNC, 1, false);
	store_tidy(fixture->store);
	assert_int_equal(atomic_load(&fault.fired), 1);
	assert_int_equal(store_prune(fixture->store, &retention, &cursor, &removed, &err), -1);
	assert_int_equal(err.class, ERR_INTERNAL);
	assert_int_equal(removed, 99);
	arm(FAULT_NONE, SQLITE_OK, 0, false);
	fixture_free(fixture);
}

/* A round that finds nothing must not cost the disk anything. */
static void test_sqlite_pruning_of_nothing_neither_writes_nor_syncs(void **state)
{
	static const enum fault_call calls[] = {FAULT_WRITE, FAULT_SYNC};

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		struct fixture *fixture = start();
		struct error err;
		int64_t cursor = 0;
		size_t removed = 99;

		arm(calls[i], SQLITE_IOERR, 1, true);
		assert_int_equal(store_prune(fixture->store, &retention, &cursor, &removed, &err), 0);
		assert_int_equal(removed, 0);
		assert_int_equal(atomic_load(&fault.fired), 0);
		arm(FAULT_NONE, SQLITE_OK, 0, false);
		fixture_free(fixture);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sqlite_failing_writes_lose_no_mark_and_no_log),
		cmocka_unit_test(test_sqlite_failing_sync_of_a_mark_is_the_end),
		cmocka_unit_test(test_sqlite_pruning_that_fails_removes_nothing_and_passes),
		cmocka_unit_test(test_sqlite_pruning_whose_sync_fails_is_the_end),
		cmocka_unit_test(test_sqlite_pruning_after_a_failed_sync_of_a_checkpoint_is_the_end),
		cmocka_unit_test(test_sqlite_pruning_of_nothing_neither_writes_nor_syncs),
	};

	return cmocka_run_group_tests(tests, shim_setup, NULL);
}
