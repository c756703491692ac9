/* The test callback of `highwater doctor`, and what its reply is worth.
 *
 * It is made as the server makes one (caller.c), and sent by the same client with the same guard. Only its patience is greater, so as to say by how much a receiver is too slow or
 * its reply too long. */
#include "base/clock.h"
#include "cli/caller.h"
#include "cli/doctor.h"
#include "http/client.h"

#include <highwater/callback.h>

#include <inttypes.h>

#define CALL_REPLY_BYTES_MAX (256 * 1024)
#define CALL_ROOMS_MAX 500 /* a new app's maximum */
#define CALL_CLOCK_WARN_S 30

struct call {
	struct doctor *doctor;
	bool done;
};

/* ---- the request ---- */

static int call_build(const struct doctor *doctor, struct caller_request *out, struct error *err)
{
	const struct caller caller = {
		.url = doctor->url,
		.sdkappid = doctor->sdkappid,
		.client_ip = "127.0.0.1",
		.platform = HW_PLATFORM_RESTAPI,
		.operator_account = "@TIM#SYSTEM",
		.room_id = "",
		.room_count_max = CALL_ROOMS_MAX,
		.token = doctor->token,
		.key = doctor->with_key ? &doctor->key : NULL,
		.is_test = true,
	};

	return caller_build(&caller, clock_wall_ms(), out, err);
}

/* ---- the reply ---- */

/* What to do when no whole reply came. */
static const char *call_outcome_advice(enum http_outcome outcome)
{
	switch (outcome) {
	case HTTP_OUTCOME_TLS:
		return "a client certificate that it accepts: `highwater app set-certificate` (here: --cert-file and "
		       "--key-file)";
	case HTTP_OUTCOME_TIMEOUT:
		return "the receiver must store the callback, answer, and work afterwards";
	case HTTP_OUTCOME_TOO_LARGE:
		return "the URL probably leads to a web page: correct its path";
	case HTTP_OUTCOME_BROKEN:
		return "is it https that is spoken there, or no HTTP at all? see the receiver's log";
	default:
		return "it answered a moment ago: is it restarted, or behind a balancer whose machines differ?";
	}
}

static const char *call_status_advice(const struct doctor *doctor, int status)
{
	bool with_token = secret_reveal(doctor->token).len > 0;

	switch (status) {
	case 401:
		return with_token ? "the token differs at the two ends, or a clock is wrong"
				  : "it probably wants a Sign: give the app's callback token with --token-file, and a "
				    "webhook secret with --secret-file";
	case 403:
		return "is the SDKAppID one that it serves (--app)? is this machine's address let in?";
	case 404:
		return "correct the path of the URL";
	case 405:
		return "callbacks are POST: correct the path of the URL";
	case 410:
		return "it says that it is gone for good; the server stops sending to such a URL";
	case 413:
	case 415:
		return "it must take JSON bodies (application/json) of a few KiB";
	case 429:
		return "it is asked too often, by whomever: raise its limit";
	default:
		return status >= 500 ? "see the receiver's log: it failed" : "see the receiver's log";
	}
}

static void call_judge_body(struct doctor *doctor, const struct http_result *result)
{
	struct hw_callback_reply reply;
	char reason[160];

	if (hw_reply_parse(result->body.ptr ? result->body.ptr : "", result->body.len, &reply, reason, sizeof(reason)))
		doctor_find(doctor, DOCTOR_PROBLEM, "callback",
			    "it must answer " HW_REPLY_OK "; or set callback.on_unparsable = accept",
			    "HTTP status %d, but the reply cannot be understood: %s", result->status, reason);
	else if (!reply.ok)
		doctor_find(doctor, DOCTOR_PROBLEM, "callback",
			    "the receiver's log says why; a callback that is answered FAIL is sent again",
			    "HTTP status %d, but the receiver answered FAIL, code %" PRId64 ": %s", result->status,
			    reply.error_code, reply.error_info);
	else
		doctor_find(doctor, DOCTOR_OK, "callback", NULL,
			    "the test callback was accepted: HTTP status %d, ActionStatus OK", result->status);
}

static void call_judge_status(struct doctor *doctor, const struct http_result *result)
{
	if (result->status >= 200 && result->status <= 299)
		call_judge_body(doctor, result);
	else if (result->status >= 300 && result->status <= 399)
		doctor_find(doctor, DOCTOR_PROBLEM, "callback",
			    "redirects are never followed: make the final URL the callback URL",
			    "HTTP status %d: the receiver redirects to %s", result->status,
			    *result->location ? result->location : "nowhere");
	else
		doctor_find(doctor, DOCTOR_PROBLEM, "callback", call_status_advice(doctor, result->status),
			    "HTTP status %d", result->status);
}

static void call_judge_time(struct doctor *doctor, const struct http_result *result)
{
	int64_t ms = result->duration_us / 1000;
	enum doctor_level level = ms > DOCTOR_TOTAL_TIMEOUT_MS	     ? DOCTOR_PROBLEM
				  : ms > DOCTOR_TOTAL_TIMEOUT_MS / 2 ? DOCTOR_WARNING
								     : DOCTOR_OK;

	doctor_find(doctor, level, "time",
		    level == DOCTOR_OK ? NULL : "the receiver must store the callback, answer, and work afterwards",
		    "the reply took %.1f ms; callback.total_timeout is %d s", (double)result->duration_us / 1000,
		    DOCTOR_TOTAL_TIMEOUT_MS / 1000);
}

static void call_judge_size(struct doctor *doctor, const struct http_result *result)
{
	bool large = result->body.len > DOCTOR_REPLY_BYTES_MAX;

	doctor_find(doctor, large ? DOCTOR_PROBLEM : DOCTOR_OK, "size",
		    large ? "answer no more than the reply; or raise callback.reply_max" : NULL,
		    "the reply has %zu bytes; callback.reply_max is %d KiB", result->body.len,
		    DOCTOR_REPLY_BYTES_MAX / 1024);
}

static void call_judge_clock(struct doctor *doctor, const struct http_result *result)
{
	int64_t ahead_s = result->date_s - clock_wall_ms() / 1000;
	int64_t off_s = ahead_s < 0 ? -ahead_s : ahead_s;

	if (result->date_s < 0)
		doctor_find(doctor, DOCTOR_OK, "clock", NULL, "the reply has no Date, so the clocks were not compared");
	else if (off_s > CALL_CLOCK_WARN_S)
		doctor_find(doctor, DOCTOR_WARNING, "clock",
			    "set the clocks of both machines by NTP: receivers refuse a Sign after 60 s and a "
			    "webhook-signature after 300 s",
			    "the receiver's clock is %" PRId64 " s %s this machine's", off_s,
			    ahead_s > 0 ? "ahead of" : "behind");
	else
		doctor_find(doctor, DOCTOR_OK, "clock", NULL, "the clocks differ by %" PRId64 " s", off_s);
}

static void call_on_done(void *context, const struct http_result *result)
{
	struct call *call = context;

	call->done = true;
	call->doctor->sent = *result->address && result->outcome != HTTP_OUTCOME_TLS;
	if (result->outcome != HTTP_OUTCOME_REPLIED) {
		doctor_find(call->doctor, DOCTOR_PROBLEM, "callback", call_outcome_advice(result->outcome), "%s: %s",
			    http_outcome_word(result->outcome), result->text);
		return;
	}
	call_judge_status(call->doctor, result);
	call_judge_time(call->doctor, result);
	call_judge_size(call->doctor, result);
	call_judge_clock(call->doctor, result);
}

int doctor_call(struct doctor *doctor, struct error *err)
{
	const struct http_client_options options = {
		.ca_file = doctor->ca_file,
		.connect_timeout_ms = DOCTOR_PATIENCE_MS / 2,
		.total_timeout_ms = DOCTOR_PATIENCE_MS,
		.reply_bytes_max = CALL_REPLY_BYTES_MAX,
		.in_flight_max = 1,
		.guard = &doctor->guard,
	};
	struct call call = {.doctor = doctor};
	struct http_client *client = NULL;
	struct caller_request request;
	int result = call_build(doctor, &request, err) || http_client_open(&options, &client, err) ? -1 : 0;

	if (result == 0) {
		request.http.client_cert = doctor->client_cert;
		request.http.client_key = doctor->client_key;
		http_client_submit(client, &request.http, call_on_done, &call);
		while (!call.done) /* bounded by the request's own time limit */
			http_client_poll(client, 1000);
	}
	http_client_close(&client);
	caller_request_free(&request);
	return result;
}
