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

/* Delivered when the status is 2xx and the reply says OK (or the policy accepts what it says); else to be retried.
 * `reason_out` gets one line for people, "" when delivered without remark. Redirects are failures. Never
 * DELIVERY_FAILED: only time ends a callback. */
enum delivery_mark verdict_judge(const struct verdict_policy *policy, const struct http_result *result,
				 char reason_out[DELIVERY_ERROR_BYTES_MAX + 1]);
