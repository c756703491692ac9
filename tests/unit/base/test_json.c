/* Strict reading of JSON. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A view of a copy that ends with the memory: reading past the length shows under the sanitizer. */
static struct str exact(struct str text)
{
	char *copy = malloc(text.len ? text.len : 1);

	assert_non_null(copy);
	if (text.len)
		memcpy(copy, text.ptr, text.len);
	return (struct str){copy, text.len};
}

static int read_exact(struct str text, json_t **root_out, struct error *err)
{
	struct str copy = exact(text);
	int result = json_read(copy, root_out, err);

	free((void *)(uintptr_t)copy.ptr);
	return result;
}

static void test_json_refuses_what_is_not_strict(void **state)
{
	static const struct str rows[] = {
		{"", 0},
		{" ", 1},
		{"{", 1},
		{"[", 1},
		{"]", 1},
		{"{}}", 3},
		{"{} {}", 5},
		{"{}x", 3},
		{"1 2", 3},
		{"{}\0", 3}, /* NUL after the value */
		{"\0{}", 3},
		{"[1,]", 4},
		{"{\"a\":1,}", 8},
		{"{a:1}", 5},
		{"{'a':1}", 7},
		{"{\"a\":1,\"a\":2}", 13},	 /* duplicate */
		{"{\"a\":1,\"\\u0061\":2}", 18}, /* duplicate once decoded */
		{"{\"x\":{\"a\":1,\"a\":1}}", 19},
		{"\"\\u0000\"", 8}, /* NUL in a string */
		{"{\"a\\u0000b\":1}", 14},
		{"\"\\ud800\"", 8}, /* lone surrogates */
		{"\"\\udc00\"", 8},
		{"\"\\ud800\\ud800\"", 14},
		{"\"\\ud800x\"", 9},
		{"\"\xff\"", 3}, /* not UTF-8 */
		{"\"\xc0\x80\"", 4},
		{"\"\xed\xa0\x80\"", 5},
		{"\"\xe2\x82\"", 4},
		{"{\"\xff\":1}", 7},
		{"\xef\xbb\xbf{}", 5}, /* byte order mark */
		{"\"a\nb\"", 5},       /* raw control character */
		{"\"abc", 4},
		{"\"\\", 2},
		{"\"\\x41\"", 6},
		{"9223372036854775808", 19}, /* past int64 */
		{"-9223372036854775809", 20},
		{"123456789012345678901234567890", 30},
		{"1e999", 5},
		{"01", 2},
		{"+1", 2},
		{"1.", 2},
		{".5", 2},
		{"0x10", 4},
		{"NaN", 3},
		{"Infinity", 8},
		{"TRUE", 4},
		{"nul", 3},
		{"{\"a\":1 /* c */}", 15},
		{"// c\n{}", 7},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *root = (json_t *)(uintptr_t)0x1;
		struct error err = {0};

		if (read_exact(rows[i], &root, &err) != -1)
			fail_msg("row %zu was accepted: %.*s", i, STR_ARG(rows[i]));
		assert_int_equal(err.class, ERR_INVALID);
		assert_true(root == (json_t *)(uintptr_t)0x1);
		assert_true(err.text[0] != '\0');
		assert_true(str_is_printable_ascii(str_c(err.text)));
	}
}

static void test_json_accepts_any_value(void **state)
{
	static const char *const rows[] = {"{}",
					   "[]",
					   "1",
					   "\"x\"",
					   "true",
					   "null",
					   " {\"a\" : [1, -2.5e3]} \n",
					   "9223372036854775807",
					   "-9223372036854775808",
					   "\"\\ud83d\\ude00\"",
					   "\"\xf0\x9f\x98\x80\""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *root = NULL;
		struct error err;

		assert_int_equal(read_exact(str_c(rows[i]), &root, &err), 0);
		assert_non_null(root);
		json_decref(root);
	}
}

static char *nested(size_t depth, char open, char close)
{
	char *text = malloc(2 * depth + 1);

	assert_non_null(text);
	memset(text, open, depth);
	memset(text + depth, close, depth);
	text[2 * depth] = '\0';
	return text;
}

static void test_json_refuses_deep_nesting(void **state)
{
	static const struct {
		size_t depth;
		int want;
	} rows[] = {{JSON_DEPTH_MAX, 0}, {JSON_DEPTH_MAX + 1, -1}, {10000, -1}, {1000000, -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = nested(rows[i].depth, '[', ']');
		json_t *root = NULL;
		struct error err;

		assert_int_equal(read_exact(str_c(text), &root, &err), rows[i].want);
		json_decref(root);
		free(text);
	}
}

static void test_json_depth_ignores_brackets_in_strings_and_siblings(void **state)
{
	char text[4096] = "[";
	json_t *root = NULL;
	struct error err;

	(void)state;
	for (int i = 0; i < 100; i++)
		(void)strcat(text, "[[]],\"[{[\\\"[{[\\\\\",");
	(void)strcat(text, "0]");
	assert_int_equal(read_exact(str_c(text), &root, &err), 0);
	assert_int_equal(json_array_size(root), 201);
	json_decref(root);
}

static void test_json_error_names_line_and_column(void **state)
{
	json_t *root = NULL;
	struct error err;

	(void)state;
	assert_int_equal(read_exact(STR("{\n\"a\": 1,\n!}"), &root, &err), -1);
	assert_non_null(strstr(err.text, "line 3"));
}

static const char *const fields_text =
	"{\"s\":\"text\",\"e\":\"\",\"i\":5,\"neg\":-5,\"r\":5.0,\"digits\":\"123\",\"hex\":\"0x1\",\"minus\":\"-1\","
	"\"t\":true,\"f\":false,\"n\":null,\"o\":{\"k\":1},\"a\":[1],\"big\":9223372036854775807}";

struct fields {
	json_t *root;
};

static int fields_setup(void **state)
{
	static struct fields fields;
	struct error err;

	if (json_read(str_c(fields_text), &fields.root, &err))
		return -1;
	*state = fields.root;
	return 0;
}

static int fields_teardown(void **state)
{
	json_decref(*state);
	return 0;
}

static void test_json_field_str(void **state)
{
	static const struct {
		const char *key;
		enum json_found want;
	} rows[] = {{"s", JSON_FOUND}, {"e", JSON_FOUND},  {"i", JSON_WRONG},  {"t", JSON_WRONG},
		    {"o", JSON_WRONG}, {"n", JSON_ABSENT}, {"x", JSON_ABSENT}, {"S", JSON_ABSENT}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR("untouched");

		assert_int_equal(json_field_str(*state, rows[i].key, &out), rows[i].want);
		if (rows[i].want == JSON_FOUND)
			assert_true(str_eq(out, str_c(rows[i].key[0] == 's' ? "text" : "")));
		else
			assert_true(str_eq(out, STR("untouched")));
	}
}

static void test_json_field_i64(void **state)
{
	static const struct {
		const char *key;
		int64_t min, max;
		enum json_found want;
	} rows[] = {{"i", 5, 5, JSON_FOUND},	    {"i", 6, 9, JSON_WRONG},	      {"i", 0, 4, JSON_WRONG},
		    {"neg", -5, -5, JSON_FOUND},    {"neg", 0, 9, JSON_WRONG},	      {"r", 0, 9, JSON_WRONG},
		    {"digits", 0, 999, JSON_WRONG}, {"n", 0, 9, JSON_ABSENT},	      {"x", 0, 9, JSON_ABSENT},
		    {"t", 0, 9, JSON_WRONG},	    {"big", 0, INT64_MAX, JSON_FOUND}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t out = 77;

		assert_int_equal(json_field_i64(*state, rows[i].key, rows[i].min, rows[i].max, &out), rows[i].want);
		assert_int_equal(out == 77, rows[i].want != JSON_FOUND);
	}
}

static void test_json_field_loose_u64(void **state)
{
	static const struct {
		const char *key;
		uint64_t max;
		enum json_found want;
		uint64_t value;
	} rows[] = {{"i", 5, JSON_FOUND, 5},	      {"i", 4, JSON_WRONG, 77},
		    {"digits", 123, JSON_FOUND, 123}, {"digits", 122, JSON_WRONG, 77},
		    {"neg", 9, JSON_WRONG, 77},	      {"minus", 9, JSON_WRONG, 77},
		    {"hex", 99, JSON_WRONG, 77},      {"e", 9, JSON_WRONG, 77},
		    {"r", 9, JSON_WRONG, 77},	      {"n", 9, JSON_ABSENT, 77},
		    {"f", 9, JSON_WRONG, 77},	      {"big", UINT64_MAX, JSON_FOUND, INT64_MAX}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t out = 77;

		assert_int_equal(json_field_loose_u64(*state, rows[i].key, rows[i].max, &out), rows[i].want);
		assert_true(out == rows[i].value);
	}
}

static void test_json_field_bool_and_containers(void **state)
{
	bool flag = false;
	json_t *out = NULL;

	assert_int_equal(json_field_bool(*state, "t", &flag), JSON_FOUND);
	assert_true(flag);
	assert_int_equal(json_field_bool(*state, "f", &flag), JSON_FOUND);
	assert_false(flag);
	flag = true;
	assert_int_equal(json_field_bool(*state, "i", &flag), JSON_WRONG);
	assert_int_equal(json_field_bool(*state, "n", &flag), JSON_ABSENT);
	assert_true(flag);
	assert_int_equal(json_field_object(*state, "o", &out), JSON_FOUND);
	assert_true(json_is_object(out));
	assert_int_equal(json_field_array(*state, "a", &out), JSON_FOUND);
	assert_true(json_is_array(out));
	out = NULL;
	assert_int_equal(json_field_object(*state, "a", &out), JSON_WRONG);
	assert_int_equal(json_field_array(*state, "o", &out), JSON_WRONG);
	assert_int_equal(json_field_array(*state, "n", &out), JSON_ABSENT);
	assert_int_equal(json_field_object(*state, "x", &out), JSON_ABSENT);
	assert_null(out);
}

static void test_json_fields_of_a_value_that_is_no_object_are_absent(void **state)
{
	json_t *root = NULL;
	struct error err;
	struct str text;
	json_t *out;

	(void)state;
	assert_int_equal(json_read(STR("[1]"), &root, &err), 0);
	assert_int_equal(json_field_str(root, "a", &text), JSON_ABSENT);
	assert_int_equal(json_field_object(root, "a", &out), JSON_ABSENT);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_refuses_what_is_not_strict),
		cmocka_unit_test(test_json_accepts_any_value),
		cmocka_unit_test(test_json_refuses_deep_nesting),
		cmocka_unit_test(test_json_depth_ignores_brackets_in_strings_and_siblings),
		cmocka_unit_test(test_json_error_names_line_and_column),
		cmocka_unit_test_setup_teardown(test_json_field_str, fields_setup, fields_teardown),
		cmocka_unit_test_setup_teardown(test_json_field_i64, fields_setup, fields_teardown),
		cmocka_unit_test_setup_teardown(test_json_field_loose_u64, fields_setup, fields_teardown),
		cmocka_unit_test_setup_teardown(test_json_field_bool_and_containers, fields_setup, fields_teardown),
		cmocka_unit_test(test_json_fields_of_a_value_that_is_no_object_are_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
