#pragma once
/* What an attempt means: pure. */
#include "http/client.h"
#include "live/command.h"

/* What to do with a receiver that did answer 2xx, but not "OK". */
enum verdict_choice {
	VERDICT_RETRY,
	VERDICT_ACCEPT, /* counts as delivered */
};

struct verdict_policy {
	enum verdict_choice on_fail;	   /* ActionStatus "FAIL" */
	enum verdict_choice on_unparsable; /* a body that is no reply */
};

struct verdict {
	bool delivered;	   /* else to be tried again: only time ends a callback */
	bool refused;	   /* it answered, with a 2xx or 4xx, that it does not take this callback: it is alive */
	bool slow_down;	   /* status 429 or 503 */
	bool gone;	   /* status 410 */
	uint64_t asked_ms; /* Retry-After of a reply that was no delivery; 0 for none */
	char reason[DELIVERY_ERROR_BYTES_MAX + 1]; /* one line for people; "" when delivered without remark */
};

/* Delivered when the status is 2xx and the reply says OK (or the policy accepts what it says). Redirects are failures.
 */
void verdict_judge(const struct verdict_policy *policy, const struct http_result *result, struct verdict *out);
