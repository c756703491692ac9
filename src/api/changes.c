/* What has changed of the apps; see changes.h.
 *
 * A fixed array of places, found by app and kind in a hash table, and linked in the order of their last change, the
 * newest at the end. Each change has a number, and `seen` is the number of the last one that was read. A place is used
 * for one kind only: a reader who takes part of what there is then misses nothing of what has changed again. */
#include "api/changes.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#define CHANGES_BUCKET_BITS 14
#define CHANGES_BUCKET_COUNT (1u << CHANGES_BUCKET_BITS)
#define CHANGES_MULTIPLIER UINT64_C(0x9e3779b97f4a7c15) /* 2^64 divided by the golden ratio: spreads neighbours */

struct changes_place {
	struct change change;
	uint64_t number;
	struct changes_place *older;
	struct changes_place *newer;
	struct changes_place *hash_next;
};

struct changes {
	_Atomic unsigned listeners;
	pthread_mutex_t lock;
	uint64_t number;	 /* of the newest change; under the lock, as all that follows */
	uint64_t dropped_number; /* of the newest one that was dropped */
	struct changes_place *oldest;
	struct changes_place *newest;
	size_t used;
	struct changes_place places[CHANGES_COUNT_MAX];
	struct changes_place *buckets[CHANGES_BUCKET_COUNT];
};

struct changes *changes_new(void)
{
	struct changes *changes = mem_zalloc(sizeof(*changes));
	int rc = pthread_mutex_init(&changes->lock, NULL);

	assert(rc == 0);
	return changes;
}

void changes_free(struct changes **changes)
{
	if (!*changes)
		return;
	assert(atomic_load(&(*changes)->listeners) == 0);
	(void)pthread_mutex_destroy(&(*changes)->lock); /* unlocked */
	mem_free(*changes);
	*changes = NULL;
}

/* ---- places; the lock is held ---- */

static struct changes_place **changes_bucket(struct changes *changes, enum change_kind kind, uint32_t sdkappid)
{
	uint64_t mixed = ((uint64_t)sdkappid << 2 | (uint64_t)kind) * CHANGES_MULTIPLIER;

	return &changes->buckets[mixed >> (64 - CHANGES_BUCKET_BITS)];
}

static struct changes_place *changes_find(struct changes *changes, enum change_kind kind, uint32_t sdkappid)
{
	struct changes_place *place = *changes_bucket(changes, kind, sdkappid);

	while (place && (place->change.kind != kind || place->change.sdkappid != sdkappid))
		place = place->hash_next;
	return place;
}

static void changes_unlink(struct changes *changes, struct changes_place *place)
{
	*(place->older ? &place->older->newer : &changes->oldest) = place->newer;
	*(place->newer ? &place->newer->older : &changes->newest) = place->older;
}

static void changes_append(struct changes *changes, struct changes_place *place)
{
	place->older = changes->newest;
	place->newer = NULL;
	*(place->older ? &place->older->newer : &changes->oldest) = place;
	changes->newest = place;
}

/* The oldest one, whose change is dropped. */
static struct changes_place *changes_drop(struct changes *changes)
{
	struct changes_place *place = changes->oldest;
	struct changes_place **link = changes_bucket(changes, place->change.kind, place->change.sdkappid);

	while (*link != place)
		link = &(*link)->hash_next;
	*link = place->hash_next;
	changes_unlink(changes, place);
	changes->dropped_number = place->number;
	return place;
}

static void changes_put(struct changes *changes, const struct change *change)
{
	struct changes_place *place = changes_find(changes, change->kind, change->sdkappid);

	if (place) {
		changes_unlink(changes, place);
	} else {
		struct changes_place **bucket = changes_bucket(changes, change->kind, change->sdkappid);

		place = changes->used < CHANGES_COUNT_MAX ? &changes->places[changes->used++] : changes_drop(changes);
		place->hash_next = *bucket;
		*bucket = place;
	}
	place->change = *change;
	place->number = ++changes->number;
	changes_append(changes, place);
}

/* ---- the writer ---- */

static void changes_note_app(struct changes *changes, const struct live_app *app)
{
	struct change change = {.kind = CHANGE_CONFIG, .sdkappid = app->sdkappid};

	if (app->config_changed || app->exists != app->exists_before)
		changes_put(changes, &change);
	change.kind = CHANGE_CALLBACKS;
	if (app->callbacks_changed)
		changes_put(changes, &change);
	if (!app->exists || (!app->config_changed && !app->state_changed))
		return;
	change.kind = CHANGE_APP;
	change.room_count = app->state.room_count;
	change.room_count_max = app->config->room_count_max;
	change.callback_pending = app->state.callback_pending;
	change.alert_level = app->state.alert_level;
	change.endpoint = endpoint_state_of(app->config->pause, app->state.endpoint.failures);
	changes_put(changes, &change);
}

void changes_note(struct changes *changes, const struct live_set *set)
{
	if (atomic_load(&changes->listeners) == 0)
		return; /* who begins to listen now looks things up after this batch was stored */
	pthread_mutex_lock(&changes->lock);
	for (size_t i = 0; i < set->app_count; i++)
		changes_note_app(changes, set->apps[i]);
	pthread_mutex_unlock(&changes->lock);
}

/* ---- readers ---- */

void changes_listen(struct changes *changes, uint64_t *seen_out)
{
	(void)atomic_fetch_add(&changes->listeners, 1); /* the old value */
	pthread_mutex_lock(&changes->lock);
	*seen_out = changes->number;
	pthread_mutex_unlock(&changes->lock);
}

void changes_leave(struct changes *changes)
{
	unsigned before = atomic_fetch_sub(&changes->listeners, 1);

	assert(before > 0);
}

size_t changes_read(struct changes *changes, uint64_t *seen, struct change *out, size_t count_max, bool *lost_out)
{
	const struct changes_place *place = NULL;
	size_t count = 0;

	pthread_mutex_lock(&changes->lock);
	*lost_out = *seen < changes->dropped_number;
	if (*lost_out)
		*seen = changes->number;
	for (const struct changes_place *at = changes->newest; at && at->number > *seen; at = at->older)
		place = at;
	for (; place && count < count_max; place = place->newer) {
		out[count++] = place->change;
		*seen = place->number;
	}
	pthread_mutex_unlock(&changes->lock);
	return count;
}
