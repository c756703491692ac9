/* What the engine says of its store: that it cannot be written, and, by trying, that it can again; and what it counts. */
#include "unit/engine/fake_store.h"

#include "base/log.h"

#include <time.h>
#include <unistd.h>

struct fixture {
	struct fake_store *store;
	struct engine *engine;
	struct post_office office;
};

static int setup(void **state)
{
	const struct engine_options options = {.queue_count_max = 100, .batch_count_max = 10};
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));
	struct error err;

	log_setup(STDERR_FILENO, LOG_LEVEL_OFF);
	test_job_places = 0;
	fixture->store = fake_store_new();
	post_office_init(&fixture->office);
	if (engine_open(&options, &fixture->store->base, &fixture->engine, &err))
		return -1;
	*state = fixture;
	return engine_start(fixture->engine, &err);
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

static void fail_next(struct fixture *fixture, enum fake_call call, bool for_ever)
{
	pthread_mutex_lock(&fixture->store->lock);
	fixture->store->class = ERR_FULL;
	fixture->store->fail_at[call] = 1;
	fixture->store->for_ever = for_ever;
	pthread_mutex_unlock(&fixture->store->lock);
}

static struct engine_stats stats_of(struct fixture *fixture)
{
	struct engine_stats stats;

	engine_stats(fixture->engine, &stats);
	return stats;
}

static void create(struct fixture *fixture, unsigned number, int code)
{
	struct test_job job = {0};
	struct error err;

	assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &job, number, &err), 0);
	post_office_wait(&fixture->office, 1);
	assert_int_equal(job.job.command.code, code);
}

static void wait_until_well(struct fixture *fixture)
{
	const struct timespec pause = {.tv_nsec = 5 * 1000000};

	for (unsigned i = 0; i < 4000 && stats_of(fixture).is_failing; i++)
		(void)nanosleep(&pause, NULL); /* waking early only means looking early */
	assert_false(stats_of(fixture).is_failing);
	assert_string_equal(stats_of(fixture).failure, "");
}

static void test_engine_says_that_its_store_fails_until_a_try_succeeds(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100), HW_OK);
	assert_false(stats_of(fixture).is_failing);
	fail_next(fixture, FAKE_PROBE, false); /* the first try, which comes later */
	fail_next(fixture, FAKE_COMMIT, false);
	create(fixture, 1, HW_INTERNAL);
	assert_true(stats_of(fixture).is_failing);
	assert_string_equal(stats_of(fixture).failure, "told to fail");
	fake_wait_calls(fixture->store, FAKE_PROBE, 1);
	assert_true(stats_of(fixture).is_failing);
	wait_until_well(fixture); /* nobody sends anything: it finds out by itself */
	create(fixture, 1, HW_OK);
}

static void test_engine_is_well_again_with_the_next_batch(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100), HW_OK);
	fail_next(fixture, FAKE_LOAD, false);
	create(fixture, 1, HW_INTERNAL);
	assert_true(stats_of(fixture).is_failing);
	create(fixture, 1, HW_OK);
	assert_false(stats_of(fixture).is_failing);
	assert_int_equal(fixture->store->calls[FAKE_PROBE], 0);
}

static uint64_t sum_of(const uint64_t *counts, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += counts[i];
	return sum;
}

static void test_engine_counts_batches_and_commits(void **state)
{
	struct fixture *fixture = *state;
	struct engine_stats stats;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 100), HW_OK);
	create(fixture, 1, HW_OK);
	fail_next(fixture, FAKE_COMMIT, false);
	create(fixture, 2, HW_INTERNAL);
	stats = stats_of(fixture);
	assert_int_equal(stats.batches_total, 3);
	assert_int_equal(stats.batches_failed_total, 1);
	assert_int_equal(stats.batch_buckets[0], 3); /* of one command each */
	assert_int_equal(sum_of(stats.batch_buckets, ENGINE_BATCH_BUCKET_COUNT), 3);
	assert_int_equal(sum_of(stats.commit_buckets, ENGINE_COMMIT_BUCKET_COUNT), 2);
	assert_int_equal(stats.queue_count_max, 100);
}

static void test_engine_figures_follow_its_batches(void **state)
{
	struct fixture *fixture = *state;
	struct figures_app app;
	struct figures_sum sum;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 2), HW_OK);
	create(fixture, 1, HW_OK);
	create(fixture, 2, HW_OK);
	create(fixture, 3, HW_QUOTA_FULL);
	assert_int_equal(figures_list(engine_figures(fixture->engine), &app, 1, &sum), 1);
	assert_int_equal(app.sdkappid, APP);
	assert_int_equal(app.room_count, 2);
	assert_int_equal(app.room_count_max, 2);
	assert_int_equal(sum.full_count, 1);
}

#define WITH_ENGINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ENGINE(test_engine_says_that_its_store_fails_until_a_try_succeeds),
		WITH_ENGINE(test_engine_is_well_again_with_the_next_batch),
		WITH_ENGINE(test_engine_counts_batches_and_commits),
		WITH_ENGINE(test_engine_figures_follow_its_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
