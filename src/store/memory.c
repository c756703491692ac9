/* The store in memory: for unit tests and the simulator.
 *
 * It keeps what SQLite would keep in search trees under one lock, and nothing survives the process. Lists walk a
 * whole tree: correct, not fast. The transaction of load and commit needs no undo, because a commit cannot fail here.
 * Readers stand in memory_reader.c, all about callbacks in memory_callbacks.c, audit log and samples in
 * memory_history.c.
 */
#include "base/mem.h"
#include "store/memory_internal.h"

#include <assert.h>
#include <search.h>
#include <string.h>

static int memory_compare_apps(const void *a, const void *b)
{
	uint32_t left = ((const struct memory_app *)a)->row.config.sdkappid;
	uint32_t right = ((const struct memory_app *)b)->row.config.sdkappid;

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

static int memory_compare_accounts(const void *a, const void *b)
{
	const struct memory_account *left = a;
	const struct memory_account *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return str_compare(left->name, right->name);
}

struct str memory_dup(struct str s)
{
	return (struct str){mem_dup(s.ptr, s.len), s.len};
}

void memory_drop(struct str s)
{
	mem_free((void *)(uintptr_t)s.ptr); /* made by memory_dup */
}

struct memory_app *memory_app(struct memory_store *store, uint32_t sdkappid)
{
	struct memory_app key; /* only the compared field is read */
	void *node;

	key.row.config.sdkappid = sdkappid;
	node = tfind(&key, &store->apps, memory_compare_apps);
	return node ? *(struct memory_app **)node : NULL;
}

struct memory_room *memory_room(struct memory_store *store, uint32_t number, struct str room_id)
{
	struct memory_room key = {.number = number, .row.room_id = room_id};
	void *node = tfind(&key, &store->rooms, memory_compare_rooms);

	return node ? *(struct memory_room **)node : NULL;
}

struct memory_account *memory_account(struct memory_store *store, uint32_t number, struct str name)
{
	struct memory_account key = {.number = number, .name = name};
	void *node = tfind(&key, &store->accounts, memory_compare_accounts);

	return node ? *(struct memory_account **)node : NULL;
}

static void memory_load_room(struct memory_store *store, struct live_set *set, struct live_room *room)
{
	struct memory_room *found = memory_room(store, room->app->number_before, room->room_id);

	if (!found)
		return;
	room->exists = room->exists_before = true;
	room->id = room->id_before = found->row.id;
	(void)str_copy(room->owner, sizeof(room->owner), found->row.owner); /* same size when stored */
	room->create_ms = found->row.create_ms;
	room->visible = found->row.visible;
	room->info = arena_dup(set->arena, found->row.info);
	for (unsigned kind = 0; kind < ITEM_KIND_COUNT; kind++) {
		struct live_item *last = NULL;

		if (!(room->items_needed >> kind & 1))
			continue;
		for (const struct memory_item *item = found->items[kind]; item; item = item->next)
			live_room_add_item(set, room, (enum item_kind)kind, &last,
					   (struct live_item){.name = arena_dup(set->arena, item->row.name),
							      .value = arena_dup(set->arena, item->row.value),
							      .until_s = item->row.until_s});
	}
}

static void memory_load_account(struct memory_store *store, struct live_set *set, struct live_account *account)
{
	const struct memory_account *found = memory_account(store, account->app->number_before, account->name);

	if (!found)
		return;
	account->exists = account->exists_before = true;
	account->nick = arena_dup(set->arena, found->nick);
	account->face_url = arena_dup(set->arena, found->face_url);
	account->create_ms = found->create_ms;
}

static int memory_load(struct store *base, struct live_set *set, struct error *err)
{
	struct memory_store *store = (struct memory_store *)base;

	(void)err; /* cannot fail */
	for (size_t i = 0; i < set->app_count; i++) {
		struct live_app *app = set->apps[i];
		struct memory_app *found = memory_app(store, app->sdkappid);

		if (!found)
			continue;
		app->exists = app->exists_before = true;
		app->number_before = found->row.config.number;
		app->config = &found->row.config;
		app->state = found->row.state;
	}
	for (size_t i = 0; i < set->room_count; i++)
		if (set->rooms[i]->app->exists)
			memory_load_room(store, set, set->rooms[i]);
	for (struct live_account *account = set->accounts; account; account = account->next)
		if (account->app->exists)
			memory_load_account(store, set, account);
	memory_load_deliveries(store, set);
	set->app_number_next = store->app_number_next;
	store->in_batch = true;
	return 0;
}

static void memory_free_app(void *ptr)
{
	struct memory_app *app = ptr;

	memory_drop(app->certificate);
	memory_drop(app->certificate_key);
	mem_free(app);
}

static void memory_free_item(struct memory_item *item)
{
	memory_drop(item->row.name);
	memory_drop(item->row.value);
	mem_free(item);
}

static void memory_free_account(void *ptr)
{
	struct memory_account *account = ptr;

	memory_drop(account->name);
	memory_drop(account->nick);
	memory_drop(account->face_url);
	mem_free(account);
}

static void memory_free_room(void *ptr)
{
	struct memory_room *room = ptr;

	memory_drop(room->row.room_id);
	memory_drop(room->row.owner);
	memory_drop(room->row.info);
	for (unsigned kind = 0; kind < ITEM_KIND_COUNT; kind++) {
		while (room->items[kind]) {
			struct memory_item *item = room->items[kind];

			room->items[kind] = item->next;
			memory_free_item(item);
		}
	}
	mem_free(room);
}

static void memory_add_room(struct memory_store *store, const struct live_room *room)
{
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

static void memory_update_room(struct memory_room *row, const struct live_room *room)
{
	memory_drop(row->row.owner);
	memory_drop(row->row.info);
	row->row.owner = memory_dup(str_c(room->owner));
	row->row.visible = room->visible;
	row->row.info = memory_dup(room->info);
}

/* Puts the item at its place, or takes it away. */
static void memory_write_item(struct memory_room *row, const struct live_room *room, enum item_kind kind,
			      const struct live_item *item)
{
	struct memory_item **at = &row->items[kind];
	struct memory_item *old;

	if (!live_item_is_written(room, item) && !live_item_is_gone(room, item))
		return;
	while (*at && str_compare((*at)->row.name, item->name) < 0)
		at = &(*at)->next;
	old = *at;
	if (old && str_eq(old->row.name, item->name)) {
		*at = old->next;
		memory_free_item(old);
	}
	if (live_item_is_written(room, item)) {
		struct memory_item *made = mem_zalloc(sizeof(*made));

		made->row = (struct store_item){memory_dup(item->name), memory_dup(item->value), item->until_s};
		made->next = *at;
		*at = made;
	}
}

static void memory_write_room(struct memory_store *store, const struct live_room *room)
{
	struct memory_room *row;

	if (live_room_is_gone(room)) {
		row = memory_room(store, app_id_number(room->id_before), room->room_id);
		assert(row);
		tdelete(row, &store->rooms, memory_compare_rooms);
		memory_free_room(row);
	}
	if (!room->exists)
		return;
	if (live_room_is_new(room))
		memory_add_room(store, room);
	row = memory_room(store, app_id_number(room->id), room->room_id);
	assert(row);
	if (live_room_is_changed(room))
		memory_update_room(row, room);
	for (unsigned kind = 0; kind < ITEM_KIND_COUNT; kind++)
		for (const struct live_item *item = room->items[kind]; item; item = item->next)
			memory_write_item(row, room, (enum item_kind)kind, item);
}

static void memory_write_account(struct memory_store *store, const struct live_account *account)
{
	struct memory_account *row;

	if (!live_account_is_written(account))
		return;
	row = memory_account(store, account->app->config->number, account->name);
	if (!row) {
		row = mem_zalloc(sizeof(*row));
		row->number = account->app->config->number;
		row->name = memory_dup(account->name);
		(void)tsearch(row, &store->accounts, memory_compare_accounts); /* was not there */
	}
	memory_drop(row->nick);
	memory_drop(row->face_url);
	row->nick = memory_dup(account->nick);
	row->face_url = memory_dup(account->face_url);
	row->create_ms = account->create_ms;
}

struct memory_find_account {
	uint32_t number;
	struct memory_account *found;
};

static void memory_find_account(const void *node, VISIT visit, void *context)
{
	struct memory_account *account = *(struct memory_account *const *)node;
	struct memory_find_account *find = context;

	if ((visit == postorder || visit == leaf) && account->number == find->number)
		find->found = account;
}

static void memory_drop_accounts(struct memory_store *store, uint32_t number)
{
	struct memory_find_account find;

	do { /* a tree must not change while it is walked */
		find = (struct memory_find_account){.number = number};
		twalk_r(store->accounts, memory_find_account, &find);
		if (find.found) {
			tdelete(find.found, &store->accounts, memory_compare_accounts);
			memory_free_account(find.found);
		}
	} while (find.found);
}

static void memory_write_app(struct memory_store *store, const struct live_app *app)
{
	struct memory_app *row = memory_app(store, app->sdkappid);

	if (app->pending_cancelled)
		memory_cancel_callbacks(store, app);
	if (live_app_is_gone(app)) {
		memory_drop_accounts(store, app->number_before);
		memory_drop_samples(store, app->number_before);
		tdelete(row, &store->apps, memory_compare_apps);
		memory_free_app(row);
		row = NULL;
	}
	if (!app->exists)
		return;
	if (!row) {
		row = mem_zalloc(sizeof(*row));
		row->row.config.sdkappid = app->sdkappid;
		(void)tsearch(row, &store->apps, memory_compare_apps); /* was not there */
	}
	if (app->config != &row->row.config)
		row->row.config = *app->config;
	row->row.state = app->state;
	if (app->certificate_changed) {
		memory_drop(row->certificate);
		memory_drop(row->certificate_key);
		row->certificate = memory_dup(app->certificate);
		row->certificate_key = memory_dup(app->certificate_key);
	}
}

static int memory_commit(struct store *base, struct live_set *set, struct error *err)
{
	struct memory_store *store = (struct memory_store *)base;

	(void)err; /* cannot fail */
	pthread_rwlock_wrlock(&store->lock);
	for (size_t i = 0; i < set->room_count; i++)
		memory_write_room(store, set->rooms[i]);
	for (const struct live_account *account = set->accounts; account; account = account->next)
		memory_write_account(store, account);
	memory_write_callbacks(store, set);
	memory_write_history(store, set);
	for (size_t i = 0; i < set->app_count; i++)
		memory_write_app(store, set->apps[i]);
	store->app_number_next = set->app_number_next;
	pthread_rwlock_unlock(&store->lock);
	store->in_batch = false;
	return 0;
}

static void memory_abandon(struct store *base)
{
	((struct memory_store *)base)->in_batch = false; /* nothing was changed yet */
}

static void memory_tidy(struct store *base)
{
	(void)base; /* nothing to do */
}

static void memory_close(struct store *base)
{
	struct memory_store *store = (struct memory_store *)base;

	tdestroy(store->apps, memory_free_app);
	tdestroy(store->rooms, memory_free_room);
	tdestroy(store->accounts, memory_free_account);
	memory_free_callbacks(store);
	memory_free_history(store);
	(void)pthread_rwlock_destroy(&store->lock); /* unlocked */
	mem_free(store);
}

static int memory_probe(struct store *base, struct error *err)
{
	(void)base; /* memory can always be written */
	(void)err;
	return 0;
}

static const struct store_ops memory_ops = {
	.load = memory_load,
	.commit = memory_commit,
	.abandon = memory_abandon,
	.tidy = memory_tidy,
	.prune = memory_prune,
	.clip_due = memory_clip_due,
	.probe = memory_probe,
	.close = memory_close,
	.reader_open = memory_reader_open,
};

int store_memory_open(struct store **store_out, struct error *err)
{
	struct memory_store *store = mem_zalloc(sizeof(*store));
	int rc = pthread_rwlock_init(&store->lock, NULL);

	(void)err; /* cannot fail */
	assert(rc == 0);
	store->base.ops = &memory_ops;
	store->base.id = random_u64();
	random_bytes(store->base.secret, sizeof(store->base.secret));
	store->app_number_next = 1;
	*store_out = &store->base;
	return 0;
}
