/* What listeners hear of: the newest of each kind, in order, nothing twice, nothing missed without being told. */
#include "api/changes.h"
#include "base/mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#define READ_MAX 64

struct fixture {
	struct changes *changes;
	uint64_t seen;
	struct change read[READ_MAX]; /* by the last look */
	size_t count;
	bool lost;
};

static int setup(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	fixture->changes = changes_new();
	changes_listen(fixture->changes, &fixture->seen);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	changes_leave(fixture->changes);
	changes_free(&fixture->changes);
	mem_free(fixture);
	return 0;
}

/* As a batch leaves an app that has `rooms` rooms. */
static struct live_app app_with(uint32_t sdkappid, const struct app_config *config, uint64_t rooms)
{
	return (struct live_app){.sdkappid = sdkappid,
				 .exists_before = true,
				 .exists = true,
				 .config = config,
				 .state = {.room_count = rooms},
				 .state_changed = true};
}

static void note(struct changes *changes, struct live_app *app)
{
	struct live_set set = {.apps = &app, .app_count = 1};

	changes_note(changes, &set);
}

static void note_rooms(struct fixture *fixture, uint32_t sdkappid, uint64_t rooms)
{
	static const struct app_config config = {.room_count_max = 100};
	struct live_app app = app_with(sdkappid, &config, rooms);

	note(fixture->changes, &app);
}

static void look(struct fixture *fixture, size_t count_max)
{
	assert_true(count_max <= READ_MAX);
	fixture->count = changes_read(fixture->changes, &fixture->seen, fixture->read, count_max, &fixture->lost);
}

static void expect_nothing(struct fixture *fixture)
{
	look(fixture, READ_MAX);
	assert_int_equal(fixture->count, 0);
	assert_false(fixture->lost);
}

static void expect_app(const struct fixture *fixture, size_t index, uint32_t sdkappid, uint64_t rooms)
{
	assert_true(index < fixture->count);
	assert_int_equal(fixture->read[index].kind, CHANGE_APP);
	assert_int_equal(fixture->read[index].sdkappid, sdkappid);
	assert_int_equal(fixture->read[index].room_count, rooms);
}

static void test_changes_give_the_newest_state_once(void **state)
{
	struct fixture *fixture = *state;

	expect_nothing(fixture);
	for (uint64_t rooms = 1; rooms <= 1000; rooms++)
		note_rooms(fixture, 7, rooms);
	look(fixture, READ_MAX);
	assert_int_equal(fixture->count, 1);
	assert_false(fixture->lost);
	expect_app(fixture, 0, 7, 1000);
	expect_nothing(fixture);
	note_rooms(fixture, 7, 999);
	look(fixture, READ_MAX);
	assert_int_equal(fixture->count, 1);
	expect_app(fixture, 0, 7, 999);
}

static void test_changes_tell_all_numbers_of_an_app(void **state)
{
	static const struct app_config paused = {.room_count_max = 50, .pause = PAUSE_OPERATOR};
	struct fixture *fixture = *state;
	struct live_app app = app_with(4294967295u, &paused, 40);

	app.state.alert_level = 80;
	app.state.callback_pending = 3;
	note(fixture->changes, &app);
	look(fixture, READ_MAX);
	assert_int_equal(fixture->count, 1);
	expect_app(fixture, 0, 4294967295u, 40);
	assert_int_equal(fixture->read[0].room_count_max, 50);
	assert_int_equal(fixture->read[0].alert_level, 80);
	assert_int_equal(fixture->read[0].callback_pending, 3);
	assert_int_equal(fixture->read[0].endpoint, endpoint_state_of(PAUSE_OPERATOR, 0));
}

/* Which kinds come of what a batch did to an app: bits by enum change_kind. */
static void test_changes_are_of_the_kind_of_what_was_done(void **state)
{
	static const struct {
		bool before, exists, config, state, callbacks;
		unsigned kinds;
	} rows[] = {
		{true, true, false, false, false, 0},
		{true, true, false, true, false, 1u << CHANGE_APP},
		{true, true, true, false, false, 1u << CHANGE_APP | 1u << CHANGE_CONFIG}, /* the maximum, the pause */
		{true, true, false, false, true, 1u << CHANGE_CALLBACKS},
		{true, true, false, true, true, 1u << CHANGE_APP | 1u << CHANGE_CALLBACKS},
		{false, true, true, true, false, 1u << CHANGE_APP | 1u << CHANGE_CONFIG},	/* is new */
		{true, false, false, true, true, 1u << CHANGE_CONFIG | 1u << CHANGE_CALLBACKS}, /* has gone */
		{false, false, false, false, false, 0},						/* is not there */
	};
	static const struct app_config config = {.room_count_max = 1};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct live_app app = app_with(1, rows[i].exists ? &config : NULL, 1);
		unsigned kinds = 0;

		app.exists_before = rows[i].before;
		app.exists = rows[i].exists;
		app.config_changed = rows[i].config;
		app.state_changed = rows[i].state;
		app.callbacks_changed = rows[i].callbacks;
		note(fixture->changes, &app);
		look(fixture, READ_MAX);
		for (size_t k = 0; k < fixture->count; k++)
			kinds |= 1u << fixture->read[k].kind;
		if (kinds != rows[i].kinds)
			fail_msg("row %zu: kinds %u", i, kinds);
	}
}

static void test_changes_come_in_order_and_in_parts(void **state)
{
	static const struct app_config config = {.room_count_max = 1};
	struct fixture *fixture = *state;
	struct live_app configured = app_with(2, &config, 0);

	configured.config_changed = true;
	configured.state_changed = false;
	note(fixture->changes, &configured); /* config of 2, then app 2 */
	note_rooms(fixture, 1, 1);
	note_rooms(fixture, 3, 3);
	look(fixture, 2);
	assert_int_equal(fixture->count, 2);
	assert_int_equal(fixture->read[0].kind, CHANGE_CONFIG);
	expect_app(fixture, 1, 2, 0);
	note_rooms(fixture, 1, 11); /* goes behind 3; what was read of 2 does not come again */
	look(fixture, READ_MAX);
	assert_int_equal(fixture->count, 2);
	expect_app(fixture, 0, 3, 3);
	expect_app(fixture, 1, 1, 11);
	expect_nothing(fixture);
}

/* A part was read; what changed before it in another kind must still come when the app has changed once more. */
static void test_changes_of_one_kind_do_not_hide_those_of_another(void **state)
{
	static const struct app_config config = {.room_count_max = 1};
	struct fixture *fixture = *state;
	struct live_app configured = app_with(9, &config, 0);
	bool told = false;

	note_rooms(fixture, 1, 1);
	configured.config_changed = true;
	note(fixture->changes, &configured);
	note_rooms(fixture, 2, 2);
	note_rooms(fixture, 9, 5);
	for (unsigned i = 0; i < 4; i++) {
		look(fixture, 1);
		assert_int_equal(fixture->count, 1);
		told = told || (fixture->read[0].kind == CHANGE_CONFIG && fixture->read[0].sdkappid == 9);
	}
	assert_true(told);
	expect_app(fixture, 0, 9, 5);
	expect_nothing(fixture);
}

static void test_changes_beyond_the_bound_are_told_as_lost(void **state)
{
	struct fixture *fixture = *state;
	uint64_t late;

	for (uint32_t i = 1; i <= CHANGES_COUNT_MAX; i++)
		note_rooms(fixture, i, i);
	look(fixture, 1); /* all are still there */
	assert_false(fixture->lost);
	expect_app(fixture, 0, 1, 1);
	note_rooms(fixture, CHANGES_COUNT_MAX + 1, 1); /* drops 1, which was read */
	look(fixture, 1);
	assert_false(fixture->lost);
	expect_app(fixture, 0, 2, 2);
	changes_listen(fixture->changes, &late);
	for (uint32_t i = 2; i <= 100; i++)
		note_rooms(fixture, CHANGES_COUNT_MAX + i, 1);
	look(fixture, READ_MAX);
	assert_true(fixture->lost);
	assert_int_equal(fixture->count, 0);
	expect_nothing(fixture); /* told once; it begins anew */
	note_rooms(fixture, 5, 55);
	look(fixture, READ_MAX);
	assert_false(fixture->lost);
	assert_int_equal(fixture->count, 1);
	expect_app(fixture, 0, 5, 55);
	for (uint64_t seen = late, left = 100; left > 0; left--) { /* who came later has missed nothing */
		bool lost;

		assert_int_equal(changes_read(fixture->changes, &seen, fixture->read, 1, &lost), 1);
		assert_false(lost);
		if (left == 1)
			assert_int_equal(fixture->read[0].room_count, 55);
	}
	changes_leave(fixture->changes);
}

/* As a program with many apps does for days: places are used again and again, and are found. */
static void test_changes_keep_their_order_when_places_are_used_again(void **state)
{
	struct fixture *fixture = *state;
	uint32_t number = 1;

	for (unsigned round = 0; round < 5 * CHANGES_COUNT_MAX / READ_MAX; round++) {
		uint32_t first = number;

		for (unsigned i = 0; i < READ_MAX; i++, number++)
			note_rooms(fixture, number * 16, number);
		look(fixture, READ_MAX);
		assert_false(fixture->lost);
		assert_int_equal(fixture->count, READ_MAX);
		for (unsigned i = 0; i < READ_MAX; i++)
			expect_app(fixture, i, (first + i) * 16, first + i);
	}
}

static void test_changes_are_not_kept_while_nobody_listens(void **state)
{
	struct fixture *fixture = *state;

	changes_leave(fixture->changes);
	note_rooms(fixture, 1, 1);
	changes_listen(fixture->changes, &fixture->seen);
	expect_nothing(fixture);
	note_rooms(fixture, 1, 2);
	look(fixture, READ_MAX);
	expect_app(fixture, 0, 1, 2);
}

/* ---- threads ---- */

#define RACE_APPS 50
#define RACE_ROUNDS 2000

struct race {
	struct fixture *fixture;
	_Atomic bool over;
};

static void *race_read(void *context)
{
	struct race *race = context;
	uint64_t last[RACE_APPS + 1] = {0};
	uint64_t seen;
	bool over;

	changes_listen(race->fixture->changes, &seen);
	do {
		struct change read[7];
		bool lost;
		size_t count;

		over = atomic_load(&race->over);
		while ((count = changes_read(race->fixture->changes, &seen, read, ARRAY_LEN(read), &lost)) > 0)
			for (size_t i = 0; i < count; i++) {
				assert_false(lost);
				assert_true(read[i].room_count > last[read[i].sdkappid]); /* never back, never twice */
				last[read[i].sdkappid] = read[i].room_count;
			}
	} while (!over);
	changes_leave(race->fixture->changes);
	for (uint32_t i = 1; i <= RACE_APPS; i++)
		assert_true(last[i] == RACE_ROUNDS || last[i] == 0); /* 0: all was over before this thread began */
	return NULL;
}

static void test_changes_reach_all_threads(void **state)
{
	struct race race = {.fixture = *state};
	pthread_t readers[4];

	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		assert_int_equal(pthread_create(&readers[i], NULL, race_read, &race), 0);
	for (uint64_t round = 1; round <= RACE_ROUNDS; round++)
		for (uint32_t i = 1; i <= RACE_APPS; i++)
			note_rooms(race.fixture, i, round);
	atomic_store(&race.over, true);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CHANGES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CHANGES_TEST(test_changes_give_the_newest_state_once),
		CHANGES_TEST(test_changes_tell_all_numbers_of_an_app),
		CHANGES_TEST(test_changes_are_of_the_kind_of_what_was_done),
		CHANGES_TEST(test_changes_come_in_order_and_in_parts),
		CHANGES_TEST(test_changes_of_one_kind_do_not_hide_those_of_another),
		CHANGES_TEST(test_changes_beyond_the_bound_are_told_as_lost),
		CHANGES_TEST(test_changes_keep_their_order_when_places_are_used_again),
		CHANGES_TEST(test_changes_are_not_kept_while_nobody_listens),
		CHANGES_TEST(test_changes_reach_all_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
