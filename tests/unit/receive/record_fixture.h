#pragma once
/* A record in a folder of its own, and events to put into it. */
#include "base/mem.h"
#include "receive/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define APP 1400000001u
#define OTHER 1400000002u
#define ALERT_BODY                                                                                                     \
	"{\"CallbackCommand\":\"Live.CallbackAfterCreateRoomReachingThreshold\",\"Operator_Account\":\"brennanli\","   \
	"\"EventTime\":%lld,\"CurRoomCount\":%d,\"MaxRoomCount\":%d}"

struct record_fixture {
	char folder[64];
	char path[96];
	struct record *record;
	struct record_reader *reader;
	struct arena arena;
	int64_t steady_ms;
};

static inline void fixture_open(struct record_fixture *fixture)
{
	struct error err;

	if (record_open(fixture->path, &fixture->record, &err))
		fail_msg("%s", err.text);
	if (record_reader_open(fixture->path, &fixture->reader, &err))
		fail_msg("%s", err.text);
}

static inline void fixture_close(struct record_fixture *fixture)
{
	record_reader_close(&fixture->reader);
	record_close(&fixture->record);
}

static inline void fixture_reopen(struct record_fixture *fixture)
{
	fixture_close(fixture);
	fixture_open(fixture);
}

static inline int fixture_setup(void **state)
{
	struct record_fixture *fixture = mem_zalloc(sizeof(*fixture));

	(void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/record-XXXXXX"); /* fits, as the next */
	assert_non_null(mkdtemp(fixture->folder));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/callbacks.db", fixture->folder);
	fixture->steady_ms = 1000000;
	arena_init(&fixture->arena, 4096);
	fixture_open(fixture);
	*state = fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	static const char *const names[] = {"", "-wal", "-shm", ".lock"};
	struct record_fixture *fixture = *state;

	fixture_close(fixture);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[128];

		(void)snprintf(name, sizeof(name), "%s%s", fixture->path, names[i]); /* fits */
		(void)unlink(name);						     /* may be gone */
	}
	assert_int_equal(rmdir(fixture->folder), 0);
	arena_fini(&fixture->arena);
	mem_free(fixture);
	return 0;
}

#define WITH_RECORD(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

static inline void fixture_begin(struct record_fixture *fixture)
{
	struct error err;

	if (record_begin(fixture->record, fixture->steady_ms, &err))
		fail_msg("%s", err.text);
}

static inline void fixture_commit(struct record_fixture *fixture)
{
	struct error err;

	if (record_commit(fixture->record, &err))
		fail_msg("%s", err.text);
}

/* A key that is the same for the same number. */
static inline void key_of(unsigned number, char out[HW_EVENT_KEY_BYTES + 1])
{
	(void)snprintf(out, HW_EVENT_KEY_BYTES + 1, "%064x", number * 2654435761u); /* fits */
}

/* A row as of a real alert; what differs is set by the test. */
static inline struct record_row row_of_event(uint32_t sdkappid, int64_t receive_ms)
{
	return (struct record_row){
		.kind = RECORD_CALLBACK,
		.receive_ms = receive_ms,
		.sdkappid = sdkappid,
		.command = STR("Live.CallbackAfterCreateRoom"),
		.client_ip = STR("203.0.113.7"),
		.platform = STR("RESTAPI"),
		.peer = STR("127.0.0.1"),
		.webhook_id = STR(""),
		.attempt = -1,
		.sequence = -1,
		.threshold = -1,
		.replay = -1,
		.body = STR("{\"CallbackCommand\":\"Live.CallbackAfterCreateRoom\"}"),
	};
}

/* Adds in a transaction that must succeed; returns whether it was new. */
static inline bool add_row(struct record_fixture *fixture, unsigned key_number, struct record_row *row)
{
	char key[HW_EVENT_KEY_BYTES + 1];
	struct error err;
	bool is_new;

	key_of(key_number, key);
	if (record_add(fixture->record, key, row, &is_new, &err))
		fail_msg("%s", err.text);
	return is_new;
}

/* A whole transaction with one event. */
static inline struct record_row put(struct record_fixture *fixture, unsigned key_number, struct record_row row)
{
	fixture_begin(fixture);
	(void)add_row(fixture, key_number, &row); /* the test looks at times */
	fixture_commit(fixture);
	return row;
}

/* Its sequence came, in an event of its own. */
/* A negative number is that of a test. */
static inline void put_sequence(struct record_fixture *fixture, uint32_t sdkappid, int64_t sequence)
{
	static unsigned key_number = 1000000;
	struct record_row row = row_of_event(sdkappid, 5000 + sequence % 1000);

	row.is_test = sequence < 0;
	row.sequence = sequence < 0 ? -sequence : sequence;
	(void)put(fixture, key_number++, row); /* what it became is asked of the reader */
}

static inline struct record_app read_app(struct record_fixture *fixture, uint32_t sdkappid)
{
	struct record_app *apps;
	struct error err;
	size_t count;

	if (record_read_apps(fixture->reader, &fixture->arena, &apps, &count, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < count; i++)
		if (apps[i].sdkappid == sdkappid)
			return apps[i];
	fail_msg("app %u is not known", sdkappid);
	return (struct record_app){0};
}

/* All gaps as "1400000001:2-4 ..." */
static inline const char *gaps_text(struct record_fixture *fixture, uint32_t sdkappid)
{
	struct record_gap *gaps;
	struct error err;
	struct buf text;
	struct str kept;
	size_t count;

	if (record_read_gaps(fixture->reader, &fixture->arena, sdkappid, &gaps, &count, &err))
		fail_msg("%s", err.text);
	buf_init(&text, 65536);
	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s%u:%lld-%lld", i ? " " : "", gaps[i].sdkappid, (long long)gaps[i].first,
			   (long long)gaps[i].last);
	buf_append_char(&text, '\0');
	kept = arena_dup(&fixture->arena, buf_str(&text));
	buf_fini(&text);
	return kept.ptr;
}
