/* Readers of the memory store: they walk its trees under its lock, and copy. See memory.c. */
#include "base/mem.h"
#include "store/memory_internal.h"

#include <search.h>

struct memory_walk {
	void (*each_line)(void *context, const struct store_app_line *line);
	void (*each_app)(void *context, const struct store_app *app);
	void *context;
	struct arena *arena;
	uint32_t number;
	int64_t before_id;
	bool visible_only;
	bool oldest_first;
	int64_t after_id;
	struct str prefix;
	struct str after;
	size_t limit;
	struct store_room *rooms;
	size_t count;
	uint64_t total;
};

static void memory_walk_apps(const void *node, VISIT visit, void *context)
{
	struct memory_walk *walk = context;

	if (visit == postorder || visit == leaf)
		walk->each_app(walk->context, &(*(struct memory_app *const *)node)->row);
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

static void memory_walk_lines(const void *node, VISIT visit, void *context)
{
	const struct store_app *app = &(*(struct memory_app *const *)node)->row;
	struct memory_walk *walk = context;

	if (visit == postorder || visit == leaf)
		walk->each_line(walk->context, &(struct store_app_line){
						       .sdkappid = app->config.sdkappid,
						       .room_count_max = app->config.room_count_max,
						       .threshold_lowest = app->config.alert.thresholds[0],
						       .pause = app->config.pause,
						       .room_count = app->state.room_count,
						       .callback_pending = app->state.callback_pending,
						       .failures = app->state.endpoint.failures,
					       });
}

static int memory_app_line_each(struct store_reader *base,
				void (*each)(void *context, const struct store_app_line *line), void *context,
				struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_walk walk = {.each_line = each, .context = context};

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	twalk_r(store->apps, memory_walk_lines, &walk);
	pthread_rwlock_unlock(&store->lock);
	return 0;
}

static int memory_app_get(struct store_reader *base, uint32_t sdkappid, struct store_app *app_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	struct memory_app *app;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	app = memory_app(store, sdkappid);
	if (app)
		*app_out = app->row;
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

static void memory_walk(struct store_reader *base, void (*take)(const void *node, VISIT visit, void *context),
			struct memory_walk *walk)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;

	pthread_rwlock_rdlock(&store->lock);
	twalk_r(store->rooms, take, walk);
	pthread_rwlock_unlock(&store->lock);
}

/* Keeps the `limit` rooms with the largest ids below before_id, largest first; or with the smallest above after_id,
 * smallest first. */
static void memory_walk_rooms(const void *node, VISIT visit, void *context)
{
	const struct memory_room *room = *(struct memory_room *const *)node;
	struct memory_walk *walk = context;
	size_t at;

	if ((visit != postorder && visit != leaf) || room->number != walk->number)
		return;
	walk->total++;
	if (walk->limit == 0 || room->row.id >= walk->before_id || room->row.id <= walk->after_id ||
	    (walk->visible_only && !room->row.visible))
		return;
	for (at = walk->count; at > 0 && (walk->rooms[at - 1].id < room->row.id) != walk->oldest_first; at--)
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
	struct memory_walk walk = {.arena = arena,
				   .number = number,
				   .before_id = before_id,
				   .visible_only = visible_only,
				   .limit = limit,
				   .rooms = rooms_out};

	(void)err; /* cannot fail */
	memory_walk(base, memory_walk_rooms, &walk);
	*count_out = walk.count;
	return 0;
}

static int memory_room_list_oldest(struct store_reader *base, struct arena *arena, uint32_t number, int64_t after_id,
				   size_t limit, struct store_room *rooms_out, size_t *count_out, struct error *err)
{
	struct memory_walk walk = {.arena = arena,
				   .number = number,
				   .before_id = INT64_MAX,
				   .after_id = after_id,
				   .oldest_first = true,
				   .limit = limit,
				   .rooms = rooms_out};

	(void)err; /* cannot fail */
	memory_walk(base, memory_walk_rooms, &walk);
	*count_out = walk.count;
	return 0;
}

/* The tree is in the order of names. */
static void memory_walk_named(const void *node, VISIT visit, void *context)
{
	const struct memory_room *room = *(struct memory_room *const *)node;
	struct memory_walk *walk = context;

	if ((visit == postorder || visit == leaf) && room->number == walk->number && walk->count < walk->limit &&
	    str_starts_with(room->row.room_id, walk->prefix) && str_compare(room->row.room_id, walk->after) > 0)
		walk->rooms[walk->count++] = memory_copy_room(walk->arena, &room->row);
}

static int memory_room_list_named(struct store_reader *base, struct arena *arena, uint32_t number, struct str prefix,
				  struct str after, size_t limit, struct store_room *rooms_out, size_t *count_out,
				  struct error *err)
{
	struct memory_walk walk = {
		.arena = arena, .number = number, .prefix = prefix, .after = after, .limit = limit, .rooms = rooms_out};

	(void)err; /* cannot fail */
	memory_walk(base, memory_walk_named, &walk);
	*count_out = walk.count;
	return 0;
}

static int memory_room_owner_each(struct store_reader *base, uint32_t number, size_t limit,
				  void (*each)(void *context, struct str owner), void *context, struct error *err)
{
	struct store_room *rooms = mem_zalloc((limit + 1) * sizeof(*rooms));
	struct arena arena;
	size_t count;
	int result;

	arena_init(&arena, 16384);
	result = memory_room_list(base, &arena, number, INT64_MAX, false, limit, rooms, &count, err);
	for (size_t i = 0; result == 0 && i < count; i++)
		each(context, rooms[i].owner);
	arena_fini(&arena);
	mem_free(rooms);
	return result;
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
	struct memory_walk walk = {.number = number};

	(void)err; /* cannot fail */
	memory_walk(base, memory_walk_rooms, &walk);
	*count_out = walk.total;
	return 0;
}

static int memory_certificate_get(struct store_reader *base, struct arena *arena, uint32_t sdkappid,
				  struct str *chain_out, struct str *key_out, struct error *err)
{
	struct memory_store *store = ((struct memory_reader *)base)->store;
	const struct memory_app *app;
	int found;

	(void)err; /* cannot fail */
	pthread_rwlock_rdlock(&store->lock);
	app = memory_app(store, sdkappid);
	found = app && app->certificate.len > 0;
	if (found) {
		*chain_out = arena_dup(arena, app->certificate);
		*key_out = arena_dup(arena, app->certificate_key);
	}
	pthread_rwlock_unlock(&store->lock);
	return found;
}

static void memory_reader_close(struct store_reader *base)
{
	mem_free(base);
}

static const struct store_reader_ops memory_reader_ops = {
	.close = memory_reader_close,
	.app_each = memory_app_each,
	.app_line_each = memory_app_line_each,
	.app_get = memory_app_get,
	.room_get = memory_room_get,
	.room_list = memory_room_list,
	.room_list_oldest = memory_room_list_oldest,
	.room_list_named = memory_room_list_named,
	.room_owner_each = memory_room_owner_each,
	.room_items = memory_room_items,
	.account_get = memory_account_get,
	.room_count = memory_room_count,
	.waiting_each = memory_waiting_each,
	.waiting_count = memory_waiting_count,
	.waiting_oldest = memory_waiting_oldest,
	.callback_next = memory_callback_next,
	.callback_due = memory_callback_due,
	.callback_get = memory_callback_get,
	.alert_newest = memory_alert_newest,
	.callback_list = memory_callback_list,
	.audit_list = memory_audit_list,
	.sample_list = memory_sample_list,
	.sample_at = memory_sample_at,
	.certificate_get = memory_certificate_get,
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
