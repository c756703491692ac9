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
#include <libpq-fe.h>

#define APP 1400000001u

struct fixture {
	char folder[32];
	char path[64]; /* of the database file */
	struct store_sqlite_options sqlite;
	char schema[32];
	char conninfo[512]; /* of the test's own schema in PostgreSQL; "" when it is another store's */
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

/* Runs SQL in the database that HW_TEST_POSTGRES names. */
static inline void fixture_postgres_run(const char *sql)
{
	PGconn *conn = PQconnectdb(getenv("HW_TEST_POSTGRES"));
	PGresult *result;

	PQclear(PQexec(conn, "SET client_min_messages = warning"));
	result = PQexec(conn, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
}

/* In a schema of its own. */
static inline int fixture_open_postgres(struct fixture *fixture, struct error *err)
{
	static unsigned count;
	const char *server = getenv("HW_TEST_POSTGRES");
	struct store_postgres_options options = {.conninfo = fixture->conninfo, .answer_timeout_ms = 10000};
	char sql[64];

	if (!server)
		return error_set(err, ERR_INVALID,
				 "HW_TEST_POSTGRES is not set: run it by ctest, or with "
				 "scripts/private-postgres with");
	(void)snprintf(fixture->schema, sizeof(fixture->schema), "t%d_%u", (int)getpid(), ++count); /* fits */
	(void)snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", fixture->schema);			    /* fits */
	(void)snprintf(fixture->conninfo, sizeof(fixture->conninfo), "%s&options=-csearch_path%%3D%s", server,
		       fixture->schema); /* fits */
	fixture_postgres_run(sql);
	return store_postgres_open(&options, &fixture->store, err);
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
	if (fixture->schema[0]) {
		char sql[64];

		(void)snprintf(sql, sizeof(sql), "DROP SCHEMA %s CASCADE", fixture->schema); /* fits */
		fixture_postgres_run(sql);
	}
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

#define FIXTURE_BATCH 500

/* `count` callbacks, none of them an alert, the first event at event_ms and each a second later than the one before. */
static inline void fixture_add_callbacks(struct store *store, uint32_t sdkappid, size_t count, int64_t event_ms)
{
	struct command *commands = mem_zalloc(FIXTURE_BATCH * sizeof(*commands));

	while (count > 0) {
		size_t some = count < FIXTURE_BATCH ? count : FIXTURE_BATCH;

		for (size_t i = 0; i < some; i++, event_ms += 1000) {
			commands[i] = world_command(COMMAND_CALLBACK_TEST, sdkappid);
			commands[i].origin.wall_ms = event_ms;
		}
		fixture_batch(store, commands, some);
		assert_int_equal(commands[some - 1].code, HW_OK);
		count -= some;
	}
	mem_free(commands);
}

static inline void fixture_mark(struct store *store, uint32_t sdkappid, int64_t id, enum delivery_mark mark,
				int64_t due_ms)
{
	struct command command = world_mark(sdkappid, id, mark);

	command.u.delivery.due_ms = due_ms;
	assert_int_equal(fixture_run(store, command), HW_OK);
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

/* The app's waiting callbacks in the order of delivery: those never tried, then those with a time. */
static inline size_t fixture_waiting(struct fixture *fixture, uint32_t sdkappid, struct store_callback *out,
				     size_t limit)
{
	struct store_due *due = mem_zalloc((limit + 1) * sizeof(*due));
	size_t count = 0;
	size_t due_count;
	struct error err;

	while (count < limit && store_callback_next(fixture->reader, &fixture->arena, sdkappid,
						    count ? out[count - 1].id : 0, &out[count], &err) == 1)
		count++;
	assert_int_equal(store_callback_due(fixture->reader, sdkappid, limit - count, due, &due_count, &err), 0);
	assert_true(due_count <= limit - count);
	for (size_t i = 0; i < due_count; i++, count++) {
		assert_int_equal(store_callback_get(fixture->reader, &fixture->arena, due[i].id, &out[count], &err), 1);
		assert_true(out[count].due_ms == due[i].due_ms);
	}
	mem_free(due);
	return count;
}

/* Lets through all callbacks of the app with this number. */
static inline struct store_callback_filter fixture_filter(uint32_t number)
{
	return (struct store_callback_filter){.after_id = app_id_make(number, 0),
					      .before_id = app_id_make(number + 1, 0),
					      .states = (1u << CALLBACK_STATE_COUNT) - 1,
					      .until_ms = INT64_MAX};
}

/* The newest of them, at most `limit`. */
static inline size_t fixture_list(struct fixture *fixture, uint32_t number, struct store_callback *out, size_t limit)
{
	struct store_callback_filter filter = fixture_filter(number);
	size_t count;
	int64_t next;
	struct error err;

	if (store_callback_list(fixture->reader, &fixture->arena, &filter, limit, out, &count, &next, &err))
		fail_msg("list: %s", err.text);
	return count;
}

static inline struct store_callback fixture_callback(struct fixture *fixture, int64_t id)
{
	struct store_callback callback;
	struct error err;

	assert_int_equal(store_callback_get(fixture->reader, &fixture->arena, id, &callback, &err), 1);
	return callback;
}
