/* The cases of `highwater check`: each sends one callback, or a few, and knows what a receiver that does as it must makes of
 * it. All alerts are marked as tests. The order: first a right one, then what must be taken, what must be refused, the
 * reply's form and time, many at once, and a right one again: whatever was sent before must not have harmed. */
#include "base/clock.h"
#include "cli/check.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHECK_TIMED_CALLS 20
#define CHECK_SLOW_WARN_US 1000000
#define CHECK_SLOW_FAIL_US 5000000 /* callback.total_timeout */
#define CHECK_SLOW_CALLS 5	   /* in a row say enough */
#define CHECK_BURST 16
#define CHECK_DRIP_MS 5

/* ---- findings ---- */

static void check_find(struct check *check, const struct check_finding *finding)
{
	assert(check->count < CHECK_CASES_MAX);
	check->findings[check->count] = *finding;
	if (!check->json)
		check_print_finding(check, &check->findings[check->count]);
	check->count++;
}

/* ---- sending ---- */

/* The right callback that the line describes, as a test. */
static struct caller check_caller(const struct check *check)
{
	struct caller caller = check->trier.caller;

	caller.is_test = true;
	return caller;
}

static void check_send(struct check *check, const struct caller *caller, unsigned drip_ms, struct trier_result *out)
{
	struct caller_request request;
	struct error err;

	if (caller_build(caller, clock_wall_ms(), &request, &err)) {
		*out = (struct trier_result){.outcome = HTTP_OUTCOME_BROKEN};
		buf_init(&out->body, 1);
		(void)str_copy(out->verdict.reason, sizeof(out->verdict.reason), str_c(err.text)); /* cut when longer */
	} else {
		trier_send(&check->trier, &request, drip_ms, out);
	}
	caller_request_free(&request);
}

/* ---- cases that are one callback with one fault, or none ---- */

enum check_wanted {
	CHECK_WANT_TAKEN,
	CHECK_WANT_REFUSED,
	CHECK_WANT_ANSWERED, /* refused, or the connection closed: but not hung */
};

struct check_case {
	const char *id;
	const char *title;
	enum check_level level;
	enum check_wanted wanted;
	enum caller_fault fault;
	const char *command; /* NULL for the alert */
	unsigned drip_ms;
	const char *advice;
};

static const struct check_case check_taken[] = {
	{"accept", "a right alert is taken", CHECK_MUST, CHECK_WANT_TAKEN, CALLER_FAULT_NONE, NULL, 0,
	 "it must answer HTTP 200 with " HW_REPLY_OK "; see its log, and compare app, token and secret"},
	{"accept-strings", "counts and time may be numeric strings", CHECK_MUST, CHECK_WANT_TAKEN, CALLER_FAULT_STRINGS,
	 NULL, 0, "the vendor's table types the counts as text: take \"400\" like 400"},
	{"accept-unknown-fields", "unknown fields and white space are passed over", CHECK_MUST, CHECK_WANT_TAKEN,
	 CALLER_FAULT_UNKNOWN_FIELDS, NULL, 0, "pass over what is not known: fields are added over time"},
	{"accept-other-callback", "other callbacks of the family are taken", CHECK_MUST, CHECK_WANT_TAKEN,
	 CALLER_FAULT_NONE, "Live.CallbackAfterCreateRoom", 0,
	 "answer OK to callbacks that are not needed: else they are sent again for days"},
	{"accept-unknown-command", "a command that is not known is taken", CHECK_SHOULD, CHECK_WANT_TAKEN,
	 CALLER_FAULT_UNKNOWN_COMMAND, NULL, 0, "answer OK to commands that are not known: new ones come"},
	{"accept-parameter-order", "the URL's parameters may come in any order", CHECK_MUST, CHECK_WANT_TAKEN,
	 CALLER_FAULT_ORDER, NULL, 0, "look parameters up by their names"},
	{"accept-slow", "a packet that comes slowly is taken", CHECK_SHOULD, CHECK_WANT_TAKEN, CALLER_FAULT_NONE, NULL,
	 CHECK_DRIP_MS, "give a request some seconds: networks stall"},
};

static const struct check_case check_refused[] = {
	{"refuse-foreign-app", "another app's SDKAppID is refused", CHECK_MUST, CHECK_WANT_REFUSED, CALLER_FAULT_APP,
	 NULL, 0, "compare SdkAppid in the URL with one's own, and answer FAIL or a 4xx status otherwise"},
	{"refuse-get", "GET is refused", CHECK_MUST, CHECK_WANT_REFUSED, CALLER_FAULT_METHOD, NULL, 0,
	 "take POST only, and answer 405 otherwise"},
	{"refuse-command-mismatch", "a URL and a packet that name different commands are refused", CHECK_MUST,
	 CHECK_WANT_REFUSED, CALLER_FAULT_COMMAND, NULL, 0, "compare CallbackCommand in the URL and in the packet"},
	{"refuse-no-sign", "a callback without Sign is refused", CHECK_MUST, CHECK_WANT_REFUSED, CALLER_FAULT_NO_SIGN,
	 NULL, 0, "where a token is set, ask for Sign and RequestTime"},
	{"refuse-bad-sign", "a wrong Sign is refused", CHECK_MUST, CHECK_WANT_REFUSED, CALLER_FAULT_BAD_SIGN, NULL, 0,
	 "compare Sign with the SHA-256 of token and RequestTime, in lower-case hexadecimal digits"},
	{"refuse-stale-sign", "a Sign of ten minutes ago is refused", CHECK_MUST, CHECK_WANT_REFUSED,
	 CALLER_FAULT_STALE_SIGN, NULL, 0, "refuse a RequestTime more than a minute away: a Sign can be copied"},
	{"refuse-future-sign", "a Sign of ten minutes from now is refused", CHECK_MUST, CHECK_WANT_REFUSED,
	 CALLER_FAULT_FUTURE_SIGN, NULL, 0, "refuse a RequestTime more than a minute away, on either side"},
	{"refuse-no-signature", "a callback without webhook-signature is refused", CHECK_MUST, CHECK_WANT_REFUSED,
	 CALLER_FAULT_NO_SIGNATURE, NULL, 0, "where a secret is set, ask for webhook-signature"},
	{"refuse-bad-signature", "a signature by another key is refused", CHECK_MUST, CHECK_WANT_REFUSED,
	 CALLER_FAULT_BAD_SIGNATURE, NULL, 0, "verify webhook-signature with a library of Standard Webhooks"},
	{"refuse-stale-signature", "a signature of an hour ago is refused", CHECK_MUST, CHECK_WANT_REFUSED,
	 CALLER_FAULT_STALE_SIGNATURE, NULL, 0, "refuse a webhook-timestamp more than five minutes away"},
	{"refuse-future-signature", "a signature of an hour from now is refused", CHECK_MUST, CHECK_WANT_REFUSED,
	 CALLER_FAULT_FUTURE_SIGNATURE, NULL, 0,
	 "refuse a webhook-timestamp more than five minutes away, on either side"},
	{"refuse-changed-body", "a packet that was changed after it was signed is refused", CHECK_MUST,
	 CHECK_WANT_REFUSED, CALLER_FAULT_CHANGED_BODY, NULL, 0,
	 "verify the signature over the bytes as they came, before they are parsed"},
	{"refuse-no-json", "a body that is no JSON is refused", CHECK_MUST, CHECK_WANT_REFUSED, CALLER_FAULT_NO_JSON,
	 NULL, 0, "answer a body that cannot be parsed with FAIL or a 4xx status, and never OK"},
	{"refuse-empty", "an empty body is refused", CHECK_MUST, CHECK_WANT_REFUSED, CALLER_FAULT_EMPTY, NULL, 0,
	 "answer a request without a packet with FAIL or a 4xx status"},
	{"refuse-missing-field", "an alert without CurRoomCount is refused", CHECK_SHOULD, CHECK_WANT_REFUSED,
	 CALLER_FAULT_MISSING_FIELD, NULL, 0, "look whether the fields that are needed are there"},
	{"answer-oversized", "a packet of 300 KiB is answered, or the connection closed", CHECK_MUST,
	 CHECK_WANT_ANSWERED, CALLER_FAULT_OVERSIZED, NULL, 0,
	 "limit the size of bodies, 128 KiB is enough, and say so by status 413"},
};

static bool check_is_missing(const struct check *check, enum caller_fault fault, const char **what_out)
{
	if (caller_fault_needs_token(fault) && secret_reveal(check->trier.caller.token).len == 0)
		*what_out = "needs --token-file";
	else if (caller_fault_needs_key(fault) && !check->trier.caller.key)
		*what_out = "needs --secret-file";
	else
		return false;
	return true;
}

static bool check_is_as_wanted(enum check_wanted wanted, const struct trier_result *result)
{
	switch (wanted) {
	case CHECK_WANT_TAKEN:
		return result->verdict.delivered;
	case CHECK_WANT_REFUSED:
		return result->verdict.refused;
	case CHECK_WANT_ANSWERED:
		return result->verdict.refused ||
		       (result->outcome == HTTP_OUTCOME_BROKEN && !result->verdict.delivered);
	}
	return false;
}

static void check_describe(const struct trier_result *result, char *out, size_t size)
{
	/* both are cut when they are longer */
	if (result->verdict.delivered)
		(void)snprintf(out, size, "taken, after %.1f ms", (double)result->duration_us / 1000);
	else
		(void)snprintf(out, size, "%s, after %.1f ms", result->verdict.reason,
			       (double)result->duration_us / 1000);
}

static void check_run_case(struct check *check, const struct check_case *one)
{
	struct check_finding finding = {.id = one->id, .title = one->title, .level = one->level, .advice = ""};
	struct caller caller = check_caller(check);
	struct trier_result result;
	const char *missing = "";

	if (check_is_missing(check, one->fault, &missing)) {
		finding.result = CHECK_SKIPPED;
		(void)snprintf(finding.seen, sizeof(finding.seen), "%s", missing); /* fits */
		check_find(check, &finding);
		return;
	}
	caller.fault = one->fault;
	caller.command = one->command;
	if (one->command)
		caller.threshold = 0;
	check_send(check, &caller, one->drip_ms, &result);
	if (check_is_as_wanted(one->wanted, &result)) {
		finding.result = CHECK_PASSED;
	} else {
		finding.result = CHECK_FAILED;
		finding.advice = one->advice;
	}
	if (result.outcome == HTTP_OUTCOME_REPLIED)
		check->reachable = true;
	finding.duration_us = result.duration_us;
	check_describe(&result, finding.seen, sizeof(finding.seen));
	check_find(check, &finding);
	trier_result_free(&result);
}

/* ---- the same event several times ---- */

static void check_run_again(struct check *check, const char *id, const char *title, const int64_t *sequences,
			    bool same_event, const char *advice)
{
	struct check_finding finding = {
		.id = id, .title = title, .level = CHECK_MUST, .result = CHECK_PASSED, .advice = ""};
	struct caller caller = check_caller(check);
	char event_id[CALLER_EVENT_ID_BYTES + 1];

	caller_event_id(event_id);
	caller.event_ms = clock_wall_ms();
	for (unsigned i = 0; i < 3 && finding.result == CHECK_PASSED; i++) {
		struct trier_result result;

		caller.event_id = same_event ? event_id : NULL;
		caller.attempt = same_event ? i + 1 : 1;
		caller.sequence = sequences[i];
		check_send(check, &caller, 0, &result);
		finding.duration_us += result.duration_us;
		check_describe(&result, finding.seen, sizeof(finding.seen));
		if (!result.verdict.delivered) {
			finding.result = CHECK_FAILED;
			finding.advice = advice;
		}
		trier_result_free(&result);
	}
	check_find(check, &finding);
}

/* ---- form and time of the reply ---- */

static const char *check_reply_fault(const struct trier_result *result)
{
	struct hw_callback_reply reply;
	json_error_t error;
	json_t *root;
	const char *fault = NULL;
	char reason[8];

	if (result->outcome != HTTP_OUTCOME_REPLIED || result->status != 200)
		return "the answer to a right callback is not HTTP status 200";
	root = json_loadb(buf_c(&result->body), result->body.len, 0, &error);
	if (!json_is_object(root) ||
	    hw_reply_parse(buf_c(&result->body), result->body.len, &reply, reason, sizeof(reason)))
		fault = "the body is no JSON object with an ActionStatus of OK or FAIL";
	else if (!json_is_string(json_object_get(root, "ErrorInfo")) ||
		 !json_is_integer(json_object_get(root, "ErrorCode")))
		fault = "ErrorInfo (text) or ErrorCode (number) is missing";
	else if (reply.error_code != 0)
		fault = "ErrorCode is not 0 although ActionStatus is OK";
	json_decref(root);
	return fault;
}

static void check_run_reply(struct check *check)
{
	struct check_finding shape = {.id = "reply-form",
				      .title = "the reply has the three fields of the vendor's form",
				      .level = CHECK_SHOULD,
				      .result = CHECK_PASSED,
				      .advice = ""};
	struct caller caller = check_caller(check);
	struct trier_result result;
	const char *fault;

	check_send(check, &caller, 0, &result);
	fault = check_reply_fault(&result);
	if (fault) {
		shape.result = CHECK_FAILED;
		shape.advice = "answer " HW_REPLY_OK;
	}
	shape.duration_us = result.duration_us;
	(void)snprintf(shape.seen, sizeof(shape.seen), "%s", fault ? fault : "as it should be"); /* fits */
	check_find(check, &shape);
	trier_result_free(&result);
}

static void check_sort(int64_t *values, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t k = i; k > 0 && values[k] < values[k - 1]; k--) {
			int64_t kept = values[k];

			values[k] = values[k - 1];
			values[k - 1] = kept;
		}
}

static void check_run_times(struct check *check)
{
	struct check_finding time = {.id = "reply-time",
				     .title = "replies come within a second, and all within five",
				     .level = CHECK_MUST,
				     .result = CHECK_PASSED,
				     .advice = ""};
	struct check_finding keep = {.id = "keep-alive",
				     .title = "connections are kept open",
				     .level = CHECK_SHOULD,
				     .result = CHECK_PASSED,
				     .advice = ""};
	struct caller caller = check_caller(check);
	int64_t times[CHECK_TIMED_CALLS];
	unsigned reused = 0;
	unsigned silent = 0;
	unsigned slow = 0;
	size_t middle;
	size_t count = 0;

	while (count < CHECK_TIMED_CALLS && slow < CHECK_SLOW_CALLS) {
		struct trier_result result;

		check_send(check, &caller, 0, &result);
		slow = result.duration_us >= CHECK_SLOW_WARN_US ? slow + 1 : 0;
		times[count++] = result.duration_us;
		reused += result.reused;
		silent += result.outcome != HTTP_OUTCOME_REPLIED;
		trier_result_free(&result);
	}
	check_sort(times, count);
	middle = count / 2;
	(void)snprintf(time.seen, sizeof(time.seen), "median %.1f ms, longest %.1f ms, of %zu; %u were not answered",
		       (double)times[middle] / 1000, (double)times[count - 1] / 1000, count,
		       silent); /* fits, as below */
	if (silent || times[count - 1] >= CHECK_SLOW_FAIL_US || times[middle] >= CHECK_SLOW_WARN_US) {
		time.result = CHECK_FAILED;
		time.advice = "store the callback, answer, and work afterwards: the backend waits five seconds";
	}
	time.duration_us = times[middle];
	check_find(check, &time);
	(void)snprintf(keep.seen, sizeof(keep.seen), "%u of %zu calls used a connection that was there", reused, count);
	if (reused == 0) {
		keep.result = CHECK_FAILED;
		keep.advice =
			"answer with Content-Length and without Connection: close: each new one costs a handshake";
	}
	check_find(check, &keep);
}

/* ---- many at once ---- */

struct check_burst {
	unsigned left;
	unsigned delivered;
	int64_t longest_us;
	char reason[256];
};

static void check_burst_done(void *context, const struct http_result *result)
{
	static const struct verdict_policy policy = {VERDICT_RETRY, VERDICT_RETRY};
	struct check_burst *burst = context;
	struct verdict verdict;

	verdict_judge(&policy, result, &verdict);
	burst->left--;
	burst->delivered += verdict.delivered;
	if (result->duration_us > burst->longest_us)
		burst->longest_us = result->duration_us;
	if (!verdict.delivered) /* cut when longer */
		(void)str_copy(burst->reason, sizeof(burst->reason), str_c(verdict.reason));
}

static void check_run_burst(struct check *check)
{
	struct check_finding finding = {.id = "burst",
					.title = "sixteen callbacks at once are taken",
					.level = CHECK_MUST,
					.result = CHECK_PASSED,
					.advice = ""};
	struct check_burst burst = {.left = CHECK_BURST};
	struct caller caller = check_caller(check);

	for (unsigned i = 0; i < CHECK_BURST; i++) {
		struct caller_request request;
		struct error err;

		if (caller_build(&caller, clock_wall_ms(), &request, &err)) {
			burst.left--; /* the first case has told why */
		} else {
			request.http.client_cert = buf_str(&check->trier.client_cert);
			request.http.client_key = buf_str(&check->trier.client_key);
			http_client_submit(check->trier.client, &request.http, check_burst_done, &burst);
		}
		caller_request_free(&request); /* it was copied */
	}
	while (burst.left) /* bounded by the requests' own time limit */
		http_client_poll(check->trier.client, 1000);
	(void)snprintf(finding.seen, sizeof(finding.seen), "%u of %d taken, the longest after %.1f ms%s%s",
		       burst.delivered, CHECK_BURST, (double)burst.longest_us / 1000, burst.reason[0] ? ": " : "",
		       burst.reason);
	if (burst.delivered < CHECK_BURST) {
		finding.result = CHECK_FAILED;
		finding.advice = "the backend sends up to eight callbacks of an app at a time: take them in parallel";
	}
	finding.duration_us = burst.longest_us;
	check_find(check, &finding);
}

/* ---- all ---- */

void check_run_cases(struct check *check)
{
	static const int64_t same[] = {7, 7, 7};
	static const int64_t mixed[] = {12, 10, 11};
	struct check_case last = check_taken[0];

	check_run_case(check, &check_taken[0]);
	if (!check->reachable)
		return; /* nothing else would say more */
	for (size_t i = 1; i < ARRAY_LEN(check_taken); i++)
		check_run_case(check, &check_taken[i]);
	check_run_again(check, "accept-duplicates", "an event that comes again is taken again", same, true,
			"answer OK to an event that is known already: else it is sent for days");
	check_run_again(check, "accept-reordered", "events may come in another order", mixed, false,
			"do not rely on the order: what is retried comes later");
	for (size_t i = 0; i < ARRAY_LEN(check_refused); i++)
		check_run_case(check, &check_refused[i]);
	check_run_reply(check);
	check_run_times(check);
	check_run_burst(check);
	last.id = "accept-afterwards";
	last.title = "a right alert is taken after all of that";
	last.advice = "what was sent before must not harm it: see its log";
	check_run_case(check, &last);
}
