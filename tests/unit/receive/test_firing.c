/* Which alerts fire, and what is said of them. */
#include "base/json.h"
#include "receive/firing.h"
#include "receive/sink.h"
#include "unit/receive/record_fixture.h"

#define QUIET_MS 60000
#define NOW INT64_C(1700000000000)

struct firing_fixture {
	struct firing_table table;
	struct buf out;
	int64_t now_ms;
};

static int setup(void **state)
{
	struct firing_fixture *fixture = mem_zalloc(sizeof(*fixture));

	firing_init(&fixture->table, QUIET_MS);
	buf_init(&fixture->out, 4 * 1024 * 1024);
	fixture->now_ms = NOW;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct firing_fixture *fixture = *state;

	firing_fini(&fixture->table);
	buf_fini(&fixture->out);
	mem_free(fixture);
	return 0;
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Received now, `ahead_ms` before what it says of the time. */
static void take_alert_ahead(struct firing_fixture *fixture, uint32_t sdkappid, int threshold, int count, int count_max,
			     int64_t ahead_ms)
{
	struct record_row row = row_of_event(sdkappid, fixture->now_ms);
	char body[256];

	(void)snprintf(body, sizeof(body), ALERT_BODY, (long long)(fixture->now_ms + ahead_ms), count,
		       count_max); /* fits */
	row.command = STR("Live.CallbackAfterCreateRoomReachingThreshold");
	row.body = str_c(body);
	row.threshold = threshold;
	firing_take(&fixture->table, &row);
}

static void take_alert(struct firing_fixture *fixture, uint32_t sdkappid, int threshold, int count, int count_max)
{
	take_alert_ahead(fixture, sdkappid, threshold, count, count_max, 0);
}

static void take_note(struct firing_fixture *fixture, enum record_kind kind, uint32_t sdkappid, int64_t number)
{
	const struct record_note note = {
		.id = 1, .kind = kind, .sdkappid = sdkappid, .time_ms = fixture->now_ms, .number = number};
	struct record_row row;
	struct arena arena;

	arena_init(&arena, 1024);
	record_note_row(&note, &arena, &row);
	firing_take(&fixture->table, &row);
	arena_fini(&arena);
}

/* What is said now, and that it was taken: "app/threshold/current/maximum:count>end" of each, where end is in seconds from
 * now. */
static const char *say(struct firing_fixture *fixture)
{
	static char text[4096];
	size_t len = 0;
	struct error err;
	json_t *root;
	size_t count;

	buf_reset(&fixture->out);
	count = firing_write(&fixture->table, fixture->now_ms, &fixture->out);
	text[0] = '\0';
	if (count == 0)
		return text;
	if (json_read(buf_str(&fixture->out), &root, &err))
		fail_msg("%s", err.text);
	assert_int_equal(json_array_size(root), count);
	for (size_t i = 0; i < count && len < sizeof(text); i++) {
		json_t *labels = json_object_get(json_array_get(root, i), "labels");
		json_t *notes = json_object_get(json_array_get(root, i), "annotations");

		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s %s/%s/%s/%s%s=%s", i ? ", " : "",
			json_string_value(json_object_get(labels, "alertname")) + 4,
			json_string_value(json_object_get(labels, "app")),
			json_object_get(labels, "threshold") ? json_string_value(json_object_get(labels, "threshold"))
							     : "-",
			json_object_get(labels, "current") ? json_string_value(json_object_get(labels, "current"))
							   : "-",
			json_object_get(labels, "maximum") ? json_string_value(json_object_get(labels, "maximum"))
							   : "-",
			json_object_get(labels, "test") ? "/test" : "",
			json_object_get(notes, "current") ? json_string_value(json_object_get(notes, "current")) : "-");
	}
	json_decref(root);
	firing_said(&fixture->table, fixture->now_ms);
	return text;
}

static bool says(const struct firing_fixture *fixture, const char *words)
{
	return strstr(buf_c(&fixture->out), words) != NULL;
}

static void test_firing_keeps_its_labels_and_renews_its_annotations(void **state)
{
	struct firing_fixture *fixture = *state;

	take_alert(fixture, 1, 70, 400, 500);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/400/500=400");
	assert_true(says(fixture, "\"startsAt\":\"2023-11-14T22:13:20.000Z\",\"endsAt\":\"2023-11-14T22:14:20.000Z\""));
	assert_string_equal(say(fixture), ""); /* it was said */
	fixture->now_ms += 1000;
	take_alert(fixture, 1, 70, 450, 500);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/400/500=450");
	assert_true(says(fixture, "\"endsAt\":\"2023-11-14T22:14:21.000Z\""));
	assert_true(says(fixture, "app 1 has 450 of 500 rooms (90 %)"));
}

static void test_firing_of_apps_thresholds_and_maxima(void **state)
{
	struct firing_fixture *fixture = *state;

	take_alert(fixture, 1, 70, 400, 500);
	take_alert(fixture, 1, 90, 460, 500);
	take_alert(fixture, 2, -1, 8, 10); /* the vendor's cloud does not say: 70 */
	assert_string_equal(say(fixture),
			    "RoomsReachingThreshold 1/70/400/500=400, RoomsReachingThreshold 1/90/460/500=460, "
			    "RoomsReachingThreshold 2/70/8/10=8");
	fixture->now_ms++;
	take_alert(fixture, 1, 70, 800, 1000); /* the old one ends, in the same message */
	assert_string_equal(say(fixture),
			    "RoomsReachingThreshold 1/70/400/500=400, RoomsReachingThreshold 1/70/800/1000=800");
	assert_true(says(fixture, "\"endsAt\":\"2023-11-14T22:13:20.001Z\""));
	assert_int_equal(fixture->table.count, 3);
}

/* What waited for a dead Alertmanager is not over before it was heard; what was heard ends by itself. */
static void test_firing_quiet_time_counts_from_the_first_word(void **state)
{
	struct firing_fixture *fixture = *state;

	take_alert(fixture, 1, 70, 400, 500);
	fixture->now_ms += 10 * QUIET_MS;
	assert_int_equal(firing_wait_ms(&fixture->table, fixture->now_ms), 0);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/400/500=400");
	assert_true(says(fixture, "\"endsAt\":\"2023-11-14T22:24:20.000Z\""));
	assert_int_equal(firing_wait_ms(&fixture->table, fixture->now_ms), QUIET_MS);
	fixture->now_ms += QUIET_MS;
	assert_string_equal(say(fixture), "");
	assert_int_equal(fixture->table.count, 0);
	assert_int_equal(firing_wait_ms(&fixture->table, fixture->now_ms), SINK_TICK_NEVER);
	take_alert(fixture, 1, 70, 410, 500); /* a new one */
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/410/500=410");
}

static void test_firing_is_said_again(void **state)
{
	struct firing_fixture *fixture = *state;

	fixture->table.quiet_ms = 10 * FIRING_SAY_AGAIN_MS;
	take_alert(fixture, 1, 70, 400, 500);
	(void)say(fixture); /* as above */
	fixture->now_ms += FIRING_SAY_AGAIN_MS - 1;
	assert_string_equal(say(fixture), "");
	assert_int_equal(firing_wait_ms(&fixture->table, fixture->now_ms), 1);
	fixture->now_ms++;
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/400/500=400");
	fixture->now_ms -= 3600000; /* a clock that stepped back */
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/400/500=400");
}

static void test_firing_is_resolved_by_hand(void **state)
{
	struct firing_fixture *fixture = *state;

	take_alert(fixture, 1, 70, 400, 500);
	take_alert(fixture, 1, 90, 460, 500);
	take_alert(fixture, 2, 70, 8, 10);
	(void)say(fixture); /* as above */
	fixture->now_ms++;
	take_note(fixture, RECORD_RESOLVED, 1, 90);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/90/460/500=460");
	assert_int_equal(fixture->table.count, 2);
	take_note(fixture, RECORD_RESOLVED, 1, 0);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/400/500=400");
	assert_int_equal(fixture->table.count, 1);
	take_note(fixture, RECORD_RESOLVED, 1, 0); /* nothing is left */
	assert_string_equal(say(fixture), "");
	/* one that was never said ends too, and is said once, as over */
	take_alert(fixture, 3, 70, 8, 10);
	take_note(fixture, RECORD_RESOLVED, 3, 70);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 3/70/8/10=8");
	assert_int_equal(fixture->table.count, 1);
}

static void test_firing_silence_has_no_end_until_callbacks_come(void **state)
{
	struct firing_fixture *fixture = *state;

	take_note(fixture, RECORD_SILENT, 1, 60);
	take_note(fixture, RECORD_SILENT, 1, 60); /* once */
	assert_string_equal(say(fixture), "CallbacksSilent 1/-/-/-=-");
	fixture->now_ms += 100 * QUIET_MS;
	assert_string_equal(say(fixture), "CallbacksSilent 1/-/-/-=-");
	take_note(fixture, RECORD_RESOLVED, 1, 0); /* does not end silence */
	assert_string_equal(say(fixture), "");
	take_note(fixture, RECORD_RESUMED, 1, 100);
	assert_string_equal(say(fixture), "CallbacksSilent 1/-/-/-=-");
	assert_int_equal(fixture->table.count, 0);
}

/* Counts may be late: the newest event counts, not the last to come. */
static void test_firing_old_events_change_no_count(void **state)
{
	struct firing_fixture *fixture = *state;

	take_alert(fixture, 1, 70, 450, 500);
	fixture->now_ms += 1000;
	take_alert_ahead(fixture, 1, 70, 440, 500, -5000);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/450/500=450");
}

/* A sender whose clock was ahead, or our own: what comes later is newer all the same. */
static void test_firing_of_a_clock_that_was_ahead_holds_no_count(void **state)
{
	struct firing_fixture *fixture = *state;

	take_alert_ahead(fixture, 1, 70, 450, 500, INT64_C(86400000));
	fixture->now_ms += 1000;
	take_alert(fixture, 1, 70, 440, 500);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/450/500=440");
	fixture->now_ms -= INT64_C(3600000);
	take_alert(fixture, 1, 70, 430, 500);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/450/500=430");
}

/* What came while the clock was a day ahead does not fire for a day. */
static void test_firing_ends_in_time_after_a_step_back(void **state)
{
	struct firing_fixture *fixture = *state;

	take_alert(fixture, 1, 70, 450, 500);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/450/500=450");
	fixture->now_ms -= INT64_C(86400000);
	assert_string_equal(say(fixture), "RoomsReachingThreshold 1/70/450/500=450");
	assert_true(says(fixture, "\"endsAt\":\"2023-11-13T22:14:20.000Z\""));
	fixture->now_ms += 60000;
	assert_string_equal(say(fixture), "");
	assert_int_equal(fixture->table.count, 0);
}

static void test_firing_other_callbacks_and_rubbish_change_nothing(void **state)
{
	struct firing_fixture *fixture = *state;
	struct record_row row = row_of_event(1, NOW);

	firing_take(&fixture->table, &row);
	row.command = STR("Live.CallbackAfterCreateRoomReachingThreshold");
	firing_take(&fixture->table, &row);
	assert_string_equal(say(fixture), "");
}

/* The threshold is a header that nothing vouches for: an app has its share and no more. */
static void test_firing_is_bounded(void **state)
{
	struct firing_fixture *fixture = *state;

	for (int i = 1; i <= 2 * FIRING_APP_MAX; i++)
		take_alert(fixture, 1, i, 1, 1);
	assert_int_equal(fixture->table.count, FIRING_APP_MAX);
	assert_int_equal(fixture->table.list[0].threshold, FIRING_APP_MAX + 1);
	for (uint32_t app = 2; app <= FIRING_MAX + 10; app++)
		take_alert(fixture, app, 70, 1, 1);
	assert_int_equal(fixture->table.count, FIRING_MAX);
	buf_reset(&fixture->out);
	assert_int_equal(firing_write(&fixture->table, fixture->now_ms, &fixture->out), FIRING_POST_MAX);
	firing_said(&fixture->table, fixture->now_ms);
	for (int i = 1; i < FIRING_MAX / FIRING_POST_MAX; i++) {
		buf_reset(&fixture->out);
		assert_int_equal(firing_write(&fixture->table, fixture->now_ms, &fixture->out), FIRING_POST_MAX);
		firing_said(&fixture->table, fixture->now_ms);
	}
	assert_string_equal(say(fixture), "");
}

static void test_firing_survives_a_restart(void **state)
{
	struct firing_fixture *fixture = *state;
	struct firing_table table;
	struct error err;
	struct buf text;
	struct buf again;

	take_alert(fixture, 1, 70, 400, 500);
	(void)say(fixture); /* as above */
	take_alert(fixture, 2, 90, 460, 500);
	take_note(fixture, RECORD_SILENT, 3, 60);
	take_note(fixture, RECORD_RESOLVED, 1, 0);
	buf_init(&text, RECORD_STATE_BYTES_MAX);
	buf_init(&again, RECORD_STATE_BYTES_MAX);
	firing_save(&fixture->table, &text);
	firing_init(&table, QUIET_MS);
	assert_int_equal(firing_restore(&table, buf_str(&text), &err), 0);
	firing_save(&table, &again);
	assert_string_equal(buf_c(&text), buf_c(&again));
	firing_fini(&fixture->table);
	fixture->table = table;
	assert_string_equal(say(fixture),
			    "RoomsReachingThreshold 1/70/400/500=400, RoomsReachingThreshold 2/90/460/500=460, "
			    "CallbacksSilent 3/-/-/-=-");
	buf_fini(&text);
	buf_fini(&again);
}

static void test_firing_state_that_is_wrong_is_told(void **state)
{
	static const char *const texts[] = {
		"{", "{}", "[1]", "[[1]]", "[[0,0,0,0,0,0,0,0,0,0,0,0,0]]", "[[\"1\",0,0,0,0,0,0,0,0,0,0,0,0]]"};
	struct firing_fixture *fixture = *state;
	struct error err;

	assert_int_equal(firing_restore(&fixture->table, STR(""), &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(firing_restore(&fixture->table, str_c(texts[i]), &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TABLE(test_firing_keeps_its_labels_and_renews_its_annotations),
		WITH_TABLE(test_firing_of_apps_thresholds_and_maxima),
		WITH_TABLE(test_firing_quiet_time_counts_from_the_first_word),
		WITH_TABLE(test_firing_is_said_again),
		WITH_TABLE(test_firing_is_resolved_by_hand),
		WITH_TABLE(test_firing_silence_has_no_end_until_callbacks_come),
		WITH_TABLE(test_firing_old_events_change_no_count),
		WITH_TABLE(test_firing_of_a_clock_that_was_ahead_holds_no_count),
		WITH_TABLE(test_firing_ends_in_time_after_a_step_back),
		WITH_TABLE(test_firing_other_callbacks_and_rubbish_change_nothing),
		WITH_TABLE(test_firing_is_bounded),
		WITH_TABLE(test_firing_survives_a_restart),
		WITH_TABLE(test_firing_state_that_is_wrong_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
