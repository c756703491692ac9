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
	set->callbacks = arena_array(arena, command_count, sizeof(*set->callbacks));
	set->marks = arena_array(arena, command_count, sizeof(*set->marks));
}

static size_t live_set_app_bucket(const struct live_set *set, uint32_t sdkappid)
{
	return hash_bytes(set->hash_key, &sdkappid, sizeof(sdkappid)) & set->bucket_mask;
}

static size_t live_set_room_bucket(const struct live_set *set, uint32_t sdkappid, struct str room_id)
{
	struct hash_key key = {set->hash_key.k0 ^ sdkappid, set->hash_key.k1};

	return hash_bytes(key, room_id.ptr, room_id.len) & set->bucket_mask;
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
	struct live_room *room = set->room_buckets[live_set_room_bucket(set, sdkappid, room_id)];

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

static void live_set_add_room(struct live_set *set, struct live_app *app, struct str room_id)
{
	size_t bucket = live_set_room_bucket(set, app->sdkappid, room_id);
	struct live_room *room;

	if (live_set_room(set, app->sdkappid, room_id))
		return;
	assert(set->room_count < set->capacity);
	room = arena_new(set->arena, struct live_room);
	room->app = app;
	room->room_id = room_id;
	room->hash_next = set->room_buckets[bucket];
	set->room_buckets[bucket] = room;
	set->rooms[set->room_count++] = room;
}

void live_set_touch(struct live_set *set, const struct command *command)
{
	struct live_app *app = live_set_add_app(set, command->sdkappid);

	if (command->type == COMMAND_APP_CREATE)
		set->needs_app_number = true;
	else if (command->type == COMMAND_ROOM_CREATE)
		live_set_add_room(set, app, command->u.room_create.room_id);
	else if (command->type == COMMAND_ROOM_DESTROY)
		live_set_add_room(set, app, command->u.room_destroy.room_id);
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
