/* Base64 in both alphabets. */
#include "protocol/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_encode_gives_the_published_vectors(void **state)
{
	static const struct {
		const char *bytes;
		const char *text;
	} rows[] = {
		/* RFC 4648, section 10 */
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xbf", "+/+/"},
	};
	char out[16];

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].bytes);

		assert_int_equal(base64_encode(BASE64_STANDARD, rows[i].bytes, len, out), BASE64_CHARS(len));
		assert_string_equal(out, rows[i].text);
	}
	assert_int_equal(base64_encode(BASE64_WIRE, "\xfb\xff\xbf\xff", 4, out), 8);
	assert_string_equal(out, "*-*--w__");
}

static void test_decode_reads_back_every_byte_at_every_length(void **state)
{
	unsigned char bytes[256];
	unsigned char back[256];
	char text[BASE64_CHARS(256) + 1];
	size_t len;

	(void)state; /* none */
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(255 - i);
	for (size_t i = 0; i < 2 * (sizeof(bytes) + 1); i++) {
		enum base64_alphabet alphabet = i % 2 ? BASE64_WIRE : BASE64_STANDARD;
		size_t want = i / 2;
		struct str s = {text, base64_encode(alphabet, bytes, want, text)};

		assert_int_equal(base64_decode(alphabet, s, back, want, &len), 0);
		assert_int_equal(len, want);
		assert_memory_equal(back, bytes, want);
		if (want)
			assert_int_equal(base64_decode(alphabet, s, back, want - 1, &len), -1);
	}
}

static void test_decode_refuses_every_other_spelling(void **state)
{
	static const char *const rows[] = {
		"Z",	"Zg",	"Zg_",	 "Zg===", "Zg==",     "Zm9v\n", "Zm9vZg",
		"Z___", "____", "_Zg_",	 "Z_g_",  "Zg__Zg__", "Zh__", /* bits behind the end */
		"Zm9_", "+/+/", "Zm9v ", "Zm 9",  "Zm9\xff",  "Zm.9",
	};
	static const char *const standard[] = {
		"Zg", "Zg__", "Zg=", "Zh==", "====", "Zg==Zg==", "*-*-", "_-_-", "Zm9v\n"};
	unsigned char out[16];
	size_t len = 77;

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (base64_decode(BASE64_WIRE, str_c(rows[i]), out, sizeof(out), &len) != -1)
			fail_msg("%s", rows[i]);
	for (size_t i = 0; i < ARRAY_LEN(standard); i++)
		if (base64_decode(BASE64_STANDARD, str_c(standard[i]), out, sizeof(out), &len) != -1)
			fail_msg("standard: %s", standard[i]);
	assert_int_equal(base64_decode(BASE64_WIRE, (struct str){"Zm9\0", 4}, out, sizeof(out), &len), -1);
	assert_int_equal(len, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_gives_the_published_vectors),
		cmocka_unit_test(test_decode_reads_back_every_byte_at_every_length),
		cmocka_unit_test(test_decode_refuses_every_other_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
