/* The reply to a callback: strict when written, tolerant when read. */
#include "base/compiler.h"

#include <highwater/callback.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *body, struct hw_callback_reply *out, char *reason)
{
	return hw_reply_parse(body, strlen(body), out, reason, 128);
}

static void test_build_writes_the_plain_ok(void **state)
{
	const struct hw_callback_reply reply = {.ok = true};
	char out[HW_REPLY_BYTES_MAX];

	(void)state; /* none */
	assert_int_equal(hw_reply_build(&reply, out, sizeof(out)), strlen(HW_REPLY_OK));
	assert_string_equal(out, HW_REPLY_OK);
}

static void test_build_writes_a_fault(void **state)
{
	const struct hw_callback_reply reply = {false, -5, "say \"why\"\n\xff"};
	char out[HW_REPLY_BYTES_MAX];

	(void)state; /* none */
	assert_true(hw_reply_build(&reply, out, sizeof(out)) > 0);
	assert_string_equal(out, "{\"ActionStatus\":\"FAIL\",\"ErrorInfo\":\"say \\\"why\\\"\\n?\",\"ErrorCode\":-5}");
}

static void test_build_fits_the_largest_reply_and_refuses_a_small_output(void **state)
{
	struct hw_callback_reply reply = {.error_code = INT64_MIN};
	char out[HW_REPLY_BYTES_MAX] = "untouched";

	(void)state;					       /* none */
	memset(reply.error_info, 1, sizeof(reply.error_info)); /* not even a NUL */
	assert_int_equal(hw_reply_build(&reply, out, 0), -1);
	assert_int_equal(hw_reply_build(&reply, out, 1500), -1);
	assert_string_equal(out, "untouched");
	assert_true(hw_reply_build(&reply, out, sizeof(out)) > 1500);
}

static void test_parse_reads_tolerantly(void **state)
{
	static const struct {
		const char *body;
		struct hw_callback_reply want;
	} rows[] = {
		{HW_REPLY_OK, {true, 0, ""}},
		/* the vendor's sample */
		{"{\n\"ActionStatus\": \"OK\",\n\"ErrorInfo\": \"\",\n\"ErrorCode\": 0 // Ignore the callback "
		 "result\n}",
		 {true, 0, ""}},
		{"{\"ActionStatus\":\"OK\"}", {true, 0, ""}},
		{"{\"ActionStatus\":\"OK\",\"ErrorInfo\":null,\"ErrorCode\":null}", {true, 0, ""}},
		{"{\"ActionStatus\":\"FAIL\",\"ErrorInfo\":\"why\",\"ErrorCode\":-1}", {false, -1, "why"}},
		{"{\"ActionStatus\":\"FAIL\",\"ErrorCode\":\"102\"}", {false, 102, ""}},
		{"{\"ActionStatus\":\"OK\",\"ErrorCode\":9223372036854775807}", {true, INT64_MAX, ""}},
		{"{\"ActionStatus\":\"OK\",\"ErrorCode\":-9223372036854775808}", {true, INT64_MIN, ""}},
		{"{\"ActionStatus\":\"OK\",\"ErrorCode\":\"9223372036854775807\"}", {true, INT64_MAX, ""}},
		{"{\"ActionStatus\":\"OK\",\"Other\":{\"x\":[1,2]}}", {true, 0, ""}},
		{"{\"ActionStatus\":\"OK\",}", {true, 0, ""}},
		{"{\"ActionStatus\":\"OK\" , \t\r\n }", {true, 0, ""}},
		{"{\"ActionStatus\":\"OK\",\"x\":[1,2,],}", {true, 0, ""}},
		{"{\"ActionStatus\":\"OK\", // last\n }", {true, 0, ""}},
		{"{\"ActionStatus\":\"OK\",/* last */}", {true, 0, ""}},
		{"// first\n/* a\nb * / */{/**/\"ActionStatus\"/***/:/*/ */\"OK\"}// end", {true, 0, ""}},
		{"{\"ActionStatus\":\"OK\"}/* // */ // /* */", {true, 0, ""}},
		/* inside strings nothing is touched */
		{"{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"a // b /* c */ ,] ,}\"}", {true, 0, "a // b /* c */ ,] ,}"}},
		{"{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\\\"// \\\\\"}", {true, 0, "\"// \\"}},
		{"{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"http:\\/\\/x\"}", {true, 0, "http://x"}},
	};
	char reason[128];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_callback_reply reply;

		if (parse(rows[i].body, &reply, reason))
			fail_msg("%s: %s", rows[i].body, reason);
		assert_int_equal(reply.ok, rows[i].want.ok);
		assert_true(reply.error_code == rows[i].want.error_code);
		assert_string_equal(reply.error_info, rows[i].want.error_info);
	}
}

static void test_parse_says_what_is_wrong(void **state)
{
	static const struct {
		const char *body;
		const char *word;
	} rows[] = {
		{"", "empty"},
		{" ", "JSON"},
		{"OK", "JSON"},
		{"// {\"ActionStatus\":\"OK\"}", "JSON"},
		{"<html>", "JSON"},
		{"[]", "not an object"},
		{"\"OK\"", "not an object"},
		{"{}", "ActionStatus is missing"},
		{"{\"ActionStatus\":null}", "ActionStatus is missing"},
		{"{\"ActionStatus\":0}", "ActionStatus is missing"},
		{"{\"ActionStatus\":\"ok\"}", "neither OK nor FAIL"},
		{"{\"ActionStatus\":\"\"}", "neither OK nor FAIL"},
		{"{\"ActionStatus\":\"OKAY\"}", "neither OK nor FAIL"},
		{"{\"ActionStatus\":\"OK\",\"ErrorInfo\":1}", "ErrorInfo"},
		{"{\"ActionStatus\":\"OK\",\"ErrorCode\":1.0}", "ErrorCode"},
		{"{\"ActionStatus\":\"OK\",\"ErrorCode\":true}", "ErrorCode"},
		{"{\"ActionStatus\":\"OK\",\"ErrorCode\":\"\"}", "ErrorCode"},
		{"{\"ActionStatus\":\"OK\",\"ErrorCode\":\"-1\"}", "ErrorCode"},
		{"{\"ActionStatus\":\"OK\",\"ErrorCode\":\"9223372036854775808\"}", "ErrorCode"},
		{"{\"ActionStatus\":\"OK\"}/*", "comment"},
		{"{\"ActionStatus\":\"OK\"}/*/", "comment"},
		{"/*{\"ActionStatus\":\"OK\"}", "comment"},
		{"{\"ActionStatus\":\"OK\"}/", "JSON"},
		{"{\"ActionStatus\":\"O/**/K\"}", "neither OK nor FAIL"},
		{"{\"ActionStatus\":\"OK\"/**/\"x\":1}", "JSON"},
		{"{\"ActionStatus\":\"OK\",\"x\":1/**/2}", "JSON"}, /* a comment parts tokens */
		{"{,}", "JSON"},
		{",}", "JSON"},
		{" ,}", "JSON"},
		{" }", "JSON"},
		{"{\"ActionStatus\":\"OK\",,}", "JSON"},
		{"{\"ActionStatus\":\"OK\",\"x\":[,]}", "JSON"},
		{"{\"ActionStatus\":\"OK\",\"x\":,}", "JSON"},
		{"{\"ActionStatus\":\"OK\"},", "JSON"},
		{"{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"", "JSON"},
		{"{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\\", "JSON"},
		{"{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\\\"", "JSON"},
		{"{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\xff\"}", "JSON"},
		{"{\"ActionStatus\":\"FAIL\",\"ActionStatus\":\"OK\"}", "JSON"},
	};
	struct hw_callback_reply reply = {.error_code = 7};
	char reason[128];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		reason[0] = '\0';
		if (parse(rows[i].body, &reply, reason) != -1 || !strstr(reason, rows[i].word))
			fail_msg("%s: %s", rows[i].body, reason);
		assert_int_equal(reply.error_code, 7);
	}
	assert_int_equal(hw_reply_parse(NULL, 0, &reply, reason, sizeof(reason)), -1);
}

static void test_parse_refuses_a_reply_cut_at_any_length(void **state)
{
	static const char body[] = "{\"ActionStatus\":\"OK\",/* c */\"ErrorInfo\":\"a\\\"b\", // d\n\"ErrorCode\":0,}";
	struct hw_callback_reply reply;
	char reason[128];

	(void)state; /* none */
	for (size_t len = 0; len < strlen(body); len++) {
		char *copy = malloc(len + 1); /* exact, so that the sanitizer sees a read behind it */

		assert_non_null(copy);
		memcpy(copy, body, len);
		assert_int_equal(hw_reply_parse(copy, len, &reply, reason, sizeof(reason)), -1);
		free(copy);
	}
	assert_int_equal(parse(body, &reply, reason), 0);
}

static void test_parse_cuts_a_long_info_between_characters(void **state)
{
	struct hw_callback_reply reply;
	char body[512];
	char info[300];
	char reason[128];

	(void)state; /* none */
	for (size_t lead = 0; lead < 3; lead++) {
		memset(info, 'a', lead);
		for (size_t i = lead; i + 3 < sizeof(info); i += 3) {
			memcpy(info + i, "\xe6\x88\xbf", 3);
			info[i + 3] = '\0';
		}
		(void)snprintf(body, sizeof(body), "{\"ActionStatus\":\"FAIL\",\"ErrorInfo\":\"%s\"}", info); /* fits */
		assert_int_equal(parse(body, &reply, reason), 0);
		assert_int_equal(strlen(reply.error_info), lead + (255 - lead) / 3 * 3);
		assert_memory_equal(reply.error_info, info, strlen(reply.error_info));
	}
}

static void test_parse_bounds_the_body(void **state)
{
	struct hw_callback_reply reply;
	char *body = malloc(HW_PACKET_BYTES_MAX + 1);
	char reason[128];

	(void)state; /* none */
	assert_non_null(body);
	memset(body, ' ', HW_PACKET_BYTES_MAX + 1);
	memcpy(body, HW_REPLY_OK, strlen(HW_REPLY_OK));
	assert_int_equal(hw_reply_parse(body, HW_PACKET_BYTES_MAX, &reply, reason, sizeof(reason)), 0);
	assert_int_equal(hw_reply_parse(body, HW_PACKET_BYTES_MAX + 1, &reply, reason, sizeof(reason)), -1);
	assert_non_null(strstr(reason, "longer"));
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build_writes_the_plain_ok),
		cmocka_unit_test(test_build_writes_a_fault),
		cmocka_unit_test(test_build_fits_the_largest_reply_and_refuses_a_small_output),
		cmocka_unit_test(test_parse_reads_tolerantly),
		cmocka_unit_test(test_parse_says_what_is_wrong),
		cmocka_unit_test(test_parse_refuses_a_reply_cut_at_any_length),
		cmocka_unit_test(test_parse_cuts_a_long_info_between_characters),
		cmocka_unit_test(test_parse_bounds_the_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
