#pragma once
/* Targets: one per app that has callbacks waiting. A target holds a deadline and the attempts under way, never the
 * backlog: that stays in the store and is read in pieces. So one app's dead receiver costs a bounded amount of memory
 * and of the delivery thread's connections.
 *
 * How many requests a target may have on the wire is its window: 1 at first and after a failure, twice as many after
 * each delivery. Targets whose last attempt failed together get at most half of all requests, so that any number of
 * dead receivers leaves the other half to those that live. Threads: the delivery thread's. */
#include "engine/engine.h"

#define TARGET_HELD_PER_FLIGHT 8 /* attempts held, waiting for their mark included, per request allowed in flight */

struct hook;

struct target {
	uint32_t sdkappid;
	int64_t next_due_ms; /* when to look at the store again; INT64_MAX: nothing waits there */
	unsigned in_flight;  /* requests on the wire */
	unsigned held;	     /* attempts whose mark is not durable yet, in_flight included */
	unsigned window;     /* in_flight may reach this */
	bool failing;	     /* its last attempt failed */
	void *attempts;	     /* tree of struct attempt by callback id: `held` of them */
	struct target *next; /* ring */
	struct target *previous;
};

/* One try of one callback, from the moment its row is read until its mark is durable. */
struct attempt {
	struct engine_job job; /* the mark */
	struct hook *hook;
	struct target *target;
	int64_t callback_id;
	int64_t event_ms;
	uint32_t attempts; /* made before this one */
	bool on_wire;
	bool on_wire_failing;	       /* the target was failing when it went out */
	struct attempt *next_unmarked; /* list of those whose mark could not be queued or stored */
};

struct target_table {
	void *by_app;	     /* tree of struct target */
	struct target *ring; /* NULL when empty; where the next round starts */
	unsigned count;
	unsigned in_flight; /* sums over the targets */
	unsigned held;
	unsigned failing_in_flight; /* of in_flight: sent to targets that were failing */
};

/* The app's target, made when missing; its deadline becomes at most `due_ms`. */
struct target *target_touch(struct target_table *table, uint32_t sdkappid, int64_t due_ms);
/* Frees it. It must hold nothing (asserted). */
void target_remove(struct target_table *table, struct target *target);
/* True when this callback is under way already. */
bool target_holds(const struct target *target, int64_t callback_id);
/* A new attempt, held by the target. */
struct attempt *target_hold(struct target_table *table, struct target *target, const struct store_callback *callback);
/* Ends and frees the attempt; it must not be on the wire (asserted). */
void target_release(struct target_table *table, struct attempt *attempt);
/* True when a request may go out to the target: its window, `flight_max` over all, half of that for failing ones. */
bool target_may_send(const struct target_table *table, const struct target *target, unsigned flight_max);
/* Takes in how an attempt ended; the window grows up to `window_max`. */
void target_learn(struct target *target, bool delivered, unsigned window_max);
/* Moves the attempt on and off the wire, with the counts. */
void target_set_on_wire(struct target_table *table, struct attempt *attempt, bool on_wire);
