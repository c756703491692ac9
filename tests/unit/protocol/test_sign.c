/* The vendor's callback authentication. */
#include "base/compiler.h"

#include <highwater/sign.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN "xxxxyyyy"
#define TIME INT64_C(1669872112)
#define SIGN "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"

static bool verify(const char *sign, int64_t time_s, int64_t now_s, int64_t tolerance_s)
{
	return hw_sign_verify(TOKEN, strlen(TOKEN), sign, strlen(sign), time_s, now_s, tolerance_s);
}

static void test_sign_gives_the_vendors_vector(void **state)
{
	char out[HW_SIGN_HEX_BYTES + 1];

	(void)state; /* none */
	hw_sign(TOKEN, strlen(TOKEN), TIME, out);
	assert_string_equal(out, SIGN);
}

static void test_verify_accepts_the_sign(void **state)
{
	(void)state; /* none */
	assert_true(verify(SIGN, TIME, TIME, HW_SIGN_TOLERANCE_S));
}

static void test_verify_looks_at_the_time(void **state)
{
	static const struct {
		int64_t now_s;
		int64_t tolerance_s;
		bool good;
	} rows[] = {
		{TIME + 60, 60, true},	      {TIME + 61, 60, false}, {TIME - 60, 60, true},
		{TIME - 61, 60, false},	      {TIME, 0, true},	      {TIME + 1, 0, false},
		{TIME - 1, 0, false},	      {TIME, -1, false},      {INT64_MIN, INT64_MAX, false},
		{INT64_MAX, INT64_MAX, true}, {INT64_MAX, 60, false}, {INT64_MIN + TIME, 60, false},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (verify(SIGN, TIME, rows[i].now_s, rows[i].tolerance_s) != rows[i].good)
			fail_msg("row %zu", i);
}

static void test_verify_refuses_any_other_sign(void **state)
{
	char sign[] = SIGN;

	(void)state; /* none */
	for (size_t i = 0; i < HW_SIGN_HEX_BYTES; i++) {
		char right = sign[i];

		sign[i] = right == '0' ? '1' : '0';
		assert_false(verify(sign, TIME, TIME, 60));
		sign[i] = right;
	}
	assert_true(verify(sign, TIME, TIME, 60));
	assert_false(verify("17773BC39A671D7B9AA835458704D2A6DB81360A5940292B587D6D760D484061", TIME, TIME, 60));
	assert_false(verify("", TIME, TIME, 60));
	assert_false(hw_sign_verify(TOKEN, 8, SIGN, HW_SIGN_HEX_BYTES - 1, TIME, TIME, 60));
	assert_false(verify(SIGN "0", TIME, TIME, 60));
	assert_false(verify(SIGN, TIME + 1, TIME, 60));
	assert_false(hw_sign_verify("xxxxyyyz", 8, SIGN, HW_SIGN_HEX_BYTES, TIME, TIME, 60));
}

static void test_verify_needs_a_token(void **state)
{
	static const char token[HW_TOKEN_BYTES_MAX + 1];
	char sign[HW_SIGN_HEX_BYTES + 1];

	(void)state; /* none */
	hw_sign(token, HW_TOKEN_BYTES_MAX, TIME, sign);
	assert_true(hw_sign_verify(token, HW_TOKEN_BYTES_MAX, sign, strlen(sign), TIME, TIME, 60));
	hw_sign(token, HW_TOKEN_BYTES_MAX + 1, TIME, sign);
	assert_false(hw_sign_verify(token, HW_TOKEN_BYTES_MAX + 1, sign, strlen(sign), TIME, TIME, 60));
	hw_sign("", 0, TIME, sign);
	assert_false(hw_sign_verify("", 0, sign, strlen(sign), TIME, TIME, 60));
	assert_false(hw_sign_verify(NULL, 8, sign, strlen(sign), TIME, TIME, 60));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sign_gives_the_vendors_vector),
		cmocka_unit_test(test_verify_accepts_the_sign),
		cmocka_unit_test(test_verify_looks_at_the_time),
		cmocka_unit_test(test_verify_refuses_any_other_sign),
		cmocka_unit_test(test_verify_needs_a_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
