/* The SQLite store when the world fails: killed processes, full disks, failing writes and syncs, a log that must not
 * grow.
 *
 * The shim fails the k-th call, once or from then on, for k = 1, 2, ... until a run meets no fault any more. After each
 * run the file is opened again, and what must hold is checked: everything acknowledged is there, nothing refused is, and
 * the counter equals the rows. */
#include "store/fault_shim.h"
#include "store/sqlite_file.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int setup(void **state)
{
	*state = fixture_new();
	arm(FAULT_NONE, SQLITE_OK, 0, false);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	fixture_close(fixture);
	(void)umount2(fixture->folder, MNT_DETACH); /* mounted only when a test failed half-way */
	fixture_free(fixture);
	return 0;
}

/* ---- the fault loop ---- */

#define SCRIPT_ROOMS 8

enum outcome { OUTCOME_NOT_TRIED, OUTCOME_STORED, OUTCOME_REFUSED, OUTCOME_UNKNOWN };

/* Creates rooms one by one, each an alert too, until one ends with ERR_INTERNAL, at which a process would end. */
static void run_script(struct fixture *fixture, enum outcome *outcomes, enum error_class want)
{
	for (unsigned i = 0; i < SCRIPT_ROOMS; i++) {
		char room_id[8];
		struct command command;
		struct error err;

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		command = world_create(APP, room_id, "alice");
		if (fixture_try_batch(fixture->store, &command, 1, &err) == 0) {
			assert_int_equal(command.code, HW_OK);
			outcomes[i] = OUTCOME_STORED;
			continue;
		}
		if (err.class != want)
			fail_msg("%s, where %s was expected: %s", error_class_word(err.class), error_class_word(want),
				 err.text);
		outcomes[i] = want == ERR_INTERNAL ? OUTCOME_UNKNOWN : OUTCOME_REFUSED;
		if (want == ERR_INTERNAL)
			return;
	}
}

static void check_outcomes(struct fixture *fixture, const enum outcome *outcomes)
{
	struct store_callback rows[SCRIPT_ROOMS + 1];
	struct store_app app = fixture_app(fixture, APP);
	uint64_t stored = fixture_room_count(fixture, APP);
	struct store_room room;
	struct error err;

	for (unsigned i = 0; i < SCRIPT_ROOMS; i++) {
		char room_id[8];
		int found;

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		found = store_room_get(fixture->reader, &fixture->arena, 1, str_c(room_id), &room, &err);
		if (outcomes[i] != OUTCOME_UNKNOWN)
			assert_int_equal(found, outcomes[i] == OUTCOME_STORED);
	}
	assert_int_equal(app.state.callback_sequence, stored); /* each room has its alert row, or neither is there */
	assert_int_equal(fixture_waiting(fixture, APP, rows, ARRAY_LEN(rows)), stored);
}

static void fault_loop(enum fault_call call, int result, bool for_ever, enum error_class want)
{
	int runs = 0;
	bool fired;

	do {
		struct fixture *fixture = fixture_new();
		enum outcome outcomes[SCRIPT_ROOMS] = {OUTCOME_NOT_TRIED};
		struct app_config config = world_config(ALERT_EVERY, SCRIPT_ROOMS);
		struct command create = world_command(COMMAND_APP_CREATE, APP);

		config.alert.thresholds[0] = 1;
		create.u.app_create = &config;
		fixture_open(fixture);
		assert_int_equal(fixture_run(fixture->store, create), HW_OK);
		arm(call, result, ++runs, for_ever);
		run_script(fixture, outcomes, want);
		fired = atomic_load(&fault.fired) > 0;
		arm(FAULT_NONE, SQLITE_OK, 0, false);
		if (want != ERR_INTERNAL) { /* what it says while it goes on must be right, too */
			check_outcomes(fixture, outcomes);
			assert_int_equal(fixture_run(fixture->store, world_create(APP, "again", "u")),
					 outcomes[SCRIPT_ROOMS - 1] == OUTCOME_STORED && !fired ? HW_QUOTA_FULL
												: HW_OK);
			if (fired)
				assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "again", "u")), HW_OK);
		}
		fixture_close(fixture);
		fixture_open(fixture);
		if (want == ERR_INTERNAL || !fired)
			check_outcomes(fixture, outcomes);
		else
			(void)fixture_room_count(fixture, APP); /* checks the counter; "again" made one alert more */
		fixture_free(fixture);
	} while (fired);
	assert_true(runs > 5); /* the loop met faults at all */
}

static void test_sqlite_failing_writes_store_nothing_and_pass(void **state)
{
	(void)state;
	fault_loop(FAULT_WRITE, SQLITE_FULL, false, ERR_FULL);
	fault_loop(FAULT_WRITE, SQLITE_IOERR_WRITE, false, ERR_IO);
	fault_loop(FAULT_WRITE, SQLITE_FULL, true, ERR_FULL);
	fault_loop(FAULT_WRITE, SQLITE_IOERR_WRITE, true, ERR_IO);
}

static void test_sqlite_failing_sync_is_the_end(void **state)
{
	(void)state;
	fault_loop(FAULT_SYNC, SQLITE_IOERR_FSYNC, false, ERR_INTERNAL);
	fault_loop(FAULT_SYNC, SQLITE_IOERR_FSYNC, true, ERR_INTERNAL);
}

/* The checkpoint's sync fails on another thread, or on the writer's after the replies: the next commit must not
 * succeed. */
static void test_sqlite_failing_sync_of_a_checkpoint_is_the_end(void **state)
{
	struct fixture *fixture = *state;
	struct command command = world_create(APP, "last", "u");
	struct error err;

	fixture->sqlite.wal_bytes_max = 0; /* each tidy is overdue: the checkpoint runs in it */
	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 100);
	command = world_create(APP, "first", "u");
	assert_int_equal(fixture_try_batch(fixture->store, &command, 1, &err), 0);
	arm(FAULT_SYNC, SQLITE_IOERR_FSYNC, 1, false);
	store_tidy(fixture->store);
	assert_int_equal(atomic_load(&fault.fired), 1);
	command = world_create(APP, "last", "u");
	assert_int_equal(fixture_try_batch(fixture->store, &command, 1, &err), -1);
	assert_int_equal(err.class, ERR_INTERNAL);
	fixture_close(fixture);
	fixture_open(fixture);
	assert_int_equal(fixture_room_count(fixture, APP), 1);
}

/* ---- full disks ---- */

/* Creates rooms until a batch fails; returns how many were stored. */
static unsigned fill(struct fixture *fixture, unsigned from, struct error *err)
{
	static char info[8000];
	unsigned i = from;

	memset(info, 'i', sizeof(info) - 1);
	for (; i < from + 100000; i++) {
		struct command command;
		char room_id[16];

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		command = world_create(APP, room_id, "alice");
		command.u.room_create.info = str_c(info);
		if (fixture_try_batch(fixture->store, &command, 1, err))
			return i - from;
		store_tidy(fixture->store);
	}
	fail_msg("the disk never filled");
	return 0;
}

static void test_sqlite_file_size_limit(void **state)
{
	struct fixture *fixture = *state;
	struct rlimit before;
	struct rlimit small;
	struct error err;
	unsigned stored;

	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 1000000);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 1 << 20;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	stored = fill(fixture, 0, &err);
	assert_true(err.class == ERR_IO || err.class == ERR_FULL);
	assert_int_equal(fill(fixture, 500000, &err), 0);	    /* still */
	assert_int_equal(fixture_room_count(fixture, APP), stored); /* readers go on */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
	assert_true(stored > 10);
	fixture_add_rooms(fixture->store, APP, 900000, 900010); /* space is back */
	assert_int_equal(fixture_room_count(fixture, APP), stored + 10);
	fixture_close(fixture);
	fixture_open(fixture);
	assert_int_equal(fixture_room_count(fixture, APP), stored + 10);
}

static void test_sqlite_full_disk(void **state)
{
	struct fixture *fixture = *state;
	struct error err;
	unsigned stored;

	if (mount("tmpfs", fixture->folder, "tmpfs", 0, "size=2m")) {
		print_message("skipped, mounting: %s\n", strerror(errno));
		skip();
	}
	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 1000000);
	stored = fill(fixture, 0, &err);
	assert_int_equal(err.class, ERR_FULL);
	assert_int_equal(fill(fixture, 500000, &err), 0);
	assert_int_equal(fixture_room_count(fixture, APP), stored);
	assert_int_equal(mount("tmpfs", fixture->folder, "tmpfs", MS_REMOUNT, "size=16m"), 0);
	fixture_add_rooms(fixture->store, APP, 900000, 900010);
	assert_int_equal(fixture_room_count(fixture, APP), stored + 10);
	fixture_close(fixture);
	fixture_open(fixture);
	assert_int_equal(fixture_room_count(fixture, APP), stored + 10);
	fixture_close(fixture);
	assert_int_equal(umount(fixture->folder), 0);
}

/* ---- kill -9 ---- */

static void child_commits(struct fixture *fixture, int ack)
{
	unsigned i = 0;
	struct error err;

	if (fixture_open_sqlite(fixture, &err))
		_exit(1);
	while (true) {
		struct command batch[3];
		char room_ids[3][16];

		for (unsigned j = 0; j < 3; j++, i++) {
			(void)snprintf(room_ids[j], sizeof(room_ids[j]), "%d-%u", getpid(), i); /* fits */
			batch[j] = world_create(APP, room_ids[j], "alice");
		}
		if (fixture_try_batch(fixture->store, batch, 3, &err) || batch[2].code != HW_OK ||
		    write(ack, "3", 1) != 1)
			_exit(1);
		store_tidy(fixture->store);
	}
}

/* Reads what the child acknowledged: `count` bytes, then kills it, then the rest. Returns how many in all. */
static unsigned kill_after(pid_t child, int ack, unsigned count)
{
	unsigned got = 0;
	int status;
	char byte;

	while (got < count && read(ack, &byte, 1) == 1)
		got++;
	assert_int_equal(got, count); /* else the child ended by itself */
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	while (read(ack, &byte, 1) == 1)
		got++;
	return got;
}

static void test_sqlite_killed_process_loses_nothing_acknowledged(void **state)
{
	struct fixture *fixture = *state;
	uint64_t stored = 0;

	fixture->sqlite.wal_bytes_max = 64 * 1024; /* checkpoints happen as well */
	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 0);
	{
		struct app_config config = {.room_count_max = 100000};

		assert_int_equal(fixture_run(fixture->store, world_set_max(APP, &config)), HW_OK);
	}
	fixture_close(fixture);
	for (unsigned round = 0; round < 12; round++) {
		int ack[2];
		pid_t child;
		uint64_t now;
		unsigned acknowledged;

		assert_int_equal(pipe(ack), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			(void)close(ack[0]); /* the parent's end */
			child_commits(fixture, ack[1]);
		}
		assert_int_equal(close(ack[1]), 0);
		acknowledged = kill_after(child, ack[0], 1 + round * 7);
		assert_int_equal(close(ack[0]), 0);
		fixture_open(fixture);
		now = fixture_room_count(fixture, APP);
		assert_true(now >= stored + 3 * acknowledged);
		assert_true(now <= stored + 3 * (acknowledged + 1)); /* one commit may have been on its way */
		assert_int_equal(now % 3, 0);			     /* a batch is stored whole or not at all */
		assert_true(fixture_app(fixture, APP).state.room_sequence >= now);
		stored = now;
		fixture_close(fixture);
	}
}

/* ---- the log ---- */

static void test_sqlite_log_does_not_grow_without_bound(void **state)
{
	struct fixture *fixture = *state;
	struct store_room page[10];
	struct error err;
	char path[96];
	size_t count;
	off_t highest = 0;

	if (access("/dev/shm", W_OK) == 0) { /* the size is what matters: no need to wait for a disk 20,000 times */
		assert_int_equal(rmdir(fixture->folder), 0);
		(void)strcpy(fixture->folder, "/dev/shm/hw-XXXXXX");
		assert_non_null(mkdtemp(fixture->folder));
		(void)snprintf(fixture->path, sizeof(fixture->path), "%s/db", fixture->folder); /* fits */
	}
	(void)snprintf(path, sizeof(path), "%s-wal", fixture->path); /* fits */
	fixture->sqlite.wal_bytes_max = 256 * 1024;
	fixture_open(fixture);
	fixture_add_app(fixture->store, APP, 1000000);
	for (unsigned i = 0; i < 20000; i += 2) {
		struct stat facts;

		fixture_add_rooms(fixture->store, APP, i, i + 1);
		assert_int_equal(fixture_run(fixture->store, world_destroy(APP, "r0", "alice")),
				 i == 0 ? HW_OK : HW_NO_ROOM);
		if (i % 100 == 0) { /* reading goes on all the time */
			arena_reset(&fixture->arena);
			assert_int_equal(store_room_list(fixture->reader, &fixture->arena, 1, INT64_MAX, false, 10,
							 page, &count, &err),
					 0);
			assert_int_equal(stat(path, &facts), 0);
			if (facts.st_size > highest)
				highest = facts.st_size;
		}
	}
	assert_true(highest > 0 && highest < 2 * 1024 * 1024); /* without checkpoints it passes 100 MB */
	assert_int_equal(fixture_room_count(fixture, APP), 9999);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_sqlite_failing_writes_store_nothing_and_pass),
		WITH_FIXTURE(test_sqlite_failing_sync_is_the_end),
		WITH_FIXTURE(test_sqlite_failing_sync_of_a_checkpoint_is_the_end),
		WITH_FIXTURE(test_sqlite_file_size_limit),
		WITH_FIXTURE(test_sqlite_full_disk),
		WITH_FIXTURE(test_sqlite_killed_process_loses_nothing_acknowledged),
		WITH_FIXTURE(test_sqlite_log_does_not_grow_without_bound),
	};

	return cmocka_run_group_tests(tests, shim_setup, NULL);
}
