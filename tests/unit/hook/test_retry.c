/* The retry schedule: full jitter within its bounds, what the receiver asked for, and when it is over. */
#include "hook/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DAY_MS INT64_C(86400000)

static struct retry_row row_of(int64_t id, uint32_t attempts)
{
	return (struct retry_row){.callback_id = id, .attempts = attempts};
}

static void test_retry_full_wait_doubles_up_to_the_longest(void **state)
{
	static const struct {
		uint64_t first_ms, longest_ms;
		uint32_t attempts;
		uint64_t want;
	} rows[] = {
		{1000, 3600000, 1, 1000},
		{1000, 3600000, 2, 2000},
		{1000, 3600000, 5, 16000},
		{1000, 3600000, 12, 2048000},
		{1000, 3600000, 13, 3600000},
		{1000, 3600000, 14, 3600000},
		{1000, 3600000, UINT32_MAX, 3600000},
		{5000, 5000, 1, 5000},
		{5000, 5000, 9, 5000},
		{10, 3, 1, 3}, /* the longest is shorter than the first */
		{1, UINT64_C(1) << 40, UINT32_MAX, UINT64_C(1) << 40},
		{7, 1000000007, 20, 3670016},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(retry_full_wait_ms(rows[i].first_ms, rows[i].longest_ms, rows[i].attempts) == rows[i].want);
}

static void test_retry_wait_is_from_one_to_the_bound(void **state)
{
	static const struct retry_policy policies[] = {
		{1000, 3600000, 1, 1}, {1, 1, 1, 2}, {5000, 5000, 1, 3}, {7, 1000000007, 1, 4}, {10, 3, 1, 5}};

	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
		for (uint32_t attempts = 1; attempts < 100; attempts++) {
			uint64_t full = retry_full_wait_ms(policies[p].first_ms, policies[p].longest_ms, attempts);

			for (int64_t id = 1; id < 50; id++) {
				struct retry_row row = row_of(id, attempts);
				uint64_t wait = retry_wait_ms(&policies[p], &row);

				assert_true(wait >= 1 && wait <= full);
			}
		}
	}
}

/* Callbacks that failed together, as those of one dead receiver do: about as many come back in each tenth of the bound. */
static void test_retry_wait_spreads_over_the_whole_bound(void **state)
{
	const struct retry_policy policy = {1000, 1000, 1, 99};
	unsigned tenths[10] = {0};
	bool least = false;
	bool most = false;

	(void)state;
	for (int64_t id = 1; id <= 20000; id++) {
		struct retry_row row = row_of(id, 1);
		uint64_t wait = retry_wait_ms(&policy, &row);

		tenths[(wait - 1) / 100]++;
		least |= wait == 1;
		most |= wait == 1000;
	}
	for (size_t i = 0; i < ARRAY_LEN(tenths); i++)
		assert_in_range(tenths[i], 1800, 2200);
	assert_true(least && most); /* both ends belong to it */
}

static void test_retry_wait_is_a_function_of_row_and_seed(void **state)
{
	const struct retry_policy policy = {100000, 10000000, 1, 7};
	const struct retry_policy other = {100000, 10000000, 1, 8};
	unsigned by_id = 0;
	unsigned by_seed = 0;
	unsigned by_attempt = 0;

	(void)state;
	for (int64_t id = 1; id <= 100; id++) {
		struct retry_row row = row_of(id, 30); /* at the longest: the bound is the same for the next attempt */
		struct retry_row next_id = row_of(id + 1, 30);
		struct retry_row next_attempt = row_of(id, 31);
		uint64_t wait = retry_wait_ms(&policy, &row);

		assert_true(wait == retry_wait_ms(&policy, &row));
		by_id += wait != retry_wait_ms(&policy, &next_id);
		by_seed += wait != retry_wait_ms(&other, &row);
		by_attempt += wait != retry_wait_ms(&policy, &next_attempt);
	}
	assert_true(by_id > 90 && by_seed > 90 && by_attempt > 90);
}

static void test_retry_waits_for_what_the_receiver_asked_up_to_the_longest(void **state)
{
	static const struct {
		uint64_t asked_ms, least, most;
	} rows[] = {
		{0, 1, 1000},	       {500, 500, 1000},      {1000, 1000, 1000},	  {30000, 30000, 30000},
		{60000, 60000, 60000}, {60001, 60000, 60000}, {UINT64_MAX, 60000, 60000},
	};
	const struct retry_policy policy = {1000, 60000, 1, 3};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int64_t id = 1; id < 200; id++) {
			struct retry_row row = row_of(id, 1);

			row.asked_ms = rows[i].asked_ms;
			assert_in_range(retry_wait_ms(&policy, &row), rows[i].least, rows[i].most);
		}
	}
}

static void test_retry_plan_counts_from_now(void **state)
{
	const struct retry_policy policy = {1000, 60000, 600000, 3};
	struct retry_row row = row_of(5, 2);
	int64_t due_ms = -1;

	(void)state;
	row.base_ms = 1000000;
	assert_true(retry_plan(&policy, &row, 1002000, &due_ms));
	assert_true(due_ms == 1002000 + (int64_t)retry_wait_ms(&policy, &row));
}

/* Both must hold: the time is over, and the bounds of the waits so far amount to the whole schedule. */
static void test_retry_is_over_only_when_both_say_so(void **state)
{
	static const struct {
		int64_t base_ms;
		uint32_t attempts;
		int64_t now_ms;
		bool again;
	} rows
		[] =
			{
				{5000, 1, 5000, true}, /* the bounds are 100 200 400 400: four attempts are the schedule */
				{5000, 4, 5000, true}, /* quickly: by the jitter they may be, so the time decides */
				{5000, 1000, 5000, true},
				{5000, 3, 500000, true}, /* long ago, as after a step of the clock, but hardly tried */
				{5000, 1, INT64_MAX / 2, true},
				{5000, 4, 500000, false},
				{5000, 1000, 500000, false},
				{5000, 4, 6001, false},
				{INT64_MAX / 2, 4, 5000, true}, /* the clock stepped back */
				{5000, 1000, 4000, true},
				{500000, 1000, 500000, true}, /* a replay begins anew */
			};
	const struct retry_policy policy = {100, 400, 1000, 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct retry_row row = row_of(1, rows[i].attempts);
		int64_t due_ms = -1;

		row.base_ms = rows[i].base_ms;
		if (retry_plan(&policy, &row, rows[i].now_ms, &due_ms) != rows[i].again)
			fail_msg("row %zu", i);
		assert_true(rows[i].again ? due_ms > rows[i].now_ms : due_ms == -1);
	}
}

static void test_retry_gives_up_at_its_time_to_the_millisecond(void **state)
{
	const struct retry_policy policy = {1, 1, 1000, 1}; /* every wait is 1 */
	struct retry_row row = row_of(1, 1000);
	int64_t due_ms;

	(void)state;
	row.base_ms = 5000;
	assert_true(retry_plan(&policy, &row, 5999, &due_ms));
	assert_int_equal(due_ms, 6000);
	assert_false(retry_plan(&policy, &row, 6000, &due_ms));
	row.attempts = 999;
	assert_true(retry_plan(&policy, &row, 6000, &due_ms));
}

/* As it runs with long schedules: each attempt at its planned time, until there is none. */
static void test_retry_schedule_of_eight_days(void **state)
{
	const struct retry_policy policy = {1000, 3600000, 8 * DAY_MS, 17};

	(void)state;
	for (int64_t id = 1; id <= 20; id++) {
		int64_t now_ms = 1700000000000;
		struct retry_row row = row_of(id, 1);
		int64_t due_ms;

		for (row.base_ms = now_ms; retry_plan(&policy, &row, now_ms, &due_ms); row.attempts++) {
			assert_true(due_ms > now_ms && due_ms <= now_ms + 3600000);
			now_ms = due_ms;
			assert_true(row.attempts < 1000);
		}
		assert_in_range(now_ms - row.base_ms, 8 * DAY_MS - 3600000, 8 * DAY_MS);
		assert_in_range(row.attempts, 290, 520); /* half an hour between two of them, as it is drawn */
	}
}

/* A receiver that always asks for the longest wait: still no more than the schedule. */
static void test_retry_schedule_of_one_that_asks_for_long_waits_ends(void **state)
{
	const struct retry_policy policy = {1000, 3600000, DAY_MS, 17};
	struct retry_row row = row_of(1, 1);
	int64_t now_ms = 1700000000000;
	int64_t due_ms;

	(void)state;
	row.asked_ms = UINT64_MAX;
	for (row.base_ms = now_ms; retry_plan(&policy, &row, now_ms, &due_ms); row.attempts++)
		now_ms = due_ms;
	assert_in_range(now_ms - row.base_ms, DAY_MS - 3600000, DAY_MS + 12 * 3600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry_full_wait_doubles_up_to_the_longest),
		cmocka_unit_test(test_retry_wait_is_from_one_to_the_bound),
		cmocka_unit_test(test_retry_wait_spreads_over_the_whole_bound),
		cmocka_unit_test(test_retry_wait_is_a_function_of_row_and_seed),
		cmocka_unit_test(test_retry_waits_for_what_the_receiver_asked_up_to_the_longest),
		cmocka_unit_test(test_retry_plan_counts_from_now),
		cmocka_unit_test(test_retry_is_over_only_when_both_say_so),
		cmocka_unit_test(test_retry_gives_up_at_its_time_to_the_millisecond),
		cmocka_unit_test(test_retry_schedule_of_eight_days),
		cmocka_unit_test(test_retry_schedule_of_one_that_asks_for_long_waits_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
