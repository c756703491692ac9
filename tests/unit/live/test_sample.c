/* The history of the room count: which samples a sequence of changes makes, and what the running minute knows. */
#include "live/sample.h"
#include "unit/live/batch.h"

#define M SAMPLE_MS

static struct command at(struct command command, int64_t wall_ms)
{
	command.origin.wall_ms = wall_ms;
	return command;
}

static void check_sample(const struct live_sample *sample, int64_t minute_ms, uint64_t count, uint64_t highest,
			 uint32_t max)
{
	assert_non_null(sample);
	assert_int_equal(sample->number, NUMBER);
	assert_true(sample->minute_ms == minute_ms);
	assert_int_equal(sample->room_count, count);
	assert_int_equal(sample->room_count_highest, highest);
	assert_int_equal(sample->room_count_max, max);
}

static void check_minute(const struct batch *batch, int64_t minute_ms, uint64_t highest)
{
	assert_true(batch->app->state.minute_ms == minute_ms);
	assert_int_equal(batch->app->state.minute_highest, highest);
}

static void test_sample_is_made_by_the_first_change_of_a_later_minute(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {
		at(world_create(APP, "a", "alice"), 5 * M + 1),	  at(world_create(APP, "b", "alice"), 6 * M - 1),
		at(world_destroy(APP, "b", "alice"), 6 * M - 1),  at(world_create(APP, "c", "alice"), 9 * M),
		at(world_destroy(APP, "c", "alice"), 9 * M + 10), at(world_create(APP, "d", "alice"), 10 * M),
	};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(step(batch, i), HW_OK);
	assert_null(batch->set.samples); /* nothing was known before */
	check_minute(batch, 5 * M, 2);
	assert_int_equal(step(batch, 3), HW_OK);
	check_sample(batch->set.samples, 5 * M, 1, 2, 100); /* one at its end, two in it */
	assert_null(batch->set.samples->next);
	check_minute(batch, 9 * M, 2);
	assert_int_equal(step(batch, 4), HW_OK);
	assert_int_equal(step(batch, 5), HW_OK);
	check_sample(batch->set.samples->next, 9 * M, 1, 2, 100);
	assert_ptr_equal(batch->set.sample_last, batch->set.samples->next);
	check_minute(batch, 10 * M, 2);
}

static void test_sample_minute_begins_with_the_count_before(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {at(world_destroy(APP, "a", "alice"), 5 * M),
				     at(world_destroy(APP, "b", "alice"), 7 * M)};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	(void)load_room(batch, "a", "alice");
	(void)load_room(batch, "b", "alice");
	assert_int_equal(step(batch, 0), HW_OK);
	check_minute(batch, 5 * M, 2); /* both were there when it began */
	assert_int_equal(step(batch, 1), HW_OK);
	check_sample(batch->set.samples, 5 * M, 1, 2, 100);
	check_minute(batch, 7 * M, 1);
}

static void test_sample_keeps_the_maximum_of_its_time(void **state)
{
	struct batch *batch = *state;
	struct app_config smaller = batch->config;
	struct command commands[] = {at(world_create(APP, "a", "alice"), 5 * M),
				     at(world_set_max(APP, &smaller), 6 * M),
				     at(world_create(APP, "b", "alice"), 7 * M)};

	smaller.room_count_max = 50;
	batch_begin(batch, commands, ARRAY_LEN(commands));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		assert_int_equal(step(batch, i), HW_OK);
	check_sample(batch->set.samples, 5 * M, 1, 1, 100);
	check_sample(batch->set.samples->next, 6 * M, 1, 1, 50); /* a change of the maximum alone */
	assert_null(batch->set.samples->next->next);
}

static void test_sample_is_not_made_by_what_changes_no_count(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {
		at(world_create(APP, "a", "alice"), 5 * M),
		at(world_create(APP, "a", "bob"), 8 * M), /* exists */
		at(world_command(COMMAND_CALLBACK_PAUSE, APP), 9 * M),
		at(world_set_max(APP, &batch->config), 9 * M),
	};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(step(batch, 1), HW_ROOM_EXISTS);
	assert_int_equal(step(batch, 2), HW_OK);
	assert_int_equal(step(batch, 3), HW_OK);
	assert_null(batch->set.samples);
	check_minute(batch, 5 * M, 1);
}

static void test_sample_of_a_clock_that_steps_back(void **state)
{
	struct batch *batch = *state;
	struct command commands[] = {
		at(world_create(APP, "a", "alice"), 100 * M),
		at(world_create(APP, "b", "alice"), 100 * M - SAMPLE_STEP_MS + M), /* the minute goes on */
		at(world_create(APP, "c", "alice"), 100 * M - SAMPLE_STEP_MS),	   /* the clock was set anew */
	};

	batch_begin(batch, commands, ARRAY_LEN(commands));
	assert_int_equal(step(batch, 0), HW_OK);
	assert_int_equal(step(batch, 1), HW_OK);
	assert_null(batch->set.samples);
	check_minute(batch, 100 * M, 2);
	assert_int_equal(step(batch, 2), HW_OK);
	check_sample(batch->set.samples, 100 * M, 2, 2, 100);
	check_minute(batch, 100 * M - SAMPLE_STEP_MS, 3);
}

#define WITH_BATCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BATCH(test_sample_is_made_by_the_first_change_of_a_later_minute),
		WITH_BATCH(test_sample_minute_begins_with_the_count_before),
		WITH_BATCH(test_sample_keeps_the_maximum_of_its_time),
		WITH_BATCH(test_sample_is_not_made_by_what_changes_no_count),
		WITH_BATCH(test_sample_of_a_clock_that_steps_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
