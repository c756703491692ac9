#pragma once
/* A receiver's whole check of a callback in one call: is it ours, real and whole, what does it say, and what is the
 * answer?
 *
 * A struct hw_receiver holds what callbacks must prove: which apps are one's own, and per app the tokens and webhook
 * keys, one of which must fit (two while one is being replaced). It holds no state of callbacks: whoever wants each event
 * once keeps the keys that hw_receiver_check gives, and answers only after what it keeps is safe.
 *
 * Life: new, add what is needed, check any number of requests, free. Threads: adding and freeing from one thread while
 * nobody checks; checking from any number of threads at a time. */
#include <highwater/callback.h>
#include <highwater/code.h>
#include <highwater/sign.h>
#include <highwater/webhook.h>

HW_BEGIN

#define HW_RECEIVER_APPS_MAX 1000
#define HW_RECEIVER_TOKENS_MAX 4		 /* of one app */
#define HW_RECEIVER_KEYS_MAX HW_WEBHOOK_KEYS_MAX /* of one app */

struct hw_receiver;

/* Never NULL. */
HW_API struct hw_receiver *hw_receiver_new(void);
/* Overwrites the secrets. Accepts NULL. */
HW_API void hw_receiver_free(struct hw_receiver *receiver);

/* Each returns 0, or -1 with a sentence in `reason` (`reason_size` bytes, 0 for none) that holds nothing of a secret, and
 * nothing changed. */

/* An app of one's own, 1 to HW_SDKAPPID_MAX. One that was added is no error. 0: every app is taken, each with the tokens
 * and keys of app 0; for tools only, not beside others. */
HW_API HW_CHECK int hw_receiver_add_app(struct hw_receiver *receiver, uint32_t sdkappid, char *reason,
					size_t reason_size);
/* A token of an app that was added: from now on Sign and RequestTime are required of its callbacks. 1 to
 * HW_TOKEN_BYTES_MAX bytes of printable ASCII. */
HW_API HW_CHECK int hw_receiver_add_token(struct hw_receiver *receiver, uint32_t sdkappid, const char *token,
					  size_t token_len, char *reason, size_t reason_size);
/* A key of an app that was added, as text (see webhook.h): from now on a webhook signature is required of its callbacks.
 * Of a private key only the public one is kept. */
HW_API HW_CHECK int hw_receiver_add_key(struct hw_receiver *receiver, uint32_t sdkappid, const char *key,
					size_t key_len, char *reason, size_t reason_size);
/* The path that requests must have, compared as sent: begins with "/", without query, at most 1024 bytes. "" for any,
 * which is the default. */
HW_API HW_CHECK int hw_receiver_set_path(struct hw_receiver *receiver, const char *path, char *reason,
					 size_t reason_size);
/* How far RequestTime and webhook-timestamp may be from now, in seconds, 0 to 86400; the defaults are
 * HW_SIGN_TOLERANCE_S and HW_WEBHOOK_TOLERANCE_S. */
HW_API HW_CHECK int hw_receiver_set_tolerance(struct hw_receiver *receiver, int64_t sign_s, int64_t webhook_s,
					      char *reason, size_t reason_size);

/* What a request is refused for, in the order looked at: name, HTTP status, ErrorCode, word for logs and metrics. */
#define HW_RECEIVER_REFUSALS(X)                                                                                        \
	X(HW_RECEIVER_METHOD, 405, HW_BAD_HTTP, "method")	      /* not POST */                                   \
	X(HW_RECEIVER_PATH, 404, HW_NO_RESOURCE, "path")	      /* another path */                               \
	X(HW_RECEIVER_QUERY, 400, HW_BAD_URL_PARAMETER, "query")      /* the query cannot be understood */             \
	X(HW_RECEIVER_SDKAPPID, 403, HW_UNKNOWN_SDKAPPID, "sdkappid") /* SdkAppid is not one's own */                  \
	X(HW_RECEIVER_SIGN, 401, HW_BAD_URL_PARAMETER, "sign")	      /* Sign missing or wrong, or too far off */      \
	X(HW_RECEIVER_SIZE, 413, HW_BAD_JSON, "size")		      /* body over HW_PACKET_BYTES_MAX */              \
	X(HW_RECEIVER_WEBHOOK, 401, HW_BAD_URL_PARAMETER, "webhook")  /* webhook headers missing, bad, too far off */  \
	X(HW_RECEIVER_BODY, 400, HW_BAD_JSON, "body")		      /* no JSON object with a CallbackCommand */      \
	X(HW_RECEIVER_COMMAND, 400, HW_BAD_PARAMETER, "command")      /* URL and body name different commands */       \
	X(HW_RECEIVER_PACKET, 400, HW_BAD_PARAMETER, "packet")	      /* an alert with missing or wrong fields */

enum hw_receiver_result {
	HW_RECEIVER_OK,
#define HW_RECEIVER_ENUM(name, status, code, word) name,
	HW_RECEIVER_REFUSALS(HW_RECEIVER_ENUM)
#undef HW_RECEIVER_ENUM
		HW_RECEIVER_RESULT_COUNT
};
/* "ok", else the word of the table. Static. */
HW_API const char *hw_receiver_result_word(enum hw_receiver_result result);

/* A request as it came. A pointer may be NULL when its length is 0. Of a header that came several times the first. */
struct hw_receiver_request {
	const char *method;
	size_t method_len;
	const char *path; /* still percent-encoded, without query */
	size_t path_len;
	const char *query; /* without "?" */
	size_t query_len;
	const char *webhook_id;
	size_t webhook_id_len;
	const char *webhook_timestamp;
	size_t webhook_timestamp_len;
	const char *webhook_signature;
	size_t webhook_signature_len;
	const char *body;
	size_t body_len;
};

#define HW_EVENT_KEY_BYTES 64

struct hw_receiver_event {
	enum hw_receiver_result result;
	int http_status;		   /* of the answer: 200 when fine */
	int error_code;			   /* HW_OK when fine */
	char reason[256];		   /* "" when fine, else a sentence without token, key or signature */
	struct hw_callback_query query;	   /* from HW_RECEIVER_SDKAPPID on, and when fine */
	bool is_signed;			   /* a token is set for the app and Sign was right */
	enum hw_webhook_kind webhook_kind; /* of the key that matched; HW_WEBHOOK_NONE when the app has no keys */
	size_t token_index; /* when signed: which token of the app, in the order added: is the old one in use? */
	size_t key_index;   /* of the key, likewise */
	bool has_alert;	    /* it is the alert of an app that reaches its maximum */
	struct hw_alert alert;
	/* When fine: what names the event for ever, for taking each once: 64 hexadecimal digits and a NUL. SHA-256 of the
	 * app and the webhook-id; where the sender has none, of app and body. */
	char event_key[HW_EVENT_KEY_BYTES + 1];
};

/* Looks at a request, in the order of the table: nothing of the body is parsed before the sender has shown the token and
 * signed with a key, as far as they are set. Returns out->result. Reads no clock: `now_s` is seconds since 1970. */
HW_API HW_CHECK int hw_receiver_check(const struct hw_receiver *receiver, const struct hw_receiver_request *request,
				      int64_t now_s, struct hw_receiver_event *out);

/* The answer's body, and a NUL: HW_REPLY_OK when fine, else FAIL with code and reason. Returns the length, or -1 when
 * `out_size` is too small (HW_REPLY_BYTES_MAX always suffices). Content-Type application/json; the HTTP status is the
 * event's. What was right but could not be kept is answered 503, so that the sender tries again. */
HW_API HW_CHECK int hw_receiver_reply(const struct hw_receiver_event *event, char *out, size_t out_size);

HW_END
