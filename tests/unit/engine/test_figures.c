/* What is kept of every app in memory: it must be what a sum over the apps would be, whatever comes and goes. */
#include "engine/figures.h"
#include "unit/engine/fake_store.h"

static struct app_config config_of(uint32_t sdkappid, uint32_t room_count_max)
{
	struct app_config config;

	app_config_init(&config);
	config.sdkappid = sdkappid;
	config.room_count_max = room_count_max;
	config.callback_set = true;
	return config;
}

static void set(struct figures *figures, uint32_t sdkappid, uint64_t rooms, uint64_t pending, uint32_t failures)
{
	struct app_config config = config_of(sdkappid, 100);
	struct app_state state = {.room_count = rooms, .callback_pending = pending, .endpoint = {.failures = failures}};

	figures_set(figures, &config, &state);
}

static int setup(void **state)
{
	*state = figures_new();
	return 0;
}

static int teardown(void **state)
{
	struct figures *figures = *state;

	figures_free(&figures);
	return 0;
}

static void test_figures_of_nothing(void **state)
{
	struct figures_sum sum;

	assert_int_equal(figures_list(*state, NULL, 0, &sum), 0);
	assert_int_equal(sum.app_count, 0);
	assert_int_equal(sum.room_count, 0);
}

static void test_figures_come_in_order_and_limited(void **state)
{
	struct figures_app apps[4];
	struct figures_sum sum;

	for (uint32_t i = 0; i < 1000; i++)
		set(*state, 1 + i * 7919 % 1000, i, 0, 0); /* 7919 and 1000 have no common factor: each once */
	assert_int_equal(figures_list(*state, apps, 4, &sum), 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(apps[i].sdkappid, i + 1);
	assert_int_equal(sum.app_count, 1000);
	assert_int_equal(sum.room_count, 999 * 1000 / 2);
}

static void test_figures_say_where_an_app_stands(void **state)
{
	const struct {
		uint64_t rooms;
		uint64_t pending;
		uint32_t failures;
		bool is_near;
		bool is_full;
		enum endpoint_state endpoint;
	} cases[] = {
		{0, 0, 0, false, false, ENDPOINT_OK},
		{69, 0, 1, false, false, ENDPOINT_FAILING},
		{70, 1, 2, true, false, ENDPOINT_FAILING},
		{99, 2, 3, true, false, ENDPOINT_OPEN},
		{100, 0, 9, true, true, ENDPOINT_OPEN},
		{101, 0, 0, true, true, ENDPOINT_OK}, /* the maximum was lowered */
	};
	struct figures_sum sum;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct figures_app app;

		set(*state, 7, cases[i].rooms, cases[i].pending, cases[i].failures);
		assert_int_equal(figures_list(*state, &app, 1, &sum), 1);
		assert_int_equal(app.room_count, cases[i].rooms);
		assert_int_equal(app.is_near, cases[i].is_near);
		assert_int_equal(app.is_full, cases[i].is_full);
		assert_int_equal(app.endpoint, cases[i].endpoint);
		assert_int_equal(sum.app_count, 1);
		assert_int_equal(sum.near_count, cases[i].is_near);
		assert_int_equal(sum.full_count, cases[i].is_full);
		assert_int_equal(sum.waiting_count, cases[i].pending > 0);
		for (size_t k = 0; k < FIGURES_ENDPOINT_COUNT; k++)
			assert_int_equal(sum.endpoint_count[k], k == cases[i].endpoint);
	}
}

/* A batch that deletes one app, changes another, and creates a third. */
static void test_figures_take_what_a_batch_did(void **state)
{
	struct app_config config = config_of(3, 10);
	struct live_app gone = {.sdkappid = 1, .exists_before = true};
	struct live_app same = {.sdkappid = 2, .exists_before = true, .exists = true};
	struct live_app made = {.sdkappid = 3, .exists = true, .config = &config, .config_changed = true};
	struct live_app never = {.sdkappid = 4};
	struct live_app *apps[] = {&gone, &same, &made, &never};
	struct live_set batch = {.apps = apps, .app_count = ARRAY_LEN(apps)};
	struct figures_app found[4];
	struct figures_sum sum;

	set(*state, 1, 50, 3, 3);
	set(*state, 2, 20, 0, 0);
	made.state.room_count = 10;
	figures_take(*state, &batch);
	assert_int_equal(figures_list(*state, found, 4, &sum), 2);
	assert_int_equal(found[0].sdkappid, 2);
	assert_int_equal(found[0].room_count, 20);
	assert_int_equal(found[1].sdkappid, 3);
	assert_true(found[1].is_full);
	assert_int_equal(sum.room_count, 30);
	assert_int_equal(sum.callback_pending, 0);
	assert_int_equal(sum.waiting_count, 0);
	assert_int_equal(sum.endpoint_count[ENDPOINT_OPEN], 0);
	assert_int_equal(sum.endpoint_count[ENDPOINT_OK], 2);
}

#define WITH_FIGURES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIGURES(test_figures_of_nothing),
		WITH_FIGURES(test_figures_come_in_order_and_limited),
		WITH_FIGURES(test_figures_say_where_an_app_stands),
		WITH_FIGURES(test_figures_take_what_a_batch_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
