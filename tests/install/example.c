/* What a user of libhighwater writes: makes and checks a UserSig, checks a callback and answers it. */
#include <highwater/highwater.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
	const char *query = "SdkAppid=1400000001&CallbackCommand=Live.CallbackAfterCreateRoomReachingThreshold"
			    "&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI";
	const char *key = "testsecret0123456789";
	struct hw_usersig_params params = {1400000001, "administrator", key, strlen(key), 1700000000, 180, NULL, 0};
	struct hw_alert alert = {"brennanli", 1739966441121, 400, 500};
	struct hw_callback_reply reply = {.ok = true};
	struct hw_callback_query found;
	struct hw_alert parsed;
	char sig[HW_USERSIG_BYTES_MAX + 1];
	char body[HW_ALERT_BYTES_MAX];
	char answer[256];
	char reason[128];
	int sig_len = hw_usersig_generate(&params, sig, sizeof(sig));
	int body_len = hw_alert_build(&alert, body, sizeof(body));

	if (sig_len < 0 || body_len < 0)
		return 1;
	printf("usersig %d\n", hw_usersig_verify(sig, (size_t)sig_len, 1400000001, "administrator", key, strlen(key),
						 1700000100, NULL));
	if (hw_callback_query_parse(query, strlen(query), &found, reason, sizeof(reason)) ||
	    hw_alert_parse(body, (size_t)body_len, &parsed, reason, sizeof(reason)))
		return 1;
	printf("callback %u %s %d/%d\n", found.sdkappid, hw_platform_word(found.platform), (int)parsed.room_count,
	       (int)parsed.room_count_max);
	if (hw_reply_build(&reply, answer, sizeof(answer)) < 0)
		return 1;
	puts(answer);
	return 0;
}
