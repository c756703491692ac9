#pragma once
/* What the files of the delivery thread share; see hook.h and hook.c. */
#include "base/arena.h"
#include "base/log.h"
#include "hook/hook.h"
#include "hook/target.h"
#include "http/client.h"
#include "http/guard.h"

#include <pthread.h>
#include <stdatomic.h>

#define HOOK_HINT_COUNT_MAX 1024
#define HOOK_POLL_MS_MAX 1000
#define HOOK_SLOW_SHARE 5  /* an attempt is slow that takes longer than this part of total_timeout_ms */
#define HOOK_REMARK_MS 200 /* before a mark that could not be stored is tried again */

struct hook_hint {
	uint32_t sdkappid;
	bool now; /* WAKE_NOW */
};

struct hook {
	struct hook_options options;
	struct window_policy window;
	struct engine *engine;
	struct store_reader *reader;
	struct http_client *client;
	struct mailbox mailbox; /* answers of the engine */
	struct target_table targets;
	struct attempt *unmarked; /* marks to submit again at remark_ms */
	int64_t remark_ms;
	unsigned marking;   /* marks in the engine's hands */
	struct arena arena; /* one row, or the ids of one look at the store */
	struct buf log;	    /* scratch for a callback's log of attempts */
	struct log_limit trouble_limit;
	struct log_limit store_limit;
	struct log_limit endpoint_limit;

	pthread_mutex_t lock;
	struct hook_hint hints[HOOK_HINT_COUNT_MAX]; /* under the lock, as all that follows */
	size_t hint_count;
	bool hint_all;	   /* more than the array holds: look for all apps */
	bool hint_all_now; /* and one of those was WAKE_NOW */
	bool stopping;
	bool changed;			  /* the next three are to be taken */
	struct hook_options options_next; /* its ca_file and guard are the next two */
	char *ca_file_next;
	struct guard guard_next;
	struct hook_stats stats;
	struct attempt **held; /* all attempts held, in_flight_max * TARGET_HELD_PER_FLIGHT of them at most */
	size_t held_count;

	_Atomic int64_t round_ms; /* monotonic; not under the lock */
	bool running;
	pthread_t thread;
};

/* ---- hook_attempt.c: one callback's try ---- */

/* Takes the callback into the target's hands and sends it with the target's signer and certificate; or notes that the
 * configuration says not to. */
void hook_attempt_start(struct hook *hook, struct target *target, const struct app_config *config,
			const struct store_callback *callback);
/* Ends it without sending: a newer alert takes its place. */
void hook_attempt_supersede(struct hook *hook, struct target *target, const struct store_callback *callback);
/* True when the setting says so and there is a newer alert of the same threshold. */
bool hook_attempt_is_stale(struct hook *hook, uint32_t sdkappid, uint8_t threshold, int64_t callback_id);
/* Marks that could not be stored, when it is time. */
void hook_attempt_submit_unmarked(struct hook *hook);
/* Frees it, whatever its state; for the end. */
void hook_attempt_drop(struct hook *hook, struct attempt *attempt);

/* Logs that the store cannot be read. */
void hook_store_trouble(struct hook *hook, const struct error *err);
