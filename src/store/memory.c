/* The store in memory: for unit tests and the simulator.
 *
 * It keeps what SQLite would keep in three search trees under one lock, and nothing survives the process. Lists walk a
 * whole tree: correct, not fast. The transaction of load and commit needs no undo, because a commit cannot fail here.
 */
#include "base/mem.h"
#include "store/store_ops.h"

#include <assert.h>
#include <pthread.h>
#include <search.h>
#include <string.h>

struct memory_room {
	uint32_t number;
	struct store_room row; /* its text is owned, as C strings */
};

struct memory_store {
	struct store base;
	pthread_rwlock_t lock;
	void *apps;	 /* struct store_app by sdkappid */
	void *rooms;	 /* struct memory_room by number and room_id */
	void *callbacks; /* struct store_callback by id; its text is owned */
	uint32_t app_number_next;
};

struct memory_reader {
	struct store_reader base;
	struct memory_store *store;
};

static int memory_compare_apps(const void *a, const void *b)
{
	uint32_t left = ((const struct store_app *)a)->config.sdkappid;
	uint32_t right = ((const struct store_app *)b)->config.sdkappid;

	return left < right ? -1 : left > right;
}

static int memory_compare_rooms(const void *a, const void *b)
{
	const struct memory_room *left = a;
	const struct memory_room *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return str_compare(left->row.room_id, right->row.room_id);
}

static int memory_compare_callbacks(const void *a, const void *b)
{
	int64_t left = ((const struct store_callback *)a)->id;
	int64_t right = ((const struct store_callback *)b)->id;

	return left < right ? -1 : left > right;
}

static struct str memory_dup(struct str s)
{
	return (struct str){mem_dup(s.ptr, s.len), s.len};
}

static void memory_drop(struct str s)
{
	mem_free((void *)(uintptr_t)s.ptr); /* made by memory_dup */
}

static struct store_app *memory_app(struct memory_store *store, uint32_t sdkappid)
{
	struct store_app *key = mem_zalloc(sizeof(*key));
	void *node;

	key->config.sdkappid = sdkappid;
	node = tfind(key, &store->apps, memory_compare_apps);
	mem_free(key);
	return node ? *(struct store_app **)node : NULL;
}

static struct memory_room *memory_room(struct memory_store *store, uint32_t number, struct str room_id)
{
	struct memory_room key = {.number = number, .row.room_id = room_id};
	void *node = tfind(&key, &store->rooms, memory_compare_rooms);

	return node ? *(struct memory_room **)node : NULL;
}

static int memory_load(struct store *base, struct live_set *set, struct error *err)
{
	struct memory_store *store = (struct memory_store *)base;

	(void)err; /* cannot fail */
	for (size_t i = 0; i < set->app_count; i++) {
		struct live_app *app = set->apps[i];
		struct store_app *found = memory_app(store, app->sdkappid);

		if (!found)
			continue;
		app->exists = app->exists_before = true;
		app->number_before = found->config.number;
		app->config = &found->config;
		app->state = found->state;
	}
	for (size_t i = 0; i < set->room_count; i++) {
		struct live_room *room = set->rooms[i];
		struct memory_room *found =
			room->app->exists ? memory_room(store, room->app->number_before, room->room_id) : NULL;

		if (!found)
			continue;
		room->exists = room->exists_before = true;
		room->id = room->id_before = found->row.id;
		(void)str_copy(room->owner, sizeof(room->owner), found->row.owner); /* same size when stored */
	}
	set->app_number_next = store->app_number_next;
	return 0;
}

static void memory_free_room(void *ptr)
{
	struct memory_room *room = ptr;

	memory_drop(room->row.room_id);
	memory_drop(room->row.owner);
	memory_drop(room->row.info);
	mem_free(room);
}

static void memory_free_callback(void *ptr)
{
	struct store_callback *callback = ptr;

	memory_drop(callback->client_ip);
	memory_drop(callback->body);
	memory_drop(callback->error);
	mem_free(callback);
}

static void memory_write_room(struct memory_store *store, const struct live_room *room)
{
	if (live_room_is_gone(room)) {
		struct memory_room *old = memory_room(store, app_id_number(room->id_before), room->room_id);

		assert(old);
		tdelete(old, &store->rooms, memory_compare_rooms);
		memory_free_room(old);
	}
	if (live_room_is_new(room)) {
		struct memory_room *made = mem_zalloc(sizeof(*made));
		void *node;

		made->number = app_id_number(room->id);
		made->row = (struct store_room){
			.id = room->id,
			.room_id = memory_dup(room->room_id),
			.owner = memory_dup(str_c(room->owner)),
			.create_ms = room->create_ms,
			.visible = room->visible,
			.info = memory_dup(room->info),
		};
		node = tsearch(made, &store->rooms, memory_compare_rooms);
		assert(node && *(struct memory_room **)node == made);
	}
}

static void memory_add_callback(struct memory_store *store, const struct live_callback *callback)
{
	struct store_callback *made = mem_zalloc(sizeof(*made));
	void *node;

	*made = (struct store_callback){
		.id = callback->id,
		.sdkappid = callback->sdkappid,
		.command = callback->command,
		.threshold = callback->threshold,
		.platform = callback->platform,
		.client_ip = memory_dup(callback->client_ip),
		.body = memory_dup(callback->body),
		.event_ms = callback->event_ms,
		.due_ms = callback->due_ms,
		.error = memory_dup(STR("")),
	};
	node = tsearch(made, &store->callbacks, memory_compare_callbacks);
	assert(node && *(struct store_callback **)node == made);
}

static void memory_mark(struct memory_store *store, const struct delivery_result *result)
{
	struct store_callback key = {.id = result->callback_id};
	void *node = tfind(&key, &store->callbacks, memory_compare_callbacks);
	struct store_callback *callback = node ? *(struct store_callback **)node : NULL;

	if (!callback || callback->state != CALLBACK_PENDING)
		return;
	callback->state = result->mark == DELIVERY_DELIVERED ? CALLBACK_DELIVERED
			  : result->mark == DELIVERY_FAILED  ? CALLBACK_FAILED
							     : CALLBACK_PENDING;
	callback->attempts = result->attempts;
	callback->due_ms = result->due_ms;
	callback->attempt_ms = result->attempt_ms;
	callback->http_status = result->http_status;
	memory_drop(callback->error);
	callback->error = memory_dup(str_c(result->error));
}

struct memory_cancel {
	uint32_t sdkappid;
	int64_t below_id;
};

static void memory_cancel_one(const void *node, VISIT visit, void *context)
{
	struct store_callback *callback = *(struct store_callback *const *)node;
	const struct memory_cancel *cancel = context;

	if ((visit != postorder && visit != leaf) || callback->sdkappid != cancel->sdkappid ||
	    callback->id >= cancel->below_id || callback->state != CALLBACK_PENDING)
		return;
	callback->state = CALLBACK_FAILED;
	memory_drop(callback->error);
	callback->error = memory_dup(STR("app deleted"));
}

static void memory_write_app(struct memory_store *store, const struct live_app *app)
{
	struct store_app *row = memory_app(store, app->sdkappid);

	if (app->pending_cancelled) {
		struct memory_cancel cancel = {app->sdkappid, live_app_cancel_below(app)};

		twalk_r(store->callbacks, memory_cancel_one, &cancel);
	}
	if (live_app_is_gone(app)) {
		tdelete(row, &store->apps, memory_compare_apps);
		mem_free(row);
		row = NULL;
	}
	if (!app->exists)
		return;
	if (!row) {
		row = mem_zalloc(sizeof(*row));
		row->config.sdkappid = app->sdkappid;
		(void)tsearch(row, &store->apps, memory_compare_apps); /* was not there */
	}
	if (app->config != &row->config)
		row->config = *app->config;
	row->state = app->state;
}

static int memory_commit(struct store *base, struct live_set *set, struct error *err)
{
	struct memory_store *store = (struct memory_store *)base;

	(void)err; /* cannot fail */
	pthread_rwlock_wrlock(&store->lock);
	for (size_t i = 0; i < set->room_count; i++)
		memory_write_room(store, set->rooms[i]);
	for (size_t i = 0; i < set->callback_count; i++)
		memory_add_callback(store, &set->callbacks[i]);
	for (size_t i = 0; i < set->mark_count; i++)
		memory_mark(store, set->marks[i]);
	for (size_t i = 0; i < set->app_count; i++)
		memory_write_app(store, set->apps[i]);
	store->app_number_next = set->app_number_next;
	pthread_rwlock_unlock(&store->lock);
	return 0;
}

static void memory_nothing(struct store *base)
{
	(void)base; /* nothing to end, nothing to tidy */
}

static void memory_close(struct store *base)
{
	struct memory_store *store = (struct memory_store *)base;

	tdestroy(store->apps, mem_free);
	tdestroy(store->rooms, memory_free_room);
	tdestroy(store->callbacks, memory_free_callback);
	(void)pthread_rwlock_destroy(&store->lock); /* unlocked */
	mem_free(store);
}

/* ---- readers ---- */

struct memory_walk {
	void (*each_app)(void *context, const struct store_app *app);
	void (*each_pending)(void *context, uint32_t sdkappid, int64_t due_ms);
	void *context;
	struct arena *arena;
	uint32_t number;
	uint32_t sdkappid;
	int64_t before_id;
	bool visible_only;
	size_t limit;
	struct store_room *rooms;
	struct store_callback *callbacks;
	size_t count;
	uint64_t total;
};

static void memory_walk_apps(const void *node, VISIT visit, void *context)
{
	struct memory_walk *walk = context;

	if (visit == postorder || visit == leaf)
		walk->each_app(walk->context, *(struct store_app *const *)node);
}

static int memory_app_each(struct store_reader *base, void (*each)(void *context, const struct store_app *app),
			   void *context, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_walk walk = {.each_app = each, .context = context};

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	twalk_r(store->apps, memory_walk_apps, &walk);
	pthread_rwlock_unlock(&store->lock);
	return 0;
}

static int memory_app_get(struct store_reader *base, uint32_t sdkappid, struct store_app *app_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct store_app *app;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	app = memory_app(store, sdkappid);
	if (app)
		*app_out = *app;
	pthread_rwlock_unlock(&store->lock);
	return app ? 1 : 0;
}

static struct store_room memory_copy_room(struct arena *arena, const struct store_room *row)
{
	struct store_room copy = *row;

	copy.room_id = arena_dup(arena, row->room_id);
	copy.owner = arena_dup(arena, row->owner);
	copy.info = arena_dup(arena, row->info);
	return copy;
}

static struct store_callback memory_copy_callback(struct arena *arena, const struct store_callback *row)
{
	struct store_callback copy = *row;

	copy.client_ip = arena_dup(arena, row->client_ip);
	copy.body = arena_dup(arena, row->body);
	copy.error = arena_dup(arena, row->error);
	return copy;
}

static int memory_room_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str room_id,
			   struct store_room *room_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_room *room;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	room = memory_room(store, number, room_id);
	if (room)
		*room_out = memory_copy_room(arena, &room->row);
	pthread_rwlock_unlock(&store->lock);
	return room ? 1 : 0;
}

/* Keeps the `limit` rooms with the largest ids below before_id, largest first. */
static void memory_walk_rooms(const void *node, VISIT visit, void *context)
{
	const struct memory_room *room = *(struct memory_room *const *)node;
	struct memory_walk *walk = context;
	size_t at;

	if ((visit != postorder && visit != leaf) || room->number != walk->number)
		return;
	walk->total++;
	if (walk->limit == 0 || room->row.id >= walk->before_id || (walk->visible_only && !room->row.visible))
		return;
	for (at = walk->count; at > 0 && walk->rooms[at - 1].id < room->row.id; at--)
		if (at < walk->limit)
			walk->rooms[at] = walk->rooms[at - 1];
	if (at >= walk->limit)
		return;
	walk->rooms[at] = memory_copy_room(walk->arena, &room->row);
	if (walk->count < walk->limit)
		walk->count++;
}

static int memory_room_list(struct store_reader *base, struct arena *arena, uint32_t number, int64_t before_id,
			    bool visible_only, size_t limit, struct store_room *rooms_out, size_t *count_out,
			    struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_walk walk = {.arena = arena,
				   .number = number,
				   .before_id = before_id,
				   .visible_only = visible_only,
				   .limit = limit,
				   .rooms = rooms_out};

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	twalk_r(store->rooms, memory_walk_rooms, &walk);
	pthread_rwlock_unlock(&store->lock);
	*count_out = walk.count;
	return 0;
}

static int memory_room_count(struct store_reader *base, uint32_t number, uint64_t *count_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_walk walk = {.number = number};

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	twalk_r(store->rooms, memory_walk_rooms, &walk);
	pthread_rwlock_unlock(&store->lock);
	*count_out = walk.total;
	return 0;
}

/* One call per app: ids rise by app, so the callbacks of one app are neighbours in the tree. */
static void memory_walk_due(const void *node, VISIT visit, void *context)
{
	const struct store_callback *callback = *(struct store_callback *const *)node;
	struct memory_walk *walk = context;

	if ((visit != postorder && visit != leaf) || callback->state != CALLBACK_PENDING)
		return;
	if (walk->sdkappid == callback->sdkappid) {
		if (callback->due_ms < walk->before_id)
			walk->before_id = callback->due_ms;
		return;
	}
	if (walk->sdkappid)
		walk->each_pending(walk->context, walk->sdkappid, walk->before_id);
	walk->sdkappid = callback->sdkappid;
	walk->before_id = callback->due_ms;
}

static int memory_pending_each(struct store_reader *base,
			       void (*each)(void *context, uint32_t sdkappid, int64_t due_ms), void *context,
			       struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_walk walk = {.each_pending = each, .context = context};

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	twalk_r(store->callbacks, memory_walk_due, &walk);
	if (walk.sdkappid)
		each(context, walk.sdkappid, walk.before_id);
	pthread_rwlock_unlock(&store->lock);
	return 0;
}

static bool memory_before(const struct memory_walk *walk, const struct store_callback *a,
			  const struct store_callback *b)
{
	if (!walk->sdkappid) /* a list: newest first */
		return a->id > b->id;
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->id < b->id;
}

static void memory_walk_callbacks(const void *node, VISIT visit, void *context)
{
	const struct store_callback *callback = *(struct store_callback *const *)node;
	struct memory_walk *walk = context;
	size_t at;

	if (visit != postorder && visit != leaf)
		return;
	if (walk->sdkappid ? callback->sdkappid != walk->sdkappid || callback->state != CALLBACK_PENDING
			   : app_id_number(callback->id) != walk->number || callback->id >= walk->before_id)
		return;
	for (at = walk->count; at > 0 && memory_before(walk, callback, &walk->callbacks[at - 1]); at--)
		if (at < walk->limit)
			walk->callbacks[at] = walk->callbacks[at - 1];
	if (at >= walk->limit)
		return;
	walk->callbacks[at] = memory_copy_callback(walk->arena, callback);
	if (walk->count < walk->limit)
		walk->count++;
}

static int memory_callback_pending(struct store_reader *base, struct arena *arena, uint32_t sdkappid, size_t limit,
				   struct store_callback *callbacks_out, size_t *count_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_walk walk = {.arena = arena, .sdkappid = sdkappid, .limit = limit, .callbacks = callbacks_out};

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	twalk_r(store->callbacks, memory_walk_callbacks, &walk);
	pthread_rwlock_unlock(&store->lock);
	*count_out = walk.count;
	return 0;
}

static int memory_callback_list(struct store_reader *base, struct arena *arena, uint32_t number, int64_t before_id,
				size_t limit, struct store_callback *callbacks_out, size_t *count_out,
				struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_walk walk = {
		.arena = arena, .number = number, .before_id = before_id, .limit = limit, .callbacks = callbacks_out};

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	twalk_r(store->callbacks, memory_walk_callbacks, &walk);
	pthread_rwlock_unlock(&store->lock);
	*count_out = walk.count;
	return 0;
}

static void memory_reader_close(struct store_reader *base)
{
	mem_free(base);
}

static const struct store_reader_ops memory_reader_ops = {
	.close = memory_reader_close,
	.app_each = memory_app_each,
	.app_get = memory_app_get,
	.room_get = memory_room_get,
	.room_list = memory_room_list,
	.room_count = memory_room_count,
	.pending_each = memory_pending_each,
	.callback_pending = memory_callback_pending,
	.callback_list = memory_callback_list,
};

static int memory_reader_open(struct store *base, struct store_reader **reader_out, struct error *err)
{
	struct memory_reader *reader = mem_zalloc(sizeof(*reader));

	(void)err; /* cannot fail */
	reader->base.ops = &memory_reader_ops;
	reader->store = (struct memory_store *)base;
	*reader_out = &reader->base;
	return 0;
}

static const struct store_ops memory_ops = {
	.load = memory_load,
	.commit = memory_commit,
	.abandon = memory_nothing,
	.tidy = memory_nothing,
	.close = memory_close,
	.reader_open = memory_reader_open,
};

int store_memory_open(struct store **store_out, struct error *err)
{
	struct memory_store *store = mem_zalloc(sizeof(*store));
	int rc = pthread_rwlock_init(&store->lock, NULL);

	(void)err; /* cannot fail */
	assert(rc == 0);
	store->base = (struct store){&memory_ops, random_u64()};
	store->app_number_next = 1;
	*store_out = &store->base;
	return 0;
}
