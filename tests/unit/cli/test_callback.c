/* What is said of callbacks: every outcome of an attempt has its advice, and events are named. */
#include "cli/callback.h"
#include "http/client.h"

#include <highwater/callback.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *advice(const char *outcome, int status, const char *error)
{
	json_t *attempt = json_pack("{s:s,s:i,s:s}", "Outcome", outcome, "HttpStatus", status, "Error", error);
	const char *text = callbacks_advice(attempt);

	json_decref(attempt);
	return text;
}

static void test_callback_advice_is_there_for_every_outcome(void **state)
{
	static const enum http_outcome outcomes[] = {
		HTTP_OUTCOME_REPLIED, HTTP_OUTCOME_DNS,	    HTTP_OUTCOME_NOT_ALLOWED, HTTP_OUTCOME_CONNECT,
		HTTP_OUTCOME_TLS,     HTTP_OUTCOME_TIMEOUT, HTTP_OUTCOME_TOO_LARGE,   HTTP_OUTCOME_BROKEN,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		const char *word = http_outcome_word(outcomes[i]);

		if (!*advice(word, 0, "wrong") || !*advice(word, 500, "wrong"))
			fail_msg("nothing is said of %s", word);
		assert_string_equal(advice(word, 200, ""), ""); /* a delivery */
	}
	assert_true(*advice("not_sent", 0, "wrong"));
	assert_string_equal(advice("another", 0, "wrong"), "");
}

static void test_callback_advice_goes_by_the_status(void **state)
{
	static const struct {
		int status;
		const char *words;
	} rows[] = {
		{101, "neither yes nor no"},
		{200, "ActionStatus"},
		{204, "ActionStatus"},
		{301, "redirects"},
		{308, "redirects"},
		{400, "its log"},
		{401, "token and secrets"},
		{403, "token and secrets"},
		{404, "at that path"},
		{405, "at that path"},
		{409, "its log"},
		{410, "paused"},
		{429, "asked to wait"},
		{500, "failed"},
		{502, "failed"},
		{503, "asked to wait"},
		{599, "failed"},
		{999, "neither yes nor no"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strstr(advice("replied", rows[i].status, "wrong"), rows[i].words))
			fail_msg("%d: %s", rows[i].status, advice("replied", rows[i].status, "wrong"));
}

static void check_event(json_t *row, const char *wanted)
{
	char text[128];

	callbacks_describe(row, text, sizeof(text));
	assert_string_equal(text, wanted);
	json_decref(row);
}

static void test_callback_events_are_named(void **state)
{
	const char *alert = hw_callback_word(HW_CALLBACK_THRESHOLD);

	(void)state;
	check_event(json_pack("{s:s,s:i,s:{s:i,s:i}}", "CallbackCommand", alert, "Threshold", 70, "Body",
			      "CurRoomCount", 7, "MaxRoomCount", 10),
		    "alert, 7 of 10 rooms");
	check_event(json_pack("{s:s,s:i,s:{s:i,s:i}}", "CallbackCommand", alert, "Threshold", 0, "Body", "CurRoomCount",
			      7, "MaxRoomCount", 10),
		    "test, 7 of 10 rooms");
	check_event(
		json_pack("{s:s,s:{s:s}}", "CallbackCommand", "Live.CallbackAfterDestroyRoom", "Body", "RoomId", "a"),
		"DestroyRoom a");
	check_event(json_pack("{s:s,s:{s:{s:s}}}", "CallbackCommand", "Live.CallbackAfterCreateRoom", "Body",
			      "RoomInfo", "RoomId", "a"),
		    "CreateRoom a");
	check_event(json_object(), " ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_callback_advice_is_there_for_every_outcome),
		cmocka_unit_test(test_callback_advice_goes_by_the_status),
		cmocka_unit_test(test_callback_events_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
