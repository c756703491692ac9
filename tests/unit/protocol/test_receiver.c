/* hw_receiver_check: each refusal with its status and code, their order, what passes; what names an event; apps with tokens
 * and keys of their own. */
#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "unit/protocol/receiver_try.h"

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

static struct receiver_rules make_options(const char *token)
{
	return (struct receiver_rules){
		.sdkappids = own, .sdkappid_count = ARRAY_LEN(own), .token = secret_of(str_c(token))};
}

static struct receiver_call make_request(const char *query, const char *body)
{
	return (struct receiver_call){.method = STR("POST"),
				      .path = STR("/hook"),
				      .query = str_c(query),
				      .body = str_c(body),
				      .now_ms = (int64_t)SIGN_TIME_S * 1000};
}

static void expect_result(const struct hw_receiver_event *outcome, enum hw_receiver_result result, const char *words)
{
	static const struct {
		int status;
		int code;
		const char *word;
	} table[HW_RECEIVER_RESULT_COUNT] = {
		[HW_RECEIVER_OK] = {200, 0, "ok"},
		[HW_RECEIVER_METHOD] = {405, 60002, "method"},
		[HW_RECEIVER_PATH] = {404, 60009, "path"},
		[HW_RECEIVER_QUERY] = {400, 60025, "query"},
		[HW_RECEIVER_SDKAPPID] = {403, 70020, "sdkappid"},
		[HW_RECEIVER_SIGN] = {401, 60025, "sign"},
		[HW_RECEIVER_SIZE] = {413, 60003, "size"},
		[HW_RECEIVER_WEBHOOK] = {401, 60025, "webhook"},
		[HW_RECEIVER_BODY] = {400, 60003, "body"},
		[HW_RECEIVER_COMMAND] = {400, 100002, "command"},
		[HW_RECEIVER_PACKET] = {400, 100002, "packet"},
	};

	if (outcome->result != result)
		fail_msg("result %d (%s), expected %d", outcome->result, outcome->reason, result);
	assert_int_equal(outcome->http_status, table[result].status);
	assert_int_equal(outcome->error_code, table[result].code);
	assert_string_equal(hw_receiver_result_word(result), table[result].word);
	assert_int_equal(strlen(outcome->event_key), result == HW_RECEIVER_OK ? HW_EVENT_KEY_BYTES : 0);
	if (!strstr(outcome->reason, words))
		fail_msg("\"%s\" does not say \"%s\"", outcome->reason, words);
	assert_null(strstr(outcome->reason, TOKEN));
	assert_null(strstr(outcome->reason, SIGN));
}

static void test_receiver_passes_the_documented_request(void **state)
{
	struct receiver_rules options = make_options("");
	struct receiver_call request = make_request(QUERY, BODY);
	struct hw_receiver_event outcome;

	(void)state;
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_OK, "");
	assert_string_equal(outcome.reason, "");
	assert_int_equal(outcome.query.sdkappid, 1400000001);
	assert_false(outcome.is_signed);
}

static void test_receiver_refuses_other_methods(void **state)
{
	static const char *const methods[] = {"GET", "PUT", "HEAD", "post", "POSTS", ""};
	struct receiver_rules options = make_options("");
	struct receiver_call request = make_request(QUERY, BODY);
	struct hw_receiver_event outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		request.method = str_c(methods[i]);
		receiver_try(&options, &request, &outcome);
		expect_result(&outcome, HW_RECEIVER_METHOD, "POST");
	}
}

static void test_receiver_compares_the_path_as_sent(void **state)
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
	struct receiver_rules options = make_options("");
	struct receiver_call request = make_request(QUERY, BODY);
	struct hw_receiver_event outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		options.path = str_c(cases[i].wanted);
		request.path = str_c(cases[i].sent);
		receiver_try(&options, &request, &outcome);
		expect_result(&outcome, cases[i].passes ? HW_RECEIVER_OK : HW_RECEIVER_PATH, "");
	}
}

static void test_receiver_refuses_bad_queries(void **state)
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
	struct receiver_rules options = make_options("");
	struct hw_receiver_event outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct receiver_call request = make_request(cases[i].query, BODY);

		receiver_try(&options, &request, &outcome);
		expect_result(&outcome, HW_RECEIVER_QUERY, cases[i].words);
	}
}

static void test_receiver_takes_absent_query_and_body(void **state)
{
	struct receiver_rules options = make_options("");
	struct receiver_call request = make_request(QUERY, BODY);
	struct hw_receiver_event outcome;

	(void)state;
	request.body = (struct str){0};
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_BODY, "");
	request.query = (struct str){0};
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_QUERY, "");
}

static void test_receiver_refuses_foreign_sdkappid(void **state)
{
	static const struct {
		const char *query;
		enum hw_receiver_result result;
	} cases[] = {
		{"SdkAppid=20000001&CallbackCommand=" ALERT, HW_RECEIVER_OK},
		{"SdkAppid=1400000001&CallbackCommand=" ALERT, HW_RECEIVER_OK},
		{"SdkAppid=1400000002&CallbackCommand=" ALERT, HW_RECEIVER_SDKAPPID},
		{"SdkAppid=4294967295&CallbackCommand=" ALERT, HW_RECEIVER_SDKAPPID},
	};
	struct receiver_rules options = make_options("");
	struct hw_receiver_event outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct receiver_call request = make_request(cases[i].query, BODY);

		receiver_try(&options, &request, &outcome);
		expect_result(&outcome, cases[i].result, "");
	}
}

static void test_receiver_verifies_sign_within_a_minute(void **state)
{
	static const struct {
		int64_t off_s;
		enum hw_receiver_result result;
	} cases[] = {
		{0, HW_RECEIVER_OK},	{60, HW_RECEIVER_OK},	 {-60, HW_RECEIVER_OK},
		{61, HW_RECEIVER_SIGN}, {-61, HW_RECEIVER_SIGN}, {86400 * 365, HW_RECEIVER_SIGN},
	};
	struct receiver_rules options = make_options(TOKEN);
	struct receiver_call request = make_request(SIGNED, BODY);
	struct hw_receiver_event outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		request.now_ms = (SIGN_TIME_S + cases[i].off_s) * 1000;
		receiver_try(&options, &request, &outcome);
		expect_result(&outcome, cases[i].result, cases[i].result == HW_RECEIVER_SIGN ? "60 seconds" : "");
		assert_int_equal(outcome.is_signed, cases[i].result == HW_RECEIVER_OK);
	}
}

static void test_receiver_refuses_missing_or_wrong_sign(void **state)
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
	struct receiver_rules options = make_options(TOKEN);
	struct hw_receiver_event outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct receiver_call request = make_request(cases[i].query, BODY);

		receiver_try(&options, &request, &outcome);
		expect_result(&outcome, HW_RECEIVER_SIGN, cases[i].words);
		assert_false(outcome.is_signed);
	}
}

static void test_receiver_ignores_sign_without_token(void **state)
{
	struct receiver_rules options = make_options("");
	struct receiver_call request = make_request(QUERY "&Sign=00&RequestTime=1", BODY);
	struct hw_receiver_event outcome;

	(void)state;
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_OK, "");
	assert_false(outcome.is_signed);
}

static void test_receiver_refuses_bad_bodies(void **state)
{
	static const struct {
		const char *body;
		enum hw_receiver_result result;
		const char *words;
	} cases[] = {
		{"", HW_RECEIVER_BODY, "empty"},
		{"{", HW_RECEIVER_BODY, "JSON"},
		{"[]", HW_RECEIVER_BODY, "object"},
		{"{}", HW_RECEIVER_BODY, "CallbackCommand"},
		{"{\"CallbackCommand\":7}", HW_RECEIVER_BODY, "CallbackCommand"},
		{BODY "x", HW_RECEIVER_BODY, "JSON"},
		{"{\"CallbackCommand\":\"" ALERT "\",\"CallbackCommand\":\"" ALERT "\"," FIELDS "}", HW_RECEIVER_BODY,
		 "JSON"},
		{"{\"CallbackCommand\":\"" ALERT "\",\"Operator_Account\":\"\xff\"}", HW_RECEIVER_BODY, "JSON"},
		{"{\"CallbackCommand\":\"Live.CallbackAfterCreateRoom\"," FIELDS "}", HW_RECEIVER_COMMAND, "same"},
		{"{\"CallbackCommand\":\"" ALERT "\"}", HW_RECEIVER_PACKET, "Operator_Account"},
		{"{\"CallbackCommand\":\"" ALERT "\",\"Operator_Account\":\"a\",\"EventTime\":1,\"CurRoomCount\":-1,"
		 "\"MaxRoomCount\":5}",
		 HW_RECEIVER_PACKET, "CurRoomCount"},
	};
	struct receiver_rules options = make_options("");
	struct hw_receiver_event outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct receiver_call request = make_request(QUERY, cases[i].body);

		receiver_try(&options, &request, &outcome);
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

static void test_receiver_refuses_large_body(void **state)
{
	struct receiver_rules options = make_options("");
	struct receiver_call request = make_request(QUERY, "");
	struct hw_receiver_event outcome;
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096);
	request.body = make_large_body(&arena, HW_PACKET_BYTES_MAX);
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_OK, "");
	request.body = make_large_body(&arena, HW_PACKET_BYTES_MAX + 1);
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_SIZE, "131072");
	arena_fini(&arena);
}

/* Several faults at once: the first of the documented order is told, so nothing further was looked at. */
static void test_receiver_keeps_its_order(void **state)
{
	struct receiver_rules options = make_options(TOKEN);
	struct receiver_call request = make_request("SdkAppid=7", "rubbish");
	struct hw_receiver_event outcome;

	(void)state;
	options.path = STR("/other");
	request.method = STR("GET");
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_METHOD, "");
	request.method = STR("POST");
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_PATH, "");
	request.path = STR("/other");
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_QUERY, "");
	request.query = STR("SdkAppid=7&CallbackCommand=a");
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_SDKAPPID, "");
	request.query = STR("SdkAppid=1400000001&CallbackCommand=a");
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_SIGN, "");
	request.query = STR("SdkAppid=1400000001&CallbackCommand=a&Sign=" SIGN "&RequestTime=1669872112");
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_BODY, "");
}

static void test_receiver_passes_other_and_unknown_commands(void **state)
{
	static const char *const commands[] = {"Live.CallbackAfterCreateRoom", "Live.CallbackAfterTomorrow"};
	struct receiver_rules options = make_options("");
	struct hw_receiver_event outcome;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		char query[160];
		char body[160];
		struct receiver_call request;

		(void)snprintf(query, sizeof(query), "SdkAppid=1400000001&CallbackCommand=%s", commands[i]);
		(void)snprintf(body, sizeof(body), "{\"CallbackCommand\":\"%s\",\"RoomId\":\"r\"}",
			       commands[i]); /* fit */
		request = make_request(query, body);
		receiver_try(&options, &request, &outcome);
		expect_result(&outcome, HW_RECEIVER_OK, "");
	}
}

/* ---- what names an event ---- */

static void key_of(const char *query, const char *id, const char *body, char out[HW_EVENT_KEY_BYTES + 1])
{
	struct receiver_rules options = make_options("");
	struct receiver_call request = make_request(query, body);
	struct hw_receiver_event outcome;

	request.webhook_id = str_c(id);
	receiver_try(&options, &request, &outcome);
	expect_result(&outcome, HW_RECEIVER_OK, "");
	memcpy(out, outcome.event_key, HW_EVENT_KEY_BYTES + 1);
}

#define OTHER_QUERY "SdkAppid=20000001&CallbackCommand=" ALERT
#define OTHER_BODY "{\"CallbackCommand\":\"" ALERT "\"," FIELDS ",\"x\":1}"

/* By the app and the id; without an id by the app and the body: nothing else matters, and none is like another. */
static void test_receiver_names_events(void **state)
{
	static const struct {
		const char *query;
		const char *id;
		const char *body;
		int like; /* index of the first that is the same event */
	} cases[] = {
		{QUERY, "evt_1", BODY, 0},    {SIGNED, "evt_1", OTHER_BODY, 0},
		{QUERY, "evt_2", BODY, 2},    {OTHER_QUERY, "evt_1", BODY, 3},
		{QUERY, "", BODY, 4},	      {SIGNED, "", BODY, 4},
		{QUERY, "", OTHER_BODY, 6},   {OTHER_QUERY, "", BODY, 7},
		{QUERY, BODY, OTHER_BODY, 8}, /* an id that is the body of another */
	};
	char keys[ARRAY_LEN(cases)][HW_EVENT_KEY_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		key_of(cases[i].query, cases[i].id, cases[i].body, keys[i]);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(strcmp(keys[i], keys[k]) == 0, cases[i].like == cases[k].like);
	}
	/* the recipe that the manual gives: SHA-256 of "1400000001 id evt_1" */
	assert_string_equal(keys[0], "360f417f9b1e947ca21425c461c436f899260f84ee3b25f7c6028a363a9f29df");
}

/* ---- rules ---- */

static int check_at(const struct hw_receiver *receiver, uint32_t sdkappid, const char *rest,
		    struct hw_receiver_event *event)
{
	char query[512];
	struct hw_receiver_request request = {
		.method = "POST", .method_len = 4, .query = query, .body = BODY, .body_len = strlen(BODY)};

	(void)snprintf(query, sizeof(query), "SdkAppid=%u&CallbackCommand=" ALERT "%s", sdkappid, rest); /* fits */
	request.query_len = strlen(query);
	return hw_receiver_check(receiver, &request, SIGN_TIME_S, event);
}

static void sign_query(const char *token, char out[160])
{
	char sign[HW_SIGN_HEX_BYTES + 1];

	hw_sign(token, strlen(token), SIGN_TIME_S, sign);
	(void)snprintf(out, 160, "&Sign=%s&RequestTime=%d", sign, SIGN_TIME_S); /* fits */
}

/* Any token of the app, none of another's. */
static void test_receiver_apps_have_tokens_of_their_own(void **state)
{
	static const char *const tokens[] = {"first", "second", "third"};
	struct hw_receiver *receiver = hw_receiver_new();
	struct hw_receiver_event event;
	char rest[160];

	(void)state;
	for (uint32_t app = 1; app <= 3; app++)
		assert_int_equal(hw_receiver_add_app(receiver, app, NULL, 0), 0);
	assert_int_equal(hw_receiver_add_token(receiver, 1, tokens[0], 5, NULL, 0), 0);
	assert_int_equal(hw_receiver_add_token(receiver, 1, tokens[1], 6, NULL, 0), 0);
	assert_int_equal(hw_receiver_add_token(receiver, 2, tokens[2], 5, NULL, 0), 0);
	for (uint32_t app = 1; app <= 3; app++) {
		for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
			bool fits = app == 3 || (app == 2) == (i == 2);

			sign_query(tokens[i], rest);
			assert_int_equal(check_at(receiver, app, rest, &event),
					 fits ? HW_RECEIVER_OK : HW_RECEIVER_SIGN);
			assert_int_equal(event.is_signed, fits && app != 3);
			if (event.is_signed)
				assert_int_equal(event.token_index, app == 1 ? i : 0);
		}
	}
	assert_int_equal(check_at(receiver, 4, "", &event), HW_RECEIVER_SDKAPPID);
	hw_receiver_free(receiver);
}

static void test_receiver_of_all_apps(void **state)
{
	struct hw_receiver *receiver = hw_receiver_new();
	struct hw_receiver_event event;
	char reason[160];
	char rest[160];

	(void)state;
	assert_int_equal(check_at(receiver, 7, "", &event), HW_RECEIVER_SDKAPPID); /* none is served yet */
	assert_int_equal(hw_receiver_add_app(receiver, 0, reason, sizeof(reason)), 0);
	assert_int_equal(hw_receiver_add_app(receiver, 7, reason, sizeof(reason)), -1);
	assert_int_equal(check_at(receiver, 7, "", &event), HW_RECEIVER_OK);
	assert_true(event.has_alert && event.alert.room_count == 400);
	assert_int_equal(hw_receiver_add_token(receiver, 0, "t", 1, reason, sizeof(reason)), 0);
	assert_int_equal(check_at(receiver, 7, "", &event), HW_RECEIVER_SIGN);
	sign_query("t", rest);
	assert_int_equal(check_at(receiver, 8, rest, &event), HW_RECEIVER_OK);
	hw_receiver_free(receiver);
	receiver = hw_receiver_new();
	assert_int_equal(hw_receiver_add_app(receiver, 7, reason, sizeof(reason)), 0);
	assert_int_equal(hw_receiver_add_app(receiver, 0, reason, sizeof(reason)), -1);
	hw_receiver_free(receiver);
	hw_receiver_free(NULL);
}

static void test_receiver_rules_are_bounded(void **state)
{
	struct hw_receiver *receiver = hw_receiver_new();
	char reason[160];
	char long_text[2000];

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[0] = '/';
	long_text[sizeof(long_text) - 1] = '\0';
	for (uint32_t i = HW_RECEIVER_APPS_MAX; i > 0; i--)
		assert_int_equal(hw_receiver_add_app(receiver, i * 3, reason, sizeof(reason)), 0);
	assert_int_equal(hw_receiver_add_app(receiver, 3, reason, sizeof(reason)), 0); /* is there */
	assert_int_equal(hw_receiver_add_app(receiver, 4, reason, sizeof(reason)), -1);
	assert_non_null(strstr(reason, "more than 1000 apps"));
	for (int i = 0; i < HW_RECEIVER_TOKENS_MAX; i++)
		assert_int_equal(hw_receiver_add_token(receiver, 3, "t", 1, reason, sizeof(reason)), 0);
	assert_int_equal(hw_receiver_add_token(receiver, 3, "t", 1, reason, sizeof(reason)), -1);
	assert_int_equal(hw_receiver_add_token(receiver, 6, "", 0, reason, sizeof(reason)), -1);
	assert_int_equal(hw_receiver_add_token(receiver, 6, long_text, HW_TOKEN_BYTES_MAX + 1, reason, sizeof(reason)),
			 -1);
	assert_int_equal(hw_receiver_add_token(receiver, 6, "a\nb", 3, reason, sizeof(reason)), -1);
	assert_null(strstr(reason, "a\nb"));
	assert_int_equal(hw_receiver_add_token(receiver, 7, "t", 1, reason, sizeof(reason)), -1);
	assert_non_null(strstr(reason, "app 7 was not added"));
	assert_int_equal(hw_receiver_add_key(receiver, 7, "whsec_", 6, reason, sizeof(reason)), -1);
	assert_int_equal(hw_receiver_add_key(receiver, 6, "no key", 6, reason, sizeof(reason)), -1);
	assert_int_equal(hw_receiver_set_path(receiver, long_text, reason, sizeof(reason)), -1);
	assert_int_equal(hw_receiver_set_path(receiver, "hook", reason, sizeof(reason)), -1);
	assert_int_equal(hw_receiver_set_path(receiver, "/hook?x", reason, sizeof(reason)), -1);
	assert_int_equal(hw_receiver_set_tolerance(receiver, -1, 0, reason, sizeof(reason)), -1);
	assert_int_equal(hw_receiver_set_tolerance(receiver, 0, 86401, reason, sizeof(reason)), -1);
	assert_int_equal(hw_receiver_set_tolerance(receiver, 0, 86400, reason, sizeof(reason)), 0);
	hw_receiver_free(receiver);
}

static void test_receiver_keys_are_bounded(void **state)
{
	static const char key[] = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
	struct hw_receiver *receiver = hw_receiver_new();

	(void)state;
	assert_int_equal(hw_receiver_add_app(receiver, 1, NULL, 0), 0);
	for (int i = 0; i < HW_RECEIVER_KEYS_MAX; i++)
		assert_int_equal(hw_receiver_add_key(receiver, 1, key, strlen(key), NULL, 0), 0);
	assert_int_equal(hw_receiver_add_key(receiver, 1, key, strlen(key), NULL, 0), -1);
	hw_receiver_free(receiver);
}

static void test_receiver_replies(void **state)
{
	struct hw_receiver_event event = {.result = HW_RECEIVER_OK};
	struct hw_callback_reply reply;
	char out[HW_REPLY_BYTES_MAX];
	int len;

	(void)state;
	assert_int_equal(hw_receiver_reply(&event, out, sizeof(out)), strlen(HW_REPLY_OK));
	assert_string_equal(out, HW_REPLY_OK);
	assert_int_equal(hw_receiver_reply(&event, out, 10), -1);
	event = (struct hw_receiver_event){.result = HW_RECEIVER_SIGN, .error_code = 60025};
	memset(event.reason, '"', sizeof(event.reason) - 1);
	len = hw_receiver_reply(&event, out, sizeof(out));
	assert_true(len > 0);
	assert_int_equal(hw_reply_parse(out, (size_t)len, &reply, NULL, 0), 0);
	assert_false(reply.ok);
	assert_int_equal(reply.error_code, 60025);
	assert_string_equal(reply.error_info, event.reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_receiver_passes_the_documented_request),
		cmocka_unit_test(test_receiver_refuses_other_methods),
		cmocka_unit_test(test_receiver_compares_the_path_as_sent),
		cmocka_unit_test(test_receiver_refuses_bad_queries),
		cmocka_unit_test(test_receiver_takes_absent_query_and_body),
		cmocka_unit_test(test_receiver_refuses_foreign_sdkappid),
		cmocka_unit_test(test_receiver_verifies_sign_within_a_minute),
		cmocka_unit_test(test_receiver_refuses_missing_or_wrong_sign),
		cmocka_unit_test(test_receiver_ignores_sign_without_token),
		cmocka_unit_test(test_receiver_refuses_bad_bodies),
		cmocka_unit_test(test_receiver_refuses_large_body),
		cmocka_unit_test(test_receiver_keeps_its_order),
		cmocka_unit_test(test_receiver_passes_other_and_unknown_commands),
		cmocka_unit_test(test_receiver_names_events),
		cmocka_unit_test(test_receiver_apps_have_tokens_of_their_own),
		cmocka_unit_test(test_receiver_of_all_apps),
		cmocka_unit_test(test_receiver_rules_are_bounded),
		cmocka_unit_test(test_receiver_keys_are_bounded),
		cmocka_unit_test(test_receiver_replies),
	};

	return cmocka_run_group_tests_name("receiver", tests, NULL, NULL);
}
