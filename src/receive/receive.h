#pragma once
/* The App backend's side: checks a callback, writes it down durably, answers it. */
#include "http/server.h"

#include <highwater/callback.h>

#define RECEIVE_SDKAPPID_COUNT_MAX 64

struct receive;

struct receive_options {
	uint32_t sdkappids[RECEIVE_SDKAPPID_COUNT_MAX]; /* one's own */
	size_t sdkappid_count;				/* at least 1 */
	const char *path;	/* of the URL, "" accepts any */
	struct secret token;	/* empty: Sign is not asked for */
	const char *record_path; /* one JSON line per verified callback is appended; made with mode 0600 */
	void (*on_recorded)(void *context, struct str line); /* after the line is durable; NULL for none; any thread */
	void *on_recorded_context;
};

/* Opens the record and starts the thread that syncs it. A last line without its end (a crash while it was written) is
 * cut off and told in the log. Errors ERR_INVALID, ERR_IO. */
MUST_CHECK int receive_open(const struct receive_options *options, struct receive **receive_out, struct error *err);
/* After the HTTP server is closed. Accepts NULL. */
void receive_close(struct receive **receive);

/* For struct http_server_options; `context` is the struct receive. */
void receive_handle(void *context, struct http_call *call);
void receive_refuse(void *context, enum http_refusal why, struct buf *body_out);

struct receive_stats {
	uint64_t verified_total;
	uint64_t refused_total;
};
/* Threads: any. */
void receive_stats(struct receive *receive, struct receive_stats *out);
