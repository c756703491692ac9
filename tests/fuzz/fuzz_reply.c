/* hw_reply_parse: what was read can be written and read again. */
#include "fuzz.h"

#include <highwater/callback.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char body[HW_REPLY_BYTES_MAX];
	char reason[64] = "";
	struct hw_callback_reply reply;
	struct hw_callback_reply again;
	int len;

	if (hw_reply_parse((const char *)data, size, &reply, reason, sizeof(reason))) {
		fuzz_hold(reason[0]);
		return 0;
	}
	len = hw_reply_build(&reply, body, sizeof(body));
	fuzz_hold(len > 0 && hw_reply_parse(body, (size_t)len, &again, reason, sizeof(reason)) == 0);
	fuzz_hold(reply.ok == again.ok && reply.error_code == again.error_code);
	fuzz_hold(strcmp(reply.error_info, again.error_info) == 0);
	return 0;
}
