/* Which apps an overview shows, in what order, and what it counts. */
#include "api/overview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct store_app_line line(uint32_t sdkappid, uint64_t room_count, uint32_t room_count_max)
{
	return (struct store_app_line){
		.sdkappid = sdkappid,
		.room_count = room_count,
		.room_count_max = room_count_max,
		.threshold_lowest = 70,
	};
}

/* ---- words ---- */

static void test_overview_words_are_known_and_no_others(void **state)
{
	static const char *const wrong[] = {"", "All", "near ", "nea", "usage"};
	enum overview_filter filter;
	enum overview_sort sort;

	(void)state;
	assert_int_equal(overview_parse_filter(STR("all"), &filter), 0);
	assert_int_equal(filter, OVERVIEW_ALL);
	assert_int_equal(overview_parse_filter(STR("near"), &filter), 0);
	assert_int_equal(filter, OVERVIEW_NEAR);
	assert_int_equal(overview_parse_filter(STR("full"), &filter), 0);
	assert_int_equal(filter, OVERVIEW_FULL);
	assert_int_equal(overview_parse_filter(STR("waiting"), &filter), 0);
	assert_int_equal(filter, OVERVIEW_WAITING);
	assert_int_equal(overview_parse_filter(STR("failing"), &filter), 0);
	assert_int_equal(filter, OVERVIEW_FAILING);
	assert_int_equal(overview_parse_filter(STR("paused"), &filter), 0);
	assert_int_equal(filter, OVERVIEW_PAUSED);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(overview_parse_filter(str_c(wrong[i]), &filter), -1);
	assert_int_equal(overview_parse_sort(STR("usage"), &sort), 0);
	assert_int_equal(sort, OVERVIEW_BY_USAGE);
	assert_int_equal(overview_parse_sort(STR("sdkappid"), &sort), 0);
	assert_int_equal(sort, OVERVIEW_BY_SDKAPPID);
	assert_int_equal(overview_parse_sort(STR("waiting"), &sort), 0);
	assert_int_equal(sort, OVERVIEW_BY_WAITING);
	assert_int_equal(overview_parse_sort(STR("all"), &sort), -1);
}

/* ---- filters ---- */

static void test_overview_filters_at_their_bounds(void **state)
{
	struct store_app_line app = line(1, 69, 100);

	(void)state;
	assert_true(overview_passes(OVERVIEW_ALL, &app));
	assert_false(overview_passes(OVERVIEW_NEAR, &app));
	app.room_count = 70;
	assert_true(overview_passes(OVERVIEW_NEAR, &app));
	assert_false(overview_passes(OVERVIEW_FULL, &app));
	app.room_count = 99;
	assert_false(overview_passes(OVERVIEW_FULL, &app));
	app.room_count = 100;
	assert_true(overview_passes(OVERVIEW_FULL, &app));
	assert_true(overview_passes(OVERVIEW_NEAR, &app));
	app.room_count = 101; /* the maximum was lowered */
	assert_true(overview_passes(OVERVIEW_FULL, &app));
	app = line(1, 0, 0);
	assert_true(overview_passes(OVERVIEW_FULL, &app));
	assert_false(overview_passes(OVERVIEW_NEAR, &app)); /* no room, so no line is reached */
	assert_false(overview_passes(OVERVIEW_WAITING, &app));
	app.callback_pending = 1;
	assert_true(overview_passes(OVERVIEW_WAITING, &app));
	assert_false(overview_passes(OVERVIEW_FAILING, &app));
	app.failures = 1;
	assert_true(overview_passes(OVERVIEW_FAILING, &app));
	assert_false(overview_passes(OVERVIEW_PAUSED, &app));
	app.pause = PAUSE_GONE;
	assert_true(overview_passes(OVERVIEW_PAUSED, &app));
}

static void test_overview_counts_all_and_keeps_what_passes(void **state)
{
	struct overview overview = {.filter = OVERVIEW_FULL, .search = STR("12")};
	struct store_app_line apps[] = {line(12, 5, 5), line(120, 1, 5), line(1, 5, 5), line(21, 4, 5),
					line(1299, 9, 5)};

	(void)state;
	apps[0].callback_pending = 3;
	apps[3].callback_pending = 4;
	apps[3].failures = 2;
	apps[1].pause = PAUSE_OPERATOR;
	for (size_t i = 0; i < ARRAY_LEN(apps); i++)
		overview_add(&overview, &apps[i]);
	assert_int_equal(overview.total, 5);
	assert_int_equal(overview.counts[OVERVIEW_ALL], 5);
	assert_int_equal(overview.counts[OVERVIEW_NEAR], 4);
	assert_int_equal(overview.counts[OVERVIEW_FULL], 3);
	assert_int_equal(overview.counts[OVERVIEW_WAITING], 2);
	assert_int_equal(overview.counts[OVERVIEW_FAILING], 1);
	assert_int_equal(overview.counts[OVERVIEW_PAUSED], 1);
	assert_int_equal(overview.callback_pending, 7);
	assert_int_equal(overview.line_count, 2);
	assert_int_equal(overview.lines[0].sdkappid, 12);
	assert_int_equal(overview.lines[1].sdkappid, 1299);
	overview_fini(&overview);
}

/* ---- order ---- */

/* The SDKAppIDs in the order of `sort`. */
static void check_order(enum overview_sort sort, const struct store_app_line *apps, size_t count, const uint32_t *want)
{
	struct overview overview = {.sort = sort};

	for (size_t i = 0; i < count; i++)
		overview_add(&overview, &apps[i]);
	overview_sort(&overview);
	assert_int_equal(overview.line_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(overview.lines[i].sdkappid, want[i]);
	overview_fini(&overview);
}

static void test_overview_usage_is_exact_at_the_largest_numbers(void **state)
{
	static const uint32_t want[] = {9, 8, 2, 5, 1, 6, 3, 4, 7};
	const struct store_app_line apps[] = {
		line(1, 1, 2),
		line(2, APP_ROOM_COUNT_MAX_LIMIT, APP_ROOM_COUNT_MAX_LIMIT),
		line(3, APP_ROOM_COUNT_MAX_LIMIT / 2 - 1, APP_ROOM_COUNT_MAX_LIMIT), /* a billionth less than half */
		line(4, 1, 3),
		line(5, 0, 0), /* full, as 2 is */
		line(6, 2, 4),
		line(7, 0, 10),
		line(8, 1, 0), /* more than full, and */
		line(9, APP_ROOM_COUNT_MAX_LIMIT, 0),
	};

	(void)state;
	check_order(OVERVIEW_BY_USAGE, apps, ARRAY_LEN(apps), want);
}

static void test_overview_other_orders(void **state)
{
	static const uint32_t rising[] = {1, 2, 3, 4000000000u};
	static const uint32_t waiting[] = {3, 1, 4000000000u, 2};
	struct store_app_line apps[] = {line(4000000000u, 1, 2), line(3, 1, 2), line(2, 1, 2), line(1, 1, 2)};

	(void)state;
	apps[0].callback_pending = apps[3].callback_pending = 5;
	apps[1].callback_pending = UINT64_C(1) << 40;
	check_order(OVERVIEW_BY_SDKAPPID, apps, ARRAY_LEN(apps), rising);
	check_order(OVERVIEW_BY_WAITING, apps, ARRAY_LEN(apps), waiting);
	check_order(OVERVIEW_BY_USAGE, apps, 0, rising);
}

static void test_overview_keeps_more_than_a_few(void **state)
{
	struct overview overview = {.sort = OVERVIEW_BY_SDKAPPID};

	(void)state;
	for (uint32_t i = 1000; i > 0; i--) {
		struct store_app_line app = line(i, 0, 1);

		overview_add(&overview, &app);
	}
	overview_sort(&overview);
	assert_int_equal(overview.line_count, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(overview.lines[i].sdkappid, i + 1);
	overview_fini(&overview);
	assert_int_equal(overview.line_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overview_words_are_known_and_no_others),
		cmocka_unit_test(test_overview_filters_at_their_bounds),
		cmocka_unit_test(test_overview_counts_all_and_keeps_what_passes),
		cmocka_unit_test(test_overview_usage_is_exact_at_the_largest_numbers),
		cmocka_unit_test(test_overview_other_orders),
		cmocka_unit_test(test_overview_keeps_more_than_a_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
