/* What an attempt means: delivered or not, and what the reply asks of us. */
#include "hook/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define OK_BODY "{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\",\"ErrorCode\":0}"
#define FAIL_BODY "{\"ActionStatus\":\"FAIL\",\"ErrorInfo\":\"no\",\"ErrorCode\":7}"

static const struct verdict_policy strict = {VERDICT_RETRY, VERDICT_RETRY};
static const struct verdict_policy lenient = {VERDICT_ACCEPT, VERDICT_ACCEPT};

static void test_verdict_table(void **state)
{
	static const struct {
		enum http_outcome outcome;
		int status;
		const char *body;
		bool strict;  /* delivered when both choices retry */
		bool lenient; /* when both accept */
		const char *said;
	} rows[] = {
		{HTTP_OUTCOME_REPLIED, 200, OK_BODY, true, true, ""},
		{HTTP_OUTCOME_REPLIED, 201, OK_BODY, true, true, ""},
		{HTTP_OUTCOME_REPLIED, 299, OK_BODY, true, true, ""},
		{HTTP_OUTCOME_REPLIED, 200, "{\"ActionStatus\":\"OK\"}", true, true, ""},
		{HTTP_OUTCOME_REPLIED, 200,
		 "{\n  \"ActionStatus\": \"OK\",\n  \"ErrorInfo\": \"\",\n  \"ErrorCode\": 0 // Ignore the result\n}\n",
		 true, true, ""}, /* the vendor's own sample has a comment */
		{HTTP_OUTCOME_REPLIED, 200, FAIL_BODY, false, true, "answered FAIL, code 7: no"},
		{HTTP_OUTCOME_REPLIED, 200, "", false, true, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 200, NULL, false, true, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 204, "", false, true, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 200, "OK", false, true, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 200, "<html>", false, true, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 200, "{\"ActionStatus\":\"ok\"}", false, true, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 200, "\xff\xfe\x00", false, true, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 199, OK_BODY, false, false, "HTTP status 199"},
		{HTTP_OUTCOME_REPLIED, 300, OK_BODY, false, false, "redirects are not followed"},
		{HTTP_OUTCOME_REPLIED, 301, OK_BODY, false, false, "redirects are not followed"},
		{HTTP_OUTCOME_REPLIED, 399, OK_BODY, false, false, "redirects are not followed"},
		{HTTP_OUTCOME_REPLIED, 400, OK_BODY, false, false, "HTTP status 400"},
		{HTTP_OUTCOME_REPLIED, 410, OK_BODY, false, false, "HTTP status 410"},
		{HTTP_OUTCOME_REPLIED, 429, OK_BODY, false, false, "HTTP status 429"},
		{HTTP_OUTCOME_REPLIED, 500, OK_BODY, false, false, "HTTP status 500"},
		{HTTP_OUTCOME_REPLIED, 503, FAIL_BODY, false, false, "HTTP status 503"},
		{HTTP_OUTCOME_DNS, 0, NULL, false, false, "dns: why"},
		{HTTP_OUTCOME_NOT_ALLOWED, 0, NULL, false, false, "not_allowed: why"},
		{HTTP_OUTCOME_CONNECT, 0, NULL, false, false, "connect: why"},
		{HTTP_OUTCOME_TLS, 0, NULL, false, false, "tls: why"},
		{HTTP_OUTCOME_TIMEOUT, 0, NULL, false, false, "timeout: why"},
		{HTTP_OUTCOME_TOO_LARGE, 200, NULL, false, false, "too_large: why"},
		{HTTP_OUTCOME_BROKEN, 0, NULL, false, false, "broken: why"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct http_result result = {.outcome = rows[i].outcome,
						   .status = rows[i].status,
						   .body = str_c(rows[i].body),
						   .text = "why"};
		struct verdict verdict;

		memset(&verdict, 0xff, sizeof(verdict)); /* nothing of what was there stays */
		verdict_judge(&strict, &result, &verdict);
		assert_int_equal(verdict.delivered, rows[i].strict);
		if (rows[i].said[0] ? !strstr(verdict.reason, rows[i].said) : verdict.reason[0] != '\0')
			fail_msg("row %zu: \"%s\"", i, verdict.reason);
		verdict_judge(&lenient, &result, &verdict);
		assert_int_equal(verdict.delivered, rows[i].lenient);
		assert_int_equal(verdict.asked_ms, 0);
	}
}

/* Of all statuses two ask to be spared for a while, and one for ever. */
static void test_verdict_statuses_that_hold_the_endpoint(void **state)
{
	(void)state;
	for (int status = 100; status < 1000; status++) {
		const struct http_result result = {
			.outcome = HTTP_OUTCOME_REPLIED, .status = status, .body = STR(OK_BODY), .text = ""};
		struct verdict verdict;

		verdict_judge(&strict, &result, &verdict);
		assert_int_equal(verdict.slow_down, status == 429 || status == 503);
		assert_int_equal(verdict.gone, status == 410);
		assert_int_equal(verdict.delivered, status >= 200 && status <= 299);
	}
}

static void test_verdict_without_a_whole_reply_holds_nothing(void **state)
{
	static const int statuses[] = {410, 429, 503};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		const struct http_result result = {
			.outcome = HTTP_OUTCOME_TOO_LARGE, .status = statuses[i], .text = "why"};
		struct verdict verdict;

		verdict_judge(&strict, &result, &verdict);
		assert_false(verdict.gone || verdict.slow_down || verdict.delivered);
	}
}

static void test_verdict_asked_is_the_retry_after_of_any_failed_reply(void **state)
{
	static const struct {
		int status;
		const char *body;
		int64_t retry_after_s;
		uint64_t want; /* at least, for the last two */
	} rows[] = {
		{503, "", 7, 7000},
		{429, "", 1, 1000},
		{500, "", 120, 120000},
		{301, "", 3, 3000},
		{410, "", 3, 3000},
		{200, FAIL_BODY, 9, 9000},
		{200, "rubbish", 9, 9000},
		{200, OK_BODY, 9, 0}, /* it was delivered */
		{503, "", 0, 0},
		{503, "", -1, 0},
		{503, "", INT64_MIN, 0},
		{503, "", INT32_MAX, UINT64_C(2000000000000)}, /* whoever follows it has a bound */
		{503, "", INT64_MAX, UINT64_C(2000000000000)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct http_result result = {.outcome = HTTP_OUTCOME_REPLIED,
						   .status = rows[i].status,
						   .body = str_c(rows[i].body),
						   .text = "",
						   .retry_after_s = rows[i].retry_after_s};
		struct verdict verdict;

		verdict_judge(&strict, &result, &verdict);
		if (rows[i].retry_after_s >= INT32_MAX ? verdict.asked_ms < rows[i].want
						       : verdict.asked_ms != rows[i].want)
			fail_msg("row %zu: %llu", i, (unsigned long long)verdict.asked_ms);
	}
}

static void test_verdict_choices_are_apart(void **state)
{
	static const struct verdict_policy fail_accepted = {VERDICT_ACCEPT, VERDICT_RETRY};
	static const struct verdict_policy rubbish_accepted = {VERDICT_RETRY, VERDICT_ACCEPT};
	const struct http_result fail = {.status = 200, .body = STR(FAIL_BODY), .text = "", .retry_after_s = 5};
	const struct http_result rubbish = {.status = 200, .body = STR("rubbish"), .text = ""};
	struct verdict verdict;

	(void)state;
	verdict_judge(&fail_accepted, &fail, &verdict);
	assert_true(verdict.delivered);
	assert_true(verdict.reason[0] != '\0'); /* accepted, but with a trace */
	assert_int_equal(verdict.asked_ms, 0);
	verdict_judge(&fail_accepted, &rubbish, &verdict);
	assert_false(verdict.delivered);
	verdict_judge(&rubbish_accepted, &fail, &verdict);
	assert_false(verdict.delivered);
	verdict_judge(&rubbish_accepted, &rubbish, &verdict);
	assert_true(verdict.delivered);
}

static void test_verdict_reason_is_printable_whatever_came(void **state)
{
	char body[2000] =
		"{\"ActionStatus\":\"FAIL\",\"ErrorCode\":1,\"ErrorInfo\":\"\\u001b[31m\\n\xc2\x9b \xe6\x88\xbf";
	struct http_result result = {.status = 200, .text = "line\nbreak\x1b\x80"};
	struct verdict verdict;

	(void)state;
	memset(body + strlen(body), 'x', 1000);
	(void)strcat(body, "\"}");
	result.body = str_c(body);
	verdict_judge(&strict, &result, &verdict);
	assert_false(verdict.delivered);
	assert_true(str_is_printable_ascii(str_c(verdict.reason)));
	assert_non_null(strstr(verdict.reason, "?[31m?"));
	result.outcome = HTTP_OUTCOME_BROKEN;
	verdict_judge(&strict, &result, &verdict);
	assert_string_equal(verdict.reason, "broken: line?break??");
}

/* Alive, and not willing: it answered a 2xx or 4xx that is no word about itself. */
static void test_verdict_tells_a_refusal_from_an_endpoint_that_fails(void **state)
{
	static const struct {
		int status;
		const char *body;
		bool refused;
	} rows[] = {{200, OK_BODY, false},   {200, FAIL_BODY, true}, {204, "", true},	    {302, OK_BODY, false},
		    {399, OK_BODY, false},   {400, OK_BODY, true},   {401, OK_BODY, true},  {404, OK_BODY, true},
		    {408, OK_BODY, false},   {410, OK_BODY, false},  {429, OK_BODY, false}, {499, OK_BODY, true},
		    {500, FAIL_BODY, false}, {503, OK_BODY, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct http_result result = {.outcome = HTTP_OUTCOME_REPLIED,
						   .status = rows[i].status,
						   .body = {rows[i].body, strlen(rows[i].body)},
						   .text = "",
						   .retry_after_s = -1};
		struct verdict verdict;

		verdict_judge(&strict, &result, &verdict);
		if (verdict.refused != rows[i].refused)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdict_table),
		cmocka_unit_test(test_verdict_tells_a_refusal_from_an_endpoint_that_fails),
		cmocka_unit_test(test_verdict_statuses_that_hold_the_endpoint),
		cmocka_unit_test(test_verdict_without_a_whole_reply_holds_nothing),
		cmocka_unit_test(test_verdict_asked_is_the_retry_after_of_any_failed_reply),
		cmocka_unit_test(test_verdict_choices_are_apart),
		cmocka_unit_test(test_verdict_reason_is_printable_whatever_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
