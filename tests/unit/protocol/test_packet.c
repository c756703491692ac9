/* The alert's packet. */
#include "base/compiler.h"

#include <highwater/callback.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COMMAND "\"CallbackCommand\":\"Live.CallbackAfterCreateRoomReachingThreshold\""
#define SAMPLE                                                                                                         \
	"{" COMMAND ",\"Operator_Account\":\"brennanli\",\"EventTime\":1739966441121,\"CurRoomCount\":400,"            \
	"\"MaxRoomCount\":500}"

static int parse(const char *body, struct hw_alert *out, char *reason)
{
	return hw_alert_parse(body, strlen(body), out, reason, 128);
}

static void test_build_writes_the_vendors_sample(void **state)
{
	const struct hw_alert alert = {"brennanli", 1739966441121, 400, 500};
	char out[HW_ALERT_BYTES_MAX];

	(void)state; /* none */
	assert_int_equal(hw_alert_build(&alert, out, sizeof(out)), strlen(SAMPLE));
	assert_string_equal(out, SAMPLE);
}

static void test_build_escapes_the_operator(void **state)
{
	static const struct {
		const char *account;
		const char *json;
	} rows[] = {
		{"", "\"\""},
		{"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
		{"\n\t\x01", "\"\\n\\t\\u0001\""},
		{"\xe6\x88\xbf", "\"\xe6\x88\xbf\""},
		{"a\xff\xe6z", "\"a\?\?z\""}, /* no UTF-8 */
		{"\",\"MaxRoomCount\":\"1", "\"\\\",\\\"MaxRoomCount\\\":\\\"1\""},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_alert alert = {.event_time_ms = 1, .room_count = 2, .room_count_max = 3};
		char want[HW_ALERT_BYTES_MAX];
		char out[HW_ALERT_BYTES_MAX];

		(void)snprintf(alert.operator_account, sizeof(alert.operator_account), "%s",
			       rows[i].account); /* fits */
		(void)snprintf(want, sizeof(want),
			       "{" COMMAND
			       ",\"Operator_Account\":%s,\"EventTime\":1,\"CurRoomCount\":2,\"MaxRoomCount\":3}",
			       rows[i].json); /* fits */
		assert_true(hw_alert_build(&alert, out, sizeof(out)) > 0);
		assert_string_equal(out, want);
	}
}

static void test_build_fits_the_largest_alert(void **state)
{
	struct hw_alert alert = {.event_time_ms = INT64_MIN, .room_count = UINT64_MAX, .room_count_max = UINT64_MAX};
	char out[HW_ALERT_BYTES_MAX];
	int len;

	(void)state;							   /* none */
	memset(alert.operator_account, 1, sizeof(alert.operator_account)); /* not even a NUL */
	len = hw_alert_build(&alert, out, sizeof(out));
	assert_true(len > 300);
	assert_int_equal(strlen(out), len);
}

static void test_build_refuses_a_small_output(void **state)
{
	const struct hw_alert alert = {"brennanli", 1739966441121, 400, 500};
	char out[HW_ALERT_BYTES_MAX] = "untouched";

	(void)state; /* none */
	assert_int_equal(hw_alert_build(&alert, out, 0), -1);
	assert_int_equal(hw_alert_build(&alert, out, strlen(SAMPLE)), -1);
	assert_string_equal(out, "untouched");
	assert_int_equal(hw_alert_build(&alert, out, strlen(SAMPLE) + 1), strlen(SAMPLE));
}

static void test_parse_reads_the_vendors_sample_in_any_spelling(void **state)
{
	static const char *const rows[] = {
		SAMPLE,
		"{\n" COMMAND
		",\n\"Operator_Account\": \"brennanli\",\n\"EventTime\": 1739966441121,\n\"CurRoomCount\": 400,"
		"\n\"MaxRoomCount\": 500\n}\n",
		"{\"MaxRoomCount\":500,\"CurRoomCount\":400,\"Extra\":{\"a\":[1]},\"EventTime\":1739966441121,"
		"\"Operator_Account\":\"brennanli\"," COMMAND "}",
		"{" COMMAND
		",\"Operator_Account\":\"brennanli\",\"EventTime\":\"1739966441121\",\"CurRoomCount\":\"400\","
		"\"MaxRoomCount\":\"500\"}",
	};
	char reason[128];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hw_alert alert;

		if (parse(rows[i], &alert, reason))
			fail_msg("%s: %s", rows[i], reason);
		assert_string_equal(alert.operator_account, "brennanli");
		assert_true(alert.event_time_ms == 1739966441121);
		assert_int_equal(alert.room_count, 400);
		assert_int_equal(alert.room_count_max, 500);
	}
}

static void test_parse_reads_the_largest_numbers(void **state)
{
	struct hw_alert alert;
	char reason[128];

	(void)state; /* none */
	assert_int_equal(parse("{" COMMAND ",\"Operator_Account\":\"01234567890123456789012345678901\",\"EventTime\":"
			       "9223372036854775807,\"CurRoomCount\":\"9223372036854775807\",\"MaxRoomCount\":0}",
			       &alert, reason),
			 0);
	assert_int_equal(strlen(alert.operator_account), HW_IDENTIFIER_BYTES_MAX);
	assert_true(alert.event_time_ms == INT64_MAX && alert.room_count == INT64_MAX && alert.room_count_max == 0);
}

static void test_parse_says_what_is_wrong(void **state)
{
	static const struct {
		const char *body;
		const char *word;
	} rows[] = {
		{"", "empty"},
		{"x", "not valid JSON"},
		{SAMPLE "x", "not valid JSON"},
		{"[]", "not an object"},
		{"null", "not an object"},
		{"{}", "CallbackCommand is missing"},
		{"{\"CallbackCommand\":1}", "CallbackCommand in the body is not a string"},
		{"{\"CallbackCommand\":\"Live.CallbackAfterCreateRoom\"}", "not that of the alert"},
		{"{" COMMAND ",\"EventTime\":1,\"CurRoomCount\":1,\"MaxRoomCount\":1}", "Operator_Account is missing"},
		{"{" COMMAND ",\"Operator_Account\":5,\"EventTime\":1,\"CurRoomCount\":1,\"MaxRoomCount\":1}",
		 "Operator_Account is missing"},
		{"{" COMMAND ",\"Operator_Account\":\"012345678901234567890123456789012\",\"EventTime\":1,"
		 "\"CurRoomCount\":1,\"MaxRoomCount\":1}",
		 "longer than 32"},
		{"{" COMMAND ",\"Operator_Account\":\"a\",\"CurRoomCount\":1,\"MaxRoomCount\":1}",
		 "EventTime is missing"},
		{"{" COMMAND ",\"Operator_Account\":\"a\",\"EventTime\":1,\"MaxRoomCount\":1}",
		 "CurRoomCount is missing"},
		{"{" COMMAND ",\"Operator_Account\":\"a\",\"EventTime\":1,\"CurRoomCount\":1}",
		 "MaxRoomCount is missing"},
		{"{" COMMAND ",\"Operator_Account\":\"a\",\"EventTime\":1,\"CurRoomCount\":1,\"MaxRoomCount\":[1]}",
		 "MaxRoomCount in the body is not a number"},
		{"{" COMMAND ",\"Operator_Account\":\"a\",\"EventTime\":1,\"CurRoomCount\":-1,\"MaxRoomCount\":1}",
		 "CurRoomCount in the body is not a number"},
		{"{" COMMAND ",\"Operator_Account\":\"a\",\"EventTime\":1.5,\"CurRoomCount\":1,\"MaxRoomCount\":1}",
		 "EventTime in the body is not a number"},
		{"{" COMMAND ",\"Operator_Account\":\"a\",\"EventTime\":\"\",\"CurRoomCount\":1,\"MaxRoomCount\":1}",
		 "EventTime in the body is not a number"},
		{"{" COMMAND ",\"Operator_Account\":\"a\",\"EventTime\":\"9223372036854775808\",\"CurRoomCount\":1,"
		 "\"MaxRoomCount\":1}",
		 "EventTime in the body is not a number"},
	};
	struct hw_alert alert = {"untouched", 1, 2, 3};
	char reason[128];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		reason[0] = '\0';
		if (parse(rows[i].body, &alert, reason) != -1 || !strstr(reason, rows[i].word))
			fail_msg("%s: %s", rows[i].body, reason);
		assert_string_equal(alert.operator_account, "untouched");
	}
}

static void test_parse_refuses_the_sample_cut_at_any_length(void **state)
{
	struct hw_alert alert;
	char reason[128];

	(void)state; /* none */
	for (size_t len = 0; len < strlen(SAMPLE); len++) {
		char *copy = malloc(len + 1); /* exact, so that the sanitizer sees a read behind it */

		assert_non_null(copy);
		memcpy(copy, SAMPLE, len);
		assert_int_equal(hw_alert_parse(copy, len, &alert, reason, sizeof(reason)), -1);
		free(copy);
	}
}

static void test_parse_bounds_the_body(void **state)
{
	char *body = malloc(HW_PACKET_BYTES_MAX + 1);
	char command[64] = "untouched";
	struct hw_alert alert;
	char reason[128];

	(void)state; /* none */
	assert_non_null(body);
	memset(body, ' ', HW_PACKET_BYTES_MAX + 1);
	memcpy(body, SAMPLE, strlen(SAMPLE));
	assert_int_equal(hw_alert_parse(body, HW_PACKET_BYTES_MAX, &alert, reason, sizeof(reason)), 0);
	assert_int_equal(hw_alert_parse(body, HW_PACKET_BYTES_MAX + 1, &alert, reason, sizeof(reason)), -1);
	assert_non_null(strstr(reason, "longer than 131072"));
	assert_int_equal(hw_packet_command(body, HW_PACKET_BYTES_MAX + 1, command, reason, sizeof(reason)), -1);
	assert_string_equal(command, "untouched");
	assert_int_equal(hw_packet_command(body, HW_PACKET_BYTES_MAX, command, reason, sizeof(reason)), 0);
	free(body);
}

static void test_command_is_that_of_any_packet(void **state)
{
	static const struct {
		const char *body;
		const char *command; /* NULL: refused */
	} rows[] = {
		{SAMPLE, "Live.CallbackAfterCreateRoomReachingThreshold"},
		{"{\"RoomId\":\"r\",\"CallbackCommand\":\"Live.CallbackAfterCreateRoom\"}",
		 "Live.CallbackAfterCreateRoom"},
		{"{\"CallbackCommand\":\"x\"}", "x"},
		{"{\"CallbackCommand\":\"012345678901234567890123456789012345678901234567890123456789012\"}",
		 "012345678901234567890123456789012345678901234567890123456789012"},
		{"{\"CallbackCommand\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", NULL},
		{"{\"CallbackCommand\":\"\"}", NULL},
		{"{\"CallbackCommand\":null}", NULL},
		{"{\"CallbackCommand\":{}}", NULL},
		{"{\"callbackcommand\":\"x\"}", NULL},
		{"{\"CallbackCommand\":\"a\",\"CallbackCommand\":\"b\"}", NULL},
		{"[\"CallbackCommand\"]", NULL},
		{"", NULL},
	};
	char reason[128];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char command[64] = "untouched";
		int rc = hw_packet_command(rows[i].body, strlen(rows[i].body), command, reason, sizeof(reason));

		assert_int_equal(rc, rows[i].command ? 0 : -1);
		assert_string_equal(command, rows[i].command ? rows[i].command : "untouched");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build_writes_the_vendors_sample),
		cmocka_unit_test(test_build_escapes_the_operator),
		cmocka_unit_test(test_build_fits_the_largest_alert),
		cmocka_unit_test(test_build_refuses_a_small_output),
		cmocka_unit_test(test_parse_reads_the_vendors_sample_in_any_spelling),
		cmocka_unit_test(test_parse_reads_the_largest_numbers),
		cmocka_unit_test(test_parse_says_what_is_wrong),
		cmocka_unit_test(test_parse_refuses_the_sample_cut_at_any_length),
		cmocka_unit_test(test_parse_bounds_the_body),
		cmocka_unit_test(test_command_is_that_of_any_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
