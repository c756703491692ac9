/* Page tokens: what was made for an app is read again, and nothing else is. */
#include "api/page.h"
#include "live/app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEQUENCE_MAX ((UINT64_C(1) << APP_ID_SEQUENCE_BITS) - 1)
#define UNTOUCHED UINT64_C(0xa5a5a5a5)

static const struct secret key = {{"the store's secret", 18}};
static const struct secret other_key = {{"the store's secres", 18}};

struct token {
	char text[PAGE_TOKEN_BYTES_MAX + 1];
	size_t len;
};

static struct token made(struct secret with, uint32_t number, int64_t create_s, uint64_t sequence)
{
	struct token token = {.len = 0};
	struct buf out;

	buf_init(&out, PAGE_TOKEN_BYTES_MAX);
	page_token_append(&out, with, number, create_s, sequence);
	assert_true(buf_ok(&out));
	assert_true(str_copy(token.text, sizeof(token.text), buf_str(&out)));
	token.len = out.len;
	buf_fini(&out);
	return token;
}

static void accept(struct token token, struct secret with, uint32_t number, uint64_t sequence)
{
	uint64_t got = UNTOUCHED;

	if (page_token_read((struct str){token.text, token.len}, with, number, &got) != 0)
		fail_msg("refused: %s", token.text);
	assert_true(got == sequence);
}

static void refuse(struct str token, struct secret with, uint32_t number)
{
	uint64_t got = UNTOUCHED;

	if (page_token_read(token, with, number, &got) != -1)
		fail_msg("accepted: %.*s", STR_ARG(token));
	assert_true(got == UNTOUCHED);
}

static void refuse_text(const char *text)
{
	refuse(str_c(text), key, 1);
}

/* ---- what was made ---- */

static void test_page_token_is_read_again(void **state)
{
	static const uint32_t numbers[] = {1, 2, APP_NUMBER_MAX};
	static const int64_t times[] = {0, 1, 1700000000, INT64_MAX};
	static const uint64_t sequences[] = {0, 1, 9, 10, 1234567890, SEQUENCE_MAX};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(numbers); n++)
		for (size_t t = 0; t < ARRAY_LEN(times); t++)
			for (size_t s = 0; s < ARRAY_LEN(sequences); s++)
				accept(made(key, numbers[n], times[t], sequences[s]), key, numbers[n], sequences[s]);
}

static void test_page_token_looks_as_the_vendors_do(void **state)
{
	struct token token = made(key, 1, 1700000000, 7);

	(void)state;
	assert_int_equal(strspn(token.text, "0123456789-"), token.len);
	assert_memory_equal(token.text, "1700000000-7", 12);
	assert_int_equal(token.len, 12 + 20);
}

/* The longest time and sequence; `made` asserts that they fit. */
static void test_page_token_of_the_largest_numbers_fits(void **state)
{
	(void)state;
	assert_int_equal(made(key, APP_NUMBER_MAX, INT64_MAX, SEQUENCE_MAX).len, 19 + 1 + 13 + 20);
}

static void test_page_tokens_differ_by_everything_they_stand_for(void **state)
{
	struct token one = made(key, 1, 1700000000, 12);

	(void)state;
	assert_string_equal(one.text, made(key, 1, 1700000000, 12).text);
	assert_string_not_equal(one.text + 13, made(key, 2, 1700000000, 12).text + 13);
	assert_string_not_equal(one.text + 13, made(key, 1, 1700000001, 12).text + 13);
	assert_string_not_equal(one.text + 13, made(key, 1, 1700000000, 13).text + 13);
	assert_string_not_equal(one.text + 13, made(other_key, 1, 1700000000, 12).text + 13);
}

/* ---- what was not ---- */

static void test_page_token_of_another_app_is_refused(void **state)
{
	struct token token = made(key, 1, 1700000000, 12);
	struct str text = {token.text, token.len};

	(void)state;
	refuse(text, key, 0);
	refuse(text, key, 2);
	refuse(text, key, 11);
	refuse(text, key, APP_NUMBER_MAX);
}

static void test_page_token_of_another_key_is_refused(void **state)
{
	struct token token = made(key, 1, 1700000000, 12);
	struct str text = {token.text, token.len};

	(void)state;
	refuse(text, other_key, 1);
}

static void test_page_token_with_any_character_changed_is_refused(void **state)
{
	struct token token = made(key, 1, 1700000000, 12);

	(void)state;
	for (size_t at = 0; at < token.len; at++) {
		for (unsigned c = 0; c < 256; c++) {
			struct token changed = token;

			changed.text[at] = (char)c;
			if (changed.text[at] != token.text[at])
				refuse((struct str){changed.text, changed.len}, key, 1);
		}
	}
}

static void test_page_token_with_a_character_more_or_less_is_refused(void **state)
{
	static const char more[] = "0123456789- +\n";
	struct token token = made(key, 1, 1700000000, 12);

	(void)state;
	for (size_t at = 0; at <= token.len; at++) {
		char text[PAGE_TOKEN_BYTES_MAX + 2];

		for (size_t i = 0; i < sizeof(more); i++) { /* the NUL is one of them */
			memcpy(text, token.text, at);
			text[at] = more[i];
			memcpy(text + at + 1, token.text + at, token.len - at);
			refuse((struct str){text, token.len + 1}, key, 1);
		}
		if (at == token.len)
			continue;
		memcpy(text, token.text, at);
		memcpy(text + at, token.text + at + 1, token.len - at - 1);
		refuse((struct str){text, token.len - 1}, key, 1);
	}
}

static void test_page_token_with_one_end_cut_off_is_refused(void **state)
{
	struct token token = made(key, 1, 1700000000, 12);

	(void)state;
	for (size_t cut = 1; cut <= token.len; cut++) {
		refuse((struct str){token.text, token.len - cut}, key, 1);
		refuse((struct str){token.text + cut, token.len - cut}, key, 1);
	}
}

/* The same numbers, so only the spelling differs. */
static void test_page_token_spelled_otherwise_is_refused(void **state)
{
	static const struct {
		const char *before;
		const char *between;
		const char *after;
	} rows[] = {
		{"0", "-", ""}, {"00", "-", ""}, {"+", "-", ""}, {" ", "-", ""},  {"-", "-", ""}, {"", "-0", ""},
		{"", "-+", ""}, {"", "- ", ""},	 {"", "--", ""}, {"", " -", ""},  {"", "", ""},	  {"", "-", " "},
		{"", "-", "0"}, {"", "-", "-"},	 {"", "_", ""},	 {"\"", "-", ""}, {"", ".", ""},
	};
	struct token token = made(key, 1, 1700000000, 12);
	char *dash = strchr(token.text, '-');

	(void)state;
	*dash = '\0';
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[PAGE_TOKEN_BYTES_MAX + 8];

		(void)snprintf(text, sizeof(text), "%s%s%s%s%s", rows[i].before, token.text, rows[i].between, dash + 1,
			       rows[i].after); /* fits */
		refuse_text(text);
	}
}

static void test_page_token_of_no_form_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"-",
		"--",
		"0",
		"1",
		"1-",
		"-1",
		"1-1",
		"1700000000-12",
		"next",
		"0-00000000000000000000",  /* a seal and no sequence */
		"-000000000000000000000",  /* a sequence and a seal and no time */
		"0-000000000000000000000", /* all three, of nobody's making */
		"1700000000-1200000000000000000000",
		"1700000000-1299999999999999999999",
		"1700000000-1218446744073709551615", /* the largest seal */
		"1700000000-1218446744073709551616",
		"9223372036854775808-100000000000000000000",			       /* time beyond int64 */
		"99999999999999999999-100000000000000000000",			       /* beyond uint64 */
		"1-109951162777600000000000000000000",				       /* the sequence is too large */
		"1-1844674407370955161600000000000000000000",			       /* beyond uint64 */
		"1-9999999999999999999999999999999999999999999999999999999999999999",  /* over the length */
		"99999999999999999999999999999999999999999999999999999999999999999-1", /* also before the dash */
		"1700000000_1200000000000000000000",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		refuse_text(rows[i]);
	refuse((struct str){0}, key, 1);
}

/* ---- pages of callbacks ---- */

static struct token made_callbacks(struct secret with, uint32_t number, int64_t before_id)
{
	struct token token = {.len = 0};
	struct buf out;

	buf_init(&out, PAGE_TOKEN_BYTES_MAX);
	page_callbacks_append(&out, with, number, before_id);
	assert_true(buf_ok(&out));
	assert_true(str_copy(token.text, sizeof(token.text), buf_str(&out)));
	token.len = out.len;
	buf_fini(&out);
	return token;
}

static void refuse_callbacks(struct str token, struct secret with, uint32_t number)
{
	int64_t got = UNTOUCHED;

	if (page_callbacks_read(token, with, number, &got) != -1)
		fail_msg("accepted: %.*s", STR_ARG(token));
	assert_true(got == UNTOUCHED);
}

static void test_page_callbacks_token_is_read_again(void **state)
{
	static const uint32_t numbers[] = {0, 1, APP_NUMBER_MAX}; /* 0: of all apps */
	static const int64_t ids[] = {1, 9, 10, INT64_C(1) << APP_ID_SEQUENCE_BITS, INT64_MAX};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(numbers); n++) {
		for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
			struct token token = made_callbacks(key, numbers[n], ids[i]);
			int64_t got = UNTOUCHED;

			assert_int_equal(
				page_callbacks_read((struct str){token.text, token.len}, key, numbers[n], &got), 0);
			assert_true(got == ids[i]);
		}
	}
}

static void test_page_callbacks_token_of_others_is_refused(void **state)
{
	struct token token = made_callbacks(key, 1, 12);
	struct token rooms = made(key, 1, 1700000000, 12);

	(void)state;
	refuse_callbacks((struct str){token.text, token.len}, key, 0);
	refuse_callbacks((struct str){token.text, token.len}, key, 2);
	refuse_callbacks((struct str){token.text, token.len}, other_key, 1);
	refuse_callbacks((struct str){rooms.text, rooms.len}, key, 1);
	refuse((struct str){token.text, token.len}, key, 1);
}

static void test_page_callbacks_token_with_any_character_changed_is_refused(void **state)
{
	struct token token = made_callbacks(key, 1, 12);

	(void)state;
	for (size_t at = 0; at < token.len; at++) {
		for (unsigned c = 0; c < 256; c++) {
			struct token changed = token;

			changed.text[at] = (char)c;
			if (changed.text[at] != token.text[at])
				refuse_callbacks((struct str){changed.text, changed.len}, key, 1);
		}
		refuse_callbacks((struct str){token.text, at}, key, 1);
		refuse_callbacks((struct str){token.text + at + 1, token.len - at - 1}, key, 1);
	}
}

static void test_page_callbacks_token_of_no_form_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"0",
		"12",
		"next",
		"00000000000000000000",
		"000000000000000000000",
		"1218446744073709551615",
		"-100000000000000000000",
		"922337203685477580800000000000000000000", /* beyond int64 */
		"9999999999999999999999999999999999999999999999999999999999999999",
		"99999999999999999999999999999999999999999999999999999999999999999",
	};
	struct token token = made_callbacks(key, 1, 12);
	char text[PAGE_TOKEN_BYTES_MAX + 8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		refuse_callbacks(str_c(rows[i]), key, 1);
	(void)snprintf(text, sizeof(text), "0%s", token.text); /* fits, as below */
	refuse_callbacks(str_c(text), key, 1);
	(void)snprintf(text, sizeof(text), "%s ", token.text);
	refuse_callbacks(str_c(text), key, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_token_is_read_again),
		cmocka_unit_test(test_page_token_looks_as_the_vendors_do),
		cmocka_unit_test(test_page_token_of_the_largest_numbers_fits),
		cmocka_unit_test(test_page_tokens_differ_by_everything_they_stand_for),
		cmocka_unit_test(test_page_token_of_another_app_is_refused),
		cmocka_unit_test(test_page_token_of_another_key_is_refused),
		cmocka_unit_test(test_page_token_with_any_character_changed_is_refused),
		cmocka_unit_test(test_page_token_with_a_character_more_or_less_is_refused),
		cmocka_unit_test(test_page_token_with_one_end_cut_off_is_refused),
		cmocka_unit_test(test_page_token_spelled_otherwise_is_refused),
		cmocka_unit_test(test_page_token_of_no_form_is_refused),
		cmocka_unit_test(test_page_callbacks_token_is_read_again),
		cmocka_unit_test(test_page_callbacks_token_of_others_is_refused),
		cmocka_unit_test(test_page_callbacks_token_with_any_character_changed_is_refused),
		cmocka_unit_test(test_page_callbacks_token_of_no_form_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
