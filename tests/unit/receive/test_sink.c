/* The threads of sinks, with a real record and a sink that fails as it is told. */
#include "base/log.h"
#include "receive/sink.h"
#include "unit/receive/record_fixture.h"

#include <pthread.h>
#include <unistd.h>

/* What the sink got, and what it shall do. */
struct fake_sink {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int64_t got[1000];
	size_t got_count;
	unsigned deliver_calls;
	unsigned tick_calls;
	unsigned fail_deliver; /* so many calls fail, at their second row */
	unsigned fail_tick;
	bool hangs;	 /* deliver waits for the end of the process */
	int64_t counter; /* its state */
	char restored[64];
	bool bad_restore;
	unsigned closed;
};

struct sink_fixture {
	struct record_fixture *record;
	struct fake_sink fake;
	struct sinks *sinks;
	pthread_mutex_t lock; /* of what was marked */
	pthread_cond_t changed;
	int64_t marked;
	unsigned marks;
	char state[64];
};

static bool fake_wants(const void *sink, const struct record_row *row)
{
	(void)sink;
	return row->sdkappid == APP;
}

static size_t fake_deliver(void *sink, const struct record_row *rows, size_t count, const atomic_bool *stop,
			   struct error *err)
{
	struct fake_sink *fake = sink;
	size_t done = count;

	while (fake->hangs && !atomic_load(stop))
		(void)usleep(1000); /* what is waited for is `stop` */
	pthread_mutex_lock(&fake->lock);
	fake->deliver_calls++;
	if (fake->fail_deliver || fake->hangs) {
		fake->fail_deliver -= fake->fail_deliver > 0;
		done = count > 1 ? 1 : 0;
		(void)error_set(err, ERR_IO, "told to fail"); /* fewer than all says so */
	}
	for (size_t i = 0; i < done; i++)
		fake->got[fake->got_count++] = rows[i].id;
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
	return done;
}

static int64_t fake_tick(void *sink, const atomic_bool *stop, struct error *err)
{
	struct fake_sink *fake = sink;
	int64_t result = SINK_TICK_NEVER;

	(void)stop;
	pthread_mutex_lock(&fake->lock);
	fake->tick_calls++;
	if (fake->fail_tick) {
		fake->fail_tick--;
		result = error_set(err, ERR_IO, "tick told to fail");
	}
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
	return result;
}

static void fake_save(const void *sink, struct buf *out)
{
	buf_printf(out, "n%lld", (long long)((const struct fake_sink *)sink)->got_count);
}

static int fake_restore(void *sink, struct str state, struct error *err)
{
	struct fake_sink *fake = sink;

	(void)str_copy(fake->restored, sizeof(fake->restored), state); /* fits */
	return fake->bad_restore ? error_set(err, ERR_INVALID, "told to be wrong") : 0;
}

static void fake_close(void *sink)
{
	((struct fake_sink *)sink)->closed++;
}

static const struct sink_ops fake_ops = {.kind = SINK_POST,
					 .wants = fake_wants,
					 .deliver = fake_deliver,
					 .tick = fake_tick,
					 .save = fake_save,
					 .restore = fake_restore,
					 .close = fake_close};

static void keep_mark(void *context, const char *sink, int64_t id, struct str state)
{
	struct sink_fixture *fixture = context;

	pthread_mutex_lock(&fixture->lock);
	if (strcmp(sink, "post") != 0)
		abort(); /* not a thread where cmocka can end a test */
	fixture->marked = id;
	fixture->marks++;
	(void)str_copy(fixture->state, sizeof(fixture->state), state); /* fits */
	pthread_cond_broadcast(&fixture->changed);
	pthread_mutex_unlock(&fixture->lock);
}

static int setup(void **state)
{
	struct sink_fixture *fixture = mem_zalloc(sizeof(*fixture));
	void *record;

	log_setup(STDERR_FILENO, LOG_LEVEL_OFF);
	assert_int_equal(fixture_setup(&record), 0);
	fixture->record = record;
	assert_int_equal(pthread_mutex_init(&fixture->lock, NULL), 0);
	assert_int_equal(pthread_cond_init(&fixture->changed, NULL), 0);
	assert_int_equal(pthread_mutex_init(&fixture->fake.lock, NULL), 0);
	assert_int_equal(pthread_cond_init(&fixture->fake.changed, NULL), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct sink_fixture *fixture = *state;
	void *record = fixture->record;

	sinks_close(&fixture->sinks);
	(void)pthread_mutex_destroy(&fixture->lock); /* nobody waits any more, as below */
	(void)pthread_cond_destroy(&fixture->changed);
	(void)pthread_mutex_destroy(&fixture->fake.lock);
	(void)pthread_cond_destroy(&fixture->fake.changed);
	mem_free(fixture);
	return fixture_teardown(&record);
}

#define WITH_SINK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void open_sinks(struct sink_fixture *fixture)
{
	const struct sinks_options options = {.record_path = fixture->record->path,
					      .sinks = {{&fake_ops, &fixture->fake}},
					      .sink_count = 1,
					      .retry_longest_ms = 5,
					      .mark = keep_mark,
					      .context = fixture};
	struct error err;

	if (sinks_open(&options, &fixture->sinks, &err))
		fail_msg("%s", err.text);
}

static void put_events(struct sink_fixture *fixture, unsigned from, unsigned count, uint32_t sdkappid)
{
	for (unsigned i = 0; i < count; i++)
		(void)put(fixture->record, from + i, row_of_event(sdkappid, 1000)); /* looked at by the sink */
	if (fixture->sinks)
		sinks_wake(fixture->sinks);
}

static void wait_got(struct sink_fixture *fixture, size_t count)
{
	pthread_mutex_lock(&fixture->fake.lock);
	while (fixture->fake.got_count < count)
		pthread_cond_wait(&fixture->fake.changed, &fixture->fake.lock);
	pthread_mutex_unlock(&fixture->fake.lock);
}

static void wait_marked(struct sink_fixture *fixture, int64_t id)
{
	pthread_mutex_lock(&fixture->lock);
	while (fixture->marked < id)
		pthread_cond_wait(&fixture->changed, &fixture->lock);
	pthread_mutex_unlock(&fixture->lock);
}

/* Each id from `first` on, once and in order. */
static void expect_got(struct sink_fixture *fixture, int64_t first, size_t count)
{
	assert_int_equal(fixture->fake.got_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(fixture->fake.got[i], first + (int64_t)i);
}

static void test_sink_new_one_begins_with_what_comes(void **state)
{
	struct sink_fixture *fixture = *state;

	put_events(fixture, 0, 3, APP);
	open_sinks(fixture);
	assert_int_equal(fixture->marked, 3); /* kept at once */
	assert_int_equal(sinks_done_id(fixture->sinks), 3);
	put_events(fixture, 10, 2, APP);
	wait_got(fixture, 2);
	expect_got(fixture, 4, 2);
	wait_marked(fixture, 5);
	assert_string_equal(fixture->state, "n2");
}

/* As after a restart: the place and the state are what was kept. */
static void test_sink_goes_on_where_it_was(void **state)
{
	struct sink_fixture *fixture = *state;
	struct error err;

	put_events(fixture, 0, 5, APP);
	fixture_begin(fixture->record);
	assert_int_equal(record_mark(fixture->record->record, "post", 2, STR("kept"), &err), 0);
	fixture_commit(fixture->record);
	fixture->fake.bad_restore = true; /* told, and it begins without */
	open_sinks(fixture);
	wait_got(fixture, 3);
	expect_got(fixture, 3, 3);
	assert_string_equal(fixture->fake.restored, "kept");
}

static void test_sink_tries_again_what_it_did_not_take(void **state)
{
	struct sink_fixture *fixture = *state;
	struct sink_stats stats;

	fixture->fake.fail_deliver = 4;
	open_sinks(fixture);
	put_events(fixture, 0, 10, APP);
	wait_got(fixture, 10);
	wait_marked(fixture, 10);
	assert_int_equal(fixture->fake.got_count, 10);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(fixture->fake.got[i], i + 1);
	assert_int_equal(sinks_stats(fixture->sinks, &stats), 1);
	assert_int_equal(stats.delivered_total, 10);
	assert_int_equal(stats.failures_total, 4);
	assert_int_equal(stats.done_id, 10);
	assert_int_equal(stats.kind, SINK_POST);
}

/* Those of another app are passed over; the place moves on all the same. */
static void test_sink_passes_over_what_it_does_not_want(void **state)
{
	struct sink_fixture *fixture = *state;

	open_sinks(fixture);
	put_events(fixture, 0, 250, OTHER);
	put_events(fixture, 1000, 1, APP);
	wait_got(fixture, 1);
	expect_got(fixture, 251, 1);
	put_events(fixture, 2000, 150, OTHER);
	sinks_close(&fixture->sinks); /* keeps the last place, wherever it was */
	assert_true(fixture->marked >= 251);
	assert_int_equal(fixture->fake.closed, 1);
}

static void test_sink_tick_that_fails_is_tried_again(void **state)
{
	struct sink_fixture *fixture = *state;
	struct sink_stats stats;

	fixture->fake.fail_tick = 3;
	open_sinks(fixture);
	pthread_mutex_lock(&fixture->fake.lock);
	while (fixture->fake.tick_calls < 4)
		pthread_cond_wait(&fixture->fake.changed, &fixture->fake.lock);
	pthread_mutex_unlock(&fixture->fake.lock);
	put_events(fixture, 0, 1, APP);
	wait_got(fixture, 1);
	assert_int_equal(sinks_stats(fixture->sinks, &stats), 1);
	assert_int_equal(stats.failures_total, 3);
	assert_false(stats.is_failing);
	assert_string_equal(stats.error, "");
}

static void test_sink_that_hangs_ends_with_the_process(void **state)
{
	struct sink_fixture *fixture = *state;

	fixture->fake.hangs = true;
	open_sinks(fixture);
	put_events(fixture, 0, 5, APP);
	sinks_close(&fixture->sinks);
	assert_int_equal(fixture->fake.closed, 1);
	assert_true(fixture->marked <= 1);
}

static void test_sink_opening_without_a_record_closes_the_sinks(void **state)
{
	struct sink_fixture *fixture = *state;
	const struct sinks_options options = {.record_path = "/nonexistent/record",
					      .sinks = {{&fake_ops, &fixture->fake}},
					      .sink_count = 1,
					      .mark = keep_mark,
					      .context = fixture};
	struct error err;

	assert_int_equal(sinks_open(&options, &fixture->sinks, &err), -1);
	assert_non_null(strstr(err.text, "sink post"));
	assert_int_equal(fixture->fake.closed, 1);
	assert_null(fixture->sinks);
}

static void test_sink_waits_grow_and_have_an_end(void **state)
{
	static const struct {
		unsigned failures;
		uint64_t longest_ms;
		uint64_t most;
	} cases[] = {{1, 60000, 1000},	{2, 60000, 2000},
		     {3, 60000, 4000},	{6, 60000, 32000},
		     {7, 60000, 60000}, {1000000, 60000, 60000},
		     {1, 5, 5},		{UINT32_MAX, UINT64_MAX / 4, UINT64_MAX / 4}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(sink_wait_ms(cases[i].failures, cases[i].longest_ms, 0), cases[i].most);
		for (uint64_t random = 1; random < 100; random++)
			assert_in_range(sink_wait_ms(cases[i].failures, cases[i].longest_ms, random * 7919),
					cases[i].most - cases[i].most / 2, cases[i].most);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SINK(test_sink_new_one_begins_with_what_comes),
		WITH_SINK(test_sink_goes_on_where_it_was),
		WITH_SINK(test_sink_tries_again_what_it_did_not_take),
		WITH_SINK(test_sink_passes_over_what_it_does_not_want),
		WITH_SINK(test_sink_tick_that_fails_is_tried_again),
		WITH_SINK(test_sink_that_hangs_ends_with_the_process),
		WITH_SINK(test_sink_opening_without_a_record_closes_the_sinks),
		cmocka_unit_test(test_sink_waits_grow_and_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
