/* Token buckets per app and route, and the room ids created a moment ago; see rate.h.
 *
 * A bucket is one number, the time at which it would be full again were nothing more taken (the theoretical arrival time
 * of the generic cell rate algorithm): a call moves it forward by one interval, and is refused when it lies more than
 * the burst ahead. Nothing has to be refilled, so an idle app costs nothing, and there is no thread and no timer.
 *
 * Apps lie in hash tables under 16 locks; a table grows by doubling and never shrinks. Room ids lie in a fixed table:
 * only a seeded hash of app and id is kept, in sets of 4 where the oldest gives way. So the worst a flood of creations
 * can do is that an id may be used again too early. */
#include "api/rate.h"
#include "base/mem.h"
#include "base/random.h"

#include <highwater/code.h>

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define RATE_SECOND_NS INT64_C(1000000000)
#define RATE_SHARDS 16	     /* a power of two */
#define RATE_SLOTS_FIRST 16  /* of a shard's table; a power of two */
#define RATE_ROOMS 65536     /* a power of two */
#define RATE_ROOMS_PER_SET 4 /* a power of two */
#define RATE_ROOM_LOCKS 16   /* a power of two */
#define RATE_CLASSES (RATE_CLIENT + 1)

struct rate_pace {
	int64_t interval_ns; /* between two calls; 0: no limit */
	int64_t burst_ns;    /* how far a bucket may lie ahead for a call to pass */
};

/* The same, changed while others read it: one may see the new interval with the old burst for a call. */
struct rate_pace_cell {
	_Atomic int64_t interval_ns;
	_Atomic int64_t burst_ns;
};

struct rate_app {
	uint32_t sdkappid;
	int64_t full_ns;	 /* of the bucket for all calls */
	int64_t route_full_ns[]; /* of each route's */
};

struct rate_shard {
	pthread_mutex_t lock;
	struct rate_app **slots; /* NULL: free; linear probing, at most half full */
	size_t slot_count;	 /* a power of two */
	size_t app_count;
};

struct rate_room {
	uint64_t hash;
	int64_t until_ns; /* fresh while now < until; 0 in a free place */
};

struct rate {
	struct rate_pace_cell classes[RATE_CLASSES];
	struct rate_pace_cell app;
	size_t route_count;
	struct rate_shard shards[RATE_SHARDS];

	int64_t room_ns; /* 0: off */
	struct hash_key room_key;
	struct rate_room *rooms; /* NULL when off */
	pthread_mutex_t room_locks[RATE_ROOM_LOCKS];
};

/* ---- life ---- */

static struct rate_pace rate_pace_of(uint64_t per_second)
{
	struct rate_pace pace = {0};

	assert(per_second <= RATE_PER_SECOND_MAX);
	if (per_second) {
		/* rounded up, so that the limit is never exceeded */
		pace.interval_ns = (RATE_SECOND_NS + (int64_t)per_second - 1) / (int64_t)per_second;
		pace.burst_ns = pace.interval_ns * ((int64_t)per_second - 1);
	}
	return pace;
}

static void rate_lock_init(pthread_mutex_t *lock)
{
	int rc = pthread_mutex_init(lock, NULL);

	assert(rc == 0);
}

static void rate_store(struct rate_pace_cell *cell, uint64_t per_second)
{
	struct rate_pace pace = rate_pace_of(per_second);

	atomic_store_explicit(&cell->interval_ns, pace.interval_ns, memory_order_relaxed);
	atomic_store_explicit(&cell->burst_ns, pace.burst_ns, memory_order_relaxed);
}

static struct rate_pace rate_load(const struct rate_pace_cell *cell)
{
	return (struct rate_pace){atomic_load_explicit(&cell->interval_ns, memory_order_relaxed),
				  atomic_load_explicit(&cell->burst_ns, memory_order_relaxed)};
}

void rate_set_limits(struct rate *rate, const struct rate_limits *limits)
{
	rate_store(&rate->classes[RATE_API], limits->api);
	rate_store(&rate->classes[RATE_SLOW], limits->slow);
	rate_store(&rate->classes[RATE_LIST], limits->list);
	rate_store(&rate->classes[RATE_CLIENT], limits->client);
	rate_store(&rate->app, limits->app);
}

struct rate *rate_new(const struct rate_limits *limits, size_t route_count)
{
	struct rate *rate = mem_zalloc(sizeof(*rate));

	assert(limits->room_id_ms <= RATE_ROOM_ID_MS_MAX);
	rate_set_limits(rate, limits);
	rate->route_count = route_count;
	for (size_t i = 0; i < RATE_SHARDS; i++)
		rate_lock_init(&rate->shards[i].lock);
	for (size_t i = 0; i < RATE_ROOM_LOCKS; i++)
		rate_lock_init(&rate->room_locks[i]);
	if (limits->room_id_ms) {
		rate->room_ns = (int64_t)limits->room_id_ms * 1000000;
		rate->room_key = hash_key_random();
		rate->rooms = mem_zalloc(RATE_ROOMS * sizeof(*rate->rooms));
	}
	return rate;
}

static void rate_shard_fini(struct rate_shard *shard)
{
	for (size_t i = 0; i < shard->slot_count; i++)
		mem_free(shard->slots[i]);
	mem_free(shard->slots);
	(void)pthread_mutex_destroy(&shard->lock); /* unlocked */
}

void rate_free(struct rate **rate)
{
	if (!*rate)
		return;
	for (size_t i = 0; i < RATE_SHARDS; i++)
		rate_shard_fini(&(*rate)->shards[i]);
	for (size_t i = 0; i < RATE_ROOM_LOCKS; i++)
		(void)pthread_mutex_destroy(&(*rate)->room_locks[i]); /* unlocked */
	mem_free((*rate)->rooms);
	mem_free(*rate);
	*rate = NULL;
}

/* ---- apps ---- */

/* Spreads numbers that follow each other. Only apps that exist get here, so no seed is needed. */
static uint32_t rate_mix(uint32_t sdkappid)
{
	uint32_t x = sdkappid;

	x = (x ^ x >> 16) * 0x85ebca6bu;
	x = (x ^ x >> 13) * 0xc2b2ae35u;
	return x ^ x >> 16;
}

/* Where the app is, or where it would go. There is always a free slot. */
static struct rate_app **rate_find(const struct rate_shard *shard, uint32_t sdkappid)
{
	size_t at = rate_mix(sdkappid) / RATE_SHARDS;

	for (;; at++) {
		struct rate_app **slot = &shard->slots[at & (shard->slot_count - 1)];

		if (!*slot || (*slot)->sdkappid == sdkappid)
			return slot;
	}
}

static void rate_shard_grow(struct rate_shard *shard)
{
	struct rate_shard grown = *shard;

	grown.slot_count = shard->slot_count ? shard->slot_count * 2 : RATE_SLOTS_FIRST;
	grown.slots = mem_zalloc(grown.slot_count * sizeof(struct rate_app *));
	for (size_t i = 0; i < shard->slot_count; i++)
		if (shard->slots[i])
			*rate_find(&grown, shard->slots[i]->sdkappid) = shard->slots[i];
	mem_free(shard->slots);
	shard->slots = grown.slots;
	shard->slot_count = grown.slot_count;
}

/* The app's entry, made when it is new. Under the shard's lock. */
static struct rate_app *rate_app_of(const struct rate *rate, struct rate_shard *shard, uint32_t sdkappid)
{
	struct rate_app *app;

	if ((shard->app_count + 1) * 2 > shard->slot_count)
		rate_shard_grow(shard);
	app = *rate_find(shard, sdkappid);
	if (app)
		return app;
	app = mem_zalloc(sizeof(*app) + rate->route_count * sizeof(app->route_full_ns[0]));
	app->sdkappid = sdkappid;
	*rate_find(shard, sdkappid) = app;
	shard->app_count++;
	return app;
}

/* ---- calls ---- */

static bool rate_is_over(const struct rate_pace *pace, int64_t full_ns, int64_t now_ns)
{
	return pace->interval_ns && full_ns - now_ns > pace->burst_ns;
}

static void rate_take(const struct rate_pace *pace, int64_t *full_ns, int64_t now_ns)
{
	*full_ns = (*full_ns > now_ns ? *full_ns : now_ns) + pace->interval_ns;
}

int rate_admit(struct rate *rate, uint32_t sdkappid, size_t route, enum rate_class class, int64_t now_ns)
{
	struct rate_pace pace = rate_load(&rate->classes[class]);
	struct rate_pace app_pace = rate_load(&rate->app);
	struct rate_shard *shard = &rate->shards[rate_mix(sdkappid) % RATE_SHARDS];
	struct rate_app *app;
	int code = HW_OK;

	assert(sdkappid != 0 && route < rate->route_count && now_ns >= 0 && now_ns <= RATE_NOW_NS_MAX);
	if (!pace.interval_ns && !app_pace.interval_ns)
		return HW_OK;
	pthread_mutex_lock(&shard->lock);
	app = rate_app_of(rate, shard, sdkappid);
	if (rate_is_over(&pace, app->route_full_ns[route], now_ns)) {
		code = HW_API_BUSY;
	} else if (rate_is_over(&app_pace, app->full_ns, now_ns)) {
		code = HW_APP_BUSY;
	} else {
		rate_take(&pace, &app->route_full_ns[route], now_ns);
		rate_take(&app_pace, &app->full_ns, now_ns);
	}
	pthread_mutex_unlock(&shard->lock);
	return code;
}

/* ---- room ids ---- */

static uint64_t rate_room_hash(const struct rate *rate, uint32_t sdkappid, struct str room_id)
{
	char bytes[sizeof(sdkappid) + HW_ROOM_ID_BYTES_MAX];

	assert(room_id.len <= HW_ROOM_ID_BYTES_MAX);
	memcpy(bytes, &sdkappid, sizeof(sdkappid));
	if (room_id.len)
		memcpy(bytes + sizeof(sdkappid), room_id.ptr, room_id.len);
	return hash_bytes(rate->room_key, bytes, sizeof(sdkappid) + room_id.len);
}

static struct rate_room *rate_room_set(const struct rate *rate, uint64_t hash)
{
	return &rate->rooms[hash % (RATE_ROOMS / RATE_ROOMS_PER_SET) * RATE_ROOMS_PER_SET];
}

/* The place of that hash, else the one to overwrite: a free one, or the oldest. Under the set's lock. */
static struct rate_room *rate_room_place(const struct rate *rate, uint64_t hash)
{
	struct rate_room *set = rate_room_set(rate, hash);
	struct rate_room *place = &set[0];

	for (size_t i = 0; i < RATE_ROOMS_PER_SET; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (set[i].until_ns < place->until_ns)
			place = &set[i];
	}
	return place;
}

void rate_room_created(struct rate *rate, uint32_t sdkappid, struct str room_id, int64_t now_ns)
{
	struct rate_room *place;
	pthread_mutex_t *lock;
	uint64_t hash;

	assert(now_ns >= 0 && now_ns <= RATE_NOW_NS_MAX);
	if (!rate->rooms)
		return;
	hash = rate_room_hash(rate, sdkappid, room_id);
	lock = &rate->room_locks[hash % RATE_ROOM_LOCKS];
	pthread_mutex_lock(lock);
	place = rate_room_place(rate, hash);
	*place = (struct rate_room){hash, now_ns + rate->room_ns};
	pthread_mutex_unlock(lock);
}

bool rate_room_is_fresh(struct rate *rate, uint32_t sdkappid, struct str room_id, int64_t now_ns)
{
	const struct rate_room *place;
	pthread_mutex_t *lock;
	uint64_t hash;
	bool fresh;

	assert(now_ns >= 0 && now_ns <= RATE_NOW_NS_MAX);
	if (!rate->rooms)
		return false;
	hash = rate_room_hash(rate, sdkappid, room_id);
	lock = &rate->room_locks[hash % RATE_ROOM_LOCKS];
	pthread_mutex_lock(lock);
	place = rate_room_place(rate, hash);
	fresh = place->hash == hash && now_ns < place->until_ns;
	pthread_mutex_unlock(lock);
	return fresh;
}
