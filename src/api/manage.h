#pragma once
/* What the files of the management API share. Internal to api/. */
#include "api/request.h"

#define MANAGE_PAGE_COUNT_MAX 100
#define MANAGE_SECRET_BYTES 32 /* random bytes of a key or secret made here */

/* Who sends it, and may they? Fills actor, identifier and platform. Returns 0, or -1 when the request was answered. */
MUST_CHECK int manage_check_sender(struct api_request *request);

/* The token in the cookie of the request's session; empty for a request with the admin token. A secret. */
struct str manage_session_token(const struct api_request *request);

/* "SdkAppid" of the body; -1 when the request was answered. */
MUST_CHECK int manage_need_sdkappid(struct api_request *request, uint32_t *out);

/* The same into look.sdkappid, with request->app held when it returns 0. */
MUST_CHECK int manage_hold_app(struct api_request *request);

/* A new key of UserSigs, in the arena. */
struct str manage_make_key(struct arena *arena);
/* A new secret of callbacks as text, in the arena. */
struct str manage_make_secret(struct arena *arena, bool private_key);

/* `"AlertMode":...` to `"StepPercent":...`. */
void manage_append_policy(struct buf *out, const struct alert_policy *policy);
/* `"Endpoint":{...}`. */
void manage_append_endpoint(struct buf *out, const struct app_config *config, const struct app_endpoint *endpoint);
/* `"Secrets":[...]`: all secrets of the app, with their text where `reveal` says so; of private keys only the public
 * one, always. */
void manage_append_secrets(struct buf *out, const struct app_config *config, bool reveal);

/* A certificate chain and its key are PEM, at least one certificate, the key is the first one's, strong enough for TLS
 * and without a passphrase, and the first certificate has not expired. Returns 0, or -1 with a sentence in `reason_out`
 * that repeats nothing of the key. */
MUST_CHECK int certificate_check(struct str chain, struct str key, int64_t now_ms, char *reason_out,
				 size_t reason_size);
/* What the first certificate of a chain says, as a JSON object; `null` for a chain that cannot be read. */
void certificate_append(struct buf *out, struct str chain);
