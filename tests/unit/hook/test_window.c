/* How much an endpoint gets: growth, halving, the breaker and its probes, and what holds an endpoint. */
#include "hook/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct window_policy policy = {
	.max = 8, .probe_first_ms = 1000, .probe_longest_ms = 16000, .hold_longest_ms = 60000};

#define NOW INT64_C(1000000)

/* A failure that tells nothing but itself. */
static void fail_at(struct window *window, int64_t now_ms)
{
	window_failed(window, &policy, &(struct window_failure){0}, now_ms);
}

/* One whose breaker opened at NOW, with the longest wait for the first probe. */
static struct window opened(void)
{
	struct window window;

	window_init(&window, 0);
	for (unsigned i = 0; i < ENDPOINT_OPEN_AFTER; i++)
		fail_at(&window, NOW);
	assert_true(window_is_open(&window));
	return window;
}

/* ---- size ---- */

static void test_window_doubles_with_each_delivery_up_to_the_maximum(void **state)
{
	static const struct {
		unsigned max;
		unsigned sizes[6]; /* before the first delivery, after it, ... */
	} rows[] = {
		{1, {1, 1, 1, 1, 1, 1}}, {2, {1, 2, 2, 2, 2, 2}}, {3, {1, 2, 3, 3, 3, 3}},
		{5, {1, 2, 4, 5, 5, 5}}, {6, {1, 2, 4, 6, 6, 6}}, {8, {1, 2, 4, 8, 8, 8}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct window_policy small = {rows[i].max, 1000, 16000, 60000};
		struct window window;

		window_init(&window, 0);
		for (size_t j = 0; j < ARRAY_LEN(rows[i].sizes); j++) {
			if (window.size != rows[i].sizes[j])
				fail_msg("max %u: %u after %zu deliveries", rows[i].max, window.size, j);
			window_delivered(&window, &small);
		}
	}
}

static void test_window_halves_with_each_failure_and_opens_after_three(void **state)
{
	static const unsigned sizes[] = {8, 4, 2, 0, 0};
	struct window window;

	(void)state;
	window_init(&window, 0);
	for (unsigned i = 0; i < 3; i++)
		window_delivered(&window, &policy);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(window.size, sizes[i]);
		assert_int_equal(window.failures, i);
		assert_int_equal(window_is_open(&window), i >= ENDPOINT_OPEN_AFTER);
		fail_at(&window, NOW);
	}
}

static void test_window_of_one_does_not_halve(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, 0);
	fail_at(&window, NOW);
	assert_int_equal(window.size, 1);
	fail_at(&window, NOW);
	assert_int_equal(window.size, 1);
	window_delivered(&window, &policy); /* in a row is what counts */
	assert_int_equal(window.failures, 0);
	fail_at(&window, NOW);
	fail_at(&window, NOW);
	assert_false(window_is_open(&window));
}

static void test_window_allows_its_size_and_a_probe_when_open(void **state)
{
	struct window window = {.size = 4};

	(void)state;
	assert_true(window_allows(&window, 3, NOW));
	assert_false(window_allows(&window, 4, NOW));
	assert_false(window_allows(&window, 5, NOW)); /* it has halved while they were under way */
	window.size = 0;
	assert_true(window_allows(&window, 0, NOW));
	assert_false(window_allows(&window, 1, NOW));
	window.hold_ms = NOW + 1;
	assert_false(window_allows(&window, 0, NOW));
	assert_true(window_allows(&window, 0, NOW + 1));
	window.hold_ms = INT64_MAX;
	assert_false(window_allows(&window, 0, INT64_MAX - 1));
}

static void test_window_failures_do_not_run_over(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, UINT32_MAX);
	window.probes = UINT32_MAX - 1;
	window_failed(&window, &policy, &(struct window_failure){.probe = true}, NOW);
	window_failed(&window, &policy, &(struct window_failure){.probe = true}, NOW);
	assert_int_equal(window.failures, UINT32_MAX);
	assert_true(window_is_open(&window));
	assert_true(window.hold_ms == NOW + 16000);
}

static void test_window_after_a_restart(void **state)
{
	static const struct {
		uint32_t failures;
		unsigned size;
	} rows[] = {{0, 1}, {1, 1}, {ENDPOINT_OPEN_AFTER - 1, 1}, {ENDPOINT_OPEN_AFTER, 0}, {UINT32_MAX, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct window window = {.size = 99, .hold_ms = 99, .draining = true};

		window_init(&window, rows[i].failures);
		assert_int_equal(window.size, rows[i].size);
		assert_int_equal(window.failures, rows[i].failures);
		assert_true(window_allows(&window, 0, 0)); /* the first probe of this run may go at once */
		assert_false(window_allows(&window, 1, 0));
		assert_false(window.draining);
	}
}

/* ---- probes ---- */

static void test_window_waits_between_probes_double_up_to_the_longest(void **state)
{
	static const int64_t full_ms[] = {1000, 2000, 4000, 8000, 16000, 16000, 16000};

	(void)state;
	for (unsigned draw = 0; draw < 3; draw++) {
		static const uint64_t randoms[] = {0, UINT64_MAX, 12345678901};
		struct window window;
		int64_t now_ms = NOW;

		window_init(&window, ENDPOINT_OPEN_AFTER - 1);
		for (size_t i = 0; i < ARRAY_LEN(full_ms); i++) {
			const struct window_failure failure = {.probe = i > 0, .random = randoms[draw]};

			window_failed(&window, &policy, &failure, now_ms);
			assert_in_range(window.hold_ms - now_ms, full_ms[i] / 2, full_ms[i]);
			if (draw == 0)
				assert_true(window.hold_ms - now_ms == full_ms[i]);
			assert_false(window_allows(&window, 0, window.hold_ms - 1));
			now_ms = window.hold_ms;
			assert_true(window_allows(&window, 0, now_ms));
		}
	}
}

static void test_window_jitter_reaches_both_ends_of_its_half(void **state)
{
	bool least = false;
	bool most = false;

	(void)state;
	for (uint64_t random = 0; random < 3000; random++) {
		struct window window;

		window_init(&window, ENDPOINT_OPEN_AFTER - 1);
		window_failed(&window, &policy, &(struct window_failure){.random = random}, NOW);
		assert_in_range(window.hold_ms, NOW + 500, NOW + 1000);
		least |= window.hold_ms == NOW + 500;
		most |= window.hold_ms == NOW + 1000;
	}
	assert_true(least && most);
}

static void test_window_hold_that_ends_as_the_breaker_opens_is_followed_by_a_wait(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, ENDPOINT_OPEN_AFTER - 1);
	window.hold_ms = NOW; /* the request went out in the very millisecond in which it fails */
	fail_at(&window, NOW);
	assert_false(window_allows(&window, 0, NOW));
}

/* Eight were under way when the third failure opened the breaker. */
static void test_window_stragglers_are_no_probes(void **state)
{
	struct window window = opened();
	int64_t hold_ms = window.hold_ms;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		fail_at(&window, NOW + 900 + i);
	assert_true(window.hold_ms == hold_ms); /* what they say is known */
	assert_int_equal(window.probes, 0);
	fail_at(&window, NOW + 5000); /* one that comes after the wait: the first probe may be on its way */
	assert_true(window.hold_ms == hold_ms);
	window_failed(&window, &policy, &(struct window_failure){.probe = true}, NOW + 6000);
	assert_true(window.hold_ms == NOW + 6000 + 2000);
}

static void test_window_probe_that_is_delivered_closes_the_breaker_and_the_window_grows(void **state)
{
	static const unsigned sizes[] = {1, 2, 4, 8, 8};
	struct window window = opened();
	int64_t now_ms = window.hold_ms;

	(void)state;
	for (unsigned i = 0; i < 4; i++, now_ms = window.hold_ms)
		window_failed(&window, &policy, &(struct window_failure){.probe = true}, now_ms);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		window_delivered(&window, &policy);
		assert_int_equal(window.size, sizes[i]);
		assert_true(window_allows(&window, sizes[i] - 1, now_ms));
		assert_false(window_allows(&window, sizes[i], now_ms));
		assert_true(window.draining);
	}
	for (unsigned i = 0; i < ENDPOINT_OPEN_AFTER; i++) /* opens anew: the waits begin anew */
		fail_at(&window, now_ms);
	assert_true(window_is_open(&window));
	assert_true(window.hold_ms == now_ms + 1000);
}

static void test_window_draining_begins_with_the_closing_and_ends_with_a_failure(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, 0);
	window_delivered(&window, &policy);
	assert_false(window.draining); /* it was never open: retries keep their times */
	window = opened();
	assert_false(window.draining);
	window_delivered(&window, &policy);
	assert_true(window.draining);
	fail_at(&window, NOW);
	assert_false(window.draining);
	window_delivered(&window, &policy);
	assert_false(window.draining);
}

/* ---- slow down, gone, release ---- */

/* A closed window, one whose third failure it is, and a probe. */
static void test_window_slow_down_holds_for_what_was_asked(void **state)
{
	static const struct {
		uint32_t failures;
		bool probe;
		uint64_t asked_ms;
		int64_t least, most; /* of the hold from now */
	} rows[] = {
		{0, false, 0, 500, 1000}, /* without Retry-After: as for a probe */
		{0, false, 200, 500, 1000},
		{0, false, 5000, 5000, 5000},
		{0, false, 60000, 60000, 60000},
		{0, false, 60001, 60000, 60000},
		{0, false, UINT64_MAX, 60000, 60000},
		{2, false, 5000, 5000, 5000},
		{2, false, 0, 500, 1000},
		{7, true, 0, 1000, 2000},
		{7, true, 30000, 30000, 30000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (uint64_t random = 0; random < 7; random++) {
			const struct window_failure failure = {.probe = rows[i].probe,
							       .slow_down = true,
							       .asked_ms = rows[i].asked_ms,
							       .random = random * 997};
			struct window window;

			window_init(&window, rows[i].failures);
			window_failed(&window, &policy, &failure, NOW);
			assert_in_range(window.hold_ms - NOW, rows[i].least, rows[i].most);
			assert_int_equal(window_is_open(&window), rows[i].failures >= 2);
		}
	}
}

static void test_window_retry_after_holds_the_endpoint_only_when_it_says_slow_down(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, 0);
	window_failed(&window, &policy, &(struct window_failure){.asked_ms = 30000}, NOW);
	assert_true(window_allows(&window, 0, NOW)); /* it was about that callback */
}

static void test_window_hold_is_never_shortened_by_a_later_failure(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, 0);
	window_failed(&window, &policy, &(struct window_failure){.slow_down = true, .asked_ms = 50000}, NOW);
	window_failed(&window, &policy, &(struct window_failure){.slow_down = true, .asked_ms = 10000}, NOW + 5);
	assert_true(window.hold_ms == NOW + 50000);
	fail_at(&window, NOW + 6); /* the third: opens */
	assert_true(window_is_open(&window));
	assert_true(window.hold_ms == NOW + 50000);
	window_failed(&window, &policy, &(struct window_failure){.slow_down = true, .asked_ms = 60000}, NOW + 7);
	assert_true(window.hold_ms == NOW + 60007); /* a straggler that says so lengthens it */
}

static void test_window_gone_holds_until_release(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, 0);
	window_failed(&window, &policy, &(struct window_failure){.gone = true}, NOW);
	assert_false(window_allows(&window, 0, INT64_MAX - 1));
	window_failed(&window, &policy, &(struct window_failure){.slow_down = true, .asked_ms = 1}, NOW);
	window_failed(&window, &policy, &(struct window_failure){.gone = true}, NOW);
	assert_false(window_allows(&window, 0, INT64_MAX - 1)); /* also when it opens */
	assert_true(window_is_open(&window));
	window_delivered(&window, &policy); /* by one that was under way */
	assert_false(window_allows(&window, 0, INT64_MAX - 1));
	window_release(&window);
	assert_true(window_allows(&window, 0, 0));
}

static void test_window_release_lets_a_probe_go_at_once_and_no_more(void **state)
{
	struct window window = opened();

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		window_failed(&window, &policy, &(struct window_failure){.probe = true}, window.hold_ms);
	window_release(&window);
	assert_true(window_is_open(&window)); /* nothing is known to have changed */
	assert_true(window_allows(&window, 0, NOW));
	assert_false(window_allows(&window, 1, NOW));
	assert_true(window.draining);
	window_failed(&window, &policy, &(struct window_failure){.probe = true}, NOW);
	assert_false(window.draining);
	assert_true(window.hold_ms == NOW + 2000); /* the waits begin anew */
}

static void test_window_release_ends_a_slow_down_of_a_closed_window(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, 0);
	window_delivered(&window, &policy);
	window_delivered(&window, &policy);
	window_failed(&window, &policy, &(struct window_failure){.slow_down = true, .asked_ms = 50000}, NOW);
	window_release(&window);
	assert_true(window_allows(&window, 1, NOW));
	assert_int_equal(window.size, 2); /* as it had halved */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window_doubles_with_each_delivery_up_to_the_maximum),
		cmocka_unit_test(test_window_halves_with_each_failure_and_opens_after_three),
		cmocka_unit_test(test_window_of_one_does_not_halve),
		cmocka_unit_test(test_window_allows_its_size_and_a_probe_when_open),
		cmocka_unit_test(test_window_failures_do_not_run_over),
		cmocka_unit_test(test_window_after_a_restart),
		cmocka_unit_test(test_window_waits_between_probes_double_up_to_the_longest),
		cmocka_unit_test(test_window_jitter_reaches_both_ends_of_its_half),
		cmocka_unit_test(test_window_hold_that_ends_as_the_breaker_opens_is_followed_by_a_wait),
		cmocka_unit_test(test_window_stragglers_are_no_probes),
		cmocka_unit_test(test_window_probe_that_is_delivered_closes_the_breaker_and_the_window_grows),
		cmocka_unit_test(test_window_draining_begins_with_the_closing_and_ends_with_a_failure),
		cmocka_unit_test(test_window_slow_down_holds_for_what_was_asked),
		cmocka_unit_test(test_window_retry_after_holds_the_endpoint_only_when_it_says_slow_down),
		cmocka_unit_test(test_window_hold_is_never_shortened_by_a_later_failure),
		cmocka_unit_test(test_window_gone_holds_until_release),
		cmocka_unit_test(test_window_release_lets_a_probe_go_at_once_and_no_more),
		cmocka_unit_test(test_window_release_ends_a_slow_down_of_a_closed_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
