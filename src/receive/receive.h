#pragma once
/* The App backend's side: checks a callback, writes it down durably, answers it, and passes it on to sinks.
 *
 * The answer is always the vendor's reply form, Content-Type application/json. A callback that was recorded, now or
 * before, gets status 200 and exactly HW_REPLY_OK, never before its row is synced to disk. Everything else gets
 * ActionStatus FAIL, a sentence, a code of <highwater/code.h>, and a status that a sender which looks at nothing else
 * takes for a failure; <highwater/receiver.h> has the table. 503 says that it was right but could not be recorded, so that
 * the sender tries again. Nothing of a refused request is recorded.
 *
 * An event that is delivered twice is recorded once and answered OK each time. A word in CallbackCommand that is not known
 * here is recorded like any other, so that a receiver may be older than its sender. */
#include "http/server.h"
#include "receive/recorder.h"
#include "receive/sink.h"

#include <highwater/receiver.h>

struct receive;

/* What became of a request. Valid during the call. */
struct receive_seen {
	const struct hw_receiver_request *request; /* NULL of a note of our own, as the next */
	const struct hw_receiver_event *event;
	const struct record_row *row; /* of what was recorded; NULL when refused */
	bool is_new;		      /* recorded now, not before */
	int status;		      /* of the answer */
	int64_t replay; /* as this request said, -1 for not at all; that of `row` is the highest that ever came */
};

struct receive_options {
	const struct hw_receiver *receiver; /* borrowed until the close */
	const char *record_path;
	uint64_t keep_ms; /* see recorder.h, as the next four */
	uint64_t silence_ms;
	uint64_t gap_after_ms;
	const uint32_t *sdkappids; /* whose silence counts; copied */
	size_t sdkappid_count;
	struct sink sinks[SINK_KIND_COUNT]; /* taken over, also when opening fails */
	size_t sink_count;
	uint64_t sink_retry_longest_ms;
	/* For everything that was recorded, and notes: after it is durable and before the answer, on the recording thread,
	 * whose next batch waits for it. For refusals: on a loop thread. NULL for none. */
	void (*on_seen)(void *context, const struct receive_seen *seen);
	void *context;
};

/* Opens the record, starts the recording thread and the sinks. Errors ERR_INVALID (the record, with its path), ERR_BUSY,
 * ERR_IO, ERR_FULL, ERR_INTERNAL. */
MUST_CHECK int receive_open(const struct receive_options *options, struct receive **receive_out, struct error *err);
/* Checks with that receiver (borrowed) from now on; the old one is not used any more when this returns. Threads: one. */
void receive_set_receiver(struct receive *receive, const struct hw_receiver *receiver);
/* When the recording thread last went round, on clock_mono_ms. Threads: any. */
int64_t receive_round_ms(struct receive *receive);
/* After the HTTP server is closed. Accepts NULL. */
void receive_close(struct receive **receive);

/* For struct http_server_options; `context` is the struct receive. */
void receive_handle(void *context, struct http_call *call);
void receive_refuse(void *context, enum http_refusal why, struct buf *body_out);

struct receive_stats {
	struct recorder_stats recorder;
	uint64_t refused_total[HW_RECEIVER_RESULT_COUNT]; /* by reason; [HW_RECEIVER_OK] is not used */
	uint64_t refused_by_server_total;		  /* cannot be parsed, or too large */
};
/* Threads: any, as for the next. */
void receive_stats(struct receive *receive, struct receive_stats *out);
/* NULL when there are no sinks. */
struct sinks *receive_sinks(struct receive *receive);
