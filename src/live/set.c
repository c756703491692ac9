/* What a batch touches; see set.h. */
#include "live/set.h"

#include <assert.h>
#include <string.h>

void live_set_init(struct live_set *set, struct arena *arena, struct hash_key key, size_t command_count)
{
	size_t buckets = 16;

	while (buckets < command_count * 2)
		buckets *= 2;
	*set = (struct live_set){
		.arena = arena, .hash_key = key, .capacity = command_count, .bucket_mask = buckets - 1};
	set->apps = arena_array(arena, command_count, sizeof(*set->apps));
	set->rooms = arena_array(arena, command_count, sizeof(*set->rooms));
	set->app_buckets = arena_array(arena, buckets, sizeof(*set->app_buckets));
	set->room_buckets = arena_array(arena, buckets, sizeof(*set->room_buckets));
	set->account_buckets = arena_array(arena, buckets, sizeof(*set->account_buckets));
	set->delivery_buckets = arena_array(arena, buckets, sizeof(*set->delivery_buckets));
	set->callbacks = arena_array(arena, command_count * LIVE_CALLBACKS_PER_COMMAND, sizeof(*set->callbacks));
	set->marks = arena_array(arena, command_count, sizeof(*set->marks));
}

static size_t live_set_app_bucket(const struct live_set *set, uint32_t sdkappid)
{
	return hash_bytes(set->hash_key, &sdkappid, sizeof(sdkappid)) & set->bucket_mask;
}

/* Of something that has a name within its app. */
static size_t live_set_name_bucket(const struct live_set *set, uint32_t sdkappid, struct str name)
{
	struct hash_key key = {set->hash_key.k0 ^ sdkappid, set->hash_key.k1};

	return hash_bytes(key, name.ptr, name.len) & set->bucket_mask;
}

struct live_app *live_set_app(const struct live_set *set, uint32_t sdkappid)
{
	struct live_app *app = set->app_buckets[live_set_app_bucket(set, sdkappid)];

	while (app && app->sdkappid != sdkappid)
		app = app->hash_next;
	return app;
}

struct live_room *live_set_room(const struct live_set *set, uint32_t sdkappid, struct str room_id)
{
	struct live_room *room = set->room_buckets[live_set_name_bucket(set, sdkappid, room_id)];

	while (room && (room->app->sdkappid != sdkappid || !str_eq(room->room_id, room_id)))
		room = room->hash_next;
	return room;
}

static struct live_app *live_set_add_app(struct live_set *set, uint32_t sdkappid)
{
	struct live_app *app = live_set_app(set, sdkappid);
	size_t bucket = live_set_app_bucket(set, sdkappid);

	if (app)
		return app;
	assert(set->app_count < set->capacity);
	app = arena_new(set->arena, struct live_app);
	app->sdkappid = sdkappid;
	app->hash_next = set->app_buckets[bucket];
	set->app_buckets[bucket] = app;
	set->apps[set->app_count++] = app;
	return app;
}

static struct live_room *live_set_add_room(struct live_set *set, struct live_app *app, struct str room_id)
{
	size_t bucket = live_set_name_bucket(set, app->sdkappid, room_id);
	struct live_room *room = live_set_room(set, app->sdkappid, room_id);

	if (room)
		return room;
	assert(set->room_count < set->capacity);
	room = arena_new(set->arena, struct live_room);
	room->app = app;
	room->room_id = room_id;
	room->hash_next = set->room_buckets[bucket];
	set->room_buckets[bucket] = room;
	set->rooms[set->room_count++] = room;
	return room;
}

struct live_account *live_set_account(const struct live_set *set, uint32_t sdkappid, struct str name)
{
	struct live_account *account = set->account_buckets[live_set_name_bucket(set, sdkappid, name)];

	while (account && (account->app->sdkappid != sdkappid || !str_eq(account->name, name)))
		account = account->hash_next;
	return account;
}

static void live_set_add_account(struct live_set *set, struct live_app *app, struct str name)
{
	size_t bucket = live_set_name_bucket(set, app->sdkappid, name);
	struct live_account *account;

	if (live_set_account(set, app->sdkappid, name))
		return;
	account = arena_new(set->arena, struct live_account);
	account->app = app;
	account->name = name;
	account->hash_next = set->account_buckets[bucket];
	set->account_buckets[bucket] = account;
	account->next = set->accounts;
	set->accounts = account;
}

static size_t live_set_delivery_bucket(const struct live_set *set, int64_t id)
{
	return hash_bytes(set->hash_key, &id, sizeof(id)) & set->bucket_mask;
}

struct live_delivery *live_set_delivery(const struct live_set *set, int64_t id)
{
	struct live_delivery *delivery = set->delivery_buckets[live_set_delivery_bucket(set, id)];

	while (delivery && delivery->id != id)
		delivery = delivery->hash_next;
	return delivery;
}

static void live_set_add_delivery(struct live_set *set, int64_t id)
{
	size_t bucket = live_set_delivery_bucket(set, id);
	struct live_delivery *delivery;

	if (live_set_delivery(set, id))
		return;
	delivery = arena_new(set->arena, struct live_delivery);
	delivery->id = id;
	delivery->hash_next = set->delivery_buckets[bucket];
	set->delivery_buckets[bucket] = delivery;
	delivery->next = set->deliveries;
	set->deliveries = delivery;
}

/* The kinds of items that a command for a room reads or changes. */
static unsigned live_set_items_needed(const struct command *command)
{
	unsigned admins =
		command->origin.admin ? 0 : 1u << ITEM_ADMIN; /* they may change some things, see step_room.c */

	switch (command->type) {
	case COMMAND_ROOM_UPDATE:
		return admins;
	case COMMAND_METADATA_SET:
	case COMMAND_METADATA_DELETE:
		return admins | 1u << ITEM_METADATA;
	case COMMAND_MEMBERS_ADD:
	case COMMAND_MEMBERS_REMOVE:
		return 1u << command->u.members.kind;
	default:
		return 0;
	}
}

/* The accounts that a command uses. */
static void live_set_touch_accounts(struct live_set *set, struct live_app *app, const struct command *command)
{
	switch (command->type) {
	case COMMAND_ROOM_CREATE:
		live_set_add_account(set, app, command->u.room_create.owner);
		break;
	case COMMAND_OWNER_CHANGE:
		live_set_add_account(set, app, command->u.owner_change);
		break;
	case COMMAND_MEMBERS_ADD:
		for (size_t i = 0; command->u.members.kind == ITEM_ROBOT && i < command->u.members.count; i++)
			live_set_add_account(set, app, command->u.members.accounts[i]);
		break;
	case COMMAND_ACCOUNT_IMPORT:
		for (size_t i = 0; i < command->u.account_import.count; i++)
			live_set_add_account(set, app, command->u.account_import.accounts[i].name);
		break;
	default:
		break;
	}
}

void live_set_touch(struct live_set *set, const struct command *command)
{
	struct live_app *app = live_set_add_app(set, command->sdkappid);

	if (command->type == COMMAND_APP_CREATE)
		set->needs_app_number = true;
	if (command->room_id.len)
		live_set_add_room(set, app, command->room_id)->items_needed |= live_set_items_needed(command);
	live_set_touch_accounts(set, app, command);
	for (size_t i = 0; command->type == COMMAND_CALLBACK_REPLAY && i < command->u.replay.count; i++)
		live_set_add_delivery(set, command->u.replay.ids[i]);
}

void live_room_add_item(struct live_set *set, struct live_room *room, enum item_kind kind, struct live_item **last,
			struct live_item item)
{
	struct live_item *added = arena_new(set->arena, struct live_item);

	*added = item;
	added->exists = added->exists_before = true;
	if (*last)
		(*last)->next = added;
	else
		room->items[kind] = added;
	*last = added;
}

bool live_app_is_new(const struct live_app *app)
{
	return app->exists && (!app->exists_before || app->config->number != app->number_before);
}

bool live_app_is_gone(const struct live_app *app)
{
	return app->exists_before && (!app->exists || app->config->number != app->number_before);
}

int64_t live_app_cancel_below(const struct live_app *app)
{
	return app->exists ? app_id_make(app->config->number, 0) : INT64_MAX;
}

bool live_room_is_new(const struct live_room *room)
{
	return room->exists && (!room->exists_before || room->id != room->id_before);
}

bool live_room_is_gone(const struct live_room *room)
{
	return room->exists_before && (!room->exists || room->id != room->id_before);
}

bool live_room_is_changed(const struct live_room *room)
{
	return room->exists && room->changed && !live_room_is_new(room);
}

bool live_item_is_written(const struct live_room *room, const struct live_item *item)
{
	return room->exists && item->exists && (item->changed || !item->exists_before || live_room_is_new(room));
}

bool live_item_is_gone(const struct live_room *room, const struct live_item *item)
{
	return room->exists && !item->exists && item->exists_before && !live_room_is_new(room);
}

bool live_account_is_written(const struct live_account *account)
{
	return account->exists && (account->changed || !account->exists_before);
}

enum callback_state live_mark_state(enum delivery_mark mark)
{
	static const enum callback_state states[] = {[DELIVERY_DELIVERED] = CALLBACK_DELIVERED,
						     [DELIVERY_RETRY] = CALLBACK_WAITING,
						     [DELIVERY_FAILED] = CALLBACK_FAILED,
						     [DELIVERY_SUPERSEDED] = CALLBACK_SUPERSEDED};

	return states[mark];
}

uint64_t live_callback_url_hash(const struct app_config *config)
{
	const struct hash_key key = {0, 0}; /* whoever makes two URLs collide gains a pause of his own callbacks */

	return hash_bytes(key, config->callback_url, str_c(config->callback_url).len);
}
