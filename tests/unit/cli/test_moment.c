/* Moments as people write them: each form with its bounds, and what is none. */
#include "cli/moment.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1795575600123) /* 2026-11-25T03:00:00.123Z */
#define UNTOUCHED INT64_C(-5)

static void test_moment_forms(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"0", 0},
		{"1795575600000", INT64_C(1795575600000)},
		{"253402300799999", MOMENT_MAX_MS},
		{"0s", NOW},
		{"1s", NOW - 1000},
		{"90m", NOW - 90 * 60000},
		{"2h", NOW - 2 * 3600000},
		{"007d", NOW - INT64_C(7) * 86400000},
		{"1795575600s", 123},
		{"2026-11-25T03:00:00Z", INT64_C(1795575600000)},
		{"2026-11-25t03:00:00z", INT64_C(1795575600000)},
		{"2026-11-25 03:00:00Z", INT64_C(1795575600000)},
		{"2026-11-25T03:00:00.1Z", INT64_C(1795575600100)},
		{"2026-11-25T03:00:00.1239Z", NOW},
		{"2026-11-25T04:30:00+01:30", INT64_C(1795575600000)},
		{"2026-11-24T19:00:00-08:00", INT64_C(1795575600000)},
		{"2026-11-25T03:00:00+00:00", INT64_C(1795575600000)},
		{"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T01:00:00+01:00", 0},
		{"9999-12-31T23:59:59.999Z", MOMENT_MAX_MS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err;
		int64_t ms = UNTOUCHED;

		if (moment_parse(rows[i].text, NOW, &ms, &err) || ms != rows[i].ms)
			fail_msg("%s: %" PRId64 ", not %" PRId64, rows[i].text, ms, rows[i].ms);
	}
}

static void test_moment_refuses_what_is_none(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"h",
		"-1",
		"+1",
		"-1h",
		"2 h",
		"2hh",
		"2H",
		"2w",
		"2ms",
		"1.5h",
		"253402300800000",
		"18446744073709551616",
		"1795575601s", /* before 1970 */
		"99999999999999999d",
		"yesterday",
		"2026-11-25",
		"2026-11-25T03:00Z",
		"2026-11-25T03:00:00",
		"2026-11-25T03:00:00.Z",
		"2026-11-25T03:00:00ZZ",
		"2026-11-25T03:00:00Z ",
		" 2026-11-25T03:00:00Z",
		"2026-11-25T03:00:00+1:00",
		"2026-11-25T03:00:00+01",
		"2026-11-25T03:00:00+0100",
		"2026-11-25T03:00:00+24:00",
		"2026-11-25T03:00:00+01:60",
		"2026-11-25X03:00:00Z",
		"2026-02-29T00:00:00Z",
		"2026-00-10T00:00:00Z",
		"2026-13-10T00:00:00Z",
		"2026-11-00T00:00:00Z",
		"2026-11-31T00:00:00Z",
		"2026-11-25T24:00:00Z",
		"2026-11-25T03:60:00Z",
		"2026-11-25T03:00:60Z",
		"26-11-25T03:00:00Z",
		"12026-11-25T03:00:00Z",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
		"0000-01-01T00:00:00Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err;
		int64_t ms = UNTOUCHED;

		if (moment_parse(rows[i], NOW, &ms, &err) != -1)
			fail_msg("accepted: \"%s\"", rows[i]);
		assert_true(ms == UNTOUCHED);
		assert_int_equal(err.class, ERR_INVALID);
		assert_non_null(strstr(err.text, "2h (ago)"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moment_forms),
		cmocka_unit_test(test_moment_refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
