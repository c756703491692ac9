/* What `highwater apply` would do: which apps, which fields, in which order; and that values with a secret in them are not
 * shown. Whole runs, and wrong files, are in tests/e2e/test_apply.py. */
#include "cli/apply_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
	struct apply_file file;
	struct apply_plan plan;
	json_t *apps;
};

static void plan(struct world *world, const char *apps_of_file, const char *apps_of_server, bool prune)
{
	struct error err = {0};
	struct buf text;

	buf_init(&text, 10000);
	buf_printf(&text, "{\"Version\":1,\"Apps\":%s}", apps_of_file);
	if (apply_file_parse(buf_str(&text), "-", &world->file, &err))
		fail_msg("%s", err.text);
	assert_int_equal(json_read(str_c(apps_of_server), &world->apps, &err), 0);
	apply_plan_make(&world->file, world->apps, prune, &world->plan);
	buf_fini(&text);
}

static void forget(struct world *world)
{
	apply_plan_free(&world->plan);
	apply_file_free(&world->file);
	json_decref(world->apps);
}

/* "+1 ~2:MaxRoomCount,Thresholds =3 -4" */
static void assert_plan(const struct apply_plan *plan, const char *expected)
{
	static const char signs[] = {
		[APPLY_SAME] = '=', [APPLY_CREATE] = '+', [APPLY_CHANGE] = '~', [APPLY_DELETE] = '-'};
	struct buf text;

	buf_init(&text, 1000);
	for (size_t i = 0; i < plan->count; i++) {
		const struct apply_step *step = &plan->steps[i];
		bool first = true;

		buf_printf(&text, "%s%c%u", i ? " " : "", signs[step->action], step->sdkappid);
		for (unsigned field = 0; field < APPLY_FIELD_COUNT; field++) {
			if (!step->differs[field])
				continue;
			buf_printf(&text, "%c%s", first ? ':' : ',', apply_field_name((enum apply_field)field));
			first = false;
		}
	}
	assert_string_equal(buf_c(&text), expected);
	buf_fini(&text);
}

#define CREATED "Live.CallbackAfterCreateRoom"
#define ALERT "Live.CallbackAfterCreateRoomReachingThreshold"

static void test_plan_table(void **state)
{
	static const struct {
		const char *file;
		const char *server;
		bool prune;
		size_t kept;
		const char *expected;
	} table[] = {
		{"[]", "[]", false, 0, ""},
		{"[]", "[]", true, 0, ""},
		{"[{\"SdkAppid\":2},{\"SdkAppid\":1}]", "[]", false, 0, "+1 +2"},
		{"[{\"SdkAppid\":2}]", "[{\"SdkAppid\":1},{\"SdkAppid\":3}]", false, 2, "+2"},
		{"[{\"SdkAppid\":2}]", "[{\"SdkAppid\":3},{\"SdkAppid\":1}]", true, 0, "-1 +2 -3"},
		{"[]", "[{\"SdkAppid\":1},{\"SdkAppid\":2}]", true, 0, "-1 -2"},
		{"[{\"SdkAppid\":1}]", "[{\"SdkAppid\":1,\"MaxRoomCount\":7}]", false, 0, "=1"},
		{"[{\"SdkAppid\":1,\"MaxRoomCount\":7}]", "[{\"SdkAppid\":1,\"MaxRoomCount\":7}]", false, 0, "=1"},
		{"[{\"SdkAppid\":1,\"MaxRoomCount\":8,\"Thresholds\":[1]}]",
		 "[{\"SdkAppid\":1,\"MaxRoomCount\":7,\"Thresholds\":[1,2]}]", false, 0, "~1:MaxRoomCount,Thresholds"},
		/* the order of admins counts, that of callbacks does not */
		{"[{\"SdkAppid\":1,\"Admins\":[\"a\",\"b\"]}]", "[{\"SdkAppid\":1,\"Admins\":[\"b\",\"a\"]}]", false, 0,
		 "~1:Admins"},
		{"[{\"SdkAppid\":1,\"CallbackUrl\":\"http://h\",\"CallbackCommandList\":[\"" ALERT "\",\"" CREATED
		 "\"]}]",
		 "[{\"SdkAppid\":1,\"CallbackUrl\":\"http://h\",\"CallbackCommandList\":[\"" CREATED "\",\"" ALERT
		 "\"]}]",
		 false, 0, "=1"},
		/* what a new app has anyway is no difference */
		{"[{\"SdkAppid\":1,\"CallbackUrl\":\"\"}]", "[]", false, 0, "+1"},
		{"[{\"SdkAppid\":1,\"CallbackUrl\":\"\"}]", "[{\"SdkAppid\":1,\"CallbackUrl\":\"http://h\"}]", false, 0,
		 "~1:CallbackUrl"},
		{"[{\"SdkAppid\":1,\"CallbackUrl\":\"http://h\",\"CallbackCommandList\":[],\"IsTokenEnable\":false}]",
		 "[]", false, 0, "+1:CallbackUrl,CallbackCommandList"},
		{"[{\"SdkAppid\":4294967295}]", "[{\"SdkAppid\":1},{\"SdkAppid\":4294967295}]", true, 0,
		 "-1 =4294967295"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct world world = {0};

		plan(&world, table[i].file, table[i].server, table[i].prune);
		assert_plan(&world.plan, table[i].expected);
		assert_int_equal(world.plan.kept_count, table[i].kept);
		forget(&world);
	}
}

static void test_step_tells_which_calls_it_needs(void **state)
{
	struct world world = {0};

	(void)state;
	plan(&world,
	     "[{\"SdkAppid\":1,\"MaxRoomCount\":8},{\"SdkAppid\":2,\"CallbackUrl\":\"\"},{\"SdkAppid\":3,"
	     "\"StepPercent\":9}]",
	     "[{\"SdkAppid\":1,\"MaxRoomCount\":7},{\"SdkAppid\":2,\"CallbackUrl\":\"http://h\"},"
	     "{\"SdkAppid\":3,\"StepPercent\":9}]",
	     false);
	assert_true(apply_step_needs_set(&world.plan.steps[0]));
	assert_false(apply_step_needs_callback(&world.plan.steps[0]));
	assert_false(apply_step_needs_set(&world.plan.steps[1]));
	assert_true(apply_step_needs_callback(&world.plan.steps[1]));
	assert_false(apply_step_needs_set(&world.plan.steps[2]));
	assert_false(apply_step_needs_callback(&world.plan.steps[2]));
	world.plan.steps[2].token = APPLY_TOKEN_OTHER;
	assert_true(apply_step_needs_callback(&world.plan.steps[2]));
	forget(&world);
}

static void test_new_app_with_a_token_gets_it(void **state)
{
	struct world world = {0};

	(void)state;
	assert_int_equal(setenv("APPLY_TEST_TOKEN", "a token", 1), 0);
	plan(&world,
	     "[{\"SdkAppid\":1,\"CallbackUrl\":\"http://"
	     "h\",\"CallbackCommandList\":[],\"TokenVariable\":\"APPLY_TEST_TOKEN\"}]",
	     "[]", false);
	assert_plan(&world.plan, "+1:CallbackUrl,CallbackCommandList,IsTokenEnable");
	assert_int_equal(world.plan.steps[0].token, APPLY_TOKEN_NEW);
	assert_string_equal(buf_c(&world.file.apps[0].token), "a token");
	forget(&world);
	assert_int_equal(unsetenv("APPLY_TEST_TOKEN"), 0);
}

static void test_values_are_shown_without_the_query_of_a_url(void **state)
{
	static const struct {
		const char *json;
		const char *text;
	} table[] = {{"[7]", "7"},
		     {"[true,false]", "true,false"},
		     {"[]", ""},
		     {"[\"https://h/p?secret#x\"]", "https://h/p?..."},
		     {"[\"https://h/p\",\"b\"]", "https://h/p,b"},
		     {"[[1,2]]", "1,2"},
		     {"[null]", ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct error err;
		struct buf text;
		json_t *value;

		buf_init(&text, 100);
		assert_int_equal(json_read(str_c(table[i].json), &value, &err), 0);
		apply_append_value(value, &text);
		assert_string_equal(buf_c(&text), table[i].text);
		json_decref(value);
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_table),
		cmocka_unit_test(test_step_tells_which_calls_it_needs),
		cmocka_unit_test(test_new_app_with_a_token_gets_it),
		cmocka_unit_test(test_values_are_shown_without_the_query_of_a_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
