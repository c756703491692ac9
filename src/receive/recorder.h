#pragma once
/* The thread that writes the record: takes what is queued, stores it in one transaction, and tells. */
#include "base/mailbox.h"
#include "receive/record.h"
#include "receive/sink.h"

struct recorder;

/* One event on its way into the record; the caller's memory from submit until its mail runs. */
struct recorder_job {
	struct mail mail; /* run when it is over, in `mailbox` */
	struct mailbox *mailbox;
	char key[HW_EVENT_KEY_BYTES + 1];
	struct record_row row;
	bool recorded; /* durable; false: nothing was stored */
	bool is_new;   /* it was not known before */
	struct recorder_job *next;
};

struct recorder_options {
	const char *record_path;
	uint64_t keep_ms;	   /* how long rows are kept; 0: for ever */
	uint64_t silence_ms;	   /* an app of which no callback came for so long is silent; 0: never */
	const uint32_t *sdkappids; /* the apps in question; copied */
	size_t sdkappid_count;
	uint64_t gap_after_ms; /* a missing number is told when one behind it came so long ago */
	/* For each job that was recorded, before its mail, and each note (with NULL): after it is durable, on the
	 * recorder's thread, whose next batch waits for it. */
	void (*on_recorded)(void *context, const struct recorder_job *job, const struct record_row *row);
	/* The smallest id that all sinks are done with: rows up to there may go when they are old. */
	int64_t (*done_id)(void *context);
	/* Something is new in the record. */
	void (*on_batch)(void *context);
	void *context;
};

/* Opens the record and starts the thread. Errors as record_open's. */
MUST_CHECK int recorder_open(const struct recorder_options *options, struct recorder **recorder_out, struct error *err);
/* Queues a job. Returns false when too much is queued already. Threads: any. */
MUST_CHECK bool recorder_submit(struct recorder *recorder, struct recorder_job *job);
/* Keeps a sink's place with one of the next batches, within about RECORDER_MARK_WAIT_MS when none comes. The newest of
 * each sink counts. Both texts are copied. Threads: any. */
#define RECORDER_MARK_WAIT_MS 100
void recorder_mark(struct recorder *recorder, const char *sink, int64_t id, struct str state);
/* After the last job's mail has run: keeps the last marks, and ends. Accepts NULL. */
void recorder_close(struct recorder **recorder);

/* Upper bounds of the buckets of batch durations, in microseconds; one more bucket is for what is longer. */
#define RECORDER_BUCKETS_US                                                                                            \
	{                                                                                                              \
		250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000                               \
	}
#define RECORDER_BUCKET_COUNT 12

struct recorder_stats {
	uint64_t recorded_total;   /* new events */
	uint64_t duplicate_total;  /* that came again */
	uint64_t unrecorded_total; /* that could not be stored */
	uint64_t notes_total;
	uint64_t pruned_total;
	uint64_t batch_total;
	uint64_t batch_us_total;
	uint64_t batch_buckets[RECORDER_BUCKET_COUNT]; /* each of its own, not cumulative */
	size_t queue_count;
	size_t queue_count_max;
	bool is_failing; /* the last batch could not be stored */
	char error[256]; /* why */
};
/* When the recording thread last went round, on clock_mono_ms; it does so about once a second at least. Threads: any. */
int64_t recorder_round_ms(struct recorder *recorder);
/* Threads: any. */
void recorder_stats(struct recorder *recorder, struct recorder_stats *out);
