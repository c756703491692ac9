/* What an attempt means; see verdict.h. */
#include "hook/verdict.h"

#include <highwater/callback.h>

#include <stdio.h>

/* Reasons end in a log and in a JSON reply: whatever a receiver sent, only printable ASCII stays. */
static void verdict_clean(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

#define VERDICT_REASON(out, ...) (void)snprintf((out)->reason, sizeof((out)->reason), __VA_ARGS__) /* too long: cut */

/* A reply with status 2xx. */
static void verdict_judge_reply(const struct verdict_policy *policy, struct str body, struct verdict *out)
{
	struct hw_callback_reply reply;
	char reason[96];

	if (hw_reply_parse(body.ptr ? body.ptr : "", body.len, &reply, reason, sizeof(reason))) {
		out->delivered = policy->on_unparsable == VERDICT_ACCEPT;
		VERDICT_REASON(out, "the reply cannot be understood: %s", reason);
	} else if (!reply.ok) {
		out->delivered = policy->on_fail == VERDICT_ACCEPT;
		VERDICT_REASON(out, "the receiver answered FAIL, code %lld: %.100s", (long long)reply.error_code,
			       reply.error_info);
	} else {
		out->delivered = true;
	}
}

void verdict_judge(const struct verdict_policy *policy, const struct http_result *result, struct verdict *out)
{
	*out = (struct verdict){0};
	if (result->outcome != HTTP_OUTCOME_REPLIED) {
		VERDICT_REASON(out, "%s: %s", http_outcome_word(result->outcome), result->text);
	} else if (result->status < 200 || result->status > 299) {
		out->slow_down = result->status == 429 || result->status == 503;
		out->gone = result->status == 410;
		out->refused = result->status >= 400 && result->status <= 499 && result->status != 408 && !out->gone &&
			       !out->slow_down;
		VERDICT_REASON(out, "HTTP status %d%s", result->status,
			       result->status >= 300 && result->status <= 399 ? ": redirects are not followed"
			       : out->gone				      ? ": gone"
									      : "");
	} else {
		verdict_judge_reply(policy, result->body, out);
		out->refused = !out->delivered;
	}
	if (!out->delivered && result->retry_after_s > 0)
		out->asked_ms =
			(uint64_t)(result->retry_after_s < INT32_MAX ? result->retry_after_s : INT32_MAX) * 1000;
	verdict_clean(out->reason);
}
