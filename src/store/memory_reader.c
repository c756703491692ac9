/* Readers of the memory store: they walk its trees under its lock, and copy. See memory.c. */
#include "base/mem.h"
#include "store/memory_internal.h"

#include <search.h>

struct memory_reader {
	struct store_reader base;
	struct memory_store *store;
};

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

struct memory_item_walk {
	int64_t room;
	const struct memory_room *found;
};

static void memory_walk_to_room(const void *node, VISIT visit, void *context)
{
	const struct memory_room *room = *(struct memory_room *const *)node;
	struct memory_item_walk *walk = context;

	if ((visit == postorder || visit == leaf) && room->row.id == walk->room)
		walk->found = room;
}

static int memory_room_items(struct store_reader *base, struct arena *arena, int64_t room, enum item_kind kind,
			     size_t limit, struct store_item *items_out, size_t *count_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_item_walk walk = {.room = room};
	size_t count = 0;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	twalk_r(store->rooms, memory_walk_to_room, &walk);
	for (const struct memory_item *item = walk.found ? walk.found->items[kind] : NULL; item && count < limit;
	     item = item->next)
		items_out[count++] = (struct store_item){.name = arena_dup(arena, item->row.name),
							 .value = arena_dup(arena, item->row.value),
							 .until_s = item->row.until_s};
	pthread_rwlock_unlock(&store->lock);
	*count_out = count;
	return 0;
}

static int memory_account_get(struct store_reader *base, struct arena *arena, uint32_t number, struct str name,
			      struct store_account *account_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	const struct memory_account *account;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	account = memory_account(store, number, name);
	if (account)
		*account_out = (struct store_account){.nick = arena_dup(arena, account->nick),
						      .face_url = arena_dup(arena, account->face_url),
						      .create_ms = account->create_ms};
	pthread_rwlock_unlock(&store->lock);
	return account ? 1 : 0;
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
	.room_items = memory_room_items,
	.account_get = memory_account_get,
	.room_count = memory_room_count,
	.pending_each = memory_pending_each,
	.callback_pending = memory_callback_pending,
	.callback_list = memory_callback_list,
};

int memory_reader_open(struct store *base, struct store_reader **reader_out, struct error *err)
{
	struct memory_reader *reader = mem_zalloc(sizeof(*reader));

	(void)err; /* cannot fail */
	reader->base.ops = &memory_reader_ops;
	reader->store = (struct memory_store *)base;
	*reader_out = &reader->base;
	return 0;
}
