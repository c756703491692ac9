#pragma once
/* Running commands in a world, and what a refusal must leave as it was. */
#include "base/mem.h"
#include "unit/live/world.h"

#define APP 1400000001u

static inline int setup(void **state)
{
	struct world *world = mem_zalloc(sizeof(*world));

	world->app_number_next = 1;
	*state = world;
	return 0;
}

static inline int teardown(void **state)
{
	mem_free(*state);
	return 0;
}

/* Runs one command and returns its code. */
static inline int run(struct world *world, struct command command)
{
	struct command *commands[] = {&command};

	world_run(world, commands, 1);
	return command.code;
}

static inline void run_all(struct world *world, struct command *commands, size_t count)
{
	struct command *pointers[64];

	assert_true(count <= ARRAY_LEN(pointers));
	for (size_t i = 0; i < count; i++)
		pointers[i] = &commands[i];
	world_run(world, pointers, count);
}

/* Runs a command that must be refused: the code is right, a text says why, and the world is the same byte for byte. */
static inline void refuse(struct world *world, struct command command, int code)
{
	struct world *before = mem_zalloc(sizeof(*before));
	struct command *commands[] = {&command};

	*before = *world;
	world_run(world, commands, 1);
	assert_int_equal(command.code, code);
	assert_true(command.text[0] != '\0');
	assert_int_equal(command.room_count, 0);
	before->last_batch = world->last_batch;
	assert_memory_equal(before, world, sizeof(*world));
	mem_free(before);
}

static inline void add_app(struct world *world, enum alert_mode mode, uint32_t room_count_max)
{
	struct app_config config = world_config(mode, room_count_max);
	struct command command = world_command(COMMAND_APP_CREATE, APP);

	command.u.app_create = &config;
	assert_int_equal(run(world, command), HW_OK);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
