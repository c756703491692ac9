#pragma once
/* The engine: a bounded queue of commands, one writer thread that executes them in batches, and a reader thread for
 * what only looks.
 *
 * Group commit needs no timer: while one batch is being synced the next gathers in the queue by itself. A command's
 * answer leaves only after the batch that holds it is durable. */
#include "base/mailbox.h"
#include "engine/directory.h"
#include "engine/figures.h"
#include "store/store.h"

struct engine;

/* How long what is history is kept; 0: for ever. */
struct engine_keep {
	uint64_t delivered_ms; /* callbacks, since their event and their last attempt; superseded ones too */
	uint64_t failed_ms;
	uint64_t audit_ms;   /* rows of the audit log; each new one removes a few that are older */
	uint64_t samples_ms; /* of room counts, in the same way */
};

struct engine_options {
	uint64_t queue_count_max; /* commands waiting; further ones are refused with ERR_BUSY */
	uint64_t batch_count_max; /* commands per transaction */
	/* The writer looks for callbacks that nobody keeps any longer this often (0: never) and removes them between
	 * batches, few at a time. */
	uint64_t prune_interval_ms;
	/* While the writer has nothing to do it tries this often whether the store can be written (0: only after a failure),
	 * for a store that may go away while nobody uses it. */
	uint64_t probe_interval_ms;
	struct engine_keep keep;
};

/* A command on its way. The submitter owns it and keeps it, and all that the command borrows, until `mail.run` is
 * called: exactly once, on the thread that drains `mailbox`, with the command's answer filled in. */
struct engine_job {
	struct mail mail;	 /* set mail.run */
	struct mailbox *mailbox; /* where the answer goes */
	struct command command;
	struct engine_job *queue_next; /* the engine's */
};

/* A look at the store: `read` runs on the reader thread, then the mail is posted. */
struct engine_read {
	struct mail mail;
	struct mailbox *mailbox;
	void (*read)(struct engine_read *read, struct store_reader *reader);
	struct engine_read *queue_next; /* the engine's */
};

/* Told of an app for which a batch that is stored did something that delivery must look at; `now`: and what made its
 * endpoint wait does not count any more (WAKE_NOW). Runs on the writer thread, must not block. */
typedef void (*engine_delivery_hint)(void *context, uint32_t sdkappid, bool now);

/* Told of each batch that is stored: what the set says of its apps is true now. The set is there during the call only.
 * Runs on the writer thread, must not block. */
typedef void (*engine_change_hint)(void *context, const struct live_set *set);

/* Reads all apps into the directory. The engine borrows the store. Errors as the store's. */
MUST_CHECK int engine_open(const struct engine_options *options, struct store *store, struct engine **engine_out,
			   struct error *err);
/* Before engine_start. */
void engine_on_delivery(struct engine *engine, engine_delivery_hint hint, void *context);
/* The same. */
void engine_on_change(struct engine *engine, engine_change_hint hint, void *context);
MUST_CHECK int engine_start(struct engine *engine, struct error *err);
/* Refuses new work, finishes what is queued (answers are posted), ends the threads. */
void engine_stop(struct engine *engine);
/* Stops when still running, and frees. Accepts NULL. */
void engine_close(struct engine **engine);

/* Queues the command for the next batch and returns at once. On -1 the mail does not run.
 * Threads: any. Errors ERR_BUSY (queue full, try later), ERR_CLOSED. */
MUST_CHECK int engine_submit(struct engine *engine, struct engine_job *job, struct error *err);
/* The same for a read. */
MUST_CHECK int engine_submit_read(struct engine *engine, struct engine_read *read, struct error *err);

/* Another time to keep things, from the next batch on. Threads: any. */
void engine_set_keep(struct engine *engine, const struct engine_keep *keep);
/* Asks the writer and the reader to go round once, also when there is nothing to do. Threads: any. */
void engine_ping(struct engine *engine);
/* When the thread that was longest without it last went round, on clock_mono_ms. Threads: any. */
int64_t engine_round_ms(struct engine *engine);

struct directory *engine_directory(struct engine *engine);
/* Of every app, as of the last batch. */
struct figures *engine_figures(struct engine *engine);
struct store *engine_store(struct engine *engine);

/* Upper bounds of the buckets of commits, in microseconds, and of batches, in commands; one more is for what is above. */
#define ENGINE_COMMIT_BUCKETS_US                                                                                       \
	{                                                                                                              \
		100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 5000000                 \
	}
#define ENGINE_COMMIT_BUCKET_COUNT 14
#define ENGINE_BATCH_BUCKETS                                                                                           \
	{                                                                                                              \
		1, 2, 4, 8, 16, 32, 64, 128, 256, 512                                                                  \
	}
#define ENGINE_BATCH_BUCKET_COUNT 11

struct engine_stats {
	uint64_t commands_total;
	uint64_t batches_total;
	uint64_t batches_failed_total;
	uint64_t batch_count_highest;
	uint64_t refused_total; /* queue full */
	uint64_t queue_count;	/* waiting now */
	uint64_t queue_count_max;
	uint64_t read_count; /* reads waiting now */
	uint64_t read_count_max;
	uint64_t commit_us_total;			     /* of the commits that succeeded, as the buckets */
	uint64_t commit_buckets[ENGINE_COMMIT_BUCKET_COUNT]; /* each for itself, as the next */
	uint64_t batch_buckets[ENGINE_BATCH_BUCKET_COUNT];   /* of all batches, by commands */
	bool is_failing;       /* the last batch could not be stored, nor anything since: the engine tries by itself */
	char failure[192];     /* why, then */
	uint64_t pruned_total; /* callbacks removed because nobody keeps them longer */
};
/* Threads: any. */
void engine_stats(struct engine *engine, struct engine_stats *out);
