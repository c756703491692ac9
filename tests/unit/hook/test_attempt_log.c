/* The log of attempts: what it says, which attempts it keeps, and that it is JSON whatever came from outside. */
#include "hook/attempt_log.h"

#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct http_result replied = {
	.outcome = HTTP_OUTCOME_REPLIED,
	.status = 500,
	.body = {"no", 2},
	.text = "",
	.duration_us = 5000,
	.address = "127.0.0.1:443",
	.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384",
	.dns_us = 1,
	.connect_us = 22,
	.tls_us = 333,
	.first_byte_us = 4444,
};

/* The log with the entry added, to be freed with mem_free. */
static struct str append(struct str log, const struct attempt_entry *entry)
{
	struct buf out;
	struct str made;

	buf_init(&out, ATTEMPT_LOG_BYTES_MAX);
	attempt_log_append(&out, log, entry);
	assert_true(buf_ok(&out) && out.len <= ATTEMPT_LOG_BYTES_MAX);
	made = (struct str){mem_dup(out.ptr, out.len), out.len};
	buf_fini(&out);
	return made;
}

/* Reads it strictly, as whoever asks for it does. */
static json_t *must_read(struct str log)
{
	struct error err;
	json_t *root;

	if (json_read(log, &root, &err))
		fail_msg("%s in %.*s", err.text, STR_ARG(log));
	assert_true(json_is_array(root));
	return root;
}

static int64_t number_at(const json_t *root, size_t at, const char *key)
{
	int64_t value = -1;

	assert_int_equal(json_field_i64(json_array_get(root, at), key, INT64_MIN, INT64_MAX, &value), JSON_FOUND);
	return value;
}

static struct str text_at(const json_t *root, size_t at, const char *key)
{
	struct str value = {0};

	assert_int_equal(json_field_str(json_array_get(root, at), key, &value), JSON_FOUND);
	return value;
}

/* ---- entries ---- */

static void test_attempt_log_of_one_attempt(void **state)
{
	static const char want[] =
		"[{\"Attempt\":7,\"Time\":1739966441000,\"Address\":\"127.0.0.1:443\",\"Tls\":\"TLSv1.3 "
		"TLS_AES_256_GCM_SHA384\",\"Outcome\":\"replied\",\"HttpStatus\":500,\"DnsTime\":1,\"ConnectTime\":22,"
		"\"TlsTime\":333,\"FirstByteTime\":4444,\"TotalTime\":5000,\"Reply\":\"no\",\"Error\":\"HTTP status "
		"500\"}]";
	const struct attempt_entry entry = {7, 1739966441000, "HTTP status 500", &replied};
	struct str log = append(STR(""), &entry);

	(void)state;
	assert_true(str_eq(log, str_c(want)));
	json_decref(must_read(log));
	mem_free((void *)(uintptr_t)log.ptr);
}

static void test_attempt_log_of_one_that_was_not_sent(void **state)
{
	const struct attempt_entry entry = {1, 5, "not sent: no callback URL is configured", NULL};
	struct str log = append(STR(""), &entry);

	(void)state;
	assert_true(str_eq(log, STR("[{\"Attempt\":1,\"Time\":5,\"Outcome\":\"not_sent\",\"Error\":\"not sent: no "
				    "callback URL is configured\"}]")));
	json_decref(must_read(log));
	mem_free((void *)(uintptr_t)log.ptr);
}

static void test_attempt_log_names_each_outcome(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= HTTP_OUTCOME_BROKEN; i++) {
		const struct http_result result = {
			.outcome = (enum http_outcome)i, .text = "why", .address = "", .tls = ""};
		const struct attempt_entry entry = {1, 5, "why", &result};
		struct str log = append(STR(""), &entry);
		json_t *root = must_read(log);

		assert_true(str_eq(text_at(root, 0, "Outcome"), str_c(http_outcome_word((enum http_outcome)i))));
		assert_int_equal(number_at(root, 0, "HttpStatus"), 0);
		json_decref(root);
		mem_free((void *)(uintptr_t)log.ptr);
	}
}

static void test_attempt_log_without_address_and_tls(void **state)
{
	const struct http_result result = {.outcome = HTTP_OUTCOME_DNS, .text = "why"}; /* pointers NULL */
	const struct attempt_entry entry = {1, 5, "", &result};
	struct str log = append((struct str){NULL, 0}, &entry);
	json_t *root = must_read(log);

	(void)state;
	assert_int_equal(text_at(root, 0, "Address").len + text_at(root, 0, "Tls").len, 0);
	json_decref(root);
	mem_free((void *)(uintptr_t)log.ptr);
}

/* ---- which are kept ---- */

static void test_attempt_log_keeps_the_newest_ten(void **state)
{
	struct str log = {NULL, 0};

	(void)state;
	for (uint32_t number = 1; number <= 25; number++) {
		const struct attempt_entry entry = {number, 1000 + number, "e,\n{f", number % 3 ? &replied : NULL};
		struct str next = append(log, &entry);
		json_t *root = must_read(next);
		size_t count = number < ATTEMPT_LOG_COUNT_MAX ? number : ATTEMPT_LOG_COUNT_MAX;

		assert_int_equal(json_array_size(root), count);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(number_at(root, i, "Attempt"), number - count + 1 + i);
			assert_true(str_eq(text_at(root, i, "Error"), STR("e,\n{f")));
		}
		json_decref(root);
		mem_free((void *)(uintptr_t)log.ptr);
		log = next;
	}
	mem_free((void *)(uintptr_t)log.ptr);
}

/* Ten of the longest entries that there are. */
static void test_attempt_log_of_the_longest_entries_fits(void **state)
{
	struct http_result result = replied;
	char reply[2 * ATTEMPT_LOG_REPLY_BYTES];
	char error[160 + 1];
	struct str log = {NULL, 0};
	json_t *root;

	(void)state;
	memset(reply, '"', sizeof(reply)); /* two bytes each */
	memset(error, '\\', sizeof(error) - 1);
	error[sizeof(error) - 1] = '\0';
	result.body = (struct str){reply, sizeof(reply)};
	result.status = 999;
	result.address = "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535";
	result.duration_us = result.dns_us = result.connect_us = result.tls_us = result.first_byte_us = INT64_MAX;
	for (uint32_t i = 0; i < 2 * ATTEMPT_LOG_COUNT_MAX; i++) {
		const struct attempt_entry entry = {UINT32_MAX, INT64_MAX, error, &result};
		struct str next = append(log, &entry);

		mem_free((void *)(uintptr_t)log.ptr);
		log = next;
	}
	root = must_read(log);
	assert_int_equal(json_array_size(root), ATTEMPT_LOG_COUNT_MAX); /* none went for want of room */
	assert_int_equal(text_at(root, 9, "Reply").len, ATTEMPT_LOG_REPLY_BYTES);
	assert_int_equal(text_at(root, 0, "Error").len, 160);
	json_decref(root);
	mem_free((void *)(uintptr_t)log.ptr);
}

/* ---- what comes from outside ---- */

static void test_attempt_log_reply_is_printable_whatever_came(void **state)
{
	static const struct {
		struct str body;
		const char *want;
	} rows[] = {
		{{"", 0}, ""},
		{{NULL, 0}, ""},
		{{"a\0b", 3}, "a?b"},
		{{"one\r\ntwo\tthree", 14}, "one  two three"},
		{{"\x1b[31m\x07", 6}, "?[31m?"},
		{{"\"},{\"Attempt\":99", 16}, "\"},{\"Attempt\":99"},
		{{"x,\n{", 4}, "x, {"},
		{{"back\\slash", 10}, "back\\slash"},
		{{"\xe6\x88\xbf\xff\xfe", 5}, "?????"},
		{{"\x7f\x80", 2}, "??"},
		{{"</script>", 9}, "</script>"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_result result = replied;
		const struct attempt_entry entry = {1, 5, "", &result};
		struct str log;
		json_t *root;

		result.body = rows[i].body;
		log = append(STR(""), &entry);
		root = must_read(log);
		assert_int_equal(json_array_size(root), 1);
		if (!str_eq(text_at(root, 0, "Reply"), str_c(rows[i].want)))
			fail_msg("row %zu: %.*s", i, STR_ARG(text_at(root, 0, "Reply")));
		json_decref(root);
		mem_free((void *)(uintptr_t)log.ptr);
	}
}

static void test_attempt_log_of_every_byte(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		char body[4] = {(char)byte, ',', '\n', (char)byte};
		char error[4] = {byte >= 0x80 || byte == 0 ? '?' : (char)byte, ',', '\n', '\0'}; /* errors are ASCII */
		struct http_result result = replied;
		const struct attempt_entry entry = {1, 5, error, &result};
		struct str one;
		struct str two;
		json_t *root;

		result.body = (struct str){body, sizeof(body)};
		one = append(STR(""), &entry);
		two = append(one, &entry);
		root = must_read(two);
		assert_int_equal(json_array_size(root), 2);
		assert_true(str_eq(text_at(root, 1, "Error"), str_c(error)));
		json_decref(root);
		mem_free((void *)(uintptr_t)one.ptr);
		mem_free((void *)(uintptr_t)two.ptr);
	}
}

/* ---- a log that was tampered with ---- */

static void check_new_entry_is_there(struct str tampered)
{
	const struct attempt_entry entry = {77, 5, "e", &replied};
	struct str log = append(tampered, &entry);
	json_t *root = must_read(log);
	size_t count = json_array_size(root);

	assert_in_range(count, 1, ATTEMPT_LOG_COUNT_MAX);
	assert_int_equal(number_at(root, count - 1, "Attempt"), 77);
	json_decref(root);
	mem_free((void *)(uintptr_t)log.ptr);
}

static void test_attempt_log_that_was_tampered_with_gives_json_all_the_same(void **state)
{
	static const struct str rows[] = {
		{"", 0},
		{"[", 1},
		{"[]", 2},
		{"x", 1},
		{"xyz", 3},
		{"null", 4},
		{"{\"Attempt\":1}", 13},
		{"[1,\n2,\n3]", 9},
		{"[{\"Attempt\":1}", 14},
		{"{\"Attempt\":1}]", 14},
		{"[{\"Attempt\":1},\n]", 17},
		{"[,\n,\n,\n]", 8},
		{",\n", 2},
		{"[,\n,\n,\n,\n,\n,\n,\n,\n,\n,\n,\n,\n]", 26},
		{"[{\"a\":\"\xff\"}]", 11},
		{"[{\"a\":1}]\0", 10},
		{"\0\0\0\0", 4},
		{"[{\"a\":\"x,\n\"}]", 13},
		{"[[1,\n2,\n3,\n4,\n5,\n6,\n7,\n8,\n9,\n10,\n11]]", 37}, /* JSON, but not cut where we cut */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_new_entry_is_there(rows[i]);
}

static void test_attempt_log_that_is_huge_is_begun_anew(void **state)
{
	static char text[4 * ATTEMPT_LOG_BYTES_MAX];
	struct buf many;

	(void)state;
	memset(text, 'x', sizeof(text));
	check_new_entry_is_there((struct str){text, sizeof(text)});
	memcpy(text, "[{\"a\":\"", 7);
	memcpy(text + sizeof(text) - 3, "\"}]", 3);
	check_new_entry_is_there((struct str){text, sizeof(text)});
	buf_init(&many, sizeof(text)); /* more entries than we keep, each small */
	buf_append_c(&many, "[{}");
	while (many.len < 2000)
		buf_append_c(&many, ",\n{}");
	buf_append_c(&many, "]");
	check_new_entry_is_there(buf_str(&many));
	buf_fini(&many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attempt_log_of_one_attempt),
		cmocka_unit_test(test_attempt_log_of_one_that_was_not_sent),
		cmocka_unit_test(test_attempt_log_names_each_outcome),
		cmocka_unit_test(test_attempt_log_without_address_and_tls),
		cmocka_unit_test(test_attempt_log_keeps_the_newest_ten),
		cmocka_unit_test(test_attempt_log_of_the_longest_entries_fits),
		cmocka_unit_test(test_attempt_log_reply_is_printable_whatever_came),
		cmocka_unit_test(test_attempt_log_of_every_byte),
		cmocka_unit_test(test_attempt_log_that_was_tampered_with_gives_json_all_the_same),
		cmocka_unit_test(test_attempt_log_that_is_huge_is_begun_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
