#pragma once
/* Targets: one per app that has callbacks waiting. A target knows how much its endpoint gets (hook/window.h), where to
 * look in the store next, and the attempts under way; never the backlog, which stays parked in the store and is read
 * one by one. So one app's dead receiver costs a bounded amount of memory and of the delivery thread's connections.
 *
 * Targets that lag, because their last attempt failed or was slow, together get at most half of all requests, so that
 * any number of dead or slow receivers leaves the other half to the others. Threads: the delivery thread's. */
#include "engine/engine.h"
#include "hook/request.h"
#include "hook/window.h"

#define TARGET_HELD_PER_FLIGHT 8 /* attempts held, waiting for their mark included, per request allowed in flight */

struct hook;

struct target {
	uint32_t sdkappid;
	int64_t next_due_ms;  /* when to look at the store again; INT64_MAX: not before a hint */
	bool empty;	      /* nothing waits in the store */
	int64_t new_cursor;   /* callbacks that were never tried have been taken up to this id */
	bool new_none;	      /* and there was none behind it */
	int64_t retry_due_ms; /* when the first of the others is due; 0: not known; INT64_MAX: there is none */
	bool retry_held;      /* the last look for it met some that are held: look again when one is released */
	bool retry_turn;      /* the next one shall be one of those */
	int64_t outage_id;    /* the newest callback when the breaker last closed: up to it alerts waited behind it */
	struct window window;
	bool slow;	    /* its last attempt took long, however it ended */
	bool told_open;	    /* the log says that it fails, and not yet that it has recovered */
	unsigned in_flight; /* requests on the wire */
	unsigned held;	    /* attempts whose mark is not durable yet, in_flight included */
	void *attempts;	    /* tree of struct attempt by callback id: `held` of them */

	uint64_t generation; /* of the configuration that the next three come from; 0 for none yet */
	struct request_signer signer;
	struct str certificate; /* owned, as the next one; empty for none */
	struct str certificate_key;

	struct target *next; /* ring */
	struct target *previous;
};

/* One try of one callback, from the moment its row is read until its mark is durable. */
struct attempt {
	struct engine_job job; /* the mark */
	struct hook *hook;
	struct target *target;
	enum delivery_state state; /* scheduled, then in flight, then how it ended */
	int64_t callback_id;
	uint8_t threshold;
	uint32_t attempts; /* made before this one */
	uint32_t replays;
	uint32_t base_attempts; /* as the two below: the schedule's start */
	int64_t base_ms;
	int64_t attempt_ms;	       /* of the one before */
	uint64_t url_hash;	       /* live_callback_url_hash of where it was sent */
	bool probe;		       /* sent while the breaker was open */
	bool on_wire_lagging;	       /* the target lagged when it went out */
	struct str log;		       /* owned: what the mark stores; empty before */
	size_t held_index;	       /* the delivery thread's, see hook_in_flight */
	struct attempt *next_unmarked; /* list of those whose mark could not be queued or stored */
};

struct target_table {
	void *by_app;	     /* tree of struct target */
	struct target *ring; /* NULL when empty; where the next round starts */
	unsigned count;
	unsigned in_flight; /* sums over the targets */
	unsigned held;
	unsigned lagging_in_flight; /* of in_flight: sent to targets that lagged */
};

/* The app's target. `made_out` (may be NULL) tells whether it was made now: with a window of 1, and nothing known of
 * what waits. */
struct target *target_touch(struct target_table *table, uint32_t sdkappid, bool *made_out);
/* There may be something new from now on: look. */
void target_expect(struct target *target, int64_t now_ms);
/* Frees it. It must hold nothing (asserted). */
void target_remove(struct target_table *table, struct target *target);
/* Drops what was made of a configuration, secrets overwritten. */
void target_forget_config(struct target *target);
/* True when this callback is under way already. */
bool target_holds(const struct target *target, int64_t callback_id);
/* A new attempt, held by the target, in state scheduled. */
struct attempt *target_hold(struct target_table *table, struct target *target, const struct store_callback *callback);
/* Ends and frees the attempt; it must not be on the wire (asserted). */
void target_release(struct target_table *table, struct attempt *attempt);
/* Its request goes out: scheduled to in flight, with the counts. */
void target_send(struct target_table *table, struct attempt *attempt);
/* Its request has ended: from in flight to how it ended, with the counts. */
void target_settle(struct target_table *table, struct attempt *attempt, enum delivery_state state);
/* Its last attempt failed or was slow. */
bool target_lags(const struct target *target);
/* True when a request may go out to the target: its window, `flight_max` over all, half of that for those that lag. */
bool target_may_send(const struct target_table *table, const struct target *target, unsigned flight_max,
		     int64_t now_ms);
/* When the target wants to be served next. */
int64_t target_due_ms(const struct target *target);
