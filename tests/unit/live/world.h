#pragma once
/* A small world for tests of live_step: it loads sets and takes their differences, as a store does, with arrays and no
 * cleverness. Everything in it is plain, so that two worlds can be compared byte for byte. */
#include "live/step.h"
#include "unit/live/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WORLD_APPS 8
#define WORLD_ROOMS 512
#define WORLD_CALLBACKS 4096

struct world_app {
	bool exists;
	struct app_config config;
	struct app_state state;
};

struct world_room {
	bool exists;
	uint32_t number;
	char room_id[HW_ROOM_ID_BYTES_MAX + 1];
	char owner[HW_IDENTIFIER_BYTES_MAX + 1];
	int64_t id;
	int64_t create_ms;
	bool visible;
	char info[64];
};

struct world_callback {
	int64_t id;
	uint32_t sdkappid;
	enum callback_state state;
	unsigned threshold;
	enum hw_platform platform;
	char client_ip[HW_IP_BYTES_MAX + 1];
	char body[HW_ALERT_BYTES_MAX];
	int64_t event_ms;
	uint32_t attempts;
	uint32_t replays;
	int64_t base_ms;
};

struct world {
	struct world_app apps[WORLD_APPS];
	struct world_room rooms[WORLD_ROOMS];
	struct world_callback callbacks[WORLD_CALLBACKS];
	size_t callback_count;
	size_t last_batch; /* index of the first callback of the last batch */
	uint32_t app_number_next;
};

static inline struct world_app *world_app(struct world *world, uint32_t sdkappid)
{
	for (size_t i = 0; i < WORLD_APPS; i++)
		if (world->apps[i].exists && world->apps[i].config.sdkappid == sdkappid)
			return &world->apps[i];
	return NULL;
}

static inline struct world_room *world_room(struct world *world, uint32_t number, struct str room_id)
{
	for (size_t i = 0; i < WORLD_ROOMS; i++)
		if (world->rooms[i].exists && world->rooms[i].number == number &&
		    str_eq(str_c(world->rooms[i].room_id), room_id))
			return &world->rooms[i];
	return NULL;
}

static inline struct world_callback *world_callback(struct world *world, int64_t id)
{
	for (size_t i = 0; i < world->callback_count; i++)
		if (world->callbacks[i].id == id)
			return &world->callbacks[i];
	return NULL;
}

static inline uint64_t world_waiting_count(const struct world *world, uint32_t number)
{
	uint64_t count = 0;

	for (size_t i = 0; i < world->callback_count; i++)
		count += world->callbacks[i].state == CALLBACK_WAITING &&
			 app_id_number(world->callbacks[i].id) == number;
	return count;
}

static inline uint64_t world_room_count(const struct world *world, uint32_t number)
{
	uint64_t count = 0;

	for (size_t i = 0; i < WORLD_ROOMS; i++)
		count += world->rooms[i].exists && world->rooms[i].number == number;
	return count;
}

static inline void world_load(struct world *world, struct live_set *set)
{
	for (size_t i = 0; i < set->app_count; i++) {
		struct world_app *found = world_app(world, set->apps[i]->sdkappid);

		if (!found)
			continue;
		set->apps[i]->exists = set->apps[i]->exists_before = true;
		set->apps[i]->number_before = found->config.number;
		set->apps[i]->config = &found->config;
		set->apps[i]->state = found->state;
	}
	for (size_t i = 0; i < set->room_count; i++) {
		struct live_room *room = set->rooms[i];
		struct world_room *found =
			room->app->exists ? world_room(world, room->app->number_before, room->room_id) : NULL;

		if (!found)
			continue;
		room->exists = room->exists_before = true;
		room->id = room->id_before = found->id;
		assert_true(str_copy(room->owner, sizeof(room->owner), str_c(found->owner)));
	}
	for (struct live_delivery *delivery = set->deliveries; delivery; delivery = delivery->next) {
		const struct world_callback *found = world_callback(world, delivery->id);

		delivery->exists = found != NULL;
		if (found)
			delivery->state = found->state;
	}
	set->app_number_next = world->app_number_next;
}

static inline void world_take_room(struct world *world, const struct live_room *room)
{
	if (live_room_is_gone(room)) {
		struct world_room *old = world_room(world, app_id_number(room->id_before), room->room_id);

		assert_non_null(old);
		assert_true(old->id == room->id_before);
		memset(old, 0, sizeof(*old));
	}
	if (live_room_is_new(room)) {
		size_t at = 0;

		assert_null(world_room(world, app_id_number(room->id), room->room_id));
		while (world->rooms[at].exists)
			assert_true(++at < WORLD_ROOMS);
		world->rooms[at].exists = true;
		world->rooms[at].number = app_id_number(room->id);
		world->rooms[at].id = room->id;
		world->rooms[at].create_ms = room->create_ms;
		world->rooms[at].visible = room->visible;
		assert_true(str_copy(world->rooms[at].room_id, sizeof(world->rooms[at].room_id), room->room_id));
		assert_true(str_copy(world->rooms[at].owner, sizeof(world->rooms[at].owner), str_c(room->owner)));
		assert_true(str_copy(world->rooms[at].info, sizeof(world->rooms[at].info), room->info));
	}
}

static inline void world_take_callback(struct world *world, const struct live_callback *callback)
{
	struct world_callback *made = &world->callbacks[world->callback_count++];

	assert_true(world->callback_count <= WORLD_CALLBACKS);
	made->id = callback->id;
	made->sdkappid = callback->sdkappid;
	made->threshold = callback->threshold;
	made->platform = callback->platform;
	made->event_ms = callback->event_ms;
	assert_int_equal(callback->command, HW_CALLBACK_THRESHOLD);
	assert_true(str_copy(made->client_ip, sizeof(made->client_ip), callback->client_ip));
	assert_true(str_copy(made->body, sizeof(made->body), callback->body));
}

static inline void world_take_mark(struct world *world, const struct delivery_result *mark)
{
	static const enum callback_state states[] = {[DELIVERY_DELIVERED] = CALLBACK_DELIVERED,
						     [DELIVERY_RETRY] = CALLBACK_WAITING,
						     [DELIVERY_FAILED] = CALLBACK_FAILED,
						     [DELIVERY_SUPERSEDED] = CALLBACK_SUPERSEDED};
	struct world_callback *callback = world_callback(world, mark->callback_id);

	if (!callback || callback->state != CALLBACK_WAITING)
		return;
	callback->attempts = mark->attempts;
	callback->state = states[mark->mark];
}

static inline void world_take_replay(struct world *world, const struct live_delivery *delivery)
{
	struct world_callback *callback = world_callback(world, delivery->id);

	if (!delivery->replayed)
		return;
	assert_non_null(callback);
	assert_true(callback->state != CALLBACK_WAITING && delivery->state == CALLBACK_WAITING);
	callback->state = CALLBACK_WAITING;
	callback->replays++;
	callback->base_ms = delivery->replay_ms;
}

static inline void world_take_app(struct world *world, const struct live_app *app)
{
	struct world_app *row = world_app(world, app->sdkappid);
	struct app_config config = {0};

	if (app->exists)
		config = *app->config; /* may point into the row */
	for (size_t i = 0; app->pending_cancelled && i < world->callback_count; i++)
		if (world->callbacks[i].sdkappid == app->sdkappid &&
		    world->callbacks[i].id < live_app_cancel_below(app) &&
		    world->callbacks[i].state == CALLBACK_WAITING)
			world->callbacks[i].state = CALLBACK_FAILED;
	if (live_app_is_gone(app)) {
		memset(row, 0, sizeof(*row));
		row = NULL;
	}
	if (!app->exists)
		return;
	if (!row) {
		row = world->apps;
		while (row->exists)
			row++;
		assert_true(row < world->apps + WORLD_APPS);
		assert_true(app->config_changed && app->state_changed);
	}
	row->exists = true;
	if (app->config_changed)
		row->config = config;
	if (app->state_changed)
		row->state = app->state;
	assert_memory_equal(&row->state, &app->state, sizeof(row->state));
}

/* Loads, steps, takes the difference, and checks what must hold after every batch. */
static inline void world_run(struct world *world, struct command **commands, size_t count)
{
	struct live_set set;
	struct arena arena;

	arena_init(&arena, 4096);
	live_set_init(&set, &arena, (struct hash_key){1, 2}, count);
	for (size_t i = 0; i < count; i++)
		live_set_touch(&set, commands[i]);
	world_load(world, &set);
	live_step(&set, commands, count);
	world->last_batch = world->callback_count;
	for (size_t i = 0; i < set.room_count; i++)
		world_take_room(world, set.rooms[i]);
	for (size_t i = 0; i < set.callback_count; i++)
		world_take_callback(world, &set.callbacks[i]);
	for (size_t i = 0; i < set.mark_count; i++)
		world_take_mark(world, set.marks[i]);
	for (const struct live_delivery *delivery = set.deliveries; delivery; delivery = delivery->next)
		world_take_replay(world, delivery);
	for (size_t i = 0; i < set.app_count; i++)
		world_take_app(world, set.apps[i]);
	assert_int_equal(set.app_number_used, set.app_number_next != world->app_number_next);
	world->app_number_next = set.app_number_next;
	arena_fini(&arena);
	for (size_t i = 0; i < WORLD_APPS; i++) {
		const struct world_app *app = &world->apps[i];

		if (!app->exists)
			continue;
		assert_true(app->state.room_count == world_room_count(world, app->config.number));
		assert_true(app->state.callback_pending == world_waiting_count(world, app->config.number));
	}
}
