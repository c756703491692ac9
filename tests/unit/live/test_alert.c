/* The alert policy: lines, re-arming, modes, and a brute-force reference. */
#include "live/alert.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct alert_policy policy_of(enum alert_mode mode, unsigned margin, unsigned step, const char *thresholds)
{
	struct alert_policy policy = {.mode = mode,
				      .rearm_margin = (uint8_t)margin,
				      .step_percent = (uint8_t)step,
				      .threshold_count = 1,
				      .thresholds = {70}};
	struct error err;

	assert_int_equal(alert_thresholds_parse(str_c(thresholds), &policy, &err), 0);
	return policy;
}

static void test_alert_first_count_that_reaches_a_line(void **state)
{
	static const struct {
		uint64_t max;
		unsigned line;
		uint64_t first;
	} rows[] = {
		{0, 70, 1},
		{0, 1, 1},
		{0, 100, 1},
		{1, 1, 1},
		{1, 70, 1},
		{1, 100, 1},
		{2, 50, 1},
		{2, 51, 2},
		{2, 70, 2},
		{2, 100, 2},
		{3, 33, 1},
		{3, 34, 2},
		{3, 66, 2},
		{3, 67, 3},
		{3, 70, 3},
		{3, 100, 3},
		{10, 70, 7},
		{10, 71, 8},
		{10, 69, 7},
		{10, 1, 1},
		{10, 99, 10},
		{7, 70, 5},
		{7, 71, 5},
		{7, 72, 6},
		{500, 70, 350},
		{500, 1, 5},
		{500, 99, 495},
		{500, 100, 500},
		{999, 70, 700},
		{1001, 70, 701},
		{1u << 30, 70, 751619277},
		{1u << 30, 100, 1u << 30},
		{1000000000, 70, 700000000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(alert_reached(rows[i].first, rows[i].max, rows[i].line));
		assert_false(alert_reached(rows[i].first - 1, rows[i].max, rows[i].line));
		assert_true(alert_reached(rows[i].first + 1, rows[i].max, rows[i].line));
	}
}

static void test_alert_reached_does_not_overflow_at_its_limit(void **state)
{
	const uint64_t limit = UINT64_C(1) << 56;

	(void)state;
	assert_true(alert_reached(limit, limit, 100));
	assert_false(alert_reached(limit - 1, limit, 100));
	assert_false(alert_reached(0, 0, 1));
	assert_true(alert_reached(limit / 100 * 70 + 100, limit, 70));
}

/* Written from the sentences in the manual alone: looks at every percentage from 1 to 100. */
static bool reference_is_line(const struct alert_policy *policy, unsigned line)
{
	for (unsigned i = 0; i < policy->threshold_count; i++)
		if (policy->thresholds[i] == line)
			return true;
	return policy->mode == ALERT_STEP && line >= policy->thresholds[0] && line <= 100 &&
	       (line - policy->thresholds[0]) % policy->step_percent == 0;
}

static unsigned reference_highest(const struct alert_policy *policy, uint64_t count, uint64_t max)
{
	unsigned best = 0;

	for (unsigned line = 1; line <= 100; line++)
		if (reference_is_line(policy, line) && count > 0 && count * 100 >= line * max)
			best = line;
	return best;
}

static unsigned reference_rearm(const struct alert_policy *policy, unsigned level, uint64_t count, uint64_t max)
{
	if (count == 0)
		return 0;
	while (level > 0 && (int64_t)count * 100 < ((int64_t)level - (int64_t)policy->rearm_margin) * (int64_t)max) {
		do
			level--;
		while (level > 0 && !reference_is_line(policy, level));
	}
	return level;
}

static const struct {
	enum alert_mode mode;
	unsigned margin, step;
	const char *thresholds;
} policies[] = {
	{ALERT_EVERY, 5, 10, "70"},	 {ALERT_EDGE, 5, 10, "70"},	 {ALERT_STEP, 5, 10, "70"},
	{ALERT_EDGE, 0, 10, "1"},	 {ALERT_EDGE, 50, 10, "100"},	 {ALERT_STEP, 0, 1, "1"},
	{ALERT_STEP, 5, 50, "1,2,100"},	 {ALERT_STEP, 3, 7, "13,50,51"}, {ALERT_EDGE, 5, 10, "70,85,95"},
	{ALERT_EVERY, 10, 10, "50,100"}, {ALERT_STEP, 20, 30, "99"},	 {ALERT_EDGE, 50, 1, "1,2,3,4,5,6,7,8"},
	{ALERT_STEP, 50, 33, "34"},
};

static void test_alert_highest_equals_the_reference_for_all_small_counts(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
		struct alert_policy policy =
			policy_of(policies[p].mode, policies[p].margin, policies[p].step, policies[p].thresholds);

		for (uint64_t max = 0; max <= 120; max++)
			for (uint64_t count = 0; count <= 130; count++)
				assert_int_equal(alert_highest(&policy, count, max),
						 reference_highest(&policy, count, max));
	}
}

static void test_alert_highest_equals_the_reference_around_large_lines(void **state)
{
	static const uint64_t maxima[] = {500, 999, 1000000000, UINT64_C(1) << 30, UINT64_C(1) << 56};

	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(maxima); m++) {
		struct alert_policy policy = policy_of(ALERT_STEP, 5, 7, "13,50,51");

		for (unsigned line = 1; line <= 100; line++) {
			uint64_t near = maxima[m] / 100 * line;

			for (uint64_t count = near - 2; count <= near + 2 && count <= UINT64_C(1) << 56; count++)
				assert_int_equal(alert_highest(&policy, count, maxima[m]),
						 reference_highest(&policy, count, maxima[m]));
		}
	}
}

static void test_alert_rearm_equals_the_reference_for_all_small_counts(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
		struct alert_policy policy =
			policy_of(policies[p].mode, policies[p].margin, policies[p].step, policies[p].thresholds);

		for (uint64_t max = 0; max <= 40; max++)
			for (uint64_t count = 0; count <= 45; count++)
				for (unsigned level = 0; level <= 100; level++)
					assert_int_equal(alert_rearm(&policy, (uint8_t)level, count, max),
							 reference_rearm(&policy, level, count, max));
	}
}

static void test_alert_rearm_boundaries(void **state)
{
	static const struct {
		const char *thresholds;
		unsigned margin;
		uint8_t level;
		uint64_t count, max;
		uint8_t want;
	} rows[] = {
		{"70", 5, 70, 65, 100, 70}, /* exactly line minus margin: still alerted */
		{"70", 5, 70, 64, 100, 0},
		{"70", 0, 70, 70, 100, 70},
		{"70", 0, 70, 69, 100, 0},
		{"70", 5, 70, 0, 0, 0},	 /* no room is left */
		{"70", 5, 70, 1, 0, 70}, /* maximum 0: above every line */
		{"70", 5, 70, 325, 500, 70},
		{"70", 5, 70, 324, 500, 0},
		{"70", 5, 70, 2, 3, 70}, /* 66.7 % is above 65 % */
		{"70", 5, 70, 1, 3, 0},
		{"3", 5, 3, 1, 1000, 3}, /* line at or below the margin: only 0 rooms re-arm it */
		{"5", 5, 5, 1, 1000, 5},
		{"6", 5, 6, 9, 1000, 0},
		{"6", 5, 6, 10, 1000, 6},
		{"70,85,95", 5, 95, 90, 100, 95},
		{"70,85,95", 5, 95, 89, 100, 85},
		{"70,85,95", 5, 95, 79, 100, 70},
		{"70,85,95", 5, 95, 64, 100, 0},
		{"70,85,95", 5, 85, 80, 100, 85},
		{"70,85", 20, 85, 64, 100, 70}, /* falls to 70, which stays: 64 is not below 50 */
		{"70", 5, 95, 80, 100, 70},	/* a level that an older policy left */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct alert_policy policy = policy_of(ALERT_EDGE, rows[i].margin, 10, rows[i].thresholds);

		assert_int_equal(alert_rearm(&policy, rows[i].level, rows[i].count, rows[i].max), rows[i].want);
	}
}

static void test_alert_decide_every_alerts_at_each_creation(void **state)
{
	struct alert_policy policy = policy_of(ALERT_EVERY, 5, 10, "70,90");

	(void)state;
	assert_int_equal(alert_decide(&policy, 0, 69, 100, true), 0);
	assert_int_equal(alert_decide(&policy, 0, 70, 100, true), 70);
	assert_int_equal(alert_decide(&policy, 70, 71, 100, true), 70);
	assert_int_equal(alert_decide(&policy, 90, 95, 100, true), 90);
	assert_int_equal(alert_decide(&policy, 0, 95, 100, false),
			 90); /* the maximum was lowered: full without a word else */
	assert_int_equal(alert_decide(&policy, 90, 95, 100, false), 0);
}

static void test_alert_decide_edge_alerts_above_its_level(void **state)
{
	struct alert_policy policy = policy_of(ALERT_EDGE, 5, 10, "70,90");

	(void)state;
	assert_int_equal(alert_decide(&policy, 0, 70, 100, true), 70);
	assert_int_equal(alert_decide(&policy, 70, 71, 100, true), 0);
	assert_int_equal(alert_decide(&policy, 70, 90, 100, true), 90);
	assert_int_equal(alert_decide(&policy, 0, 95, 100, true), 90); /* one alert, for the highest */
	assert_int_equal(alert_decide(&policy, 0, 95, 100, false), 90);
	assert_int_equal(alert_decide(&policy, 90, 100, 100, false), 0);
}

static void test_alert_decide_step_adds_lines_up_to_100(void **state)
{
	struct alert_policy policy = policy_of(ALERT_STEP, 5, 10, "70");

	(void)state;
	assert_int_equal(alert_decide(&policy, 0, 70, 100, true), 70);
	assert_int_equal(alert_decide(&policy, 70, 79, 100, true), 0);
	assert_int_equal(alert_decide(&policy, 70, 80, 100, true), 80);
	assert_int_equal(alert_decide(&policy, 90, 99, 100, true), 0);
	assert_int_equal(alert_decide(&policy, 90, 100, 100, true), 100);
	assert_int_equal(alert_decide(&policy, 100, 250, 100, true), 0);
	policy = policy_of(ALERT_STEP, 5, 7, "70"); /* 77 84 91 98, not 105 */
	assert_int_equal(alert_decide(&policy, 91, 100, 100, true), 98);
	assert_int_equal(alert_decide(&policy, 98, 100, 100, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alert_first_count_that_reaches_a_line),
		cmocka_unit_test(test_alert_reached_does_not_overflow_at_its_limit),
		cmocka_unit_test(test_alert_highest_equals_the_reference_for_all_small_counts),
		cmocka_unit_test(test_alert_highest_equals_the_reference_around_large_lines),
		cmocka_unit_test(test_alert_rearm_equals_the_reference_for_all_small_counts),
		cmocka_unit_test(test_alert_rearm_boundaries),
		cmocka_unit_test(test_alert_decide_every_alerts_at_each_creation),
		cmocka_unit_test(test_alert_decide_edge_alerts_above_its_level),
		cmocka_unit_test(test_alert_decide_step_adds_lines_up_to_100),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
