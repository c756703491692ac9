/* Counting names. */
#include "api/tally.h"
#include "base/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void check(const struct tally *got, const char *name, uint64_t count)
{
	assert_true(str_eq(got->name, str_c(name)));
	assert_int_equal(got->count, count);
}

static void test_tally_most_first_and_those_alike_by_name(void **state)
{
	struct str names[] = {STR("b"), STR("a"), STR("b"), STR("c"), STR("B"), STR("c"), STR("b"), STR("bb"), STR("")};
	struct tally tallies[ARRAY_LEN(names)];

	(void)state;
	assert_int_equal(tally_names(names, ARRAY_LEN(names), tallies), 6);
	check(&tallies[0], "b", 3);
	check(&tallies[1], "c", 2);
	check(&tallies[2], "", 1);
	check(&tallies[3], "B", 1);
	check(&tallies[4], "a", 1);
	check(&tallies[5], "bb", 1);
}

static void test_tally_of_none_one_and_all_alike(void **state)
{
	struct str names[] = {STR("a"), STR("a"), STR("a")};
	struct tally tallies[ARRAY_LEN(names)] = {{STR("untouched"), 9}};

	(void)state;
	assert_int_equal(tally_names(names, 0, tallies), 0);
	check(&tallies[0], "untouched", 9);
	assert_int_equal(tally_names(names, 1, tallies), 1);
	check(&tallies[0], "a", 1);
	assert_int_equal(tally_names(names, 3, tallies), 1);
	check(&tallies[0], "a", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tally_most_first_and_those_alike_by_name),
		cmocka_unit_test(test_tally_of_none_one_and_all_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
