#pragma once
/* Makes callbacks as the backend makes them, for tools that try a receiver: URL, headers and packet, with a token and a
 * key, and on demand with faults. Threads: the main thread. */
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"
#include "http/client.h"

#include <highwater/callback.h>
#include <highwater/webhook.h>

#define CALLER_HEADERS_MAX 12
#define CALLER_HEADER_BYTES_MAX 511
#define CALLER_BODY_BYTES_MAX (512 * 1024)
#define CALLER_EVENT_ID_BYTES 36

/* What may be wrong with a callback: name, word, what it does. All but the first five are refused by a receiver that does as
 * it must. */
#define CALLER_FAULTS(X)                                                                                               \
	X(CALLER_FAULT_STRINGS, "strings", "counts and time as numeric strings (must be taken)")                       \
	X(CALLER_FAULT_UNKNOWN_FIELDS, "unknown-fields", "fields that nobody knows, and white space (must be taken)")  \
	X(CALLER_FAULT_ORDER, "order", "the parameters of the URL in another order (must be taken)")                   \
	X(CALLER_FAULT_UNKNOWN_COMMAND, "unknown-command",                                                             \
	  "a command of the family that is not known (must be taken)")                                                 \
	X(CALLER_FAULT_NO_ID, "no-id", "none of our own headers, as the vendor's cloud sends (must be taken)")         \
	X(CALLER_FAULT_APP, "wrong-app", "the SDKAppID of another app")                                                \
	X(CALLER_FAULT_METHOD, "get", "GET instead of POST")                                                           \
	X(CALLER_FAULT_COMMAND, "wrong-command", "another command in the URL than in the packet")                      \
	X(CALLER_FAULT_NO_SIGN, "no-sign", "no Sign and RequestTime, although there is a token")                       \
	X(CALLER_FAULT_BAD_SIGN, "bad-sign", "a Sign of another token")                                                \
	X(CALLER_FAULT_STALE_SIGN, "stale-sign", "Sign and RequestTime of ten minutes ago")                            \
	X(CALLER_FAULT_FUTURE_SIGN, "future-sign", "Sign and RequestTime of ten minutes from now")                     \
	X(CALLER_FAULT_NO_SIGNATURE, "no-signature", "no webhook-signature, although there is a key")                  \
	X(CALLER_FAULT_BAD_SIGNATURE, "bad-signature", "a signature by another key")                                   \
	X(CALLER_FAULT_STALE_SIGNATURE, "stale-signature", "a signature of an hour ago")                               \
	X(CALLER_FAULT_FUTURE_SIGNATURE, "future-signature", "a signature of an hour from now")                        \
	X(CALLER_FAULT_CHANGED_BODY, "changed-body", "a packet that was changed after it was signed")                  \
	X(CALLER_FAULT_NO_JSON, "no-json", "a body that is no JSON")                                                   \
	X(CALLER_FAULT_EMPTY, "empty", "no body")                                                                      \
	X(CALLER_FAULT_MISSING_FIELD, "missing-field", "an alert without CurRoomCount")                                \
	X(CALLER_FAULT_OVERSIZED, "oversized", "a packet of 300 KiB")

enum caller_fault {
	CALLER_FAULT_NONE, /* word "" */
#define CALLER_ENUM(name, word, text) name,
	CALLER_FAULTS(CALLER_ENUM)
#undef CALLER_ENUM
		CALLER_FAULT_COUNT
};
/* The word; what it does. Static. */
const char *caller_fault_word(enum caller_fault fault);
const char *caller_fault_text(enum caller_fault fault);
/* Returns 0, or -1 when there is no such word. */
MUST_CHECK int caller_fault_parse(const char *word, enum caller_fault *out);
/* Must a receiver take a callback with it? */
bool caller_fault_is_fine(enum caller_fault fault);
/* What it needs to be one: a token, a key. */
bool caller_fault_needs_token(enum caller_fault fault);
bool caller_fault_needs_key(enum caller_fault fault);

struct caller {
	const char *url;
	uint32_t sdkappid;
	uint32_t foreign_sdkappid; /* of CALLER_FAULT_APP */
	const char *command;	   /* the word; NULL for the alert */
	const char *client_ip;
	enum hw_platform platform;
	const char *operator_account;
	const char *room_id;
	uint64_t room_count;
	uint64_t room_count_max;
	int threshold;			  /* 0: not told */
	struct secret token;		  /* empty for none */
	const struct hw_webhook_key *key; /* NULL for none */
	bool is_test;
	int64_t skew_ms; /* the sender's clock is so far ahead */
	enum caller_fault fault;
	int64_t event_ms;     /* when it happened; 0: now */
	const char *event_id; /* NULL or "": a new one */
	int64_t sequence;     /* 0: not told */
	unsigned attempt;     /* 1 for the first */
	unsigned replay;      /* 0: none */
	struct str body;      /* a packet instead of one made here; empty for none */
};

struct caller_request {
	char url[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 256];
	char event_id[CALLER_EVENT_ID_BYTES + 256];
	char header_text[CALLER_HEADERS_MAX][CALLER_HEADER_BYTES_MAX + 1];
	const char *headers[CALLER_HEADERS_MAX];
	size_t header_count;
	struct buf body;
	struct http_request http; /* of all of the above */
};

/* Builds a request; `out` is to be freed also after an error. Errors ERR_INVALID: the URL, or something else that cannot be
 * made, in words. `now_ms` is the wall clock. */
MUST_CHECK int caller_build(const struct caller *caller, int64_t now_ms, struct caller_request *out, struct error *err);
void caller_request_free(struct caller_request *request);
/* A new event id, as the backend's look. */
void caller_event_id(char out[CALLER_EVENT_ID_BYTES + 1]);
