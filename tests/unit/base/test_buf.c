/* The buffer with a maximum, and the arena. */
#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_buf_is_empty_text_before_the_first_append(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 10);
	assert_string_equal(buf_c(&buf), "");
	assert_int_equal(buf_str(&buf).len, 0);
	assert_true(buf_ok(&buf));
	buf_fini(&buf);
}

static void test_buf_fills_to_exactly_its_maximum(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 5);
	buf_append_c(&buf, "hello");
	assert_true(buf_ok(&buf));
	assert_string_equal(buf_c(&buf), "hello");
	buf_append(&buf, "", 0);
	assert_true(buf_ok(&buf));
	buf_append_char(&buf, 'x');
	assert_false(buf_ok(&buf));
	assert_string_equal(buf_c(&buf), "hello");
	buf_fini(&buf);
}

static void test_buf_overflow_sticks_until_reset(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 5);
	buf_append_c(&buf, "abc");
	buf_append_c(&buf, "too long");
	buf_append_c(&buf, "d"); /* would fit */
	buf_printf(&buf, "%s", "e");
	buf_append_u64(&buf, 1);
	assert_false(buf_ok(&buf));
	assert_string_equal(buf_c(&buf), "abc");
	buf_reset(&buf);
	assert_true(buf_ok(&buf));
	assert_string_equal(buf_c(&buf), "");
	buf_append_c(&buf, "again");
	assert_true(buf_ok(&buf));
	assert_string_equal(buf_c(&buf), "again");
	buf_fini(&buf);
}

static void test_buf_with_maximum_zero_holds_nothing(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 0);
	buf_append(&buf, NULL, 0);
	assert_true(buf_ok(&buf));
	buf_append_char(&buf, 'a');
	assert_false(buf_ok(&buf));
	buf_fini(&buf);
}

static void test_buf_refuses_a_length_that_wraps(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	buf_append_c(&buf, "abc");
	buf_append(&buf, "x", SIZE_MAX); /* refused before a byte is read */
	assert_false(buf_ok(&buf));
	assert_int_equal(buf.len, 3);
	buf_fini(&buf);
}

static void test_buf_grows_past_its_first_chunk(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 10000);
	for (int i = 0; i < 10000; i++)
		buf_append_char(&buf, (char)('a' + i % 26));
	assert_true(buf_ok(&buf));
	assert_int_equal(strlen(buf_c(&buf)), 10000);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(buf_c(&buf)[i], 'a' + i % 26);
	buf_fini(&buf);
}

static void test_buf_writes_numbers(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 200);
	buf_append_u64(&buf, 0);
	buf_append_char(&buf, ' ');
	buf_append_u64(&buf, UINT64_MAX);
	buf_append_char(&buf, ' ');
	buf_append_i64(&buf, INT64_MIN);
	buf_append_char(&buf, ' ');
	buf_append_i64(&buf, INT64_MAX);
	buf_append_char(&buf, ' ');
	buf_append_i64(&buf, -1);
	buf_append_char(&buf, ' ');
	buf_append_hex(&buf, "\x00\x7f\xff", 3);
	assert_string_equal(buf_c(&buf), "0 18446744073709551615 -9223372036854775808 9223372036854775807 -1 007fff");
	buf_fini(&buf);
}

static void test_buf_printf_fills_to_the_last_byte(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	buf_printf(&buf, "%s-%d", "abc", 1234);
	assert_true(buf_ok(&buf));
	assert_string_equal(buf_c(&buf), "abc-1234");
	buf_reset(&buf);
	buf_printf(&buf, "%s-%d", "abc", 12345);
	assert_false(buf_ok(&buf));
	assert_string_equal(buf_c(&buf), "");
	buf_reset(&buf);
	buf_printf(&buf, "%s", "");
	assert_true(buf_ok(&buf));
	buf_fini(&buf);
}

static void test_buf_printf_grows(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4000);
	buf_printf(&buf, "%3000d|", 7);
	assert_true(buf_ok(&buf));
	assert_int_equal(buf.len, 3001);
	assert_string_equal(buf_c(&buf) + 2999, "7|");
	buf_fini(&buf);
}

static void test_buf_escapes_json_strings(void **state)
{
	static const struct {
		struct str in;
		const char *want;
	} rows[] = {
		{{"", 0}, "\"\""},
		{{NULL, 0}, "\"\""},
		{{"plain", 5}, "\"plain\""},
		{{"\"", 1}, "\"\\\"\""},
		{{"\\", 1}, "\"\\\\\""},
		{{"a\"b\\c", 5}, "\"a\\\"b\\\\c\""},
		{{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
		{{"\0", 1}, "\"\\u0000\""},
		{{"\x01\x1f", 2}, "\"\\u0001\\u001f\""},
		{{"\x1f!", 2}, "\"\\u001f!\""},
		{{"/</script>", 10}, "\"/</script>\""},
		{{"\xe6\x88\xbf", 3}, "\"\xe6\x88\xbf\""},
		{{"\xf0\x9f\x98\x80", 4}, "\"\xf0\x9f\x98\x80\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf buf;

		buf_init(&buf, 100);
		buf_append_json_string(&buf, rows[i].in);
		assert_true(buf_ok(&buf));
		assert_string_equal(buf_c(&buf), rows[i].want);
		buf_fini(&buf);
	}
}

static void test_buf_json_string_at_every_maximum_overflows_or_is_whole(void **state)
{
	const struct str text = STR("a\"\x01\xe6\x88\xbf\n");
	const char *want = "\"a\\\"\\u0001\xe6\x88\xbf\\n\"";

	(void)state;
	for (size_t max = 0; max <= strlen(want) + 2; max++) {
		struct buf buf;

		buf_init(&buf, max);
		buf_append_json_string(&buf, text);
		assert_int_equal(buf_ok(&buf), max >= strlen(want));
		assert_true(buf.len <= max);
		if (buf_ok(&buf))
			assert_string_equal(buf_c(&buf), want);
		buf_fini(&buf);
	}
}

static void test_arena_gives_zeroed_aligned_memory_that_stays(void **state)
{
	struct arena arena;
	unsigned char *pieces[300];

	(void)state;
	arena_init(&arena, 256);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		pieces[i] = arena_alloc(&arena, i);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < i; j++)
			assert_int_equal(pieces[i][j], 0);
		memset(pieces[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		for (size_t j = 0; j < i; j++)
			assert_int_equal(pieces[i][j], i & 0xff);
	arena_fini(&arena);
}

static void test_arena_zeroes_memory_used_before(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 256);
	for (int round = 0; round < 3; round++) {
		unsigned char *bytes = arena_alloc(&arena, 200);

		for (size_t i = 0; i < 200; i++)
			assert_int_equal(bytes[i], 0);
		memset(bytes, 0xee, 200);
		arena_reset(&arena);
	}
	arena_fini(&arena);
}

static void test_arena_reset_keeps_one_chunk_but_no_large_one(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 256);
	arena_reset(&arena); /* of an empty one */
	(void)arena_alloc(&arena, 200);
	(void)arena_alloc(&arena, 200);
	arena_reset(&arena);
	assert_non_null(arena.chunks);
	(void)arena_alloc(&arena, 100000);
	arena_reset(&arena);
	assert_null(arena.chunks);
	(void)arena_alloc(&arena, 1);
	arena_fini(&arena);
	assert_null(arena.chunks);
}

static void test_arena_dup_ends_with_a_nul(void **state)
{
	struct arena arena;
	struct str copy;

	(void)state;
	arena_init(&arena, 256);
	copy = arena_dup(&arena, STR("a\0b"));
	assert_int_equal(copy.len, 3);
	assert_memory_equal(copy.ptr, "a\0b", 4);
	copy = arena_dup(&arena, (struct str){0});
	assert_int_equal(copy.len, 0);
	assert_string_equal(copy.ptr, "");
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_is_empty_text_before_the_first_append),
		cmocka_unit_test(test_buf_fills_to_exactly_its_maximum),
		cmocka_unit_test(test_buf_overflow_sticks_until_reset),
		cmocka_unit_test(test_buf_with_maximum_zero_holds_nothing),
		cmocka_unit_test(test_buf_refuses_a_length_that_wraps),
		cmocka_unit_test(test_buf_grows_past_its_first_chunk),
		cmocka_unit_test(test_buf_writes_numbers),
		cmocka_unit_test(test_buf_printf_fills_to_the_last_byte),
		cmocka_unit_test(test_buf_printf_grows),
		cmocka_unit_test(test_buf_escapes_json_strings),
		cmocka_unit_test(test_buf_json_string_at_every_maximum_overflows_or_is_whole),
		cmocka_unit_test(test_arena_gives_zeroed_aligned_memory_that_stays),
		cmocka_unit_test(test_arena_zeroes_memory_used_before),
		cmocka_unit_test(test_arena_reset_keeps_one_chunk_but_no_large_one),
		cmocka_unit_test(test_arena_dup_ends_with_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
