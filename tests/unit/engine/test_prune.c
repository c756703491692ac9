/* Removing callbacks that nobody keeps any more: when the writer does it, what it asks of the store, and its failures. */
#include "unit/engine/fake_store.h"

#include "base/clock.h"
#include "base/log.h"

#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define HOUR_MS UINT64_C(3600000)

struct fixture {
	struct fake_store *store;
	struct engine *engine;
	struct post_office office;
};

static int setup(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	log_setup(STDERR_FILENO, LOG_LEVEL_OFF);
	fixture->store = fake_store_new();
	post_office_init(&fixture->office);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct store *store = &fixture->store->base;

	engine_close(&fixture->engine);
	post_office_fini(&fixture->office);
	store_close(&store);
	mem_free(fixture);
	return 0;
}

static void start(struct fixture *fixture, uint64_t keep_delivered_ms, uint64_t keep_failed_ms, uint64_t interval_ms)
{
	const struct engine_options options = {.queue_count_max = 1000,
					       .batch_count_max = 4,
					       .keep.delivered_ms = keep_delivered_ms,
					       .keep.failed_ms = keep_failed_ms,
					       .prune_interval_ms = interval_ms};
	struct error err;

	assert_int_equal(engine_open(&options, &fixture->store->base, &fixture->engine, &err), 0);
	assert_int_equal(engine_start(fixture->engine, &err), 0);
}

/* One command after another. */
static void do_rooms(struct fixture *fixture, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		struct test_job job = {0};
		struct error err;

		assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &job, i, &err), 0);
		post_office_wait(&fixture->office, 1);
		assert_int_equal(job.job.command.code, HW_OK);
	}
}

/* ---- when ---- */

/* Nothing is asked of the engine: the writer's own clock begins the round, and goes through it to its end. */
static void test_prune_runs_when_idle_until_the_round_is_over(void **state)
{
	struct fixture *fixture = *state;

	fixture->store->prune_more = 5;
	start(fixture, HOUR_MS, HOUR_MS, HOUR_MS);
	fake_wait_calls(fixture->store, FAKE_PRUNE, 6);
	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100000), HW_OK);
	do_rooms(fixture, 0, 50); /* the next round is an hour away, whatever is asked meanwhile */
	engine_stop(fixture->engine);
	assert_int_equal(fake_calls(fixture->store, FAKE_PRUNE), 6);
}

static void test_prune_begins_a_round_again_after_the_interval(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, HOUR_MS, HOUR_MS, 1);
	fake_wait_calls(fixture->store, FAKE_PRUNE, 20); /* idle; a writer that does not wake shows as a timeout */
}

static void test_prune_without_an_interval_is_never(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 1, 1, 0);
	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100000), HW_OK);
	do_rooms(fixture, 0, 50);
	engine_stop(fixture->engine);
	assert_int_equal(fake_calls(fixture->store, FAKE_PRUNE), 0);
}

static void test_prune_comes_between_batches_and_not_within(void **state)
{
	struct fixture *fixture = *state;

	fixture->store->prune_more = UINT32_MAX; /* always more to do: every 10 ms at most */
	start(fixture, HOUR_MS, HOUR_MS, 1);
	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100000), HW_OK);
	for (unsigned round = 0; round < 5; round++) {
		unsigned before = fake_calls(fixture->store, FAKE_PRUNE);

		do_rooms(fixture, round * 20, round * 20 + 20);
		fake_wait_calls(fixture->store, FAKE_PRUNE, before + 1);
	}
	engine_stop(fixture->engine);
	assert_false(fixture->store->pruned_in_batch);
}

/* While the queue never runs empty: old callbacks go all the same. */
static void test_prune_is_not_kept_from_its_turn_by_a_full_queue(void **state)
{
	static struct test_job jobs[200];
	struct fixture *fixture = *state;
	unsigned before;
	int64_t begin_ms;
	struct error err;

	memset(jobs, 0, sizeof(jobs));
	start(fixture, HOUR_MS, HOUR_MS, 1);
	fake_wait_calls(fixture->store, FAKE_PRUNE, 1);
	fake_gate(fixture->store, true);
	for (unsigned i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(test_job_submit(fixture->engine, &fixture->office, &jobs[i],
						 world_command(COMMAND_CALLBACK_DELETE, 1), &err),
				 0);
	fake_wait_at_gate(fixture->store, 1);
	begin_ms = clock_mono_ms();
	while (clock_mono_ms() <= begin_ms + 1) /* until a round is due */
		;
	pthread_mutex_lock(&fixture->store->lock);
	before = fixture->store->calls[FAKE_PRUNE];
	fixture->store->gate_at_prune = true; /* so that the batches behind it wait */
	fixture->store->gate_closed = false;
	pthread_cond_broadcast(&fixture->store->changed);
	while (fixture->store->calls[FAKE_PRUNE] == before)
		pthread_cond_wait(&fixture->store->changed, &fixture->store->lock);
	assert_in_range(fixture->store->at_gate, 1, 3); /* of fifty batches */
	pthread_mutex_unlock(&fixture->store->lock);
	fake_gate(fixture->store, false);
	post_office_wait(&fixture->office, ARRAY_LEN(jobs));
}

static void test_prune_stops_at_close(void **state)
{
	struct fixture *fixture = *state;
	unsigned calls;

	fixture->store->prune_more = UINT32_MAX; /* there is always more */
	start(fixture, HOUR_MS, HOUR_MS, 1);
	fake_wait_calls(fixture->store, FAKE_PRUNE, 3);
	engine_stop(fixture->engine); /* returns: else the test times out */
	calls = fake_calls(fixture->store, FAKE_PRUNE);
	engine_close(&fixture->engine);
	assert_int_equal(fake_calls(fixture->store, FAKE_PRUNE), calls);
}

/* ---- what ---- */

static void test_prune_says_from_when_on_callbacks_are_kept(void **state)
{
	static const struct {
		uint64_t keep_delivered_ms, keep_failed_ms;
	} rows[] = {{HOUR_MS, 24 * HOUR_MS}, {0, HOUR_MS}, {HOUR_MS, 0}, {0, 0}, {UINT64_MAX, INT64_MAX}, {1, 1}};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t before_ms = clock_wall_ms();
		uint64_t keeps[2] = {rows[i].keep_delivered_ms, rows[i].keep_failed_ms};
		unsigned calls = fake_calls(fixture->store, FAKE_PRUNE);
		int64_t limits[2];

		start(fixture, keeps[0], keeps[1], HOUR_MS);
		fake_wait_calls(fixture->store, FAKE_PRUNE, calls + 1);
		engine_close(&fixture->engine);
		limits[0] = fixture->store->retention.delivered_before_ms;
		limits[1] = fixture->store->retention.failed_before_ms;
		for (unsigned j = 0; j < 2; j++) {
			if (keeps[j] == 0 || keeps[j] > INT64_MAX / 2)
				assert_int_equal(limits[j], 0); /* for ever */
			else
				assert_in_range(limits[j], before_ms - (int64_t)keeps[j],
						clock_wall_ms() - (int64_t)keeps[j]);
		}
		assert_in_range(fixture->store->retention.now_ms, before_ms, clock_wall_ms());
		assert_int_equal(fixture->store->cursors[i], 0); /* a round begins */
	}
}

static void test_prune_goes_on_where_it_stood(void **state)
{
	struct fixture *fixture = *state;

	fixture->store->prune_more = 1; /* the fake moves the cursor to 1 */
	start(fixture, HOUR_MS, HOUR_MS, HOUR_MS);
	fake_wait_calls(fixture->store, FAKE_PRUNE, 2);
	engine_stop(fixture->engine);
	assert_int_equal(fixture->store->cursors[1], 1);
}

/* With the real store behind it: what has ended long ago goes, what waits stays. */
static void test_prune_removes_what_is_too_old(void **state)
{
	struct fixture *fixture = *state;
	struct command mark = world_mark(APP, app_id_make(1, 1), DELIVERY_DELIVERED);
	struct store_callback_filter filter = {.before_id = INT64_MAX, .states = 15, .until_ms = INT64_MAX};
	struct store_callback rows[8];
	struct store_reader *reader;
	struct engine_stats stats;
	struct arena arena;
	struct error err;
	int64_t next;
	size_t count;

	start(fixture, HOUR_MS, HOUR_MS, 1);
	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 10), HW_OK);
	do_rooms(fixture, 0, 8); /* two alerts, of 1970 */
	mark.u.delivery.attempt_ms = 1000;
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, mark), HW_OK);
	pthread_mutex_lock(&fixture->store->lock);
	while (fixture->store->pruned < 1)
		pthread_cond_wait(&fixture->store->changed, &fixture->store->lock);
	pthread_mutex_unlock(&fixture->store->lock);
	fake_wait_calls(fixture->store, FAKE_PRUNE, fake_calls(fixture->store, FAKE_PRUNE) + 3); /* rounds more */
	engine_stop(fixture->engine);
	engine_stats(fixture->engine, &stats);
	assert_int_equal(stats.pruned_total, 1);
	arena_init(&arena, 4096);
	assert_int_equal(store_reader_open(&fixture->store->base, &reader, &err), 0);
	assert_int_equal(store_callback_list(reader, &arena, &filter, 8, rows, &count, &next, &err), 0);
	assert_int_equal(count, 1);
	assert_true(rows[0].id == app_id_make(1, 2));
	assert_int_equal(rows[0].state, CALLBACK_WAITING);
	store_reader_close(&reader);
	arena_fini(&arena);
}

/* ---- failures ---- */

static unsigned count_lines(FILE *file, const char *word)
{
	char line[4096];
	unsigned count = 0;

	rewind(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, word) != NULL;
	return count;
}

static void test_prune_that_fails_is_said_once_and_stops_no_batch(void **state)
{
	struct fixture *fixture = *state;
	FILE *log = tmpfile();
	int64_t begin_ms;

	assert_non_null(log);
	log_setup(fileno(log), LOG_LEVEL_ERROR);
	fake_fail(fixture->store, FAKE_PRUNE, 1, true, ERR_FULL);
	begin_ms = clock_mono_ms();
	start(fixture, HOUR_MS, HOUR_MS, 1);
	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100000), HW_OK);
	do_rooms(fixture, 0, 50);
	fake_wait_calls(fixture->store, FAKE_PRUNE, 20);
	engine_stop(fixture->engine);
	assert_in_range(count_lines(log, "prune_failed"), 1,
			1 + (clock_mono_ms() - begin_ms) / 1000); /* one in each second */
	assert_int_equal(count_lines(log, "batch_failed"), 0);
	log_setup(STDERR_FILENO, LOG_LEVEL_OFF);
	assert_int_equal(fclose(log), 0);
}

static void test_prune_that_failed_is_tried_again_from_the_same_place(void **state)
{
	struct fixture *fixture = *state;

	fixture->store->prune_more = 1;
	fake_fail(fixture->store, FAKE_PRUNE, 2, false, ERR_IO);
	start(fixture, HOUR_MS, HOUR_MS, 1);
	fake_wait_calls(fixture->store, FAKE_PRUNE, 3);
	engine_stop(fixture->engine);
	assert_int_equal(fixture->store->cursors[1], 1);
	assert_int_equal(fixture->store->cursors[2], 1);
}

/* In a child: it is not known what is on disk, so the process must end. */
static void lost_store_child(void)
{
	struct fixture *fixture;
	void *state;

	if (setup(&state))
		_exit(1);
	fixture = state;
	fake_fail(fixture->store, FAKE_PRUNE, 1, false, ERR_INTERNAL);
	start(fixture, HOUR_MS, HOUR_MS, HOUR_MS);
	while (sem_wait(&fixture->office.awake)) /* nobody posts */
		;
	_exit(3);
}

static void test_prune_ends_the_process_when_the_store_is_lost(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		lost_store_child();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_IOERR);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(test_prune_runs_when_idle_until_the_round_is_over),
		WITH_STORE(test_prune_begins_a_round_again_after_the_interval),
		WITH_STORE(test_prune_without_an_interval_is_never),
		WITH_STORE(test_prune_comes_between_batches_and_not_within),
		WITH_STORE(test_prune_is_not_kept_from_its_turn_by_a_full_queue),
		WITH_STORE(test_prune_stops_at_close),
		WITH_STORE(test_prune_says_from_when_on_callbacks_are_kept),
		WITH_STORE(test_prune_goes_on_where_it_stood),
		WITH_STORE(test_prune_removes_what_is_too_old),
		WITH_STORE(test_prune_that_fails_is_said_once_and_stops_no_batch),
		WITH_STORE(test_prune_that_failed_is_tried_again_from_the_same_place),
		cmocka_unit_test(test_prune_ends_the_process_when_the_store_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
