#pragma once
/* Is this callback ours, real and whole? A function of the request, the options and the time: no I/O, no state.
 * Threads: any. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/secret.h"

#include <highwater/callback.h>
#include <highwater/code.h>
#include <highwater/webhook.h>

#define CHECK_BODY_BYTES_MAX HW_PACKET_BYTES_MAX	   /* of a packet */
#define CHECK_LINE_BYTES_MAX (CHECK_BODY_BYTES_MAX + 4096) /* of a line of the record, its end included */
#define CHECK_WEBHOOK_ID_BYTES_MAX HW_WEBHOOK_ID_BYTES_MAX /* a longer webhook-id is not recorded */

/* What a request is refused for, in the order looked at: name, HTTP status, ErrorCode */
#define CHECK_REFUSALS(X)                                                                                              \
	X(CHECK_METHOD, 405, HW_BAD_HTTP)	    /* not POST */                                                     \
	X(CHECK_PATH, 404, HW_NO_RESOURCE)	    /* another path than the receiver's */                             \
	X(CHECK_QUERY, 400, HW_BAD_URL_PARAMETER)   /* the query cannot be understood */                               \
	X(CHECK_SDKAPPID, 403, HW_UNKNOWN_SDKAPPID) /* SdkAppid is not one's own */                                    \
	X(CHECK_SIGN, 401, HW_BAD_URL_PARAMETER)    /* Sign missing or wrong, RequestTime too far off */               \
	X(CHECK_SIZE, 413, HW_BAD_JSON)		    /* body over CHECK_BODY_BYTES_MAX, or the server's limit */        \
	X(CHECK_WEBHOOK, 401, HW_BAD_URL_PARAMETER) /* webhook headers missing or bad, too far off, no match */        \
	X(CHECK_BODY, 400, HW_BAD_JSON)		    /* no JSON object with a CallbackCommand */                        \
	X(CHECK_COMMAND, 400, HW_BAD_PARAMETER)	    /* URL and body name different commands */                         \
	X(CHECK_PACKET, 400, HW_BAD_PARAMETER)	    /* an alert whose fields are missing or wrong */

enum check_result {
	CHECK_PASSED,
#define CHECK_ENUM(name, status, code) name,
	CHECK_REFUSALS(CHECK_ENUM)
#undef CHECK_ENUM
};

/* The HTTP status (200 when passed) and the ErrorCode (HW_OK when passed). */
int check_result_status(enum check_result result);
int check_result_code(enum check_result result);

struct check_options {
	const uint32_t *sdkappids;
	size_t sdkappid_count;
	struct str path;	       /* empty: any */
	struct secret token;	       /* empty: none */
	struct hw_webhook_trust trust; /* key_count 0: webhook signatures are not asked for */
};

struct check_request {
	struct str method;
	struct str path;
	struct str query;
	struct str body;
	struct str peer;
	struct str webhook_id; /* headers, the first of each; empty when absent */
	struct str webhook_timestamp;
	struct str webhook_signature;
	struct str attempt;
	struct str sequence;
	struct str threshold;
	struct str test;
	struct str replay;
	int64_t now_ms; /* wall clock */
};

struct check_outcome {
	enum check_result result;
	char reason[256];		   /* "" when passed, else a sentence without token, key or signature */
	struct hw_callback_query query;	   /* from CHECK_SDKAPPID on, and when passed */
	bool is_signed;			   /* a token is set and Sign was right */
	enum hw_webhook_kind webhook_kind; /* of the key that the webhook signature matched; none without keys */
};

void check_callback(const struct check_options *options, const struct check_request *request,
		    struct check_outcome *out);

/* Appends the record's line, with its end, of a request that passed. */
void check_append_line(const struct check_request *request, const struct check_outcome *outcome, struct buf *line);

/* Appends the reply {"ActionStatus":"FAIL",...} with code and text (cut at 255 bytes). */
void check_append_fail(struct buf *out, int code, const char *text);
