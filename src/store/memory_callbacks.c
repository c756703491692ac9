/* Callbacks of the memory store: an array of rows in the order of their ids, under the store's lock. See memory.c.
 *
 * New ones of an app come after its old ones, so a row is put in by moving pointers, few of them as a rule. Reads go over
 * the array from where their ids begin. */
#include "base/mem.h"
#include "store/memory_internal.h"

#include <assert.h>
#include <string.h>

/* Place of the first callback with this id or a larger one. */
static size_t memory_callback_place(const struct memory_store *store, int64_t id)
{
	size_t low = 0;
	size_t high = store->callback_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (store->callbacks[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The place after this id. */
static size_t memory_callback_place_after(const struct memory_store *store, int64_t id)
{
	return id == INT64_MAX ? store->callback_count : memory_callback_place(store, id + 1);
}

static struct store_callback *memory_callback(const struct memory_store *store, int64_t id)
{
	size_t at = memory_callback_place(store, id);

	return at < store->callback_count && store->callbacks[at]->id == id ? store->callbacks[at] : NULL;
}

/* ---- the write side ---- */

static void memory_free_callback(struct store_callback *callback)
{
	memory_drop(callback->client_ip);
	memory_drop(callback->body);
	memory_drop(callback->error);
	memory_drop(callback->log);
	mem_free(callback);
}

void memory_free_callbacks(struct memory_store *store)
{
	for (size_t i = 0; i < store->callback_count; i++)
		memory_free_callback(store->callbacks[i]);
	mem_free(store->callbacks);
}

void memory_load_deliveries(const struct memory_store *store, struct live_set *set)
{
	for (struct live_delivery *delivery = set->deliveries; delivery; delivery = delivery->next) {
		const struct store_callback *callback = memory_callback(store, delivery->id);

		delivery->exists = callback != NULL;
		if (callback)
			delivery->state = callback->state;
	}
}

static void memory_add_callback(struct memory_store *store, const struct live_callback *callback)
{
	size_t at = memory_callback_place(store, callback->id);
	struct store_callback *made = mem_zalloc(sizeof(*made));

	assert(!memory_callback(store, callback->id));
	*made = (struct store_callback){
		.id = callback->id,
		.sdkappid = callback->sdkappid,
		.command = callback->command,
		.threshold = callback->threshold,
		.platform = callback->platform,
		.client_ip = memory_dup(callback->client_ip),
		.body = memory_dup(callback->body),
		.event_ms = callback->event_ms,
		.error = memory_dup(STR("")),
		.base_ms = callback->event_ms,
		.log = memory_dup(STR("")),
	};
	if (store->callback_count == store->callback_capacity) {
		store->callback_capacity = store->callback_capacity ? 2 * store->callback_capacity : 64;
		store->callbacks =
			mem_realloc(store->callbacks, store->callback_capacity * sizeof(store->callbacks[0]));
	}
	memmove(&store->callbacks[at + 1], &store->callbacks[at],
		(store->callback_count - at) * sizeof(store->callbacks[0]));
	store->callbacks[at] = made;
	store->callback_count++;
}

static void memory_replace(struct str *owned, struct str with)
{
	memory_drop(*owned);
	*owned = memory_dup(with);
}

static void memory_mark(struct memory_store *store, const struct delivery_result *result)
{
	struct store_callback *callback = memory_callback(store, result->callback_id);

	if (!callback || callback->state != CALLBACK_WAITING)
		return;
	callback->state = live_mark_state(result->mark);
	callback->attempts = result->attempts;
	callback->due_ms = result->due_ms;
	callback->attempt_ms = result->attempt_ms;
	callback->http_status = result->http_status;
	memory_replace(&callback->error, str_c(result->error));
	if (result->log.ptr)
		memory_replace(&callback->log, result->log);
}

static void memory_replay(struct memory_store *store, const struct live_delivery *delivery)
{
	struct store_callback *callback = memory_callback(store, delivery->id);

	if (!callback || callback->state == CALLBACK_WAITING)
		return;
	callback->state = CALLBACK_WAITING;
	callback->due_ms = delivery->due_ms;
	callback->base_ms = delivery->replay_ms;
	callback->base_attempts = callback->attempts;
	callback->replays++;
}

void memory_write_callbacks(struct memory_store *store, const struct live_set *set)
{
	for (size_t i = 0; i < set->callback_count; i++)
		memory_add_callback(store, &set->callbacks[i]);
	for (size_t i = 0; i < set->mark_count; i++)
		memory_mark(store, set->marks[i]);
	for (const struct live_delivery *delivery = set->deliveries; delivery; delivery = delivery->next)
		if (delivery->replayed)
			memory_replay(store, delivery);
}

void memory_cancel_callbacks(struct memory_store *store, const struct live_app *app)
{
	size_t end = memory_callback_place(store, live_app_cancel_below(app));

	for (size_t i = 0; i < end; i++) {
		struct store_callback *callback = store->callbacks[i];

		if (callback->sdkappid != app->sdkappid || callback->state != CALLBACK_WAITING)
			continue;
		callback->state = CALLBACK_FAILED;
		memory_replace(&callback->error, STR("app deleted"));
	}
}

int memory_prune(struct store *base, const struct store_retention *retention, int64_t *cursor, size_t *removed_out,
		 struct error *err)
{
	struct memory_store *store = (struct memory_store *)base;
	int64_t next = *cursor;
	size_t removed = 0;
	size_t looked = 0;
	size_t at;

	(void)err; /* cannot fail */
	assert(!store->in_batch);
	pthread_rwlock_wrlock(&store->lock);
	while ((at = memory_callback_place_after(store, next)) < store->callback_count &&
	       looked < STORE_PRUNE_ROWS_MAX) {
		struct store_callback *callback = store->callbacks[at];
		enum store_prune_verdict verdict =
			store_prune_judge(retention, callback->state, callback->event_ms, callback->attempt_ms);

		looked++;
		next = verdict == PRUNE_NEXT_APP ? store_prune_next_app(callback->id) : callback->id;
		if (verdict != PRUNE_REMOVE)
			continue;
		store->callback_count--;
		memmove(&store->callbacks[at], &store->callbacks[at + 1],
			(store->callback_count - at) * sizeof(store->callbacks[0]));
		memory_free_callback(callback);
		removed++;
	}
	pthread_rwlock_unlock(&store->lock);
	*cursor = looked < STORE_PRUNE_ROWS_MAX ? 0 : next;
	*removed_out = removed;
	return *cursor != 0;
}

int memory_clip_due(struct store *base, int64_t latest_ms, struct error *err)
{
	struct memory_store *store = (struct memory_store *)base;

	(void)err; /* cannot fail */
	assert(!store->in_batch);
	pthread_rwlock_wrlock(&store->lock);
	for (size_t i = 0; i < store->callback_count; i++)
		if (store->callbacks[i]->state == CALLBACK_WAITING && store->callbacks[i]->due_ms > latest_ms)
			store->callbacks[i]->due_ms = latest_ms;
	pthread_rwlock_unlock(&store->lock);
	return 0;
}

/* ---- readers ---- */

static struct store_callback memory_copy_callback(struct arena *arena, const struct store_callback *row, bool with_log)
{
	struct store_callback copy = *row;

	copy.client_ip = arena_dup(arena, row->client_ip);
	copy.body = arena_dup(arena, row->body);
	copy.error = arena_dup(arena, row->error);
	copy.log = with_log ? arena_dup(arena, row->log) : STR("");
	return copy;
}

/* One call per app: ids rise by app, so the callbacks of one app are neighbours. */
int memory_waiting_each(struct store_reader *base, void (*each)(void *context, uint32_t sdkappid, uint32_t failures),
			void *context, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	uint32_t last = 0;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	for (size_t i = 0; i < store->callback_count; i++) {
		uint32_t sdkappid = store->callbacks[i]->sdkappid;
		const struct memory_app *app;

		if (store->callbacks[i]->state != CALLBACK_WAITING || sdkappid == last)
			continue;
		last = sdkappid;
		app = memory_app(store, sdkappid);
		each(context, sdkappid, app ? app->row.state.endpoint.failures : 0);
	}
	pthread_rwlock_unlock(&store->lock);
	return 0;
}

int memory_waiting_count(struct store_reader *base, uint32_t sdkappid, uint64_t *count_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	uint64_t count = 0;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	for (size_t i = 0; i < store->callback_count; i++)
		count += store->callbacks[i]->state == CALLBACK_WAITING && store->callbacks[i]->sdkappid == sdkappid;
	pthread_rwlock_unlock(&store->lock);
	*count_out = count;
	return 0;
}

int memory_waiting_oldest(struct store_reader *base, uint32_t sdkappid, int64_t *event_ms_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	int64_t oldest_ms = INT64_MAX;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	for (size_t i = 0; i < store->callback_count; i++) {
		const struct store_callback *callback = store->callbacks[i];

		if (callback->state != CALLBACK_WAITING || (sdkappid && callback->sdkappid != sdkappid))
			continue;
		if (callback->event_ms < oldest_ms)
			oldest_ms = callback->event_ms;
		if (sdkappid) /* the one of the lowest id: ids rise with events */
			break;
	}
	pthread_rwlock_unlock(&store->lock);
	if (oldest_ms == INT64_MAX)
		return 0;
	*event_ms_out = oldest_ms;
	return 1;
}

int memory_callback_next(struct store_reader *base, struct arena *arena, uint32_t sdkappid, int64_t after_id,
			 struct store_callback *callback_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	int found = 0;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	for (size_t i = memory_callback_place_after(store, after_id); i < store->callback_count && !found; i++) {
		const struct store_callback *callback = store->callbacks[i];

		found = callback->sdkappid == sdkappid && callback->state == CALLBACK_WAITING && callback->due_ms == 0;
		if (found)
			*callback_out = memory_copy_callback(arena, callback, true);
	}
	pthread_rwlock_unlock(&store->lock);
	return found;
}

/* Puts one more into the `limit` that are due first; among equals, ids come as they rise. */
static size_t memory_insert_due(struct store_due *due, size_t count, size_t limit, struct store_due one)
{
	size_t at;

	for (at = count; at > 0 && one.due_ms < due[at - 1].due_ms; at--)
		if (at < limit)
			due[at] = due[at - 1];
	if (at < limit)
		due[at] = one;
	return count < limit ? count + 1 : count;
}

int memory_callback_due(struct store_reader *base, uint32_t sdkappid, size_t limit, struct store_due *due_out,
			size_t *count_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	size_t count = 0;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	for (size_t i = 0; i < store->callback_count; i++) {
		const struct store_callback *callback = store->callbacks[i];

		if (callback->sdkappid == sdkappid && callback->state == CALLBACK_WAITING && callback->due_ms > 0)
			count = memory_insert_due(due_out, count, limit,
						  (struct store_due){callback->id, callback->due_ms});
	}
	pthread_rwlock_unlock(&store->lock);
	*count_out = count;
	return 0;
}

int memory_callback_get(struct store_reader *base, struct arena *arena, int64_t id, struct store_callback *callback_out,
			struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	const struct store_callback *callback;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	callback = memory_callback(store, id);
	if (callback)
		*callback_out = memory_copy_callback(arena, callback, true);
	pthread_rwlock_unlock(&store->lock);
	return callback ? 1 : 0;
}

int memory_alert_newest(struct store_reader *base, uint32_t sdkappid, uint8_t threshold, int64_t *id_out,
			struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	int64_t id = 0;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	for (size_t i = store->callback_count; i > 0 && !id; i--)
		if (store->callbacks[i - 1]->sdkappid == sdkappid && store->callbacks[i - 1]->threshold == threshold)
			id = store->callbacks[i - 1]->id;
	pthread_rwlock_unlock(&store->lock);
	*id_out = id;
	return 0;
}

int memory_callback_list(struct store_reader *base, struct arena *arena, const struct store_callback_filter *filter,
			 size_t limit, struct store_callback *callbacks_out, size_t *count_out, int64_t *next_out,
			 struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	bool of_ended = store_filter_is_of_ended(filter);
	int64_t last = filter->before_id;
	int64_t next = 0;
	size_t looked = 0;
	size_t count = 0;
	size_t at;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	for (at = memory_callback_place(store, filter->before_id);
	     at > 0 && store->callbacks[at - 1]->id > filter->after_id; at--) {
		const struct store_callback *callback = store->callbacks[at - 1];

		if (of_ended && callback->state < CALLBACK_FAILED)
			continue;
		if (count == limit || looked == STORE_LIST_SCAN_MAX) {
			next = last;
			break;
		}
		last = callback->id;
		looked++;
		if (store_filter_passes(filter, callback->state, callback->event_ms))
			callbacks_out[count++] = memory_copy_callback(arena, callback, false);
	}
	pthread_rwlock_unlock(&store->lock);
	*count_out = count;
	*next_out = next;
	return 0;
}
