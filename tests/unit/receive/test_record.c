/* The record: each event once, what belongs to it, and what happens when it cannot be written. */
#include "unit/receive/record_fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

static size_t read_all(struct record_fixture *fixture, const struct record_filter *filter, struct record_row *rows,
		       size_t limit)
{
	struct error err;
	size_t count;

	if (record_read(fixture->reader, &fixture->arena, filter, limit, rows, &count, &err))
		fail_msg("%s", err.text);
	return count;
}

/* ---- events ---- */

static void test_record_row_comes_back_as_it_was(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_row row = row_of_event(APP, 1700000000123);
	struct record_row back;
	struct error err;

	row.is_signed = true;
	row.webhook_kind = HW_WEBHOOK_PUBLIC;
	row.webhook_id = STR("evt_1");
	row.attempt = 2;
	row.sequence = 7;
	row.threshold = 70;
	row.replay = 1;
	row.is_test = true;
	row = put(fixture, 1, row);
	assert_int_equal(row.id, 1);
	assert_int_equal(record_read_id(fixture->reader, &fixture->arena, 1, &back, &err), 1);
	assert_int_equal(back.id, 1);
	assert_int_equal(back.kind, RECORD_CALLBACK);
	assert_int_equal(back.receive_ms, 1700000000123);
	assert_int_equal(back.sdkappid, APP);
	assert_true(str_eq(back.command, row.command) && str_eq(back.client_ip, row.client_ip) &&
		    str_eq(back.platform, row.platform) && str_eq(back.peer, row.peer) &&
		    str_eq(back.webhook_id, row.webhook_id) && str_eq(back.body, row.body));
	assert_true(back.is_signed && back.is_test);
	assert_int_equal(back.webhook_kind, HW_WEBHOOK_PUBLIC);
	assert_int_equal(back.attempt, 2);
	assert_int_equal(back.sequence, 7);
	assert_int_equal(back.threshold, 70);
	assert_int_equal(back.replay, 1);
	assert_int_equal(back.times, 1);
	assert_int_equal(back.last_ms, row.receive_ms);
	assert_int_equal(record_read_webhook_id(fixture->reader, &fixture->arena, STR("evt_1"), &back, &err), 1);
	assert_int_equal(back.id, 1);
}

static void test_record_what_the_sender_did_not_say_stays_unsaid(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_row back;
	struct error err;

	(void)put(fixture, 1, row_of_event(APP, 5));
	assert_int_equal(record_read_id(fixture->reader, &fixture->arena, 1, &back, &err), 1);
	assert_true(back.attempt == -1 && back.sequence == -1 && back.threshold == -1 && back.replay == -1);
	assert_int_equal(back.webhook_id.len, 0);
	assert_int_equal(record_read_webhook_id(fixture->reader, &fixture->arena, STR(""), &back, &err), 0);
	assert_int_equal(record_read_id(fixture->reader, &fixture->arena, 2, &back, &err), 0);
}

/* Also within one transaction, and after the file was closed. */
static void test_record_event_that_comes_again_is_counted(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_row first = row_of_event(APP, 10);
	struct record_row again = row_of_event(APP, 20);
	struct record_row back;
	struct error err;

	fixture_begin(fixture);
	assert_true(add_row(fixture, 1, &first));
	assert_false(add_row(fixture, 1, &again));
	fixture_commit(fixture);
	assert_int_equal(again.id, first.id);
	assert_int_equal(again.times, 2);
	fixture_reopen(fixture);
	again = row_of_event(APP, 30);
	again.replay = 4;
	again = put(fixture, 1, again);
	assert_int_equal(again.times, 3);
	again = row_of_event(APP, 40);
	again.replay = 2;
	again = put(fixture, 1, again);
	assert_int_equal(again.replay, 4);
	assert_int_equal(record_read_id(fixture->reader, &fixture->arena, first.id, &back, &err), 1);
	assert_int_equal(back.times, 4);
	assert_int_equal(back.receive_ms, 10);
	assert_int_equal(back.last_ms, 40);
	assert_int_equal(back.replay, 4);
	assert_int_equal(read_app(fixture, APP).callbacks, 1);
	assert_int_equal(read_app(fixture, APP).last_ms, 40);
}

static void test_record_newest_alert_is_known(void **state)
{
	static const struct {
		long long event_ms;
		int count;
		bool is_test;
	} alerts[] = {{100, 400, false}, {90, 350, false}, {110, 1, true}};
	struct record_fixture *fixture = *state;
	struct record_app app;

	for (unsigned i = 0; i < ARRAY_LEN(alerts); i++) {
		struct record_row row = row_of_event(APP, 1000 + i);
		char body[256];

		(void)snprintf(body, sizeof(body), ALERT_BODY, alerts[i].event_ms, alerts[i].count, 500); /* fits */
		row.command = STR("Live.CallbackAfterCreateRoomReachingThreshold");
		row.body = str_c(body);
		row.threshold = 70;
		row.is_test = alerts[i].is_test;
		(void)put(fixture, i, row); /* looked at below */
	}
	app = read_app(fixture, APP);
	assert_true(app.has_alert);
	assert_int_equal(app.room_count, 400); /* the others are older, or a test */
	assert_int_equal(app.room_count_max, 500);
	assert_int_equal(app.threshold, 70);
	assert_int_equal(app.alert_ms, 100);
	assert_int_equal(app.callbacks, 3);
	fixture_reopen(fixture);
	assert_int_equal(read_app(fixture, APP).room_count, 400);
}

/* A sender's clock, or our own, that was ahead for a while does not make all later alerts look old. */
static void test_record_clock_that_was_ahead_holds_no_alert(void **state)
{
	static const struct {
		long long event_ms;
		int64_t receive_ms;
		int count;
	} alerts[] = {{900000, 1000, 400}, {1100, 1100, 401}, {800000, 800000, 402}, {1200, 1200, 403}};
	struct record_fixture *fixture = *state;

	for (unsigned i = 0; i < ARRAY_LEN(alerts); i++) {
		struct record_row row = row_of_event(APP, alerts[i].receive_ms);
		char body[256];

		(void)snprintf(body, sizeof(body), ALERT_BODY, alerts[i].event_ms, alerts[i].count, 500); /* fits */
		row.command = STR("Live.CallbackAfterCreateRoomReachingThreshold");
		row.body = str_c(body);
		(void)put(fixture, i, row); /* looked at below */
		assert_int_equal(read_app(fixture, APP).room_count, alerts[i].count);
	}
}

/* ---- reading ---- */

static void put_mixed(struct record_fixture *fixture, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct record_row row = row_of_event(i % 3 ? APP : OTHER, 100 + i);

		if (i % 2)
			row.command = STR("Live.CallbackAfterDestroyRoom");
		(void)put(fixture, i, row); /* looked at by the caller */
	}
}

static void test_record_filters(void **state)
{
	static const struct {
		struct record_filter filter;
		size_t count;
		int64_t first_id;
	} cases[] = {
		{{0}, 12, 1},
		{{.newest_first = true}, 12, 12},
		{{.sdkappid = OTHER}, 4, 1},
		{{.sdkappid = OTHER, .newest_first = true}, 4, 10},
		{{.command = {"Live.CallbackAfterDestroyRoom", 29}}, 6, 2},
		{{.sdkappid = OTHER, .command = {"Live.CallbackAfterDestroyRoom", 29}}, 2, 4},
		{{.after_id = 10}, 2, 11},
		{{.before_id = 3, .newest_first = true}, 2, 2},
		{{.since_ms = 105}, 7, 6},
		{{.until_ms = 105}, 5, 1},
		{{.since_ms = 103, .until_ms = 105}, 2, 4},
		{{.sdkappid = 1}, 0, 0},
	};
	struct record_fixture *fixture = *state;
	struct record_row rows[20];

	put_mixed(fixture, 12);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(read_all(fixture, &cases[i].filter, rows, ARRAY_LEN(rows)), cases[i].count);
		if (cases[i].count)
			assert_int_equal(rows[0].id, cases[i].first_id);
	}
	assert_int_equal(read_all(fixture, &(struct record_filter){0}, rows, 5), 5);
	assert_int_equal(rows[4].id, 5);
}

/* Rows of the greatest size come in portions, all of them. */
static void test_record_large_rows_come_in_portions(void **state)
{
	struct record_fixture *fixture = *state;
	char *body = mem_zalloc(HW_PACKET_BYTES_MAX);
	struct record_filter filter = {0};
	struct record_row rows[100];
	unsigned reads = 0;
	size_t count;

	memset(body, ' ', HW_PACKET_BYTES_MAX);
	memcpy(body, "{}", 2);
	fixture_begin(fixture);
	for (unsigned i = 0; i < 100; i++) {
		struct record_row row = row_of_event(APP, i);

		row.body = (struct str){body, HW_PACKET_BYTES_MAX};
		assert_true(add_row(fixture, i, &row));
	}
	fixture_commit(fixture);
	while ((count = read_all(fixture, &filter, rows, ARRAY_LEN(rows)))) {
		assert_true(count < 40); /* 4 MiB, and one */
		assert_int_equal(rows[count - 1].body.len, HW_PACKET_BYTES_MAX);
		assert_int_equal(rows[0].id, filter.after_id + 1);
		filter.after_id = rows[count - 1].id;
		reads++;
		arena_reset(&fixture->arena);
	}
	assert_int_equal(filter.after_id, 100);
	assert_true(reads > 2);
	mem_free(body);
}

static void test_record_places_of_sinks(void **state)
{
	struct record_fixture *fixture = *state;
	struct str text;
	struct error err;
	int64_t id;

	assert_int_equal(record_read_mark(fixture->reader, &fixture->arena, "mail", &id, &text, &err), 0);
	for (int64_t i = 1; i <= 3; i++) {
		fixture_begin(fixture);
		assert_int_equal(record_mark(fixture->record, "mail", i, STR("{\"a\":1}"), &err), 0);
		assert_int_equal(record_mark(fixture->record, "post", 10 * i, STR(""), &err), 0);
		fixture_commit(fixture);
	}
	assert_int_equal(record_read_mark(fixture->reader, &fixture->arena, "mail", &id, &text, &err), 1);
	assert_int_equal(id, 3);
	assert_true(str_eq(text, STR("{\"a\":1}")));
	assert_int_equal(record_read_mark(fixture->reader, &fixture->arena, "post", &id, &text, &err), 1);
	assert_int_equal(id, 30);
	assert_int_equal(text.len, 0);
}

/* ---- transactions ---- */

static void test_record_abandoned_leaves_nothing(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_row row = row_of_event(APP, 1);
	struct record_row rows[2];
	int64_t last;
	struct error err;

	row.sequence = 5;
	fixture_begin(fixture);
	assert_true(add_row(fixture, 1, &row));
	record_abandon(fixture->record);
	record_abandon(fixture->record); /* is nothing */
	assert_int_equal(read_all(fixture, &(struct record_filter){0}, rows, 2), 0);
	row = row_of_event(APP, 2);
	row.sequence = 9; /* the first there is: 5 is forgotten */
	row = put(fixture, 1, row);
	assert_int_equal(row.times, 1);
	assert_int_equal(read_app(fixture, APP).callbacks, 1);
	assert_string_equal(gaps_text(fixture, 0), "");
	assert_int_equal(record_read_last(fixture->reader, &last, &err), 0);
	assert_int_equal(last, row.id);
}

/* A file that may not grow is a full disk: the batch is taken back, and all goes on when there is room. */
static void test_record_full_disk_takes_the_batch_back(void **state)
{
	struct record_fixture *fixture = *state;
	struct rlimit before;
	struct rlimit now;
	struct record_row rows[2];
	struct record_row row = row_of_event(APP, 1);
	char key[HW_EVENT_KEY_BYTES + 1];
	struct error err;
	bool is_new;

	(void)signal(SIGXFSZ, SIG_IGN); /* else it ends the process; cannot fail */
	(void)put(fixture, 1, row);	/* the log begins */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	now = before;
	now.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	key_of(2, key);
	assert_int_equal(record_begin(fixture->record, 1, &err), 0);
	if (record_add(fixture->record, key, &row, &is_new, &err) == 0)
		assert_int_equal(record_commit(fixture->record, &err), -1);
	assert_int_equal(err.class, ERR_FULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(read_all(fixture, &(struct record_filter){0}, rows, 2), 1);
	row = put(fixture, 2, row_of_event(APP, 3));
	assert_int_equal(row.times, 1);
	assert_int_equal(read_app(fixture, APP).callbacks, 2);
}

static void test_record_is_for_one_process_and_its_owner(void **state)
{
	struct record_fixture *fixture = *state;
	struct record *second = NULL;
	struct stat status;
	struct error err;

	assert_int_equal(record_open(fixture->path, &second, &err), -1);
	assert_int_equal(err.class, ERR_BUSY);
	assert_non_null(strstr(err.text, fixture->path));
	assert_null(second);
	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void execute(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Whatever else the file is, it is left alone, and the error says so. */
static void test_record_other_files_are_refused(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_reader *reader = NULL;
	struct record *record = NULL;
	struct error err;
	char missing[128];

	fixture_close(fixture);
	write_file(fixture->path, "{\"ReceivedTime\":1,\"SdkAppid\":1400000001}\n");
	assert_int_equal(record_open(fixture->path, &record, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	assert_int_equal(record_reader_open(fixture->path, &reader, &err), -1);
	assert_int_equal(unlink(fixture->path), 0);
	execute(fixture->path, "CREATE TABLE notes (text)");
	assert_int_equal(record_open(fixture->path, &record, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	assert_non_null(strstr(err.text, "another program"));
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(record_open(fixture->path, &record, &err), 0);
	record_close(&record);
	execute(fixture->path, "PRAGMA user_version = 99");
	assert_int_equal(record_open(fixture->path, &record, &err), -1);
	assert_non_null(strstr(err.text, "newer"));
	(void)snprintf(missing, sizeof(missing), "%s.missing", fixture->path); /* fits */
	assert_int_equal(record_reader_open(missing, &reader, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	assert_int_equal(record_note_add(missing, APP, 0, 1, &err), -1);
	assert_int_equal(err.class, ERR_IO);
	assert_int_equal(unlink(fixture->path), 0);
	fixture_open(fixture);
}

static void test_record_damaged_values_are_told(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_row row;
	struct error err;

	(void)put(fixture, 1, row_of_event(APP, 1)); /* is damaged now */
	execute(fixture->path, "UPDATE callbacks SET kind = 9");
	assert_int_equal(record_read_id(fixture->reader, &fixture->arena, 1, &row, &err), -1);
	assert_int_equal(err.class, ERR_INTERNAL);
	execute(fixture->path, "UPDATE apps SET sequence_last = -7");
	fixture_reopen(fixture);
	assert_int_equal(record_begin(fixture->record, 1, &err), -1);
	assert_int_equal(err.class, ERR_INTERNAL);
}

/* ---- housekeeping ---- */

static void test_record_prune_takes_the_oldest_up_to_what_sinks_have(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_row rows[20];
	struct error err;
	size_t removed;

	put_mixed(fixture, 12); /* received at 100 to 111 */
	assert_int_equal(record_prune(fixture->record, 100, INT64_MAX, &removed, &err), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(record_prune(fixture->record, 106, 4, &removed, &err), 0);
	assert_int_equal(removed, 4);
	assert_int_equal(record_prune(fixture->record, 106, INT64_MAX, &removed, &err), 0);
	assert_int_equal(removed, 2);
	assert_int_equal(read_all(fixture, &(struct record_filter){0}, rows, 20), 6);
	assert_int_equal(rows[0].id, 7);
	assert_int_equal(record_prune(fixture->record, INT64_MAX, INT64_MAX, &removed, &err), 0);
	rows[0] = put(fixture, 100, row_of_event(APP, 1)); /* numbers are not given twice */
	assert_int_equal(rows[0].id, 13);
}

static void test_record_prune_goes_in_steps(void **state)
{
	struct record_fixture *fixture = *state;
	struct error err;
	size_t removed;

	fixture_begin(fixture);
	for (unsigned i = 0; i < RECORD_PRUNE_ROWS_MAX + 1; i++) {
		struct record_row row = row_of_event(APP, i);

		assert_true(add_row(fixture, i, &row));
	}
	fixture_commit(fixture);
	assert_int_equal(record_prune(fixture->record, INT64_MAX, INT64_MAX, &removed, &err), 1);
	assert_int_equal(removed, RECORD_PRUNE_ROWS_MAX);
	assert_int_equal(record_prune(fixture->record, INT64_MAX, INT64_MAX, &removed, &err), 0);
	assert_int_equal(removed, 1);
}

/* ---- notes ---- */

static size_t check_silence(struct record_fixture *fixture, uint64_t silence_ms)
{
	struct error err;
	size_t count;

	fixture_begin(fixture);
	assert_int_equal(record_check_silence(fixture->record, APP, silence_ms, 77, &err), 0);
	fixture_commit(fixture);
	(void)record_notes(fixture->record, &count); /* how many is what counts */
	return count;
}

static void test_record_silence_is_noted_once_and_ends_with_a_callback(void **state)
{
	struct record_fixture *fixture = *state;
	const struct record_note *notes;
	struct record_row rows[10];
	struct error err;
	size_t count;

	fixture_begin(fixture);
	assert_int_equal(record_meet(fixture->record, APP, 50, &err), 0);
	fixture_commit(fixture);
	fixture->steady_ms += 59999;
	assert_int_equal(check_silence(fixture, 60000), 0);
	fixture->steady_ms += 1;
	assert_int_equal(check_silence(fixture, 60000), 1);
	notes = record_notes(fixture->record, &count);
	assert_true(notes[0].kind == RECORD_SILENT && notes[0].sdkappid == APP && notes[0].number == 60);
	assert_int_equal(check_silence(fixture, 60000), 0); /* once */
	assert_true(read_app(fixture, APP).is_silent);
	fixture_reopen(fixture);
	assert_int_equal(check_silence(fixture, 60000), 0); /* over a restart, too */
	fixture->steady_ms += 5000;
	(void)put(fixture, 1, row_of_event(APP, 90)); /* looked at below */
	notes = record_notes(fixture->record, &count);
	assert_int_equal(count, 1);
	assert_int_equal(notes[0].kind, RECORD_RESUMED);
	assert_false(read_app(fixture, APP).is_silent);
	assert_int_equal(read_all(fixture, &(struct record_filter){0}, rows, 10), 3);
	assert_true(str_eq(rows[0].command, STR("Highwater.CallbacksSilent")));
	assert_true(str_eq(rows[0].body, STR("{\"CallbackCommand\":\"Highwater.CallbacksSilent\",\"EventTime\":77,"
					     "\"SilentSeconds\":60}")));
	assert_int_equal(rows[2].kind, RECORD_RESUMED);
	fixture->steady_ms += 60000;
	(void)put(fixture, 1, row_of_event(APP, 95)); /* one that comes again is a sign of life, too */
	assert_int_equal(check_silence(fixture, 60000), 0);
}

/* Another process tells that an alert is over; the writer does not mind. */
static void test_record_notes_of_others(void **state)
{
	struct record_fixture *fixture = *state;
	struct record_row rows[4];
	struct error err;

	assert_int_equal(record_note_add(fixture->path, APP, 70, 123, &err), 0);
	rows[0] = put(fixture, 1, row_of_event(APP, 90));
	assert_int_equal(rows[0].id, 2);
	assert_int_equal(read_all(fixture, &(struct record_filter){0}, rows, 4), 2);
	assert_int_equal(rows[0].kind, RECORD_RESOLVED);
	assert_true(str_eq(rows[0].body, STR("{\"CallbackCommand\":\"Highwater.AlertResolved\",\"EventTime\":123,"
					     "\"Threshold\":70}")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RECORD(test_record_row_comes_back_as_it_was),
		WITH_RECORD(test_record_what_the_sender_did_not_say_stays_unsaid),
		WITH_RECORD(test_record_event_that_comes_again_is_counted),
		WITH_RECORD(test_record_newest_alert_is_known),
		WITH_RECORD(test_record_clock_that_was_ahead_holds_no_alert),
		WITH_RECORD(test_record_filters),
		WITH_RECORD(test_record_large_rows_come_in_portions),
		WITH_RECORD(test_record_places_of_sinks),
		WITH_RECORD(test_record_abandoned_leaves_nothing),
		WITH_RECORD(test_record_full_disk_takes_the_batch_back),
		WITH_RECORD(test_record_is_for_one_process_and_its_owner),
		WITH_RECORD(test_record_other_files_are_refused),
		WITH_RECORD(test_record_damaged_values_are_told),
		WITH_RECORD(test_record_prune_takes_the_oldest_up_to_what_sinks_have),
		WITH_RECORD(test_record_prune_goes_in_steps),
		WITH_RECORD(test_record_silence_is_noted_once_and_ends_with_a_callback),
		WITH_RECORD(test_record_notes_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
