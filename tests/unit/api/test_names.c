/* Counting names. */
#include "api/names.h"
#include "base/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void check(const struct name_count *got, const char *name, uint64_t count)
{
	assert_true(str_eq(got->name, str_c(name)));
	assert_int_equal(got->count, count);
}

static void test_names_most_first_and_those_alike_by_name(void **state)
{
	struct str names[] = {STR("b"), STR("a"), STR("b"), STR("c"), STR("B"), STR("c"), STR("b"), STR("bb"), STR("")};
	struct name_count counts[ARRAY_LEN(names)];

	(void)state;
	assert_int_equal(names_count(names, ARRAY_LEN(names), counts), 6);
	check(&counts[0], "b", 3);
	check(&counts[1], "c", 2);
	check(&counts[2], "", 1);
	check(&counts[3], "B", 1);
	check(&counts[4], "a", 1);
	check(&counts[5], "bb", 1);
}

static void test_names_of_none_one_and_all_alike(void **state)
{
	struct str names[] = {STR("a"), STR("a"), STR("a")};
	struct name_count counts[ARRAY_LEN(names)] = {{STR("untouched"), 9}};

	(void)state;
	assert_int_equal(names_count(names, 0, counts), 0);
	check(&counts[0], "untouched", 9);
	assert_int_equal(names_count(names, 1, counts), 1);
	check(&counts[0], "a", 1);
	assert_int_equal(names_count(names, 3, counts), 1);
	check(&counts[0], "a", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_most_first_and_those_alike_by_name),
		cmocka_unit_test(test_names_of_none_one_and_all_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
