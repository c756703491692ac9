/* The text format of Prometheus; promtool looks at a whole scrape in the end-to-end tests. */
#include "base/prom.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect(struct buf *out, const char *expected)
{
	assert_string_equal(buf_c(out), expected);
	buf_reset(out);
}

static void test_prom_samples(void **state)
{
	const struct prom_label labels[] = {{"app", STR("7")}, {"text", STR("a\"b\\c\nd")}};
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	prom_family(&out, "a_total", "counter", "What a\\b\nc is.");
	expect(&out, "# HELP a_total What a\\\\b\\nc is.\n# TYPE a_total counter\n");
	prom_u64(&out, "a", NULL, 0, UINT64_MAX);
	expect(&out, "a 18446744073709551615\n");
	prom_i64(&out, "a", labels, 1, INT64_MIN);
	expect(&out, "a{app=\"7\"} -9223372036854775808\n");
	prom_u64(&out, "a", labels, 2, 0);
	expect(&out, "a{app=\"7\",text=\"a\\\"b\\\\c\\nd\"} 0\n");
	buf_fini(&out);
}

static void test_prom_fractions_are_exact(void **state)
{
	static const struct {
		int64_t value;
		const char *text;
	} thousandths[] = {{0, "a 0.000\n"},
			   {1, "a 0.001\n"},
			   {-1, "a -0.001\n"},
			   {-1500, "a -1.500\n"},
			   {1700000000123, "a 1700000000.123\n"},
			   {INT64_MIN, "a -9223372036854775.808\n"}};
	struct buf out;

	(void)state;
	(void)setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed, a comma must not appear */
	buf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(thousandths); i++) {
		prom_thousandths(&out, "a", NULL, 0, thousandths[i].value);
		expect(&out, thousandths[i].text);
	}
	prom_millionths(&out, "a", NULL, 0, 12000034);
	expect(&out, "a 12.000034\n");
	buf_fini(&out);
}

static void test_prom_histogram_is_cumulative(void **state)
{
	static const int64_t bounds[] = {250, 1000000};
	static const uint64_t buckets[] = {3, 0, 2};
	const struct prom_histogram histogram = {bounds, buckets, 2, 5000001};
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	prom_histogram(&out, "a_seconds", &histogram);
	expect(&out, "a_seconds_bucket{le=\"0.000250\"} 3\na_seconds_bucket{le=\"1.000000\"} 3\n"
		     "a_seconds_bucket{le=\"+Inf\"} 5\na_seconds_sum 5.000001\na_seconds_count 5\n");
	buf_fini(&out);
}

static void test_prom_histogram_of_counts_is_in_plain_numbers(void **state)
{
	static const int64_t bounds[] = {1, 512};
	static const uint64_t buckets[] = {3, 4, 0};
	const struct prom_histogram histogram = {bounds, buckets, 2, 1200};
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	prom_histogram_counts(&out, "a", &histogram);
	expect(&out, "a_bucket{le=\"1\"} 3\na_bucket{le=\"512\"} 7\na_bucket{le=\"+Inf\"} 7\na_sum 1200\na_count 7\n");
	buf_fini(&out);
}

static void test_prom_bucket_includes_its_bound(void **state)
{
	static const int64_t bounds[] = {10, 20};

	(void)state;
	assert_int_equal(prom_bucket(bounds, 2, -5), 0);
	assert_int_equal(prom_bucket(bounds, 2, 10), 0);
	assert_int_equal(prom_bucket(bounds, 2, 11), 1);
	assert_int_equal(prom_bucket(bounds, 2, 20), 1);
	assert_int_equal(prom_bucket(bounds, 2, INT64_MAX), 2);
}

static void test_prom_short_forms(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	prom_gauge(&out, "a", "Some.", 5);
	prom_counter(&out, "b_total", "All.", 6);
	prom_word(&out, "b_total", "by", "me", 7);
	expect(&out, "# HELP a Some.\n# TYPE a gauge\na 5\n# HELP b_total All.\n# TYPE b_total counter\nb_total 6\n"
		     "b_total{by=\"me\"} 7\n");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prom_samples),
		cmocka_unit_test(test_prom_fractions_are_exact),
		cmocka_unit_test(test_prom_histogram_is_cumulative),
		cmocka_unit_test(test_prom_histogram_of_counts_is_in_plain_numbers),
		cmocka_unit_test(test_prom_bucket_includes_its_bound),
		cmocka_unit_test(test_prom_short_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
