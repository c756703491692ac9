/* Views of bytes: comparison, numbers, slices, UTF-8. */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_str_c_of_null_is_empty(void **state)
{
	(void)state;
	assert_int_equal(str_c(NULL).len, 0);
	assert_true(str_eq(str_c(NULL), STR("")));
	assert_int_equal(str_c("abc").len, 3);
}

static void test_str_eq_looks_at_every_byte(void **state)
{
	(void)state;
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_false(str_eq(STR("ab"), STR("abc")));
	assert_true(str_eq_secret(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq_secret(STR("a\0b"), STR("a\0c")));
	assert_false(str_eq_secret(STR("b\0b"), STR("a\0b")));
	assert_false(str_eq_secret(STR("a"), STR("")));
	assert_true(str_eq_secret((struct str){0}, STR("")));
}

static void test_str_eq_nocase_folds_ascii_only(void **state)
{
	(void)state;
	assert_true(str_eq_nocase(STR("SdkAppid"), STR("sDKaPPID")));
	assert_true(str_eq_nocase(STR("[@`{"), STR("[@`{")));
	assert_false(str_eq_nocase(STR("[@"), STR("{`"))); /* neighbours of the letters, 0x20 apart */
	assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
	assert_false(str_eq_nocase(STR("a"), STR("ab")));
}

static void test_str_eq_nocase_goes_on_after_a_nul(void **state)
{
	(void)state;
	assert_false(str_eq_nocase(STR("a\0b"), STR("A\0c")));
	assert_true(str_eq_nocase(STR("a\0b"), STR("A\0B")));
}

static void test_str_compare_orders_bytes_then_length(void **state)
{
	static const struct {
		struct str a, b;
		int sign;
	} rows[] = {{{"", 0}, {"", 0}, 0},	{{"", 0}, {"a", 1}, -1},   {{"a", 1}, {"", 0}, 1},
		    {{"a", 1}, {"ab", 2}, -1},	{{"ab", 2}, {"a", 1}, 1},  {{"b", 1}, {"ab", 2}, 1},
		    {{"\xff", 1}, {"a", 1}, 1}, {{"a\0", 2}, {"a", 1}, 1}, {{"ab", 2}, {"ab", 2}, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int order = str_compare(rows[i].a, rows[i].b);

		assert_int_equal(order < 0 ? -1 : order > 0, rows[i].sign);
	}
}

static void test_str_starts_with_and_find(void **state)
{
	(void)state;
	assert_true(str_starts_with(STR("--flag"), STR("--")));
	assert_true(str_starts_with(STR("x"), STR("")));
	assert_false(str_starts_with(STR("-"), STR("--")));
	assert_false(str_starts_with((struct str){0}, STR("a")));
	assert_int_equal(str_find_char(STR("a=b=c"), '='), 1);
	assert_int_equal(str_find_char(STR("abc"), '='), -1);
	assert_int_equal(str_find_char((struct str){0}, '='), -1);
	assert_int_equal(str_find_char(STR("a\0="), '='), 2);
}

static void test_str_slice_clamps(void **state)
{
	static const struct {
		size_t start, len;
		const char *want;
	} rows[] = {{0, 3, "abc"}, {0, 99, "abc"}, {1, 1, "b"},	      {1, SIZE_MAX, "bc"},
		    {3, 1, ""},	   {4, 1, ""},	   {SIZE_MAX, 1, ""}, {SIZE_MAX, SIZE_MAX, ""},
		    {2, 0, ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(str_eq(str_slice(STR("abc"), rows[i].start, rows[i].len), str_c(rows[i].want)));
	assert_null(str_slice((struct str){0}, 5, 5).ptr);
}

static void test_str_to_u64_accepts_the_limits(void **state)
{
	static const struct {
		const char *text;
		uint64_t max, want;
	} rows[] = {{"0", 0, 0},
		    {"1", 1, 1},
		    {"007", 7, 7},
		    {"4294967295", UINT32_MAX, UINT32_MAX},
		    {"18446744073709551615", UINT64_MAX, UINT64_MAX},
		    {"00000000000000000000000000018446744073709551615", UINT64_MAX, UINT64_MAX}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 77;

		assert_int_equal(str_to_u64(str_c(rows[i].text), rows[i].max, &value), 0);
		assert_true(value == rows[i].want);
	}
}

static void test_str_to_u64_refuses_and_leaves_out_alone(void **state)
{
	static const struct {
		struct str text;
		uint64_t max;
	} rows[] = {{{"", 0}, UINT64_MAX},
		    {{NULL, 0}, UINT64_MAX},
		    {{"+1", 2}, UINT64_MAX},
		    {{"-1", 2}, UINT64_MAX},
		    {{" 1", 2}, UINT64_MAX},
		    {{"1 ", 2}, UINT64_MAX},
		    {{"1\0", 2}, UINT64_MAX},
		    {{"0x1", 3}, UINT64_MAX},
		    {{"1e3", 3}, UINT64_MAX},
		    {{"\xd9\xa1", 2}, UINT64_MAX}, /* an Arabic digit */
		    {{"/", 1}, UINT64_MAX},
		    {{":", 1}, UINT64_MAX},
		    {{"2", 1}, 1},
		    {{"18446744073709551616", 20}, UINT64_MAX},
		    {{"18446744073709551625", 20}, UINT64_MAX},
		    {{"99999999999999999999", 20}, UINT64_MAX},
		    {{"184467440737095516150", 21}, UINT64_MAX}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 77;

		assert_int_equal(str_to_u64(rows[i].text, rows[i].max, &value), -1);
		assert_true(value == 77);
	}
}

static void test_str_printable_ascii_has_exact_edges(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;

		assert_int_equal(str_is_printable_ascii((struct str){&byte, 1}), c >= 0x20 && c <= 0x7e);
	}
	assert_true(str_is_printable_ascii((struct str){0}));
}

static void test_str_utf8_table(void **state)
{
	static const struct {
		struct str text;
		bool good;
	} rows[] = {
		{{NULL, 0}, true},
		{{"a\0b", 3}, true},
		{{"\xc2\x80", 2}, true},
		{{"\xdf\xbf", 2}, true},
		{{"\xe0\xa0\x80", 3}, true},
		{{"\xed\x9f\xbf", 3}, true},
		{{"\xee\x80\x80", 3}, true},
		{{"\xef\xbf\xbf", 3}, true},
		{{"\xf0\x90\x80\x80", 4}, true},
		{{"\xf4\x8f\xbf\xbf", 4}, true},
		{{"\x80", 1}, false}, /* continuation alone */
		{{"\xbf", 1}, false},
		{{"\xc0\x80", 2}, false},	  /* overlong NUL */
		{{"\xc1\xbf", 2}, false},	  /* overlong */
		{{"\xe0\x9f\xbf", 3}, false},	  /* overlong */
		{{"\xf0\x8f\xbf\xbf", 4}, false}, /* overlong */
		{{"\xed\xa0\x80", 3}, false},	  /* first surrogate */
		{{"\xed\xbf\xbf", 3}, false},	  /* last surrogate */
		{{"\xf4\x90\x80\x80", 4}, false}, /* above U+10FFFF */
		{{"\xf5\x80\x80\x80", 4}, false},
		{{"\xfe", 1}, false},
		{{"\xff", 1}, false},
		{{"\xc2", 1}, false}, /* cut */
		{{"\xe2\x82", 2}, false},
		{{"\xf0\x9f\x98", 3}, false},
		{{"\xc2\x41", 2}, false}, /* no continuation */
		{{"\xc2\xc2", 2}, false},
		{{"\xe2\x82\x41", 3}, false},
		{{"\xf0\x9f\x41\x80", 4}, false},
		{{"\xf0\x9f\x98\x41", 4}, false},
		{{"ab\xff", 3}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(str_is_utf8(rows[i].text), rows[i].good);
}

static void test_str_copy_cuts_and_says_so(void **state)
{
	char out[4];

	(void)state;
	assert_true(str_copy(out, sizeof(out), STR("abc")));
	assert_string_equal(out, "abc");
	assert_false(str_copy(out, sizeof(out), STR("abcd")));
	assert_string_equal(out, "abc");
	assert_true(str_copy(out, sizeof(out), (struct str){0}));
	assert_string_equal(out, "");
	assert_false(str_copy(out, 1, STR("a")));
	assert_string_equal(out, "");
}

static void test_str_cut_gives_items_up_to_the_last(void **state)
{
	static const struct {
		const char *list, *item, *rest;
		bool more;
	} rows[] = {
		{"", "", "", false},	     {"a", "a", "", false},	{"a,", "a", "", true},
		{",", "", "", true},	     {",a", "", "a", true},	{"a,b,c", "a", "b,c", true},
		{"a b,c", "a b", "c", true}, {"a,,b", "a", ",b", true},
	};
	struct str rest = {0};
	struct str item;

	(void)state;
	assert_false(str_cut(&rest, ',', &item)); /* the empty view without a pointer */
	assert_int_equal(item.len, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rest = str_c(rows[i].list);
		assert_int_equal(str_cut(&rest, ',', &item), rows[i].more);
		assert_true(str_eq(item, str_c(rows[i].item)));
		assert_true(str_eq(rest, str_c(rows[i].rest)));
	}
}

static void test_str_trim_takes_spaces_at_both_ends(void **state)
{
	static const char *const rows[][2] = {
		{"", ""}, {" ", ""}, {"   ", ""}, {"a", "a"}, {" a b  ", "a b"}, {"\ta ", "\ta"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(str_eq(str_trim(str_c(rows[i][0])), str_c(rows[i][1])));
	assert_int_equal(str_trim((struct str){0}).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_str_cut_gives_items_up_to_the_last),
		cmocka_unit_test(test_str_trim_takes_spaces_at_both_ends),
		cmocka_unit_test(test_str_c_of_null_is_empty),
		cmocka_unit_test(test_str_eq_looks_at_every_byte),
		cmocka_unit_test(test_str_eq_nocase_folds_ascii_only),
		cmocka_unit_test(test_str_eq_nocase_goes_on_after_a_nul),
		cmocka_unit_test(test_str_compare_orders_bytes_then_length),
		cmocka_unit_test(test_str_starts_with_and_find),
		cmocka_unit_test(test_str_slice_clamps),
		cmocka_unit_test(test_str_to_u64_accepts_the_limits),
		cmocka_unit_test(test_str_to_u64_refuses_and_leaves_out_alone),
		cmocka_unit_test(test_str_printable_ascii_has_exact_edges),
		cmocka_unit_test(test_str_utf8_table),
		cmocka_unit_test(test_str_copy_cuts_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
