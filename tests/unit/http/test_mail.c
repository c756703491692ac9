/* The text of mails, and URLs of mail servers. Sending has a real server in the end-to-end tests. */
#include "http/mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect_header(struct str value, const char *expected)
{
	struct buf out;

	buf_init(&out, 8192);
	mail_append_header(&out, "Subject", value);
	assert_string_equal(buf_c(&out), expected);
	buf_fini(&out);
}

static void test_mail_headers(void **state)
{
	(void)state;
	expect_header(STR("plain text"), "Subject: plain text\r\n");
	expect_header(STR(""), "Subject: \r\n");
	expect_header(STR("a\r\nBcc: x@y"), "Subject: a  Bcc: x@y\r\n"); /* it begins no header of its own */
	expect_header(STR("a\x7f\tb"), "Subject: a  b\r\n");
	expect_header(STR("gr\xc3\xb6\xc3\x9f"), "Subject: =?UTF-8?B?Z3LDtsOf?=\r\n");
}

/* No encoded word ends inside of a character, and none is longer than 75. */
static void test_mail_long_headers_are_folded(void **state)
{
	char text[200];
	struct buf out;
	struct str rest;
	struct str line;

	(void)state;
	for (size_t i = 0; i < sizeof(text) / 2; i++)
		memcpy(text + 2 * i, "\xc3\xb6", 2);
	buf_init(&out, 8192);
	mail_append_header(&out, "Subject", (struct str){text, sizeof(text)});
	rest = buf_str(&out);
	while (rest.len) {
		(void)str_cut(&rest, '\n', &line); /* the loop looks at the rest */
		assert_in_range(line.len, 1, 86);  /* "Subject: ", a word, the end */
	}
	assert_null(strstr(buf_c(&out), "w=?=")); /* half of the character */
	buf_fini(&out);
}

static void test_mail_text_is_base64_in_lines(void **state)
{
	char text[120];
	struct buf out;

	(void)state;
	memset(text, 'a', sizeof(text));
	buf_init(&out, 8192);
	mail_append_text(&out, (struct str){text, sizeof(text)});
	assert_string_equal(buf_c(&out),
			    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
			    "Content-Transfer-Encoding: base64\r\n\r\n"
			    "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n"
			    "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n"
			    "YWFhYWFh\r\n");
	buf_reset(&out);
	mail_append_text(&out, STR("ab"));
	assert_non_null(strstr(buf_c(&out), "\r\n\r\nYWI=\r\n"));
	buf_fini(&out);
}

static void test_mail_urls(void **state)
{
	static const struct {
		const char *url;
		const char *wrong;
	} cases[] = {
		{"smtp://mail.example:587", NULL},
		{"smtps://[::1]:465", NULL},
		{"smtp://127.0.0.1", NULL},
		{"http://mail.example", "smtp://"},
		{"mail.example", "smtp://"},
		{"smtp://u:p@mail.example", "user"},
		{"smtp://", "URL"},
		{"smtp://mail.example:x", "URL"},
		{"", "URL"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *wrong = mail_url_check(cases[i].url);

		if (!cases[i].wrong)
			assert_null(wrong);
		else if (!wrong || !strstr(wrong, cases[i].wrong))
			fail_msg("%s: %s", cases[i].url, wrong ? wrong : "is fine");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail_headers),
		cmocka_unit_test(test_mail_long_headers_are_folded),
		cmocka_unit_test(test_mail_text_is_base64_in_lines),
		cmocka_unit_test(test_mail_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
