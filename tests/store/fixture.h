#pragma once
/* What the store tests share: a temporary folder, the kinds of stores, and batches run as the engine runs them. */
#include "base/mem.h"
#include "live/step.h"
#include "store/store.h"
#include "unit/live/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define APP 1400000001u

struct fixture {
	char folder[32];
	char path[64]; /* of the database file */
	struct store_sqlite_options sqlite;
	struct store *store;
	struct store_reader *reader;
	struct arena arena; /* what readers give */
};

static inline int fixture_open_memory(struct fixture *fixture, struct error *err)
{
	(void)fixture;
	return store_memory_open(&fixture->store, err);
}

static inline int fixture_open_sqlite(struct fixture *fixture, struct error *err)
{
	return store_sqlite_open(&fixture->sqlite, &fixture->store, err);
}

static inline struct fixture *fixture_new(void)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	(void)strcpy(fixture->folder, "/tmp/hw-store-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/db", fixture->folder); /* fits */
	fixture->sqlite =
		(struct store_sqlite_options){.path = fixture->path, .cache_bytes = 1 << 20, .wal_bytes_max = 1 << 22};
	arena_init(&fixture->arena, 65536);
	return fixture;
}

static inline void fixture_close(struct fixture *fixture)
{
	store_reader_close(&fixture->reader);
	store_close(&fixture->store);
}

static inline void fixture_free(struct fixture *fixture)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};

	fixture_close(fixture);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s%s", fixture->path, suffixes[i]); /* fits */
		(void)unlink(path);							/* most of them are not there */
	}
	(void)rmdir(fixture->folder); /* a leftover in /tmp fails no test */
	arena_fini(&fixture->arena);
	mem_free(fixture);
}

/* Load, step, commit. Returns what the store says; the commands' answers are the step's. */
static inline int fixture_try_batch(struct store *store, struct command *commands, size_t count, struct error *err)
{
	struct command **pointers = mem_zalloc(count * sizeof(*pointers));
	struct live_set set;
	struct arena arena;
	int result = -1;

	arena_init(&arena, 16384);
	live_set_init(&set, &arena, (struct hash_key){3, 4}, count);
	for (size_t i = 0; i < count; i++) {
		pointers[i] = &commands[i];
		live_set_touch(&set, &commands[i]);
	}
	if (store_load(store, &set, err) == 0) {
		live_step(&set, pointers, count);
		result = store_commit(store, &set, err);
	}
	arena_fini(&arena);
	mem_free(pointers);
	return result;
}

static inline void fixture_batch(struct store *store, struct command *commands, size_t count)
{
	struct error err;

	if (fixture_try_batch(store, commands, count, &err))
		fail_msg("batch: %s", err.text);
	store_tidy(store);
}

/* One command in a batch of its own; returns its code. */
static inline int fixture_run(struct store *store, struct command command)
{
	fixture_batch(store, &command, 1);
	return command.code;
}

static inline void fixture_add_app(struct store *store, uint32_t sdkappid, uint32_t room_count_max)
{
	struct app_config config = world_config(ALERT_EVERY, room_count_max);
	struct command command = world_command(COMMAND_APP_CREATE, sdkappid);

	command.u.app_create = &config;
	assert_int_equal(fixture_run(store, command), HW_OK);
}

static inline void fixture_add_rooms(struct store *store, uint32_t sdkappid, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		char room_id[16];

		(void)snprintf(room_id, sizeof(room_id), "r%u", i); /* fits */
		assert_int_equal(fixture_run(store, world_create(sdkappid, room_id, "alice")), HW_OK);
	}
}

static inline struct store_app fixture_app(struct fixture *fixture, uint32_t sdkappid)
{
	struct store_app app;
	struct error err;

	assert_int_equal(store_app_get(fixture->reader, sdkappid, &app, &err), 1);
	return app;
}

/* Counter and rows agree: invariant of every committed state. Returns the count. */
static inline uint64_t fixture_room_count(struct fixture *fixture, uint32_t sdkappid)
{
	struct store_app app = fixture_app(fixture, sdkappid);
	uint64_t count = 0;
	struct error err;

	assert_int_equal(store_room_count(fixture->reader, app.config.number, &count, &err), 0);
	assert_true(count == app.state.room_count);
	return count;
}

static inline size_t fixture_pending(struct fixture *fixture, uint32_t sdkappid, struct store_callback *out,
				     size_t limit)
{
	struct error err;
	size_t count;

	assert_int_equal(store_callback_pending(fixture->reader, &fixture->arena, sdkappid, limit, out, &count, &err),
			 0);
	assert_true(count <= limit);
	return count;
}
