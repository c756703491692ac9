/* The pure parts of delivery: retry schedule, verdict, request, and the table of targets. */
#include "base/random.h"
#include "hook/request.h"
#include "hook/retry.h"
#include "hook/target.h"
#include "hook/verdict.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- retry ---- */

static void test_retry_doubles_up_to_the_longest_less_a_quarter_at_most(void **state)
{
	static const struct retry_policy policies[] = {
		{1000, 3600000, 1, 1}, {1, 1, 1, 2}, {5000, 5000, 1, 3}, {7, 1000000007, 1, 4}, {10, 3, 1, 5}};

	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
		for (uint32_t attempts = 1; attempts < 100; attempts++) {
			uint64_t want = policies[p].first_ms;

			for (uint32_t i = 1; i < attempts && want < policies[p].longest_ms; i++)
				want *= 2;
			if (want > policies[p].longest_ms)
				want = policies[p].longest_ms;
			for (int64_t id = 1; id < 50; id++) {
				uint64_t wait = retry_wait_ms(&policies[p], id, attempts);

				assert_true(wait >= 1 && wait <= want && wait >= want - want / 4);
			}
		}
	}
}

static void test_retry_of_the_largest_attempt_ends(void **state)
{
	const struct retry_policy policy = {1, UINT64_C(1) << 40, 1, 1};

	(void)state;
	assert_true(retry_wait_ms(&policy, INT64_MAX, UINT32_MAX) <= UINT64_C(1) << 40);
}

static void test_retry_waits_rise_until_the_longest(void **state)
{
	const struct retry_policy policy = {1000, 1000 << 12, 1, 99};

	(void)state;
	for (int64_t id = 1; id < 200; id++) /* a doubled wait less a quarter is still more than the one before */
		for (uint32_t attempts = 1; attempts < 12; attempts++)
			assert_true(retry_wait_ms(&policy, id, attempts + 1) > retry_wait_ms(&policy, id, attempts));
}

static void test_retry_is_a_function_of_row_and_seed(void **state)
{
	const struct retry_policy policy = {100000, 10000000, 1, 7};
	const struct retry_policy other = {100000, 10000000, 1, 8};
	unsigned by_id = 0;
	unsigned by_seed = 0;

	(void)state;
	for (int64_t id = 1; id <= 100; id++) {
		assert_true(retry_wait_ms(&policy, id, 3) == retry_wait_ms(&policy, id, 3));
		by_id += retry_wait_ms(&policy, id, 3) != retry_wait_ms(&policy, id + 1, 3);
		by_seed += retry_wait_ms(&policy, id, 3) != retry_wait_ms(&other, id, 3);
	}
	assert_true(by_id > 90); /* the jitter spreads */
	assert_true(by_seed > 90);
}

static void test_retry_gives_up_after_its_time(void **state)
{
	const struct retry_policy policy = {1, 1, 1000, 1};

	(void)state;
	assert_false(retry_is_over(&policy, 5000, 5000, 1000));
	assert_false(retry_is_over(&policy, 5000, 6000, 1000));
	assert_true(retry_is_over(&policy, 5000, 6001, 1000));
	assert_true(retry_is_over(&policy, 0, INT64_MAX, 1000));
}

static void test_retry_clock_step_ends_nothing_that_was_hardly_tried(void **state)
{
	const struct retry_policy policy = {100, 400, 1000, 1}; /* waits of 100, 200, 400, 400 */

	(void)state;
	assert_false(retry_is_over(&policy, 5000, 4000, 1000)); /* stepped back */
	assert_false(retry_is_over(&policy, 5000, 500000, 1));	/* stepped forward */
	assert_false(retry_is_over(&policy, 5000, 500000, 3));
	assert_true(retry_is_over(&policy, 5000, 500000, 4));
}

/* ---- verdict ---- */

#define OK_BODY "{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\",\"ErrorCode\":0}"
#define FAIL_BODY "{\"ActionStatus\":\"FAIL\",\"ErrorInfo\":\"no\",\"ErrorCode\":7}"

static void test_verdict_table(void **state)
{
	static const struct {
		enum http_outcome outcome;
		int status;
		const char *body;
		enum delivery_mark strict;  /* both choices retry */
		enum delivery_mark lenient; /* both choices accept */
		const char *said;
	} rows[] = {
		{HTTP_OUTCOME_REPLIED, 200, OK_BODY, DELIVERY_DELIVERED, DELIVERY_DELIVERED, ""},
		{HTTP_OUTCOME_REPLIED, 201, OK_BODY, DELIVERY_DELIVERED, DELIVERY_DELIVERED, ""},
		{HTTP_OUTCOME_REPLIED, 299, OK_BODY, DELIVERY_DELIVERED, DELIVERY_DELIVERED, ""},
		{HTTP_OUTCOME_REPLIED, 200, "{\"ActionStatus\":\"OK\"}", DELIVERY_DELIVERED, DELIVERY_DELIVERED, ""},
		{HTTP_OUTCOME_REPLIED, 200,
		 "{\n  \"ActionStatus\": \"OK\",\n  \"ErrorInfo\": \"\",\n  \"ErrorCode\": 0 // Ignore the result\n}\n",
		 DELIVERY_DELIVERED, DELIVERY_DELIVERED, ""}, /* the vendor's own sample has a comment */
		{HTTP_OUTCOME_REPLIED, 200, FAIL_BODY, DELIVERY_RETRY, DELIVERY_DELIVERED, "answered FAIL, code 7: no"},
		{HTTP_OUTCOME_REPLIED, 200, "", DELIVERY_RETRY, DELIVERY_DELIVERED, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 204, "", DELIVERY_RETRY, DELIVERY_DELIVERED, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 200, "OK", DELIVERY_RETRY, DELIVERY_DELIVERED, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 200, "<html>", DELIVERY_RETRY, DELIVERY_DELIVERED, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 200, "{\"ActionStatus\":\"ok\"}", DELIVERY_RETRY, DELIVERY_DELIVERED,
		 "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 200, "\xff\xfe\x00", DELIVERY_RETRY, DELIVERY_DELIVERED, "cannot be understood"},
		{HTTP_OUTCOME_REPLIED, 199, OK_BODY, DELIVERY_RETRY, DELIVERY_RETRY, "HTTP status 199"},
		{HTTP_OUTCOME_REPLIED, 300, OK_BODY, DELIVERY_RETRY, DELIVERY_RETRY, "redirects are not followed"},
		{HTTP_OUTCOME_REPLIED, 301, OK_BODY, DELIVERY_RETRY, DELIVERY_RETRY, "redirects are not followed"},
		{HTTP_OUTCOME_REPLIED, 399, OK_BODY, DELIVERY_RETRY, DELIVERY_RETRY, "redirects are not followed"},
		{HTTP_OUTCOME_REPLIED, 400, OK_BODY, DELIVERY_RETRY, DELIVERY_RETRY, "HTTP status 400"},
		{HTTP_OUTCOME_REPLIED, 410, OK_BODY, DELIVERY_RETRY, DELIVERY_RETRY, "HTTP status 410"},
		{HTTP_OUTCOME_REPLIED, 500, OK_BODY, DELIVERY_RETRY, DELIVERY_RETRY, "HTTP status 500"},
		{HTTP_OUTCOME_REPLIED, 503, FAIL_BODY, DELIVERY_RETRY, DELIVERY_RETRY, "HTTP status 503"},
		{HTTP_OUTCOME_DNS, 0, NULL, DELIVERY_RETRY, DELIVERY_RETRY, "dns: why"},
		{HTTP_OUTCOME_NOT_ALLOWED, 0, NULL, DELIVERY_RETRY, DELIVERY_RETRY, "not_allowed: why"},
		{HTTP_OUTCOME_CONNECT, 0, NULL, DELIVERY_RETRY, DELIVERY_RETRY, "connect: why"},
		{HTTP_OUTCOME_TLS, 0, NULL, DELIVERY_RETRY, DELIVERY_RETRY, "tls: why"},
		{HTTP_OUTCOME_TIMEOUT, 0, NULL, DELIVERY_RETRY, DELIVERY_RETRY, "timeout: why"},
		{HTTP_OUTCOME_TOO_LARGE, 200, NULL, DELIVERY_RETRY, DELIVERY_RETRY, "too_large: why"},
		{HTTP_OUTCOME_BROKEN, 0, NULL, DELIVERY_RETRY, DELIVERY_RETRY, "broken: why"},
	};
	static const struct verdict_policy strict = {VERDICT_RETRY, VERDICT_RETRY};
	static const struct verdict_policy lenient = {VERDICT_ACCEPT, VERDICT_ACCEPT};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct http_result result = {.outcome = rows[i].outcome,
						   .status = rows[i].status,
						   .body = str_c(rows[i].body),
						   .text = "why"};
		char reason[DELIVERY_ERROR_BYTES_MAX + 1] = "old";

		assert_int_equal(verdict_judge(&strict, &result, reason), rows[i].strict);
		if (rows[i].said[0] ? !strstr(reason, rows[i].said) : reason[0] != '\0')
			fail_msg("row %zu: \"%s\"", i, reason);
		assert_int_equal(verdict_judge(&lenient, &result, reason), rows[i].lenient);
	}
}

static void test_verdict_choices_are_apart(void **state)
{
	static const struct verdict_policy fail_accepted = {VERDICT_ACCEPT, VERDICT_RETRY};
	static const struct verdict_policy rubbish_accepted = {VERDICT_RETRY, VERDICT_ACCEPT};
	const struct http_result fail = {.status = 200, .body = STR(FAIL_BODY), .text = ""};
	const struct http_result rubbish = {.status = 200, .body = STR("rubbish"), .text = ""};
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];

	(void)state;
	assert_int_equal(verdict_judge(&fail_accepted, &fail, reason), DELIVERY_DELIVERED);
	assert_true(reason[0] != '\0'); /* accepted, but with a trace */
	assert_int_equal(verdict_judge(&fail_accepted, &rubbish, reason), DELIVERY_RETRY);
	assert_int_equal(verdict_judge(&rubbish_accepted, &fail, reason), DELIVERY_RETRY);
	assert_int_equal(verdict_judge(&rubbish_accepted, &rubbish, reason), DELIVERY_DELIVERED);
}

static void test_verdict_reason_is_printable_whatever_came(void **state)
{
	static const struct verdict_policy policy = {VERDICT_RETRY, VERDICT_RETRY};
	char body[2000] =
		"{\"ActionStatus\":\"FAIL\",\"ErrorCode\":1,\"ErrorInfo\":\"\\u001b[31m\\n\xc2\x9b \xe6\x88\xbf";
	struct http_result result = {.status = 200, .text = "line\nbreak\x1b\x80"};
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];

	(void)state;
	memset(body + strlen(body), 'x', 1000);
	(void)strcat(body, "\"}");
	result.body = str_c(body);
	assert_int_equal(verdict_judge(&policy, &result, reason), DELIVERY_RETRY);
	assert_true(str_is_printable_ascii(str_c(reason)));
	assert_non_null(strstr(reason, "?[31m?"));
	result.outcome = HTTP_OUTCOME_BROKEN;
	assert_int_equal(verdict_judge(&policy, &result, reason), DELIVERY_RETRY);
	assert_string_equal(reason, "broken: line?break??");
}

/* ---- request ---- */

static struct app_config request_config(void)
{
	struct app_config config;

	app_config_init(&config);
	config.sdkappid = 1400000001;
	config.callback_set = true;
	config.callback_commands = 1u << HW_CALLBACK_THRESHOLD;
	(void)strcpy(config.callback_url, "https://example.com/cb?x=1");
	return config;
}

static const struct store_callback request_row = {.id = 0x20000000005,
						  .sdkappid = 1400000001,
						  .command = HW_CALLBACK_THRESHOLD,
						  .threshold = 85,
						  .platform = HW_PLATFORM_ANDROID,
						  .client_ip = {"203.0.113.9", 11},
						  .attempts = 4};

static void test_request_url_and_headers(void **state)
{
	static const char *const want[] = {
		"Content-Type: application/json",
		("User-Agent: Highwater/" HW_VERSION),
		"webhook-id: evt_00000000000000ab0000020000000005",
		"webhook-timestamp: 1739966441",
		"Highwater-Attempt: 5",
		"Highwater-Sequence: 5",
		"Highwater-Threshold: 85",
	};
	struct app_config config = request_config();
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];
	struct request request;

	(void)state;
	assert_int_equal(request_build(&config, &request_row, 0xab, 1739966441, &request, reason), 0);
	assert_string_equal(request.url, "https://example.com/cb?x=1&SdkAppid=1400000001&CallbackCommand="
					 "Live.CallbackAfterCreateRoomReachingThreshold&contenttype=json&"
					 "ClientIP=203.0.113.9&OptPlatform=Android");
	assert_int_equal(request.header_count, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(request.headers[i], want[i]);
}

static void test_request_names_a_threshold_only_of_an_alert(void **state)
{
	struct store_callback row = request_row;
	struct app_config config = request_config();
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];
	struct request request;

	(void)state;
	config.callback_commands |= 1u << HW_CALLBACK_ROOM_CREATED;
	row.command = HW_CALLBACK_ROOM_CREATED;
	row.threshold = 0;
	assert_int_equal(request_build(&config, &row, 0xab, 1739966441, &request, reason), 0);
	assert_int_equal(request.header_count, REQUEST_HEADER_COUNT_MAX - 1);
	for (size_t i = 0; i < request.header_count; i++)
		assert_null(strstr(request.headers[i], "Threshold"));
}

static void test_request_signs_only_with_a_token_that_is_on(void **state)
{
	struct app_config config = request_config();
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];
	char sign[HW_SIGN_HEX_BYTES + 1];
	char want[128];
	struct request request;

	(void)state;
	memcpy(config.token, "secret", 6);
	config.token_len = 6;
	config.token_enabled = true; /* but not set */
	assert_int_equal(request_build(&config, &request_row, 1, 1739966441, &request, reason), 0);
	assert_null(strstr(request.url, "Sign="));
	config.token_set = true;
	config.token_enabled = false;
	assert_int_equal(request_build(&config, &request_row, 1, 1739966441, &request, reason), 0);
	assert_null(strstr(request.url, "Sign="));
	config.token_enabled = true;
	assert_int_equal(request_build(&config, &request_row, 1, 1739966441, &request, reason), 0);
	hw_sign("secret", 6, 1739966441, sign);
	(void)snprintf(want, sizeof(want), "&Sign=%s&RequestTime=1739966441", sign); /* fits */
	assert_non_null(strstr(request.url, want));
	assert_null(strstr(request.url, "secret"));
}

static void test_request_says_why_it_is_not_sent(void **state)
{
	struct app_config config = request_config();
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];
	struct request request;

	(void)state;
	config.callback_commands = ~(1u << HW_CALLBACK_THRESHOLD);
	assert_int_equal(request_build(&config, &request_row, 1, 1, &request, reason), -1);
	assert_non_null(strstr(reason, "switch of this callback is off"));
	config.callback_set = false;
	assert_int_equal(request_build(&config, &request_row, 1, 1, &request, reason), -1);
	assert_non_null(strstr(reason, "no callback URL"));
}

static void test_request_of_the_longest_url_fits(void **state)
{
	struct app_config config = request_config();
	struct store_callback row = request_row;
	char reason[DELIVERY_ERROR_BYTES_MAX + 1];
	struct request request;

	(void)state;
	memset(config.callback_url + 20, 'p', HW_CALLBACK_URL_BYTES_MAX - 20);
	config.callback_url[HW_CALLBACK_URL_BYTES_MAX] = '\0';
	memset(config.token, 't', HW_TOKEN_BYTES_MAX);
	config.token_len = HW_TOKEN_BYTES_MAX;
	config.token_set = config.token_enabled = true;
	config.sdkappid = HW_SDKAPPID_MAX;
	row.client_ip = STR("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	assert_int_equal(request_build(&config, &row, UINT64_MAX, INT64_C(99999999999), &request, reason), 0);
}

static void test_request_event_id_is_stable_and_unique(void **state)
{
	char a[REQUEST_EVENT_ID_BYTES + 1];
	char b[REQUEST_EVENT_ID_BYTES + 1];

	(void)state;
	request_event_id(UINT64_MAX, INT64_MAX, a);
	assert_string_equal(a, "evt_ffffffffffffffff7fffffffffffffff");
	request_event_id(1, 2, a);
	request_event_id(1, 2, b);
	assert_string_equal(a, b);
	request_event_id(2, 1, b);
	assert_string_not_equal(a, b);
}

/* ---- targets ---- */

static void test_target_touch_makes_one_per_app_and_lowers_its_deadline(void **state)
{
	struct target_table table = {0};
	struct target *target = target_touch(&table, 7, 100);

	(void)state;
	assert_int_equal(target->next_due_ms, 100);
	assert_ptr_equal(target_touch(&table, 7, 200), target);
	assert_int_equal(target->next_due_ms, 100);
	assert_ptr_equal(target_touch(&table, 7, 50), target);
	assert_int_equal(target->next_due_ms, 50);
	assert_int_equal(table.count, 1);
	target_remove(&table, target);
	assert_int_equal(table.count, 0);
	assert_null(table.ring);
}

/* The ring, walked both ways, as text. */
static void check_ring(const struct target_table *table, const char *want)
{
	char forth[64] = "";
	const struct target *target = table->ring;

	for (unsigned i = 0; i < table->count; i++, target = target->next) {
		assert_ptr_equal(target->next->previous, target);
		assert_ptr_equal(target->previous->next, target);
		(void)snprintf(forth + strlen(forth), sizeof(forth) - strlen(forth), "%u ",
			       target->sdkappid); /* fits */
	}
	assert_ptr_equal(target, table->ring);
	assert_string_equal(forth, want);
}

static void test_target_ring_keeps_order(void **state)
{
	struct target_table table = {0};
	struct target *targets[5];

	(void)state;
	for (uint32_t i = 1; i <= 4; i++)
		targets[i] = target_touch(&table, i, 0);
	check_ring(&table, "1 2 3 4 ");
	target_remove(&table, targets[1]); /* the one where the round starts */
	check_ring(&table, "2 3 4 ");
	target_remove(&table, targets[3]);
	check_ring(&table, "2 4 ");
	table.ring = table.ring->next;
	targets[1] = target_touch(&table, 1, 0);
	check_ring(&table, "4 2 1 ");
	target_remove(&table, targets[1]);
	target_remove(&table, targets[4]);
	check_ring(&table, "2 ");
	target_remove(&table, targets[2]);
	check_ring(&table, "");
}

static void test_target_window_doubles_with_success_and_falls_to_one(void **state)
{
	static const unsigned windows[] = {1, 2, 4, 6, 6};
	struct target_table table = {0};
	struct target *target = target_touch(&table, 7, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		assert_int_equal(target->window, windows[i]);
		target_learn(target, true, 6);
	}
	target_learn(target, false, 6);
	assert_int_equal(target->window, 1);
	assert_true(target->failing);
	target_learn(target, true, 6);
	assert_int_equal(target->window, 2);
	assert_false(target->failing);
	target_remove(&table, target);
}

#define FLIGHT_MAX 4

static void test_target_failing_ones_leave_half_to_the_others(void **state)
{
	const struct store_callback row = {.id = 1};
	struct target_table table = {0};
	struct target *dead[FLIGHT_MAX];
	struct attempt *attempts[FLIGHT_MAX / 2];
	struct target *good = target_touch(&table, 99, 0);

	(void)state;
	for (unsigned i = 0; i < FLIGHT_MAX; i++) {
		dead[i] = target_touch(&table, i + 1, 0);
		target_learn(dead[i], false, 8);
	}
	for (unsigned i = 0; i < FLIGHT_MAX / 2; i++) {
		assert_true(target_may_send(&table, dead[i], FLIGHT_MAX));
		attempts[i] = target_hold(&table, dead[i], &row);
		target_set_on_wire(&table, attempts[i], true);
		assert_false(target_may_send(&table, dead[i], FLIGHT_MAX)); /* one at a time */
	}
	for (unsigned i = FLIGHT_MAX / 2; i < FLIGHT_MAX; i++)
		assert_false(target_may_send(&table, dead[i], FLIGHT_MAX));
	assert_true(target_may_send(&table, good, FLIGHT_MAX));
	target_learn(dead[0], true, 8); /* counted as it went out, whatever it became since */
	for (unsigned i = 0; i < FLIGHT_MAX / 2; i++) {
		target_set_on_wire(&table, attempts[i], false);
		target_release(&table, attempts[i]);
	}
	assert_true(target_may_send(&table, dead[FLIGHT_MAX - 1], FLIGHT_MAX));
	assert_true(target_may_send(&table, dead[FLIGHT_MAX - 1], 1)); /* half of one is one */
	for (unsigned i = 0; i < FLIGHT_MAX; i++)
		target_remove(&table, dead[i]);
	target_remove(&table, good);
}

static void test_target_counts_held_and_on_wire(void **state)
{
	struct target_table table = {0};
	struct target *target = target_touch(&table, 7, 0);
	struct target *other = target_touch(&table, 8, 0);
	struct attempt *attempts[20];

	(void)state;
	for (int64_t i = 0; i < 20; i++) {
		const struct store_callback row = {.id = i * 7 % 20, .event_ms = 5, .attempts = 3};

		assert_false(target_holds(target, row.id));
		attempts[i] = target_hold(&table, target, &row);
		assert_true(target_holds(target, row.id));
		assert_int_equal(attempts[i]->attempts, 3);
		assert_int_equal(attempts[i]->event_ms, 5);
	}
	assert_false(target_holds(other, 0));
	for (unsigned i = 0; i < 5; i++)
		target_set_on_wire(&table, attempts[i], true);
	assert_int_equal(table.held, 20);
	assert_int_equal(target->held, 20);
	assert_int_equal(target->in_flight, 5);
	assert_int_equal(table.in_flight, 5);
	assert_int_equal(other->in_flight + other->held, 0);
	for (unsigned i = 0; i < 20; i++) {
		int64_t id = attempts[i]->callback_id;

		if (i < 5)
			target_set_on_wire(&table, attempts[i], false);
		target_release(&table, attempts[i]);
		assert_false(target_holds(target, id));
	}
	assert_int_equal(table.held + table.in_flight + target->held + target->in_flight, 0);
	assert_null(target->attempts);
	target_remove(&table, target);
	target_remove(&table, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry_doubles_up_to_the_longest_less_a_quarter_at_most),
		cmocka_unit_test(test_retry_of_the_largest_attempt_ends),
		cmocka_unit_test(test_retry_waits_rise_until_the_longest),
		cmocka_unit_test(test_retry_is_a_function_of_row_and_seed),
		cmocka_unit_test(test_retry_gives_up_after_its_time),
		cmocka_unit_test(test_retry_clock_step_ends_nothing_that_was_hardly_tried),
		cmocka_unit_test(test_target_window_doubles_with_success_and_falls_to_one),
		cmocka_unit_test(test_target_failing_ones_leave_half_to_the_others),
		cmocka_unit_test(test_verdict_table),
		cmocka_unit_test(test_verdict_choices_are_apart),
		cmocka_unit_test(test_verdict_reason_is_printable_whatever_came),
		cmocka_unit_test(test_request_url_and_headers),
		cmocka_unit_test(test_request_names_a_threshold_only_of_an_alert),
		cmocka_unit_test(test_request_signs_only_with_a_token_that_is_on),
		cmocka_unit_test(test_request_says_why_it_is_not_sent),
		cmocka_unit_test(test_request_of_the_longest_url_fits),
		cmocka_unit_test(test_request_event_id_is_stable_and_unique),
		cmocka_unit_test(test_target_touch_makes_one_per_app_and_lowers_its_deadline),
		cmocka_unit_test(test_target_ring_keeps_order),
		cmocka_unit_test(test_target_counts_held_and_on_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
