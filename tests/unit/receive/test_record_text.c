/* A row as JSON and CSV: every field, what is left out, hostile texts. */
#include "base/json.h"
#include "base/mem.h"
#include "receive/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct record_row full_row(void)
{
	return (struct record_row){
		.id = 7,
		.receive_ms = 1700000000123,
		.sdkappid = 1400000001,
		.command = STR("Live.CallbackAfterCreateRoom"),
		.client_ip = STR("203.0.113.7"),
		.platform = STR("iOS"),
		.peer = STR("192.0.2.1"),
		.is_signed = true,
		.webhook_kind = HW_WEBHOOK_SECRET,
		.webhook_id = STR("evt_1"),
		.attempt = 2,
		.sequence = 9,
		.threshold = 70,
		.replay = 1,
		.is_test = true,
		.body = STR("{ \"a\" : \"b \\\" c\",\n\t\"d\": [1, 2 ] }"),
		.times = 3,
		.last_ms = 1700000000999,
	};
}

static struct record_row bare_row(void)
{
	return (struct record_row){.id = 1,
				   .kind = RECORD_SILENT,
				   .sdkappid = 1,
				   .command = STR("Highwater.CallbacksSilent"),
				   .attempt = -1,
				   .sequence = -1,
				   .threshold = -1,
				   .replay = -1,
				   .body = STR("{}"),
				   .times = 1};
}

static void expect_json(struct record_row row, const char *expected)
{
	struct error err;
	struct buf out;
	json_t *root;

	buf_init(&out, RECORD_LINE_BYTES_MAX);
	record_append_json(&row, &out);
	assert_string_equal(buf_c(&out), expected);
	if (json_read(buf_str(&out), &root, &err))
		fail_msg("%s", err.text);
	json_decref(root);
	buf_fini(&out);
}

static void test_text_json_has_every_field(void **state)
{
	(void)state;
	expect_json(full_row(),
		    "{\"Id\":7,\"Kind\":\"Callback\",\"ReceivedTime\":1700000000123,\"SdkAppid\":1400000001,"
		    "\"CallbackCommand\":\"Live.CallbackAfterCreateRoom\",\"ClientIP\":\"203.0.113.7\",\"OptPlatform\":"
		    "\"iOS\","
		    "\"Signed\":true,\"WebhookId\":\"evt_1\",\"Attempt\":2,\"Sequence\":9,\"Threshold\":70,\"Peer\":"
		    "\"192.0.2.1\",\"Body\":{\"a\":\"b \\\" "
		    "c\",\"d\":[1,2]},\"Signature\":\"v1\",\"Test\":true,\"Replay\":1,"
		    "\"Times\":3,\"LastTime\":1700000000999}");
}

static void test_text_json_leaves_out_what_was_not_said(void **state)
{
	struct record_row row = bare_row();

	(void)state;
	expect_json(
		row,
		"{\"Id\":1,\"Kind\":\"CallbacksSilent\",\"ReceivedTime\":0,\"SdkAppid\":1,\"CallbackCommand\":"
		"\"Highwater.CallbacksSilent\",\"ClientIP\":\"\",\"OptPlatform\":\"\",\"Signed\":false,\"Peer\":\"\","
		"\"Body\":{},\"Signature\":\"\",\"Times\":1,\"LastTime\":0}");
	row.webhook_kind = HW_WEBHOOK_PUBLIC;
	row.kind = RECORD_RESOLVED;
	row.attempt = 0;
	expect_json(
		row,
		"{\"Id\":1,\"Kind\":\"AlertResolved\",\"ReceivedTime\":0,\"SdkAppid\":1,\"CallbackCommand\":"
		"\"Highwater.CallbacksSilent\",\"ClientIP\":\"\",\"OptPlatform\":\"\",\"Signed\":false,\"Attempt\":0,"
		"\"Peer\":\"\",\"Body\":{},\"Signature\":\"v1a\",\"Times\":1,\"LastTime\":0}");
}

/* White space in strings stays, and so do escapes; around tokens it goes, line breaks too. */
static void test_text_json_is_one_line(void **state)
{
	static const char *const bodies[][2] = {
		{"\r\n{\t}\n", "{}"},
		{"{\"a\\\\\" : \" \\\" \"}", "{\"a\\\\\":\" \\\" \"}"},
		{"[ \"\\n\" ]", "[\"\\n\"]"},
		{"{\"x\" : \"\" }", "{\"x\":\"\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct record_row row = bare_row();
		char expected[128];
		struct buf out;

		row.body = str_c(bodies[i][0]);
		buf_init(&out, RECORD_LINE_BYTES_MAX);
		record_append_json(&row, &out);
		(void)snprintf(expected, sizeof(expected), ",\"Body\":%s,\"Signature\"", bodies[i][1]); /* fits */
		assert_non_null(strstr(buf_c(&out), expected));
		assert_null(strchr(buf_c(&out), '\n'));
		buf_fini(&out);
	}
}

/* In a name somebody else chose: DEL, a C1 control, marks that turn the direction; what only looks like them stays. */
static void test_text_json_escapes_what_a_terminal_obeys(void **state)
{
	static const char *const bodies[][2] = {
		{"[\"a\xc2\x9b"
		 "31m\x7f\"]",
		 "[\"a\\u009b31m\\u007f\"]"},
		{"[\"\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xe2\x80\xa8\"]", "[\"\\u202e\\u2066\\u200f\\u2028\"]"},
		{"[\"\xc2\xa0\xc3\x9b\xe2\x82\xac\xe2\x80\x93\xf0\x9f\x9a\x80\"]",
		 "[\"\xc2\xa0\xc3\x9b\xe2\x82\xac\xe2\x80\x93\xf0\x9f\x9a\x80\"]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct record_row row = bare_row();
		char expected[128];
		struct buf out;

		row.body = str_c(bodies[i][0]);
		buf_init(&out, RECORD_LINE_BYTES_MAX);
		record_append_json(&row, &out);
		(void)snprintf(expected, sizeof(expected), ",\"Body\":%s,\"Signature\"", bodies[i][1]); /* fits */
		assert_non_null(strstr(buf_c(&out), expected));
		buf_reset(&out);
		record_append_csv(&row, &out);
		assert_null(strchr(buf_c(&out), 0x7f));
		buf_fini(&out);
	}
}

static void test_text_json_fits_its_bound(void **state)
{
	struct record_row row = full_row();
	char *body = mem_zalloc(HW_PACKET_BYTES_MAX);
	char text[257];
	struct buf out;

	(void)state;
	memset(body, 0x7f, HW_PACKET_BYTES_MAX); /* escaped to six bytes each */
	memset(text, '"', sizeof(text) - 1);	 /* escaped to twice as much */
	text[sizeof(text) - 1] = '\0';
	row.body = (struct str){body, HW_PACKET_BYTES_MAX};
	row.webhook_id = row.peer = row.client_ip = str_c(text);
	row.command = (struct str){text, 63};
	row.id = row.receive_ms = row.attempt = row.sequence = row.threshold = row.replay = row.last_ms = INT64_MAX;
	row.times = INT64_MAX;
	buf_init(&out, RECORD_LINE_BYTES_MAX);
	record_append_json(&row, &out);
	assert_true(buf_ok(&out));
	buf_fini(&out);
	mem_free(body);
}

static void expect_csv(struct record_row row, const char *expected)
{
	struct buf out;

	buf_init(&out, RECORD_LINE_BYTES_MAX);
	record_append_csv(&row, &out);
	assert_string_equal(buf_c(&out), expected);
	buf_fini(&out);
}

static void test_text_csv(void **state)
{
	struct record_row row = bare_row();
	struct buf head;

	(void)state;
	expect_csv(full_row(),
		   "7,\"Callback\",1700000000123,1400000001,\"Live.CallbackAfterCreateRoom\",\"203.0.113.7\","
		   "\"iOS\",\"true\",\"evt_1\",2,9,70,\"192.0.2.1\",\"{\"\"a\"\":\"\"b \\\"\" c\"\",\"\"d\"\":[1,2]}\","
		   "\"v1\",\"true\",1,3,1700000000999\r\n");
	row.webhook_id = STR("=cmd()\"");
	row.client_ip = STR("+1");
	row.peer = STR("-1");
	row.command = STR("@x");
	row.platform = STR("");
	expect_csv(row,
		   "1,\"CallbacksSilent\",0,1,\"'@x\",\"'+1\",\"\",\"false\",\"'=cmd()\"\"\",,,,\"'-1\",\"{}\",\"\","
		   "\"false\",,1,0\r\n");
	buf_init(&head, 4096);
	record_append_csv_head(&head);
	assert_int_equal(head.ptr[head.len - 1], '\n');
	buf_fini(&head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_json_has_every_field),
		cmocka_unit_test(test_text_json_leaves_out_what_was_not_said),
		cmocka_unit_test(test_text_json_is_one_line),
		cmocka_unit_test(test_text_json_escapes_what_a_terminal_obeys),
		cmocka_unit_test(test_text_json_fits_its_bound),
		cmocka_unit_test(test_text_csv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
