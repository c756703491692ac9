/* What a user of libhighwater writes: makes and checks a UserSig, checks a callback and answers it, signs a webhook and
 * verifies it. */
#include <highwater/highwater.h>

#include <stdio.h>
#include <string.h>

/* Signs with a secret and a private key, verifies with the public key alone. */
static int webhook(void)
{
	static const char *const texts[] = {
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
	};
	const struct hw_webhook_message message = {"msg_p5jXN8AQM9LWM0D4loKWxJek", 28, 1614265330,
						   "{\"test\": 2432232314}", 20};
	struct hw_webhook_request request = {message.id, message.id_len, "1614265330", 10, NULL, 0, message.body, 20};
	struct hw_webhook_key keys[2];
	struct hw_webhook_key public_key;
	struct hw_webhook_trust trust = {&public_key, 1, HW_WEBHOOK_TOLERANCE_S};
	char header[HW_WEBHOOK_SIGNATURE_SIZE(2)];
	int header_len;

	for (size_t i = 0; i < 2; i++)
		if (hw_webhook_key_parse(texts[i], strlen(texts[i]), &keys[i], NULL, 0))
			return 1;
	header_len = hw_webhook_sign(&message, keys, 2, header, sizeof(header));
	if (header_len < 0 || hw_webhook_key_public(&keys[1], &public_key))
		return 1;
	puts(header);
	request.signature = header;
	request.signature_len = (size_t)header_len;
	printf("webhook: %s\n", hw_webhook_result_text(hw_webhook_verify(&request, &trust, 1614265400, NULL)));
	return 0;
}

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
	return webhook();
}
