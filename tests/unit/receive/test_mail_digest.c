/* What a mail tells of many events. */
#include "receive/mail_digest.h"
#include "unit/receive/record_fixture.h"

#define NOW INT64_C(1700000000000)

static void take_alert(struct mail_digest *digest, uint32_t sdkappid, int64_t event_ms, int count, bool is_test)
{
	struct record_row row = row_of_event(sdkappid, NOW + 10000);
	char body[256];

	(void)snprintf(body, sizeof(body), ALERT_BODY, (long long)event_ms, count, 500); /* fits */
	row.command = STR("Live.CallbackAfterCreateRoomReachingThreshold");
	row.body = str_c(body);
	row.threshold = 70;
	row.is_test = is_test;
	mail_digest_take(digest, &row);
}

static void take_note(struct mail_digest *digest, enum record_kind kind, uint32_t sdkappid, int64_t number)
{
	const struct record_note note = {.id = 1, .kind = kind, .sdkappid = sdkappid, .time_ms = NOW, .number = number};
	struct record_row row;
	struct arena arena;

	arena_init(&arena, 1024);
	record_note_row(&note, &arena, &row);
	mail_digest_take(digest, &row);
	arena_fini(&arena);
}

static void expect(const struct mail_digest *digest, const char *subject, const char *text)
{
	struct buf out;

	buf_init(&out, DIGEST_TEXT_BYTES_MAX);
	mail_digest_subject(digest, &out);
	assert_string_equal(buf_c(&out), subject);
	buf_reset(&out);
	mail_digest_text(digest, &out);
	assert_true(buf_ok(&out));
	if (strncmp(buf_c(&out), text, strlen(text)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", buf_c(&out), text);
	buf_fini(&out);
}

static void test_digest_of_one_alert(void **state)
{
	struct mail_digest digest;

	(void)state;
	mail_digest_init(&digest);
	assert_true(mail_digest_is_empty(&digest));
	take_alert(&digest, 1, NOW, 400, false);
	expect(&digest, "[Highwater] app 1 has 400 of 500 rooms",
	       "App 1\n  400 of 500 rooms (80 %), at or above the threshold of 70 %, at 2023-11-14T22:13:20.000Z\n  At "
	       "the "
	       "maximum, creations are refused.\n");
	mail_digest_clear(&digest, NOW + 5);
	assert_true(mail_digest_is_empty(&digest));
	assert_int_equal(digest.sent_ms, NOW + 5);
	mail_digest_fini(&digest);
}

static void test_digest_tells_the_newest_of_many(void **state)
{
	struct mail_digest digest;

	(void)state;
	mail_digest_init(&digest);
	take_alert(&digest, 1, NOW + 2000, 420, false);
	take_alert(&digest, 1, NOW + 1000, 410, false); /* comes later, is older */
	take_alert(&digest, 1, NOW + 3000, 430, false);
	expect(&digest, "[Highwater] app 1 has 430 of 500 rooms",
	       "App 1\n  430 of 500 rooms (86 %), at or above the threshold of 70 %, at 2023-11-14T22:13:23.000Z; 3 "
	       "alerts "
	       "since 2023-11-14T22:13:22.000Z\n");
	mail_digest_fini(&digest);
}

static void test_digest_of_a_clock_that_was_ahead_tells_what_came_last(void **state)
{
	struct mail_digest digest;

	(void)state;
	mail_digest_init(&digest);
	take_alert(&digest, 1, NOW + INT64_C(86400000), 420, false);
	take_alert(&digest, 1, NOW + 10000, 410, false);
	expect(&digest, "[Highwater] app 1 has 410 of 500 rooms",
	       "App 1\n  410 of 500 rooms (82 %), at or above the threshold of 70 %, at 2023-11-14T22:13:30.000Z; 2 "
	       "alerts since 2023-11-14T22:13:30.000Z\n");
	mail_digest_fini(&digest);
}

static void test_digest_puts_the_urgent_first(void **state)
{
	struct mail_digest digest;

	(void)state;
	mail_digest_init(&digest);
	take_alert(&digest, 1, NOW, 0, true);
	expect(&digest, "[Highwater] test alert of app 1", "App 1\n  1 test alert: no threshold was reached.\n");
	take_note(&digest, RECORD_SILENT, 2, 3600);
	expect(&digest, "[Highwater] no callback of app 2 comes, and 1 other app", "App 1\n");
	take_alert(&digest, 3, NOW, 490, false);
	take_note(&digest, RECORD_RESOLVED, 1, 0);
	expect(&digest, "[Highwater] app 3 has 490 of 500 rooms, and 2 other apps",
	       "App 1\n  An operator says that the alert is over.\n  1 test alert: no threshold was reached.\n\nApp "
	       "2\n  No "
	       "callback has come for 3600 s");
	take_note(&digest, RECORD_RESUMED, 2, 4000);
	mail_digest_clear(&digest, NOW);
	take_note(&digest, RECORD_RESUMED, 2, 4000);
	expect(&digest, "[Highwater] callbacks of app 2 come again",
	       "App 2\n  Callbacks come again, after 4000 s without any.\n");
	mail_digest_clear(&digest, NOW);
	take_note(&digest, RECORD_RESOLVED, 2, 70);
	expect(&digest, "[Highwater] the alert of app 2 is over", "App 2\n");
	mail_digest_fini(&digest);
}

static void test_digest_counts_others(void **state)
{
	struct record_row row = row_of_event(1, NOW);
	struct mail_digest digest;

	(void)state;
	mail_digest_init(&digest);
	mail_digest_take(&digest, &row);
	mail_digest_take(&digest, &row);
	expect(&digest, "[Highwater] callbacks of app 1", "App 1\n  2 other callbacks.\n");
	mail_digest_fini(&digest);
}

static void test_digest_is_bounded(void **state)
{
	struct mail_digest digest;
	struct buf out;

	(void)state;
	mail_digest_init(&digest);
	for (uint32_t app = 1; app <= DIGEST_APPS_MAX + 7; app++) {
		take_alert(&digest, app + 4294000000u, NOW, 400, false);
		take_note(&digest, RECORD_SILENT, app + 4294000000u, INT64_MAX);
	}
	assert_int_equal(digest.count, DIGEST_APPS_MAX);
	buf_init(&out, DIGEST_TEXT_BYTES_MAX);
	mail_digest_text(&digest, &out);
	assert_true(buf_ok(&out));
	assert_non_null(strstr(buf_c(&out), "\n14 events of further apps found no place here.\n"));
	buf_fini(&out);
	buf_init(&out, RECORD_STATE_BYTES_MAX);
	mail_digest_save(&digest, &out);
	assert_true(buf_ok(&out));
	buf_fini(&out);
	mail_digest_fini(&digest);
}

static void test_digest_survives_a_restart(void **state)
{
	struct mail_digest digest;
	struct mail_digest back;
	struct error err;
	struct buf text;
	struct buf again;

	(void)state;
	mail_digest_init(&digest);
	mail_digest_init(&back);
	mail_digest_clear(&digest, NOW);
	take_alert(&digest, 1, NOW, 400, false);
	take_note(&digest, RECORD_SILENT, 2, 3600);
	buf_init(&text, RECORD_STATE_BYTES_MAX);
	buf_init(&again, RECORD_STATE_BYTES_MAX);
	mail_digest_save(&digest, &text);
	assert_int_equal(mail_digest_restore(&back, STR(""), &err), 0);
	assert_int_equal(mail_digest_restore(&back, buf_str(&text), &err), 0);
	mail_digest_save(&back, &again);
	assert_string_equal(buf_c(&text), buf_c(&again));
	mail_digest_fini(&back);
	mail_digest_fini(&digest);
	buf_fini(&text);
	buf_fini(&again);
}

static void test_digest_state_that_is_wrong_is_told(void **state)
{
	static const char *const texts[] = {"{",
					    "[]",
					    "{\"List\":[]}",
					    "{\"Sent\":1,\"LeftOut\":0,\"List\":[[1]]}",
					    "{\"Sent\":1,\"LeftOut\":0,\"List\":[[0,0,0,0,0,0,0,0,0,0,0,0]]}",
					    "{\"Sent\":1,\"LeftOut\":0,\"List\":[[\"1\",0,0,0,0,0,0,0,0,0,0,0]]}"};
	struct mail_digest digest;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		mail_digest_init(&digest);
		assert_int_equal(mail_digest_restore(&digest, str_c(texts[i]), &err), -1);
		mail_digest_fini(&digest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest_of_one_alert),
		cmocka_unit_test(test_digest_tells_the_newest_of_many),
		cmocka_unit_test(test_digest_of_a_clock_that_was_ahead_tells_what_came_last),
		cmocka_unit_test(test_digest_puts_the_urgent_first),
		cmocka_unit_test(test_digest_counts_others),
		cmocka_unit_test(test_digest_is_bounded),
		cmocka_unit_test(test_digest_survives_a_restart),
		cmocka_unit_test(test_digest_state_that_is_wrong_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
