/* Errors, clocks, random numbers and hashing. */
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_error_set_returns_minus_one_and_cuts(void **state)
{
	struct error err;
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(error_set(&err, ERR_BUSY, "%s", text), -1);
	assert_int_equal(err.class, ERR_BUSY);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(error_set(&err, ERR_INVALID, "room %d", 7), -1);
	assert_string_equal(err.text, "room 7");
}

static void test_error_errno_maps_full_disks(void **state)
{
	static const struct {
		int number;
		enum error_class class;
	} rows[] = {{ENOSPC, ERR_FULL}, {EDQUOT, ERR_FULL}, {EIO, ERR_IO}, {ENOENT, ERR_IO}, {EACCES, ERR_IO}};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(error_set_errno(&err, rows[i].number, "opening %s", "f"), -1);
		assert_int_equal(err.class, rows[i].class);
		assert_memory_equal(err.text, "opening f: ", 11);
		assert_true(strlen(err.text) > 11);
	}
}

static void test_error_errno_keeps_the_reason_of_a_long_text(void **state)
{
	struct error err;
	char path[1000];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(error_set_errno(&err, ENOENT, "opening %s", path), -1);
	assert_non_null(strstr(err.text, strerror(ENOENT)));
}

static void test_error_wrap_puts_context_in_front_and_keeps_the_class(void **state)
{
	struct error err;

	(void)state;
	(void)error_set(&err, ERR_EXISTS, "inner %d", 1); /* the value is always -1 */
	assert_int_equal(error_wrap(&err, "outer %s", "x"), -1);
	assert_string_equal(err.text, "outer x: inner 1");
	assert_int_equal(err.class, ERR_EXISTS);
	for (int i = 0; i < 100; i++)
		(void)error_wrap(&err, "level %d", i); /* as above */
	assert_memory_equal(err.text, "level 99: level 98", 18);
	assert_true(strlen(err.text) < sizeof(err.text));
}

static void test_error_words_and_retryable(void **state)
{
	static const struct {
		enum error_class class;
		const char *word;
		bool retryable;
	} rows[] = {{ERR_NONE, "none", false},	      {ERR_INVALID, "invalid", false},
		    {ERR_DENIED, "denied", false},    {ERR_NOT_FOUND, "not_found", false},
		    {ERR_EXISTS, "exists", false},    {ERR_BUSY, "busy", true},
		    {ERR_CLOSED, "closed", false},    {ERR_TIMEOUT, "timeout", true},
		    {ERR_FULL, "full", true},	      {ERR_IO, "io", true},
		    {ERR_INTERNAL, "internal", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_string_equal(error_class_word(rows[i].class), rows[i].word);
		assert_int_equal(error_class_retryable(rows[i].class), rows[i].retryable);
	}
}

static void test_clock_format_table(void **state)
{
	static const struct {
		int64_t ms;
		const char *want;
	} rows[] = {{0, "1970-01-01T00:00:00.000Z"},
		    {1, "1970-01-01T00:00:00.001Z"},
		    {1769860800123, "2026-01-31T12:00:00.123Z"},
		    {951782400000, "2000-02-29T00:00:00.000Z"},
		    {4102444799999, "2099-12-31T23:59:59.999Z"},
		    {-1, "1969-12-31T23:59:59.999Z"},
		    {-1000, "1969-12-31T23:59:59.000Z"},
		    {-1001, "1969-12-31T23:59:58.999Z"}};
	char out[CLOCK_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		clock_format(rows[i].ms, out);
		assert_string_equal(out, rows[i].want);
	}
}

static void test_clock_format_of_any_time_stays_in_its_buffer(void **state)
{
	char out[CLOCK_TEXT_BYTES + 1];

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		out[CLOCK_TEXT_BYTES] = '!';
		clock_format((int64_t)(UINT64_C(1) << i), out);
		assert_true(memchr(out, 0, CLOCK_TEXT_BYTES) != NULL);
		clock_format(-(int64_t)(UINT64_C(1) << (i % 63)), out);
		assert_true(memchr(out, 0, CLOCK_TEXT_BYTES) != NULL);
		assert_int_equal(out[CLOCK_TEXT_BYTES], '!');
	}
}

static void test_clock_mono_does_not_step_back(void **state)
{
	int64_t before = clock_mono_ns();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_mono_ns();

		assert_true(now >= before);
		before = now;
	}
	assert_true(clock_wall_ms() > INT64_C(1600000000000));
}

/* Vectors of the SipHash-2-4 reference code: key 00 01 .. 0f, input 00 01 .. of each length. */
static void test_hash_sip_2_4_matches_the_published_vectors(void **state)
{
	static const uint64_t want[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
					0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
					0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
					0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
	const struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	unsigned char in[16];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char)i;
	for (size_t len = 0; len < ARRAY_LEN(want); len++)
		assert_true(hash_sip(key, in, len, 2, 4) == want[len]);
}

static void test_hash_bytes_depends_on_key_length_and_bytes(void **state)
{
	const struct hash_key key = {1, 2};
	const struct hash_key other = {1, 3};

	(void)state;
	assert_true(hash_bytes(key, "ab", 2) == hash_sip(key, "ab", 2, 1, 3));
	assert_true(hash_bytes(key, "ab", 2) != hash_bytes(other, "ab", 2));
	assert_true(hash_bytes(key, "ab", 2) != hash_bytes(key, "ac", 2));
	assert_true(hash_bytes(key, "a\0", 2) != hash_bytes(key, "a", 1));
	assert_true(hash_bytes(key, NULL, 0) == hash_bytes(key, "", 0));
}

/* First numbers of splitmix64 from seed 0 and from 1234567, as published with the algorithm. */
static void test_prng_is_splitmix64(void **state)
{
	static const uint64_t want[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u};
	struct prng prng = {1234567};
	struct prng zero = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_true(prng_next(&prng) == want[i]);
	assert_true(prng_next(&zero) == 0xe220a8397b1dcdafu);
}

static void test_prng_below_stays_below(void **state)
{
	struct prng prng = {42};
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t value = prng_below(&prng, 3);

		assert_true(value < 3);
		seen |= 1u << value;
	}
	assert_int_equal(seen, 7);
	assert_true(prng_below(&prng, 1) == 0);
}

static void test_random_bytes_fill_the_whole_range(void **state)
{
	unsigned char bytes[1024] = {0};
	size_t zeros = 0;

	(void)state;
	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		zeros += bytes[i] == 0;
	assert_true(zeros < 100); /* about 4 are expected; 100 is out of reach of chance */
	assert_true(random_u64() != random_u64());
	random_bytes(bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_set_returns_minus_one_and_cuts),
		cmocka_unit_test(test_error_errno_maps_full_disks),
		cmocka_unit_test(test_error_errno_keeps_the_reason_of_a_long_text),
		cmocka_unit_test(test_error_wrap_puts_context_in_front_and_keeps_the_class),
		cmocka_unit_test(test_error_words_and_retryable),
		cmocka_unit_test(test_clock_format_table),
		cmocka_unit_test(test_clock_format_of_any_time_stays_in_its_buffer),
		cmocka_unit_test(test_clock_mono_does_not_step_back),
		cmocka_unit_test(test_hash_sip_2_4_matches_the_published_vectors),
		cmocka_unit_test(test_hash_bytes_depends_on_key_length_and_bytes),
		cmocka_unit_test(test_prng_is_splitmix64),
		cmocka_unit_test(test_prng_below_stays_below),
		cmocka_unit_test(test_random_bytes_fill_the_whole_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
