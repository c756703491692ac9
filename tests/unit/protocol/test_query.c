/* Query strings: decoding, limits, and what has two readings. */
#include "base/compiler.h"

#include <highwater/query.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, char *buffer, size_t size, struct hw_query *out)
{
	return hw_query_parse(text, strlen(text), buffer, size, out);
}

static void test_parse_decodes_names_and_values(void **state)
{
	static const struct {
		const char *text;
		const char *name; /* of the first parameter; NULL: there is none */
		const char *value;
		size_t count;
	} rows[] = {
		{"", NULL, NULL, 0},
		{"&", NULL, NULL, 0},
		{"&&&", NULL, NULL, 0},
		{"a=1", "a", "1", 1},
		{"a=1&b=2", "a", "1", 2},
		{"&a=1&&b=2&", "a", "1", 2},
		{"a", "a", "", 1},
		{"a=", "a", "", 1},
		{"=v", "", "v", 1},
		{"=", "", "", 1},
		{"a==b=c", "a", "=b=c", 1},
		{"a=%41%2a%2A", "a", "A**", 1},
		{"%61=1", "a", "1", 1},
		{"a=x+y", "a", "x+y", 1},
		{"a=%20%7e%26%3d%25", "a", " ~&=%", 1},
		{"a=%c3%a9\xc3\xa9", "a", "\xc3\xa9\xc3\xa9", 1},
		{"A=1&a=2", "A", "1", 2},
	};
	struct hw_query query;
	char buffer[256];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (parse(rows[i].text, buffer, strlen(rows[i].text) * 2 + 2, &query) != HW_QUERY_FINE)
			fail_msg("%s", rows[i].text);
		assert_int_equal(query.count, rows[i].count);
		if (!rows[i].name)
			continue;
		assert_string_equal(query.params[0].name, rows[i].name);
		assert_int_equal(query.params[0].name_len, strlen(rows[i].name));
		assert_string_equal(query.params[0].value, rows[i].value);
		assert_int_equal(query.params[0].value_len, strlen(rows[i].value));
	}
}

static void test_parse_refuses_what_is_broken(void **state)
{
	static const struct {
		const char *text;
		int error;
	} rows[] = {
		{"a=%", HW_QUERY_BAD_ESCAPE},	   {"a=%4", HW_QUERY_BAD_ESCAPE},     {"a=%4&b=1", HW_QUERY_BAD_ESCAPE},
		{"a=%4g", HW_QUERY_BAD_ESCAPE},	   {"a=%g4", HW_QUERY_BAD_ESCAPE},    {"a=%%41", HW_QUERY_BAD_ESCAPE},
		{"%=1", HW_QUERY_BAD_ESCAPE},	   {"a=%/0", HW_QUERY_BAD_ESCAPE},    {"a=%:0", HW_QUERY_BAD_ESCAPE},
		{"a=%@0", HW_QUERY_BAD_ESCAPE},	   {"a=%G0", HW_QUERY_BAD_ESCAPE},    {"a=%`0", HW_QUERY_BAD_ESCAPE},
		{"a=%00", HW_QUERY_BAD_BYTE},	   {"a%00b=1", HW_QUERY_BAD_BYTE},    {"a=%0a", HW_QUERY_BAD_BYTE},
		{"a=%1f", HW_QUERY_BAD_BYTE},	   {"a=%7f", HW_QUERY_BAD_BYTE},      {"a=\n", HW_QUERY_BAD_BYTE},
		{"a\t=1", HW_QUERY_BAD_BYTE},	   {"a=\x7f", HW_QUERY_BAD_BYTE},     {"a=1&a=2", HW_QUERY_DUPLICATE},
		{"a=1&b=2&a", HW_QUERY_DUPLICATE}, {"a=1&%61=1", HW_QUERY_DUPLICATE}, {"=1&=2", HW_QUERY_DUPLICATE},
	};
	struct hw_query query;
	char buffer[256];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int error = parse(rows[i].text, buffer, sizeof(buffer), &query);

		if (error != rows[i].error || query.count != 0)
			fail_msg("%s: %d, %zu parameters", rows[i].text, error, query.count);
	}
}

static void test_parse_refuses_a_raw_nul(void **state)
{
	struct hw_query query;
	char buffer[64];

	(void)state; /* none */
	assert_int_equal(hw_query_parse("a=1\0&b=2", 8, buffer, sizeof(buffer), &query), HW_QUERY_BAD_BYTE);
}

static void test_parse_takes_32_parameters_and_no_more(void **state)
{
	char text[256] = "";
	char buffer[512];
	struct hw_query query;
	size_t len = 0;

	(void)state; /* none */
	for (int i = 0; i < HW_QUERY_PARAMS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "p%d=%d&", i, i); /* fits */
	assert_int_equal(parse(text, buffer, sizeof(buffer), &query), HW_QUERY_FINE);
	assert_int_equal(query.count, HW_QUERY_PARAMS_MAX);
	assert_string_equal(hw_query_get(&query, "p31")->value, "31");
	(void)strcat(text, "more"); /* fits */
	assert_int_equal(parse(text, buffer, sizeof(buffer), &query), HW_QUERY_TOO_MANY);
}

static void test_parse_needs_no_more_buffer_than_promised(void **state)
{
	static const char *const rows[] = {"a=1&b=22&c", "a", "=", "%41=%41&b", "a=1&b=2&c=3&d&e&f"};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t promised = strlen(rows[i]) * 2 + 2;
		bool fitted = false;

		/* each smaller size answers, and reads or writes nothing outside (the sanitizer looks) */
		for (size_t size = 0; size <= promised; size++) {
			struct hw_query query;
			char *buffer = malloc(size ? size : 1);
			int error = parse(rows[i], buffer, size, &query);

			assert_true(error == HW_QUERY_FINE || (error == HW_QUERY_TOO_LONG && !fitted && !query.count));
			fitted = error == HW_QUERY_FINE;
			free(buffer);
		}
		assert_true(fitted);
	}
}

static void test_get_compares_whole_names(void **state)
{
	struct hw_query query;
	char buffer[64];

	(void)state; /* none */
	assert_int_equal(parse("ab=1&a=2&A=3", buffer, sizeof(buffer), &query), HW_QUERY_FINE);
	assert_string_equal(hw_query_get(&query, "a")->value, "2");
	assert_string_equal(hw_query_get(&query, "A")->value, "3");
	assert_null(hw_query_get(&query, "b"));
	assert_null(hw_query_get(&query, ""));
}

static void test_error_text_has_a_sentence_for_each(void **state)
{
	static const int errors[] = {HW_QUERY_FINE,	HW_QUERY_BAD_ESCAPE, HW_QUERY_BAD_BYTE,
				     HW_QUERY_TOO_MANY, HW_QUERY_DUPLICATE,  HW_QUERY_TOO_LONG};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		assert_string_not_equal(hw_query_error_text(errors[i]), "unknown query error");
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(hw_query_error_text(errors[i]), hw_query_error_text(errors[k]));
	}
	assert_string_equal(hw_query_error_text(1), "unknown query error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_decodes_names_and_values),
		cmocka_unit_test(test_parse_refuses_what_is_broken),
		cmocka_unit_test(test_parse_refuses_a_raw_nul),
		cmocka_unit_test(test_parse_takes_32_parameters_and_no_more),
		cmocka_unit_test(test_parse_needs_no_more_buffer_than_promised),
		cmocka_unit_test(test_get_compares_whole_names),
		cmocka_unit_test(test_error_text_has_a_sentence_for_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
