#pragma once
/* Delivery: takes the callbacks that the engine stored to the apps' URLs, at least once, and writes down how it went.
 *
 * One thread. The store holds the truth; this thread holds one small target per app that has callbacks waiting, and the
 * rows of the attempts in flight. At each attempt URL and token are read anew from the directory, so a change of
 * configuration acts on the next attempt. The outcome of an attempt is an ordinary command for the engine, and a row is
 * not attempted again before that command is durable. */
#include "engine/engine.h"
#include "hook/retry.h"
#include "hook/target.h"
#include "hook/verdict.h"

/* Most ids that hook_in_flight can give. */
#define HOOK_IN_FLIGHT_MAX (4096 * TARGET_HELD_PER_FLIGHT)

struct hook;

struct hook_options {
	const char *ca_file;	   /* PEM; "" for the system's */
	const struct guard *guard; /* where callbacks may go to; copied; NULL for everywhere */
	uint64_t connect_timeout_ms;
	uint64_t total_timeout_ms;
	uint64_t reply_bytes_max;
	uint64_t in_flight_max;	    /* requests at once, over all apps; 1 to 4096 */
	uint64_t in_flight_per_app; /* 1 to in_flight_max */
	bool supersede;		    /* a newer alert takes the place of one that waits for a retry */
	uint64_t probe_longest_ms;  /* waits between probes of an endpoint that fails double up to this */
	struct retry_policy retry;
	struct verdict_policy verdict;
};

/* Registers with the engine (before engine_start: it writes to the store, to bring times of retries within the policy)
 * and opens a reader of the store. */
MUST_CHECK int hook_open(const struct hook_options *options, struct engine *engine, struct hook **hook_out,
			 struct error *err);
/* Finds what is waiting in the store and starts. After engine_start. */
MUST_CHECK int hook_start(struct hook *hook, struct error *err);
/* Other options from the next attempt on, but for in_flight_max and in_flight_per_app, which must be what they were
 * (asserted). The CA file is read anew; http_client_check_ca says beforehand whether it can be used. Callbacks that wait
 * keep the time that they have. Threads: any. */
void hook_change(struct hook *hook, const struct hook_options *options);
/* When the thread last went round, on clock_mono_ms; it does so once a second at least. Threads: any. */
int64_t hook_round_ms(struct hook *hook);
/* Starts nothing new, waits for attempts in flight (at most total_timeout_ms) and for their marks; before engine_stop.
 */
void hook_stop(struct hook *hook);
/* After engine_stop: until then the writer may tell of callbacks, or be about to wake us. Accepts NULL. */
void hook_close(struct hook **hook);

/* Upper bounds of the buckets of the time from event to delivery, in microseconds; one more is for what took longer. */
#define HOOK_LATENCY_BUCKETS_US                                                                                        \
	{                                                                                                              \
		5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 15000000, 60000000,      \
			300000000, 900000000, 3600000000, 21600000000, 86400000000                                     \
	}
#define HOOK_LATENCY_BUCKET_COUNT 18

struct hook_stats {
	uint64_t attempts_total; /* requests that ended */
	uint64_t delivered_total;
	uint64_t retried_total;
	uint64_t failed_total;
	uint64_t superseded_total;
	uint64_t in_flight;
	uint64_t targets; /* apps with callbacks waiting */
	uint64_t held;	  /* taken from the store: in flight, or the outcome is not durable yet */
	uint64_t held_max;
	int64_t last_delivered_ms; /* wall clock; 0 for none since the start */
	/* From the event, or the last replay, to the end of the attempt that delivered it; steps of the wall clock show. */
	uint64_t latency_us_total;
	uint64_t latency_buckets[HOOK_LATENCY_BUCKET_COUNT]; /* each for itself */
};
/* The ids of callbacks in flight: on the wire, or with an outcome that is not durable yet. Gives at most `count_max` of
 * them and returns how many. Threads: any. */
size_t hook_in_flight(struct hook *hook, int64_t *ids_out, size_t count_max);
/* Threads: any. */
void hook_stats(struct hook *hook, struct hook_stats *out);
