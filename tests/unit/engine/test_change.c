/* What the engine tells of batches to who listens: after the commit, one call for each batch that was stored, and what
 * each command marks as changed. */
#include "unit/engine/fake_store.h"

#include "base/log.h"

#include <unistd.h>

#define SAID_COUNT_MAX 64

/* Of one batch, its first app. */
struct said {
	uint32_t sdkappid;
	size_t app_count;
	bool exists_before;
	bool exists;
	bool config;
	bool state;
	bool callbacks;
	uint64_t room_count;
	uint64_t stored_pending; /* as a reader saw it then; UINT64_MAX when the app was not there */
};

struct fixture {
	struct fake_store *store;
	struct engine *engine;
	struct post_office office;
	pthread_mutex_t lock;
	struct said said[SAID_COUNT_MAX]; /* under the lock, as the next one */
	size_t count;
};

static uint64_t stored_pending(struct fixture *fixture, uint32_t sdkappid)
{
	uint64_t pending = UINT64_MAX;
	struct store_reader *reader;
	struct store_app app;
	struct error err;

	if (store_reader_open(fixture->store->inner, &reader, &err) == 0) {
		if (store_app_get(reader, sdkappid, &app, &err) == 1)
			pending = app.state.callback_pending;
		store_reader_close(&reader);
	}
	return pending;
}

static void take_change(void *context, const struct live_set *set)
{
	struct fixture *fixture = context;
	const struct live_app *app = set->apps[0];
	struct said said = {.sdkappid = app->sdkappid,
			    .app_count = set->app_count,
			    .exists_before = app->exists_before,
			    .exists = app->exists,
			    .config = app->config_changed,
			    .state = app->state_changed,
			    .callbacks = app->callbacks_changed,
			    .room_count = app->state.room_count,
			    .stored_pending = stored_pending(fixture, app->sdkappid)};

	pthread_mutex_lock(&fixture->lock);
	if (fixture->count < SAID_COUNT_MAX)
		fixture->said[fixture->count++] = said;
	pthread_mutex_unlock(&fixture->lock);
}

static size_t said_count(struct fixture *fixture)
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
	engine_on_change(fixture->engine, take_change, fixture);
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

static struct command of(enum command_type type)
{
	return world_command(type, APP);
}

/* Each command alone, in this order. A room more and the app is full, so a creation makes an alert. */
static void test_change_of_each_command(void **state)
{
	struct command mark = world_mark(APP, app_id_make(1, 1), DELIVERY_FAILED);
	struct command retry = world_mark(APP, app_id_make(1, 1), DELIVERY_RETRY);
	const int64_t ids[] = {app_id_make(1, 1)};
	const struct {
		struct command command;
		int code;
		bool config, state, callbacks;
	} rows[] = {
		{world_create(APP, "a", "u"), HW_OK, false, true, true},
		{world_create(APP, "a", "u"), HW_ROOM_EXISTS_OWNED, false, false, false},
		{world_destroy(APP, "a", "u"), HW_OK, false, true, false}, /* its callback is off */
		{retry, HW_OK, false, false, true}, /* an attempt, which told nothing of the endpoint */
		{mark, HW_OK, false, true, true},
		{of(COMMAND_CALLBACK_REPLAY), HW_OK, false, true, true},
		{of(COMMAND_CALLBACK_REPLAY), HW_OK, false, false, false}, /* it waits already */
		{of(COMMAND_CALLBACK_TEST), HW_OK, false, true, true},
		{of(COMMAND_CALLBACK_PAUSE), HW_OK, true, false, false},
		{of(COMMAND_CALLBACK_RESUME), HW_OK, true, false, false},
		{of(COMMAND_CALLBACK_DELETE), HW_OK, true, false, false},
		{of(COMMAND_APP_DELETE), HW_OK, false, false, true}, /* its waiting callbacks end */
	};
	struct fixture *fixture = *state;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	assert_int_equal(said_count(fixture), 1);
	assert_false(fixture->said[0].exists_before);
	assert_true(fixture->said[0].exists && fixture->said[0].config && fixture->said[0].state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command = rows[i].command;
		const struct said *said = &fixture->said[1 + i];

		if (command.type == COMMAND_CALLBACK_REPLAY) {
			command.u.replay.ids = ids;
			command.u.replay.count = 1;
		}
		if (command.type == COMMAND_APP_DELETE)
			command.u.app_delete.force = true;
		if (test_job_do(fixture->engine, &fixture->office, command) != rows[i].code)
			fail_msg("row %zu: another code", i);
		assert_int_equal(said_count(fixture), 2 + i);
		if (said->sdkappid != APP || said->config != rows[i].config || said->state != rows[i].state ||
		    said->callbacks != rows[i].callbacks)
			fail_msg("row %zu: config %d, state %d, callbacks %d", i, said->config, said->state,
				 said->callbacks);
		assert_int_equal(said->exists, command.type != COMMAND_APP_DELETE);
	}
}

static void test_change_comes_after_the_commit_and_before_the_answer(void **state)
{
	struct fixture *fixture = *state;
	struct test_job job = {0};
	struct error err;
	unsigned before;
	size_t said;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	said = said_count(fixture);
	before = fixture->store->at_gate; /* the writer is idle */
	fake_gate(fixture->store, true);
	assert_int_equal(test_job_create_room(fixture->engine, &fixture->office, &job, 1, &err), 0);
	fake_wait_at_gate(fixture->store, before + 1);
	assert_int_equal(said_count(fixture), said);
	fake_gate(fixture->store, false);
	post_office_wait(&fixture->office, 1);
	assert_int_equal(said_count(fixture), said + 1);
	assert_int_equal(fixture->said[said].room_count, 1);
	assert_int_equal(fixture->said[said].stored_pending, 1); /* whoever looks then finds it */
}

static void test_change_of_a_failed_batch_is_not_told(void **state)
{
	struct fixture *fixture = *state;
	size_t said;

	assert_int_equal(test_job_add_app(fixture->engine, &fixture->office, 1), HW_OK);
	said = said_count(fixture);
	for (enum fake_call call = FAKE_LOAD; call <= FAKE_COMMIT; call++) {
		fake_fail(fixture->store, call, 1, false, ERR_FULL);
		assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_create(APP, "a", "u")),
				 HW_INTERNAL);
		assert_int_equal(said_count(fixture), said);
	}
	assert_int_equal(test_job_do(fixture->engine, &fixture->office, world_create(APP, "a", "u")), HW_OK);
	assert_int_equal(said_count(fixture), said + 1);
	assert_int_equal(fixture->said[said].app_count, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CHANGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CHANGE_TEST(test_change_of_each_command),
		CHANGE_TEST(test_change_comes_after_the_commit_and_before_the_answer),
		CHANGE_TEST(test_change_of_a_failed_batch_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
