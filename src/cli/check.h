#pragma once
/* Between the parts of `highwater check`: its cases, and what was found. Threads: the main thread. */
#include "cli/trier.h"

#include <jansson.h>

enum check_level {
	CHECK_MUST,   /* a receiver that does not loses callbacks, or takes forged ones */
	CHECK_SHOULD, /* it works, but not in every case */
};

enum check_result {
	CHECK_PASSED,
	CHECK_FAILED,
	CHECK_SKIPPED, /* it needs what was not given */
};

struct check_finding {
	const char *id; /* static, as the next four */
	const char *title;
	enum check_level level;
	enum check_result result;
	const char *advice; /* what to do; "" when passed */
	char seen[320];	    /* one line of printable text */
	int64_t duration_us;
};

#define CHECK_CASES_MAX 64

struct check {
	const struct cli_line *line;
	struct trier trier;
	bool json;
	struct check_finding findings[CHECK_CASES_MAX];
	size_t count;
	bool reachable; /* the first right callback was answered by something */
};

/* Runs all cases. Prints each finding when it is there, unless JSON is wanted. */
void check_run_cases(struct check *check);

/* How a finding looks on a terminal; the whole as JSON; as JUnit XML. */
void check_print_finding(const struct check *check, const struct check_finding *finding);
void check_print_end(const struct check *check);
void check_print_json(const struct check *check);
MUST_CHECK int check_write_junit(const struct check *check, const char *path, struct error *err);
/* How many failed at this level. */
unsigned check_failures(const struct check *check, enum check_level level);
