/* The checks of a callback: each refusal with its status and code, their order, what passes, and the record's line. */
#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "receive/check.h"

#include <highwater/sign.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALERT "Live.CallbackAfterCreateRoomReachingThreshold"
#define QUERY "SdkAppid=1400000001&CallbackCommand=" ALERT "&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI"
#define FIELDS                                                                                                         \
	"\"Operator_Account\":\"brennanli\",\"EventTime\":1739966441121,\"CurRoomCount\":400,\"MaxRoomCount\":500"
#define BODY "{\"CallbackCommand\":\"" ALERT "\"," FIELDS "}"
#define TOKEN "xxxxyyyy"
#define SIGN "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061" /* the vendor's example */
#define SIGN_TIME_S 1669872112
#define SIGNED QUERY "&Sign=" SIGN "&RequestTime=1669872112"

static const uint32_t own[] = {20000001, 1400000001};

static struct check_options make_options(const char *token)
{
	return (struct check_options){
		.sdkappids = own, .sdkappid_count = ARRAY_LEN(own), .token = secret_of(str_c(token))};
}

static struct check_request make_request(const char *query, const char *body)
{
	return (struct check_request){.method = STR("POST"),
				      .path = STR("/hook"),
				      .query = str_c(query),
				      .body = str_c(body),
				      .peer = STR("192.0.2.7"),
				      .now_ms = (int64_t)SIGN_TIME_S * 1000};
}

static void expect_result(const struct check_outcome *outcome, enum check_result result, const char *words)
{
	if (outcome->result != result)
		fail_msg("result %d (%s), expected %d", outcome->result, outcome->reason, result);
	if (!strstr(outcome->reason, words))
		fail_msg("\"%s\" does not say \"%s\"", outcome->reason, words);
	assert_null(strstr(outcome->reason, TOKEN));
	assert_null(strstr(outcome->reason, SIGN));
}

static void test_check_refuses_with_status_and_code(void **state)
{
	static const struct {
		enum check_result result;
		int status;
		int code;
	} cases[] = {
		{CHECK_PASSED, 200, 0},	      {CHECK_METHOD, 405, 60002},   {CHECK_PATH, 404, 60009},
		{CHECK_QUERY, 400, 60025},    {CHECK_SDKAPPID, 403, 70020}, {CHECK_SIGN, 401, 60025},
		{CHECK_SIZE, 413, 60003},     {CHECK_WEBHOOK, 401, 60025},  {CHECK_BODY, 400, 60003},
		{CHECK_COMMAND, 400, 100002}, {CHECK_PACKET, 400, 100002},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(check_result_status(cases[i].result), cases[i].status);
		assert_int_equal(check_result_code(cases[i].result), cases[i].code);
	}
}

static void test_check_passes_the_documented_request(void **state)
{
	struct check_options options = make_options("");
	struct check_request request = make_request(QUERY, BODY);
	struct check_outcome outcome;

	(void)state;
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_PASSED, "");
	assert_string_equal(outcome.reason, "");
	assert_int_equal(outcome.query.sdkappid, 1400000001);
	assert_false(outcome.is_signed);
}

static void test_check_refuses_other_methods(void **state)
{
	static const char *const methods[] = {"GET", "PUT", "HEAD", "post", "POSTS", ""};
	struct check_options options = make_options("");
	struct check_request request = make_request(QUERY, BODY);
	struct check_outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		request.method = str_c(methods[i]);
		check_callback(&options, &request, &outcome);
		expect_result(&outcome, CHECK_METHOD, "POST");
	}
}

static void test_check_compares_the_path_as_sent(void **state)
{
	static const struct {
		const char *wanted;
		const char *sent;
		bool passes;
	} cases[] = {
		{"", "/", true},
		{"", "/any", true},
		{"/hook", "/hook", true},
		{"/hook", "/hook/", false},
		{"/hook", "/", false},
		{"/hook", "/Hook", false},
		{"/hook", "/%68ook", false},
	};
	struct check_options options = make_options("");
	struct check_request request = make_request(QUERY, BODY);
	struct check_outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		options.path = str_c(cases[i].wanted);
		request.path = str_c(cases[i].sent);
		check_callback(&options, &request, &outcome);
		expect_result(&outcome, cases[i].passes ? CHECK_PASSED : CHECK_PATH, "");
	}
}

static void test_check_refuses_bad_queries(void **state)
{
	static const struct {
		const char *query;
		const char *words;
	} cases[] = {
		{"", "SdkAppid"},
		{"CallbackCommand=" ALERT, "SdkAppid"},
		{"SdkAppid=1400000001", "CallbackCommand"},
		{"SdkAppid=0&CallbackCommand=" ALERT, "SDKAppID"},
		{"SdkAppid=x&CallbackCommand=" ALERT, "SDKAppID"},
		{QUERY "&x=%zz", "query"},
		{QUERY "&SdkAppid=1400000001", "query"},
		{QUERY "&Sign=00&RequestTime=soon", "RequestTime"},
	};
	struct check_options options = make_options("");
	struct check_outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct check_request request = make_request(cases[i].query, BODY);

		check_callback(&options, &request, &outcome);
		expect_result(&outcome, CHECK_QUERY, cases[i].words);
	}
}

static void test_check_takes_absent_query_and_body(void **state)
{
	struct check_options options = make_options("");
	struct check_request request = make_request(QUERY, BODY);
	struct check_outcome outcome;

	(void)state;
	request.body = (struct str){0};
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_BODY, "");
	request.query = (struct str){0};
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_QUERY, "");
}

static void test_check_refuses_foreign_sdkappid(void **state)
{
	static const struct {
		const char *query;
		enum check_result result;
	} cases[] = {
		{"SdkAppid=20000001&CallbackCommand=" ALERT, CHECK_PASSED},
		{"SdkAppid=1400000001&CallbackCommand=" ALERT, CHECK_PASSED},
		{"SdkAppid=1400000002&CallbackCommand=" ALERT, CHECK_SDKAPPID},
		{"SdkAppid=4294967295&CallbackCommand=" ALERT, CHECK_SDKAPPID},
	};
	struct check_options options = make_options("");
	struct check_outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct check_request request = make_request(cases[i].query, BODY);

		check_callback(&options, &request, &outcome);
		expect_result(&outcome, cases[i].result, "");
	}
}

static void test_check_verifies_sign_within_a_minute(void **state)
{
	static const struct {
		int64_t off_s;
		enum check_result result;
	} cases[] = {
		{0, CHECK_PASSED}, {60, CHECK_PASSED}, {-60, CHECK_PASSED},
		{61, CHECK_SIGN},  {-61, CHECK_SIGN},  {86400 * 365, CHECK_SIGN},
	};
	struct check_options options = make_options(TOKEN);
	struct check_request request = make_request(SIGNED, BODY);
	struct check_outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		request.now_ms = (SIGN_TIME_S + cases[i].off_s) * 1000;
		check_callback(&options, &request, &outcome);
		expect_result(&outcome, cases[i].result, cases[i].result == CHECK_SIGN ? "60 seconds" : "");
		assert_int_equal(outcome.is_signed, cases[i].result == CHECK_PASSED);
	}
}

static void test_check_refuses_missing_or_wrong_sign(void **state)
{
	static const struct {
		const char *query;
		const char *words;
	} cases[] = {
		{QUERY, "missing"},
		{QUERY "&RequestTime=1669872112", "missing"},
		{QUERY "&Sign=&RequestTime=1669872112", "wrong"},
		{QUERY "&Sign=00&RequestTime=1669872112", "wrong"},
		{QUERY "&Sign=17773BC39A671D7B9AA835458704D2A6DB81360A5940292B587D6D760D484061&RequestTime=1669872112",
		 "wrong"},
		{QUERY "&Sign=" SIGN "&RequestTime=1669872113", "wrong"},
		{QUERY "&Sign=" SIGN "&RequestTime=9223372036854775807", "wrong"},
		{QUERY "&Sign=" SIGN "&RequestTime=0", "wrong"},
	};
	struct check_options options = make_options(TOKEN);
	struct check_outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct check_request request = make_request(cases[i].query, BODY);

		check_callback(&options, &request, &outcome);
		expect_result(&outcome, CHECK_SIGN, cases[i].words);
		assert_false(outcome.is_signed);
	}
}

static void test_check_ignores_sign_without_token(void **state)
{
	struct check_options options = make_options("");
	struct check_request request = make_request(QUERY "&Sign=00&RequestTime=1", BODY);
	struct check_outcome outcome;

	(void)state;
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_PASSED, "");
	assert_false(outcome.is_signed);
}

static void test_check_refuses_bad_bodies(void **state)
{
	static const struct {
		const char *body;
		enum check_result result;
		const char *words;
	} cases[] = {
		{"", CHECK_BODY, "empty"},
		{"{", CHECK_BODY, "JSON"},
		{"[]", CHECK_BODY, "object"},
		{"{}", CHECK_BODY, "CallbackCommand"},
		{"{\"CallbackCommand\":7}", CHECK_BODY, "CallbackCommand"},
		{BODY "x", CHECK_BODY, "JSON"},
		{"{\"CallbackCommand\":\"" ALERT "\",\"CallbackCommand\":\"" ALERT "\"," FIELDS "}", CHECK_BODY,
		 "JSON"},
		{"{\"CallbackCommand\":\"" ALERT "\",\"Operator_Account\":\"\xff\"}", CHECK_BODY, "JSON"},
		{"{\"CallbackCommand\":\"Live.CallbackAfterCreateRoom\"," FIELDS "}", CHECK_COMMAND, "same"},
		{"{\"CallbackCommand\":\"" ALERT "\"}", CHECK_PACKET, "Operator_Account"},
		{"{\"CallbackCommand\":\"" ALERT "\",\"Operator_Account\":\"a\",\"EventTime\":1,\"CurRoomCount\":-1,"
		 "\"MaxRoomCount\":5}",
		 CHECK_PACKET, "CurRoomCount"},
	};
	struct check_options options = make_options("");
	struct check_outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct check_request request = make_request(QUERY, cases[i].body);

		check_callback(&options, &request, &outcome);
		expect_result(&outcome, cases[i].result, cases[i].words);
	}
}

/* `len` bytes of a packet that is right but for its size. */
static struct str make_large_body(struct arena *arena, size_t len)
{
	static const char head[] = "{\"CallbackCommand\":\"" ALERT "\"," FIELDS ",\"Pad\":\"";
	char *body = arena_alloc(arena, len);

	memset(body, 'x', len);
	memcpy(body, head, sizeof(head) - 1);
	memcpy(body + len - 2, "\"}", 2);
	return (struct str){body, len};
}

static void test_check_refuses_large_body(void **state)
{
	struct check_options options = make_options("");
	struct check_request request = make_request(QUERY, "");
	struct check_outcome outcome;
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096);
	request.body = make_large_body(&arena, CHECK_BODY_BYTES_MAX);
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_PASSED, "");
	request.body = make_large_body(&arena, CHECK_BODY_BYTES_MAX + 1);
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_SIZE, "131072");
	arena_fini(&arena);
}

/* Several faults at once: the first of the documented order is told, so nothing further was looked at. */
static void test_check_keeps_its_order(void **state)
{
	struct check_options options = make_options(TOKEN);
	struct check_request request = make_request("SdkAppid=7", "rubbish");
	struct check_outcome outcome;

	(void)state;
	options.path = STR("/other");
	request.method = STR("GET");
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_METHOD, "");
	request.method = STR("POST");
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_PATH, "");
	request.path = STR("/other");
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_QUERY, "");
	request.query = STR("SdkAppid=7&CallbackCommand=a");
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_SDKAPPID, "");
	request.query = STR("SdkAppid=1400000001&CallbackCommand=a");
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_SIGN, "");
	request.query = STR("SdkAppid=1400000001&CallbackCommand=a&Sign=" SIGN "&RequestTime=1669872112");
	check_callback(&options, &request, &outcome);
	expect_result(&outcome, CHECK_BODY, "");
}

static void test_check_passes_other_and_unknown_commands(void **state)
{
	static const char *const commands[] = {"Live.CallbackAfterCreateRoom", "Live.CallbackAfterTomorrow"};
	struct check_options options = make_options("");
	struct check_outcome outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		char query[160];
		char body[160];
		struct check_request request;

		(void)snprintf(query, sizeof(query), "SdkAppid=1400000001&CallbackCommand=%s", commands[i]);
		(void)snprintf(body, sizeof(body), "{\"CallbackCommand\":\"%s\",\"RoomId\":\"r\"}",
			       commands[i]); /* fit */
		request = make_request(query, body);
		check_callback(&options, &request, &outcome);
		expect_result(&outcome, CHECK_PASSED, "");
	}
}

/* ---- the line ---- */

static struct buf make_line(const struct check_options *options, const struct check_request *request)
{
	struct check_outcome outcome;
	struct buf line;

	check_callback(options, request, &outcome);
	expect_result(&outcome, CHECK_PASSED, "");
	buf_init(&line, CHECK_LINE_BYTES_MAX);
	check_append_line(request, &outcome, &line);
	assert_true(buf_ok(&line));
	return line;
}

static void test_check_line_holds_every_field(void **state)
{
	struct check_options options = make_options(TOKEN);
	struct check_request request = make_request(SIGNED, BODY);
	struct buf line;

	(void)state;
	request.webhook_id = STR("evt_1");
	request.attempt = STR("2");
	request.sequence = STR("9223372036854775807");
	request.threshold = STR("70");
	line = make_line(&options, &request);
	assert_string_equal(buf_c(&line),
			    "{\"ReceivedTime\":1669872112000,\"SdkAppid\":1400000001,\"CallbackCommand\":\"" ALERT
			    "\",\"ClientIP\":\"127.0.0.1\",\"OptPlatform\":\"RESTAPI\",\"Signed\":true,"
			    "\"WebhookId\":\"evt_1\",\"Attempt\":2,\"Sequence\":9223372036854775807,\"Threshold\":70,"
			    "\"Peer\":\"192.0.2.7\",\"Body\":" BODY ",\"Signature\":\"\"}\n");
	buf_fini(&line);
}

static void test_check_line_leaves_out_bad_headers(void **state)
{
	struct check_options options = make_options("");
	struct check_request request = make_request("SdkAppid=1400000001&CallbackCommand=" ALERT "&ClientIP=%ff", BODY);
	char long_id[CHECK_WEBHOOK_ID_BYTES_MAX + 1];
	struct buf line;

	(void)state;
	memset(long_id, 'x', sizeof(long_id));
	request.webhook_id = (struct str){long_id, sizeof(long_id)};
	request.attempt = STR("-1");
	request.sequence = STR("9223372036854775808");
	request.threshold = STR("70%");
	line = make_line(&options, &request);
	assert_string_equal(buf_c(&line),
			    "{\"ReceivedTime\":1669872112000,\"SdkAppid\":1400000001,\"CallbackCommand\":\"" ALERT
			    "\",\"ClientIP\":\"\",\"OptPlatform\":\"Unknown\",\"Signed\":false,"
			    "\"Peer\":\"192.0.2.7\",\"Body\":" BODY ",\"Signature\":\"\"}\n");
	buf_fini(&line);
	request.webhook_id = STR("caf\xc3\xa9");
	line = make_line(&options, &request);
	assert_null(strstr(buf_c(&line), "WebhookId"));
	buf_fini(&line);
}

static void test_check_line_tells_tests_and_replays(void **state)
{
	static const struct {
		const char *test;
		const char *replay;
		const char *end;
	} cases[] = {
		{"1", "", ",\"Signature\":\"\",\"Test\":true}\n"},
		{"", "2", ",\"Signature\":\"\",\"Replay\":2}\n"},
		{"1", "9223372036854775807", ",\"Signature\":\"\",\"Test\":true,\"Replay\":9223372036854775807}\n"},
		{"0", "-1", ",\"Signature\":\"\"}\n"},
		{"true", "second", ",\"Signature\":\"\"}\n"},
	};
	struct check_options options = make_options("");
	struct check_request request = make_request(QUERY, BODY);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t end_len = strlen(cases[i].end);
		struct buf line;

		request.test = str_c(cases[i].test);
		request.replay = str_c(cases[i].replay);
		line = make_line(&options, &request);
		assert_true(line.len > end_len);
		assert_string_equal(buf_c(&line) + line.len - end_len, cases[i].end);
		buf_fini(&line);
	}
}

static void test_check_line_keeps_the_packet_but_its_spaces(void **state)
{
	struct check_options options = make_options("");
	struct check_request request = make_request(
		"SdkAppid=1400000001&CallbackCommand=New",
		"\r\n{ \"CallbackCommand\" :\t\"New\",\n\"a\": [ 1.10 , 1e5,\r\n-0 ],\"b\":\" two  \\\" \\n\\\\\" , "
		"\"c\\\\\": { } }\n");
	const char *packet = "\"Body\":{\"CallbackCommand\":\"New\",\"a\":[1.10,1e5,-0],\"b\":\" two  \\\" \\n\\\\\","
			     "\"c\\\\\":{}},\"Signature\":\"\"}\n";
	struct buf line = make_line(&options, &request);
	const char *body = strstr(buf_c(&line), "\"Body\":");

	(void)state;
	assert_non_null(body);
	assert_string_equal(body, packet);
	assert_ptr_equal(strchr(buf_c(&line), '\n'), buf_c(&line) + line.len - 1);
	buf_fini(&line);
}

/* The largest of everything still fits a line, and is JSON. */
static void test_check_line_fits_its_bound(void **state)
{
	struct check_options options = make_options("");
	struct check_request request = make_request(QUERY, "");
	char id[CHECK_WEBHOOK_ID_BYTES_MAX];
	struct arena arena;
	struct error err;
	struct buf line;
	json_t *root;

	(void)state;
	memset(id, '"', sizeof(id));
	arena_init(&arena, 4096);
	request.body = make_large_body(&arena, CHECK_BODY_BYTES_MAX);
	request.webhook_id = (struct str){id, sizeof(id)};
	request.attempt = request.sequence = request.threshold = request.replay = STR("9223372036854775807");
	request.test = STR("1");
	request.peer = STR("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	line = make_line(&options, &request);
	assert_int_equal(json_read(buf_str(&line), &root, &err), 0);
	json_decref(root);
	buf_fini(&line);
	arena_fini(&arena);
}

static void test_check_fail_cuts_long_text(void **state)
{
	struct hw_callback_reply reply;
	char text[600];
	struct buf out;

	(void)state;
	memset(text, '\x01', sizeof(text) - 1); /* each byte is escaped to six */
	text[sizeof(text) - 1] = '\0';
	buf_init(&out, 4096);
	check_append_fail(&out, HW_BAD_PARAMETER, text);
	assert_true(buf_ok(&out));
	assert_int_equal(hw_reply_parse(buf_c(&out), out.len, &reply, text, sizeof(text)), 0);
	assert_false(reply.ok);
	assert_int_equal(reply.error_code, HW_BAD_PARAMETER);
	assert_int_equal(strlen(reply.error_info), 255);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_refuses_with_status_and_code),
		cmocka_unit_test(test_check_passes_the_documented_request),
		cmocka_unit_test(test_check_refuses_other_methods),
		cmocka_unit_test(test_check_compares_the_path_as_sent),
		cmocka_unit_test(test_check_refuses_bad_queries),
		cmocka_unit_test(test_check_takes_absent_query_and_body),
		cmocka_unit_test(test_check_refuses_foreign_sdkappid),
		cmocka_unit_test(test_check_verifies_sign_within_a_minute),
		cmocka_unit_test(test_check_refuses_missing_or_wrong_sign),
		cmocka_unit_test(test_check_ignores_sign_without_token),
		cmocka_unit_test(test_check_refuses_bad_bodies),
		cmocka_unit_test(test_check_refuses_large_body),
		cmocka_unit_test(test_check_keeps_its_order),
		cmocka_unit_test(test_check_passes_other_and_unknown_commands),
		cmocka_unit_test(test_check_line_holds_every_field),
		cmocka_unit_test(test_check_line_leaves_out_bad_headers),
		cmocka_unit_test(test_check_line_tells_tests_and_replays),
		cmocka_unit_test(test_check_line_keeps_the_packet_but_its_spaces),
		cmocka_unit_test(test_check_line_fits_its_bound),
		cmocka_unit_test(test_check_fail_cuts_long_text),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
