#pragma once
/* How often an app may call, and which room ids were created a moment ago.
 *
 * Each app has a token bucket per route and one for all its calls together. A bucket holds one second's worth: with a
 * limit of N a burst of N calls passes at once, then one call each 1/N second, so that a span of t seconds never sees
 * more than N * (t + 1). Buckets are full at first. Nothing is shared between apps, nor between routes.
 *
 * Bounds: one small entry per app that was ever admitted or refused here, kept until the end. Callers count a call only
 * after its sender was verified, so the apps that exist bound the entries, and nobody uses up the rate of an app whose
 * key he does not have. Room ids lie in a fixed table of 1 MiB.
 *
 * The clock is the caller's: `now_ns` is clock_mono_ns() of the call, 0 to RATE_NOW_NS_MAX. Calls of several threads may
 * come with times in any order; an earlier time than the last one never admits more. Nothing here does I/O.
 * Threads: any, at the same time, except for new and free. */
#include "base/str.h"

#define RATE_PER_SECOND_MAX 1000000	/* largest limit */
#define RATE_ROOM_ID_MS_MAX 60000	/* longest time for which a room id is kept from being used again */
#define RATE_NOW_NS_MAX (INT64_MAX / 4) /* 73 years of a machine that is up */

/* 0 is off, for each. */
struct rate_limits {
	uint64_t api; /* calls per second of one app and route, up to RATE_PER_SECOND_MAX; so are the next three */
	uint64_t slow;
	uint64_t list;
	uint64_t client;
	uint64_t app;	     /* calls per second of one app, all routes together, up to RATE_PER_SECOND_MAX */
	uint64_t room_id_ms; /* up to RATE_ROOM_ID_MS_MAX */
};

/* Which limit a route has. A route has the same class in every call. */
enum rate_class {
	RATE_NONE, /* none of its own; counts for the app's */
	RATE_API,
	RATE_SLOW,
	RATE_LIST,
	RATE_CLIENT,
};

struct rate;

/* `route_count`: routes are 0 to route_count - 1. Limits beyond their maximum are a bug of the caller. */
struct rate *rate_new(const struct rate_limits *limits, size_t route_count);
/* No other call may be under way. Accepts NULL. */
void rate_free(struct rate **rate);

/* Other limits from now on; room_id_ms stays as it was. What an app has used up stays used up. */
void rate_set_limits(struct rate *rate, const struct rate_limits *limits);

/* Counts one call of an app (not 0). Returns HW_OK, HW_API_BUSY (the route's limit is reached) or HW_APP_BUSY (the
 * app's). A refused call counts for neither, so that whoever waits is admitted as soon as the bucket allows. Takes no
 * lock and keeps nothing when neither the class nor the app has a limit. */
MUST_CHECK int rate_admit(struct rate *rate, uint32_t sdkappid, size_t route, enum rate_class class, int64_t now_ns);

/* Notes that a room of that id (at most HW_ROOM_ID_BYTES_MAX bytes) was created. Does nothing when room_id_ms is 0. */
void rate_room_created(struct rate *rate, uint32_t sdkappid, struct str room_id, int64_t now_ns);
/* True when that was less than room_id_ms ago. The table has 65536 places in sets of 4: when tens of thousands of ids are
 * created within room_id_ms, the oldest of a full set are forgotten, and false is the answer for them. True for an id
 * that was not created needs two equal 64-bit hashes under a random key. */
MUST_CHECK bool rate_room_is_fresh(struct rate *rate, uint32_t sdkappid, struct str room_id, int64_t now_ns);
