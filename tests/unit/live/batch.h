#pragma once
/* For tests of the step: a batch that is executed one command at a time on a set that the test loads. */
#include "live/step.h"
#include "unit/live/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define APP 1400000001u
#define NUMBER 7u /* of the app */
#define CALLBACKS_ALL ((1u << HW_CALLBACK_COUNT) - 1)

/* ---- a batch, executed one command at a time on a set that the test loads ---- */

struct batch {
	struct arena arena;
	struct live_set set;
	struct app_config config; /* every callback on, a hundred rooms; changed before batch_begin */
	struct live_app *app;
	struct command *commands;
};

static inline int setup(void **state)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	assert_non_null(batch);
	arena_init(&batch->arena, 1 << 20); /* one chunk is enough, see refuse */
	batch->config = world_config(ALERT_EDGE, 100);
	batch->config.sdkappid = APP;
	batch->config.number = NUMBER;
	batch->config.callback_commands = CALLBACKS_ALL;
	*state = batch;
	return 0;
}

static inline int teardown(void **state)
{
	arena_fini(&((struct batch *)*state)->arena);
	free(*state);
	return 0;
}

static inline void batch_begin(struct batch *batch, struct command *commands, size_t count)
{
	batch->commands = commands;
	arena_reset(&batch->arena);
	live_set_init(&batch->set, &batch->arena, (struct hash_key){1, 2}, count);
	for (size_t i = 0; i < count; i++)
		live_set_touch(&batch->set, &commands[i]);
	batch->app = live_set_app(&batch->set, APP);
	batch->app->exists = batch->app->exists_before = true;
	batch->app->config = &batch->config;
	batch->app->number_before = NUMBER;
	batch->set.app_number_next = NUMBER + 1;
}

static inline struct live_room *room_of(struct batch *batch, const char *room_id)
{
	return live_set_room(&batch->set, APP, str_c(room_id));
}

static inline struct live_account *account_of(struct batch *batch, const char *name)
{
	return live_set_account(&batch->set, APP, str_c(name));
}

/* As a store would: the room exists before the batch. */
static inline struct live_room *load_room(struct batch *batch, const char *room_id, const char *owner)
{
	struct live_room *room = room_of(batch, room_id);

	room->exists = room->exists_before = true;
	room->id = room->id_before = app_id_make(NUMBER, ++batch->app->state.room_sequence);
	room->visible = true;
	room->create_ms = 500;
	room->info = STR("{\"RoomName\":\"as loaded\",\"Notice\":\"n\"}");
	assert_true(str_copy(room->owner, sizeof(room->owner), str_c(owner)));
	batch->app->state.room_count++;
	return room;
}

static inline void load_account(struct batch *batch, const char *name)
{
	struct live_account *account = account_of(batch, name);

	account->exists = account->exists_before = true;
	account->nick = account->face_url = STR("as loaded");
}

static inline int step(struct batch *batch, size_t at)
{
	struct command *one = &batch->commands[at];

	live_step(&batch->set, &one, 1);
	return one->code;
}

/* The command must be refused: the code is right, a text says why, and the whole set, which lies in the arena's one chunk,
 * is the same byte for byte. */
static inline void refuse(struct batch *batch, size_t at, int code)
{
	size_t bytes = batch->arena.chunk_bytes;
	struct batch before = *batch;
	void *copy = malloc(bytes);

	assert_non_null(copy);
	memcpy(copy, batch->arena.chunks, bytes);
	assert_int_equal(step(batch, at), code);
	assert_memory_equal(&before, batch, sizeof(before));
	assert_memory_equal(copy, batch->arena.chunks, bytes);
	assert_true(batch->commands[at].text[0] != '\0');
	assert_int_equal(batch->commands[at].room_count, 0);
	free(copy);
}

static inline struct command by(struct command command, const char *who)
{
	command.origin.operator_account = str_c(who);
	return command;
}

static inline struct command by_app_admin(struct command command)
{
	command.origin.operator_account = STR("administrator");
	command.origin.admin = true;
	return command;
}
