/* hw_callback_url_check, then hw_callback_url_build on what it accepts, then hw_callback_query_parse on what was built;
 * and hw_callback_query_parse on the input itself. */
#include "fuzz.h"

#include <highwater/callback.h>
#include <highwater/query.h>
#include <highwater/sign.h>

static void fuzz_build(const char *base)
{
	const struct hw_callback_url url = {
		base, 1400000001, HW_CALLBACK_THRESHOLD, "2001:db8::1", HW_PLATFORM_IPAD, "token", 5, 1669872112};
	char text[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 1];
	struct hw_callback_query query;
	char reason[64];
	int len = hw_callback_url_build(&url, text, sizeof(text));
	char *start;

	fuzz_hold(len > 0 && strlen(text) == (size_t)len && strncmp(text, base, strlen(base)) == 0);
	start = strstr(text + strlen(base), "SdkAppid=1400000001&");
	fuzz_hold(start && (start[-1] == '?' || start[-1] == '&'));
	/* our part alone always reads back; with the configured query before it, unless that one is odd */
	fuzz_hold(hw_callback_query_parse(start, strlen(start), &query, reason, sizeof(reason)) == 0);
	fuzz_hold(query.sdkappid == 1400000001 && query.command_known && query.command_id == HW_CALLBACK_THRESHOLD);
	fuzz_hold(strcmp(query.client_ip, "2001:db8::1") == 0 && query.platform == HW_PLATFORM_IPAD);
	fuzz_hold(hw_sign_verify("token", 5, query.sign, strlen(query.sign), query.request_time_s, 1669872112, 60));
	start = strchr(text, '?') + 1;
	if (hw_callback_query_parse(start, strlen(start), &query, reason, sizeof(reason)) == 0)
		fuzz_hold(query.sdkappid == 1400000001);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hw_callback_query query;
	char reason[64] = "";

	if (hw_callback_query_parse((const char *)data, size, &query, reason, sizeof(reason)))
		fuzz_hold(reason[0]);
	else
		fuzz_hold(query.sdkappid && query.command[0] && strlen(query.sign) <= HW_SIGN_HEX_BYTES);
	if (!hw_callback_url_check((const char *)data, size)) {
		char base[HW_CALLBACK_URL_BYTES_MAX + 1];

		fuzz_hold(size <= HW_CALLBACK_URL_BYTES_MAX);
		memcpy(base, data, size);
		base[size] = '\0';
		fuzz_build(base);
	}
	return 0;
}
