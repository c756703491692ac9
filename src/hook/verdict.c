/* What an attempt means; see verdict.h. */
#include "hook/verdict.h"

#include <highwater/callback.h>

#include <stdio.h>

static enum delivery_mark verdict_of_choice(enum verdict_choice choice)
{
	return choice == VERDICT_ACCEPT ? DELIVERY_DELIVERED : DELIVERY_RETRY;
}

/* Reasons end in a log and in a JSON reply: whatever a receiver sent, only printable ASCII stays. */
static void verdict_clean(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

enum delivery_mark verdict_judge(const struct verdict_policy *policy, const struct http_result *result,
				 char reason_out[DELIVERY_ERROR_BYTES_MAX + 1])
{
	enum delivery_mark mark = DELIVERY_RETRY;
	struct hw_callback_reply reply;
	char reason[96];

	reason_out[0] = '\0';
	if (result->outcome != HTTP_OUTCOME_REPLIED) {
		(void)snprintf(reason_out, DELIVERY_ERROR_BYTES_MAX + 1, "%s: %s", http_outcome_word(result->outcome),
			       result->text); /* a text too long is cut, as below */
	} else if (result->status < 200 || result->status > 299) {
		(void)snprintf(reason_out, DELIVERY_ERROR_BYTES_MAX + 1, "HTTP status %d%s", result->status,
			       result->status >= 300 && result->status <= 399 ? ": redirects are not followed" : "");
	} else if (hw_reply_parse(result->body.ptr ? result->body.ptr : "", result->body.len, &reply, reason,
				  sizeof(reason))) {
		mark = verdict_of_choice(policy->on_unparsable);
		(void)snprintf(reason_out, DELIVERY_ERROR_BYTES_MAX + 1, "the reply cannot be understood: %s", reason);
	} else if (!reply.ok) {
		mark = verdict_of_choice(policy->on_fail);
		(void)snprintf(reason_out, DELIVERY_ERROR_BYTES_MAX + 1,
			       "the receiver answered FAIL, code %lld: %.100s", (long long)reply.error_code,
			       reply.error_info);
	} else {
		mark = DELIVERY_DELIVERED;
	}
	verdict_clean(reason_out);
	return mark;
}
