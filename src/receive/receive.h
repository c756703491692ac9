#pragma once
/* The App backend's side: checks a callback, writes it down durably, answers it.
 *
 * The answer is always the vendor's reply form, Content-Type application/json. A callback that was recorded gets status
 * 200 and exactly HW_REPLY_OK, never before its line is synced to disk. Everything else gets ActionStatus FAIL, a
 * sentence, a code of <highwater/code.h>, and a status that a sender which looks at nothing else takes for a failure;
 * src/receive/check.h has the table (400, 401, 403, 404, 405, 413). 503 says that it was right but could not be
 * recorded, so that the sender tries again. Nothing of a refused request is recorded.
 *
 * The record is one JSON object per line, one line per verified callback:
 *   ReceivedTime     milliseconds since 1970, when the request was looked at
 *   SdkAppid         number, one of one's own
 *   CallbackCommand  text; the word in the URL, which equals the packet's
 *   ClientIP         text, "" when the URL had none or one that is not printable ASCII
 *   OptPlatform      text, a word of <highwater/platform.h>
 *   Signed           true when a token is set here, so that Sign and RequestTime were checked
 *   WebhookId, Attempt, Sequence, Threshold
 *                    from the headers webhook-id, highwater-attempt, highwater-sequence and highwater-threshold;
 *                    each only when the header is there, and printable ASCII of at most 256 bytes or a number
 *   Peer             text, the address that the request came from
 *   Body             the packet as it was sent, but without white space between its tokens
 *   Signature        "v1" or "v1a": the kind of webhook signature that was verified; "" when no keys are set here
 *   Test             true when the header highwater-test is 1; else left out
 *   Replay           from the header highwater-replay, as Attempt
 *
 * A callback that is delivered twice is recorded twice: delivery is at least once, and WebhookId tells them apart from
 * two events. A word in CallbackCommand that is not known here is recorded like any other, so that a receiver may be
 * older than its sender. */
#include "base/secret.h"
#include "http/server.h"

#include <highwater/callback.h>
#include <highwater/sign.h>
#include <highwater/webhook.h>

#define RECEIVE_SDKAPPID_COUNT_MAX 64

struct receive;

struct receive_options {
	uint32_t sdkappids[RECEIVE_SDKAPPID_COUNT_MAX]; /* one's own */
	size_t sdkappid_count;				/* at least 1 */
	const char *path;	       /* of the URL, compared as sent; "" accepts any; copied, as the next two */
	struct secret token;	       /* at most HW_TOKEN_BYTES_MAX; empty: Sign is not asked for */
	struct hw_webhook_trust trust; /* key_count 0: webhook signatures are not asked for */
	const char *record_path;       /* a regular file, made with mode 0600; lines are appended */
	void (*on_recorded)(void *context, struct str line); /* line without its end, after it is durable and before the
							      * answer; NULL for none; on the syncing thread, whose next
							      * batch waits for it */
	void *on_recorded_context;
};

/* Opens the record and starts the thread that syncs it. A last line without its end (a crash while it was written) is
 * cut off and told in the log; a file whose last line was not written here is left alone. The record is locked: a
 * second receiver on the same file gets ERR_BUSY. Errors ERR_INVALID (an option, with its name), ERR_BUSY, ERR_IO,
 * ERR_FULL. */
MUST_CHECK int receive_open(const struct receive_options *options, struct receive **receive_out, struct error *err);
/* After the HTTP server is closed. Accepts NULL. */
void receive_close(struct receive **receive);

/* For struct http_server_options; `context` is the struct receive. */
void receive_handle(void *context, struct http_call *call);
void receive_refuse(void *context, enum http_refusal why, struct buf *body_out);

struct receive_stats {
	uint64_t verified_total;   /* recorded and answered OK */
	uint64_t refused_total;	   /* answered with a status of 400 to 413, those of the server among them */
	uint64_t unrecorded_total; /* verified, but answered with 503 */
};
/* Threads: any. */
void receive_stats(struct receive *receive, struct receive_stats *out);
