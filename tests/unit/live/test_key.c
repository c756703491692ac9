/* The keys of an app: which one is the newest, which one goes, and when each ends. */
#include "live/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct app_config empty_config(void)
{
	struct app_config config;

	memset(&config, 0, sizeof(config));
	config.keys.id_next = 1;
	return config;
}

/* The ids, newest first; 0 ends them. */
static void check_ids(const struct app_config *config, const uint32_t *want)
{
	unsigned count = 0;

	while (count < APP_KEY_COUNT_MAX && want[count])
		count++;
	assert_int_equal(config->keys.count, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(config->keys.list[i].id, want[i]);
}

static void test_key_newest_is_the_one_added_last(void **state)
{
	struct app_config config = empty_config();

	(void)state;
	assert_int_equal(secret_reveal(app_key_newest(&config.keys)).len, 0);
	app_key_add(&config.keys, STR("a longer first key"), 10);
	app_key_add(&config.keys, STR("second key"), 20);
	assert_true(str_eq(secret_reveal(app_key_newest(&config.keys)), STR("second key")));
	assert_true(str_eq(secret_reveal(app_key_at(&config.keys, 1)), STR("a longer first key")));
	assert_int_equal(config.keys.list[0].create_ms, 20);
	assert_int_equal(config.keys.list[1].create_ms, 10);
	assert_int_equal(config.keys.list[1].expire_ms, 0);
	assert_int_equal(config.keys.id_next, 3);
}

static void test_key_is_usable_up_to_its_end(void **state)
{
	struct app_key_entry key = {.expire_ms = 1000};

	(void)state;
	assert_false(app_key_expired(&key, 999));
	assert_false(app_key_expired(&key, 1000));
	assert_true(app_key_expired(&key, 1001));
	key.expire_ms = 0;
	assert_false(app_key_expired(&key, INT64_MAX));
}

static void test_key_rotate_ends_the_others_and_lengthens_no_life(void **state)
{
	struct app_config config = empty_config();

	(void)state;
	app_key_add(&config.keys, STR("first key"), 0);
	app_key_rotate(&config.keys, STR("second key"), 1000, 500);
	assert_int_equal(config.keys.list[0].expire_ms, 0);
	assert_int_equal(config.keys.list[1].expire_ms, 1500);
	app_key_rotate(&config.keys, STR("third key"), 1100, 9000);
	check_ids(&config, (const uint32_t[]){3, 2, 1, 0});
	assert_int_equal(config.keys.list[0].expire_ms, 0);
	assert_int_equal(config.keys.list[1].expire_ms, 10100);
	assert_int_equal(config.keys.list[2].expire_ms, 1500); /* as it was */
	app_key_rotate(&config.keys, STR("fourth key"), 1200, 100);
	assert_int_equal(config.keys.list[1].expire_ms, 1300);
	assert_int_equal(config.keys.list[2].expire_ms, 1300);
	assert_int_equal(config.keys.list[3].expire_ms, 1300);
}

static void test_key_rotate_without_overlap_leaves_one(void **state)
{
	struct app_config config = empty_config();

	(void)state;
	app_key_add(&config.keys, STR("first key"), 0);
	app_key_rotate(&config.keys, STR("second key"), 1000, 500);
	app_key_rotate(&config.keys, STR("third key"), 1001, 0);
	check_ids(&config, (const uint32_t[]){3, 0});
	assert_true(str_eq(secret_reveal(app_key_newest(&config.keys)), STR("third key")));
}

static void test_key_that_is_too_many_takes_the_place_of_an_expired_one_or_the_oldest(void **state)
{
	static const struct {
		int64_t ends[APP_KEY_COUNT_MAX]; /* of keys 4, 3, 2, 1 */
		uint32_t want[APP_KEY_COUNT_MAX];
	} rows[] = {
		{{0, 0, 0, 0}, {5, 4, 3, 2}},	{{0, 1001, 1000, 2000}, {5, 4, 3, 2}}, /* all usable at 1000 */
		{{0, 0, 999, 0}, {5, 4, 3, 1}}, {{0, 999, 5, 0}, {5, 4, 3, 1}}, /* the older of two that expired */
		{{999, 0, 0, 0}, {5, 3, 2, 1}}, {{1, 1, 1, 1}, {5, 4, 3, 2}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_config config = empty_config();

		for (unsigned k = 0; k < APP_KEY_COUNT_MAX; k++)
			app_key_add(&config.keys, STR("some key"), 0);
		for (unsigned k = 0; k < APP_KEY_COUNT_MAX; k++)
			config.keys.list[k].expire_ms = rows[i].ends[k];
		app_key_add(&config.keys, STR("one more"), 1000);
		check_ids(&config, rows[i].want);
	}
}

static void test_key_revoke_takes_that_one(void **state)
{
	struct app_config config = empty_config();

	(void)state;
	assert_int_equal(app_key_revoke(&config.keys, 1), -1);
	for (unsigned k = 0; k < APP_KEY_COUNT_MAX; k++)
		app_key_add(&config.keys, STR("some key"), 0);
	assert_int_equal(app_key_revoke(&config.keys, 5), -1);
	assert_int_equal(app_key_revoke(&config.keys, 0), -1);
	assert_int_equal(app_key_revoke(&config.keys, 3), 0);
	check_ids(&config, (const uint32_t[]){4, 2, 1, 0});
	assert_int_equal(app_key_revoke(&config.keys, 1), 0);
	assert_int_equal(app_key_revoke(&config.keys, 4), 0);
	check_ids(&config, (const uint32_t[]){2, 0});
	assert_int_equal(app_key_revoke(&config.keys, 2), 0);
	check_ids(&config, (const uint32_t[]){0});
	app_key_add(&config.keys, STR("some key"), 0);
	check_ids(&config, (const uint32_t[]){5, 0}); /* no id comes back */
}

static void test_key_that_went_leaves_no_bytes_behind(void **state)
{
	static const struct app_key_entry nothing;
	struct app_config config = empty_config();

	(void)state;
	for (unsigned k = 0; k < APP_KEY_COUNT_MAX; k++)
		app_key_add(&config.keys, STR("a long key, to be overwritten"), 0);
	app_key_replace(&config.keys, STR("short key"), 0);
	for (unsigned k = 1; k < APP_KEY_COUNT_MAX; k++)
		assert_memory_equal(&config.keys.list[k], &nothing, sizeof(nothing));
	for (size_t i = 9; i < sizeof(config.keys.list[0].bytes); i++)
		assert_int_equal(config.keys.list[0].bytes[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_newest_is_the_one_added_last),
		cmocka_unit_test(test_key_is_usable_up_to_its_end),
		cmocka_unit_test(test_key_rotate_ends_the_others_and_lengthens_no_life),
		cmocka_unit_test(test_key_rotate_without_overlap_leaves_one),
		cmocka_unit_test(test_key_that_is_too_many_takes_the_place_of_an_expired_one_or_the_oldest),
		cmocka_unit_test(test_key_revoke_takes_that_one),
		cmocka_unit_test(test_key_that_went_leaves_no_bytes_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
