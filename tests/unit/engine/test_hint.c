/* When the engine tells delivery to look: after the commit, once per app of a batch, and whether that is urgent. */
#include "unit/engine/fake_store.h"

#include "base/log.h"

#include <unistd.h>

#define OTHER 1400000002u
#define HINT_COUNT_MAX 64

struct hint {
	uint32_t sdkappid;
	bool now;
	uint64_t waiting; /* callbacks that a reader saw then; UINT64_MAX when the app was not there */
};

struct fixture {
	struct fake_store *store;
	struct engine *engine;
	struct post_office office;
	pthread_mutex_t lock;
	struct hint hints[HINT_COUNT_MAX]; /* under the lock, as the next one */
	size_t count;
};

static void take_hint(void *context, uint32_t sdkappid, bool now)
{
	struct fixture *fixture = context;
	struct hint hint = {sdkappid, now, UINT64_MAX};
	struct store_reader *reader;
	struct store_app app;
	struct error err;

	if (store_reader_open(fixture->store->inner, &reader, &err) == 0) {
		if (store_app_get(reader, sdkappid, &app, &err) == 1)
			hint.waiting = app.state.callback_pending;
		store_reader_close(&reader);
	}
	pthread_mutex_lock(&fixture->lock);
	if (fixture->count < HINT_COUNT_MAX)
		fixture->hints[fixture->count++] = hint;
	pthread_mutex_unlock(&fixture->lock);
}

static size_t hint_count(struct fixture *fixture)
{
	size_t count;

	pthread_mutex_lock(&fixture->lock);
	count = fixture->count;
	pthread_mutex_unlock(&fixture->lock);
	return count;
}

static int setup(void **state)
{
	const struct engine_options options = {.queue_count_max = 1000, .batch_count_max = 100};
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));
	struct error err;

	log_setup(STDERR_FILENO, LOG_LEVEL_OFF);
	fixture->store = fake_store_new();
	post_office_init(&fixture->office);
	assert_int_equal(pthread_mutex_init(&fixture->lock, NULL), 0);
	assert_int_equal(engine_open(&options, &fixture->store->base, &fixture->engine, &err), 0);
	engine_on_delivery(fixture->engine, take_hint, fixture);
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
	(void)pthread_mutex_destroy(&fixture->lock); /* nobody waits */
	mem_free(fixture);
	return 0;
}

static int do_one(struct fixture *fixture, struct command command)
{
	return test_job_do(fixture->engine, &fixture->office, command);
}

/* Submits them so that they are one batch, and waits. */
static void do_batch(struct fixture *fixture, struct command *commands, unsigned count)
{
	struct test_job holder = {0};
	struct test_job jobs[8] = {0};
	struct error err;
	unsigned before;

	assert_true(count <= ARRAY_LEN(jobs));
	pthread_mutex_lock(&fixture->store->lock);
	before = fixture->store->at_gate;
	pthread_mutex_unlock(&fixture->store->lock);
	fake_gate(fixture->store, true);
	assert_int_equal(test_job_submit(fixture->engine, &fixture->office, &holder,
					 world_command(COMMAND_CALLBACK_DELETE, 1), &err),
			 0);
	fake_wait_at_gate(fixture->store, before + 1);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(test_job_submit(fixture->engine, &fixture->office, &jobs[i], commands[i], &err), 0);
	fake_gate(fixture->store, false);
	post_office_wait(&fixture->office, count + 1);
	for (unsigned i = 0; i < count; i++)
		commands[i].code = jobs[i].job.command.code;
}

static struct command set_url(enum command_type type, const char *url)
{
	struct command command = world_command(type, APP);

	command.u.callback.url = str_c(url);
	command.u.callback.commands = 1u << HW_CALLBACK_THRESHOLD;
	return command;
}

static struct command of(enum command_type type)
{
	return world_command(type, APP);
}

/* Each command alone, in this order: is delivery told, and is it urgent? A room more and the app is full, so a
 * creation makes an alert. */
static void test_hint_of_each_command(void **state)
{
	struct command mark = world_mark(APP, app_id_make(1, 1), DELIVERY_FAILED);
	const int64_t ids[] = {app_id_make(1, 1)};
	struct command replay = of(COMMAND_CALLBACK_REPLAY);
	struct command delete_app = of(COMMAND_APP_DELETE);
	const struct {
		struct command command;
		int code;
		unsigned hints;
		bool now;
	} rows[] = {
		{world_create(APP, "a", "u"), HW_OK, 1, false},
		{world_create(APP, "a", "u"), HW_ROOM_EXISTS_OWNED, 0, false},
		{world_create(APP, "b", "u"), HW_QUOTA_FULL, 0, false},
		{world_destroy(APP, "a", "u"), HW_OK, 0, false}, /* its callback is off */
		{mark, HW_OK, 0, false},
		{replay, HW_OK, 1, true},
		{replay, HW_OK, 0, false}, /* it waits already */
		{of(COMMAND_CALLBACK_TEST), HW_OK, 1, true},
		{of(COMMAND_CALLBACK_PAUSE), HW_OK, 0, false},
		{of(COMMAND_CALLBACK_TEST), HW_BAD_PARAMETER, 0, false},
		{of(COMMAND_CALLBACK_RESUME), HW_OK, 1, true},
		{set_url(COMMAND_CALLBACK_SET, "http://b/"), HW_CALLBACK_EXISTS, 0, false},
		{set_url(COMMAND_CALLBACK_UPDATE, "http://b/"), HW_OK, 1, true},
		{of(COMMAND_CALLBACK_DELETE), HW_OK, 0, false},
		{set_url(COMMAND_CALLBACK_SET, "http://c/"), HW_OK, 1, true},
		{delete_app, HW_OK, 1, true}, /* also when it waits for an endpoint that had gone */
		{delete_app, HW_UNKNOWN_SDKAPPID, 0, false},
	};
	struct fixture *fixture = *state;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	assert_int_equal(hint_count(fixture), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command = rows[i].command;
		size_t before = hint_count(fixture);

		if (command.type == COMMAND_CALLBACK_REPLAY) {
			command.u.replay.ids = ids;
			command.u.replay.count = 1;
		}
		if (command.type == COMMAND_APP_DELETE)
			command.u.app_delete.force = true;
		if (do_one(fixture, command) != rows[i].code)
			fail_msg("row %zu: another code", i);
		if (hint_count(fixture) - before != rows[i].hints)
			fail_msg("row %zu: %zu hints", i, hint_count(fixture) - before);
		if (rows[i].hints) {
			assert_int_equal(fixture->hints[before].sdkappid, APP);
			assert_int_equal(fixture->hints[before].now, rows[i].now);
		}
	}
}

static void test_hint_comes_after_the_commit(void **state)
{
	struct fixture *fixture = *state;
	struct test_job job = {0};
	struct error err;
	unsigned before;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	before = fixture->store->at_gate; /* the writer is idle */
	fake_gate(fixture->store, true);
	assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &job, 1, &err), 0);
	fake_wait_at_gate(fixture->store, before + 1);
	assert_int_equal(hint_count(fixture), 0);
	fake_gate(fixture->store, false);
	post_office_wait(&fixture->office, 1);
	assert_int_equal(hint_count(fixture), 1);
	assert_int_equal(fixture->hints[0].waiting, 1); /* whoever looks then finds it */
}

static void test_hint_is_one_per_app_of_a_batch_and_the_strongest(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = world_config(ALERT_EVERY, 1);
	struct command add_other = world_command(COMMAND_APP_CREATE, OTHER);
	struct command commands[] = {world_create(APP, "a", "u"), of(COMMAND_CALLBACK_TEST),
				     world_create(OTHER, "a", "u"), world_destroy(APP, "a", "u"),
				     world_create(APP, "b", "u")};

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	add_other.u.app_create = &config;
	assert_int_equal(do_one(fixture, add_other), HW_OK);
	do_batch(fixture, commands, ARRAY_LEN(commands));
	assert_int_equal(hint_count(fixture), 2);
	assert_int_equal(fixture->hints[0].sdkappid, APP);
	assert_true(fixture->hints[0].now);
	assert_int_equal(fixture->hints[0].waiting, 3);
	assert_int_equal(fixture->hints[1].sdkappid, OTHER);
	assert_false(fixture->hints[1].now);
}

static void test_hint_of_a_failed_batch_is_none(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	for (enum fake_call call = FAKE_LOAD; call <= FAKE_COMMIT; call++) {
		struct command commands[] = {world_create(APP, "a", "u"), of(COMMAND_CALLBACK_TEST),
					     of(COMMAND_CALLBACK_RESUME)};

		fake_fail(fixture->store, call, 2, false, ERR_FULL); /* the first is the holder's */
		do_batch(fixture, commands, ARRAY_LEN(commands));
		for (size_t i = 0; i < ARRAY_LEN(commands); i++)
			assert_int_equal(commands[i].code, HW_INTERNAL);
		assert_int_equal(hint_count(fixture), 0);
	}
	assert_int_equal(do_one(fixture, of(COMMAND_CALLBACK_RESUME)), HW_OK);
	assert_int_equal(hint_count(fixture), 1);
}

static void test_hint_of_an_app_that_lives_within_one_batch(void **state)
{
	struct fixture *fixture = *state;
	struct app_config config = world_config(ALERT_EVERY, 1);
	struct command commands[] = {world_command(COMMAND_APP_CREATE, APP), of(COMMAND_APP_DELETE)};

	commands[0].u.app_create = &config;
	do_batch(fixture, commands, 2);
	assert_int_equal(commands[1].code, HW_OK);
	assert_int_equal(hint_count(fixture), 1); /* delivery finds that there is no such app */
	assert_true(fixture->hints[0].waiting == UINT64_MAX);
}

/* Without anybody who wants to be told. */
static void test_hint_for_nobody(void **state)
{
	const struct engine_options options = {.queue_count_max = 8, .batch_count_max = 8};
	struct fixture *fixture = *state;
	struct error err;

	engine_close(&fixture->engine);
	assert_int_equal(engine_open(&options, &fixture->store->base, &fixture->engine, &err), 0);
	assert_int_equal(engine_start(fixture->engine, &err), 0);
	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	assert_int_equal(do_one(fixture, world_create(APP, "a", "u")), HW_OK);
	assert_int_equal(hint_count(fixture), 0);
}

#define WITH_ENGINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ENGINE(test_hint_of_each_command),
		WITH_ENGINE(test_hint_comes_after_the_commit),
		WITH_ENGINE(test_hint_is_one_per_app_of_a_batch_and_the_strongest),
		WITH_ENGINE(test_hint_of_a_failed_batch_is_none),
		WITH_ENGINE(test_hint_of_an_app_that_lives_within_one_batch),
		WITH_ENGINE(test_hint_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
