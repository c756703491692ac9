#pragma once
/* A suite that runs for every kind of store: each test gets an empty one of its own. */
#include "store/fixture.h"

struct opener {
	const char *name;
	int (*open)(struct fixture *fixture, struct error *err);
};

/* A further kind of store is one more row. */
static const struct opener openers[] = {
	{"memory", fixture_open_memory},
	{"sqlite", fixture_open_sqlite},
	{"postgres", fixture_open_postgres},
};

static const struct opener *opener; /* of the group that runs */

static int suite_setup(void **state)
{
	struct fixture *fixture = fixture_new();
	struct error err;

	*state = fixture;
	if (opener->open(fixture, &err) || store_reader_open(fixture->store, &fixture->reader, &err)) {
		print_error("%s: %s\n", opener->name, err.text);
		return -1;
	}
	return 0;
}

static int suite_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, suite_setup, suite_teardown)

/* Runs them all once for each kind; returns how many failed. */
static int suite_run(const struct CMUnitTest *tests, size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < ARRAY_LEN(openers); i++) {
		opener = &openers[i];
		failed += _cmocka_run_group_tests(opener->name, tests, count, NULL, NULL);
	}
	return failed;
}
