/* Apps as values: every bound of the configuration, thresholds as text, ids. */
#include "live/key.h"
#include "unit/protocol/webhook_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct app_config good_config(void)
{
	struct app_config config;

	app_config_init(&config);
	config.sdkappid = 1400000001;
	app_key_add(&config.keys, STR("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), 1000);
	config.admin_count = 1;
	(void)strcpy(config.admins[0], "administrator");
	return config;
}

static void check(const struct app_config *config, const char *said)
{
	struct error err = {0};

	if (!said) {
		assert_int_equal(app_config_check(config, &err), 0);
		return;
	}
	assert_int_equal(app_config_check(config, &err), -1);
	assert_int_equal(err.class, ERR_INVALID);
	if (!strstr(err.text, said))
		fail_msg("\"%s\" does not say \"%s\"", err.text, said);
}

static void test_app_defaults_are_the_documented_ones(void **state)
{
	struct app_config config;

	(void)state;
	app_config_init(&config);
	assert_int_equal(config.room_count_max, 500);
	assert_int_equal(config.alert.mode, ALERT_EVERY);
	assert_int_equal(config.alert.threshold_count, 1);
	assert_int_equal(config.alert.thresholds[0], 70);
	assert_int_equal(config.alert.rearm_margin, 5);
	assert_false(config.callback_set);
	assert_false(config.token_set);
	assert_false(config.accounts_required);
	assert_int_equal(config.keys.count + config.secrets.count + config.signers.count, 0);
	assert_int_equal(config.secrets.id_next, 1);
	assert_int_equal(config.signers.id_next, 1);
	assert_int_equal(config.pause, PAUSE_NONE);
	assert_false(config.certificate_set);
}

static void test_app_check_numbers(void **state)
{
	struct app_config config = good_config();

	(void)state;
	check(&config, NULL);
	config.sdkappid = 0;
	check(&config, "SDKAppID");
	config.sdkappid = HW_SDKAPPID_MAX;
	check(&config, NULL);
	config.room_count_max = 0;
	check(&config, NULL);
	config.room_count_max = APP_ROOM_COUNT_MAX_LIMIT;
	check(&config, NULL);
	config.room_count_max++;
	check(&config, "1000000000");
}

static void test_app_check_key(void **state)
{
	struct app_config config = good_config();
	struct app_key_entry *key = &config.keys.list[0];

	(void)state;
	memset(key->bytes, 'k', sizeof(key->bytes));
	key->len = APP_KEY_BYTES_MIN - 1;
	check(&config, "8 to 128 bytes");
	key->len = APP_KEY_BYTES_MIN;
	check(&config, NULL);
	key->len = HW_USERSIG_KEY_BYTES_MAX;
	check(&config, NULL);
	key->len = HW_USERSIG_KEY_BYTES_MAX + 1;
	check(&config, "8 to 128 bytes");
	key->len = 16;
	key->bytes[15] = '\n';
	check(&config, "printable");
	key->bytes[15] = '\0';
	check(&config, "printable");
	key->bytes[15] = (char)0x80;
	check(&config, "printable");
	key->bytes[15] = ' ';
	key->bytes[16] = '\0'; /* beyond the length: not looked at */
	check(&config, NULL);
}

static void test_app_check_every_key(void **state)
{
	struct app_config config = good_config();
	struct app_config none = good_config();

	(void)state;
	while (config.keys.count < APP_KEY_COUNT_MAX)
		app_key_add(&config.keys, STR("another key"), 1000);
	check(&config, NULL);
	config.keys.list[3].len = 3;
	check(&config, "8 to 128 bytes");
	config.keys.count = 3;
	check(&config, NULL);
	config.keys.count = APP_KEY_COUNT_MAX + 1;
	check(&config, "at most 4 keys");
	none.keys.count = 0;
	check(&none, NULL);
}

static void test_app_check_key_ids_and_times(void **state)
{
	static const struct {
		uint32_t next, newer, older;
		int64_t create_ms, expire_ms;
		const char *said;
	} rows[] = {
		{3, 2, 1, 1000, 2000, NULL},
		{100, 50, 7, 0, 0, NULL},
		{APP_KEY_ID_MAX, APP_KEY_ID_MAX - 1, 1, 1, INT64_MAX, NULL},
		{APP_KEY_ID_MAX + 1, 2, 1, 1, 1, "in its life"},
		{0, 2, 1, 1, 1, "in its life"},
		{2, 2, 1, 1, 1, "fall"},
		{3, 2, 2, 1, 1, "fall"},
		{3, 1, 2, 1, 1, "fall"},
		{3, 2, 0, 1, 1, "fall"},
		{3, 2, 1, -1, 0, "1970"},
		{3, 2, 1, 0, -1, "1970"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_config config = good_config();

		app_key_add(&config.keys, STR("another key"), 1000);
		config.keys.id_next = rows[i].next;
		config.keys.list[0].id = rows[i].newer;
		config.keys.list[1].id = rows[i].older;
		config.keys.list[1].create_ms = rows[i].create_ms;
		config.keys.list[1].expire_ms = rows[i].expire_ms;
		check(&config, rows[i].said);
	}
}

static void test_app_check_admins(void **state)
{
	struct app_config config = good_config();

	(void)state;
	config.admin_count = 0;
	check(&config, NULL);
	config.admin_count = APP_ADMIN_COUNT_MAX;
	for (unsigned i = 0; i < APP_ADMIN_COUNT_MAX; i++)
		memset(config.admins[i], 'a', HW_IDENTIFIER_BYTES_MAX);
	check(&config, NULL);
	config.admin_count = APP_ADMIN_COUNT_MAX + 1;
	check(&config, "at most 10 admins");
	config.admin_count = 1;
	config.admins[0][0] = '\0';
	check(&config, "1 to 32 bytes");
	(void)strcpy(config.admins[0], "a b");
	check(&config, "without space");
	(void)strcpy(config.admins[0], "a\nb");
	check(&config, "printable");
}

static void test_app_check_callback(void **state)
{
	struct app_config config = good_config();

	(void)state;
	(void)strcpy(config.callback_url, "not a URL");
	check(&config, NULL); /* no configuration is set: nothing to check */
	config.callback_set = true;
	check(&config, "callback URL: ");
	(void)strcpy(config.callback_url, "https://example.com/callback");
	check(&config, NULL);
	config.callback_commands = (1u << HW_CALLBACK_COUNT) - 1;
	check(&config, NULL);
	config.callback_commands = 1u << HW_CALLBACK_COUNT;
	check(&config, "unknown callback");
	config.callback_commands = 0;
	config.callback_url[0] = '\0';
	check(&config, "callback URL: ");
}

static void test_app_check_token(void **state)
{
	struct app_config config = good_config();

	(void)state;
	config.token_set = true;
	check(&config, "1 to 128 bytes");
	config.token_len = 1;
	check(&config, NULL);
	config.token_len = HW_TOKEN_BYTES_MAX;
	check(&config, NULL);
	config.token_len = HW_TOKEN_BYTES_MAX + 1;
	check(&config, "1 to 128 bytes");
}

static void test_app_check_secrets(void **state)
{
	static const struct {
		bool private_key;
		const char *text;
		const char *said;
	} rows[] = {
		{false, VECTOR_SECRET, NULL},
		{false, VECTOR_PRIVATE, "secret must begin with whsec_"},
		{false, VECTOR_PUBLIC, "secret must begin with whsec_"},
		{false, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "secret: "}, /* not a multiple of four characters */
		{false, "no secret at all", "secret: "},
		{false, "short", "secret must have 8 to 128 bytes"},
		{false, "whsec_\tMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret must be printable"},
		{true, VECTOR_PRIVATE, NULL},
		{true, VECTOR_SEED, NULL},
		{true, VECTOR_SECRET, "private key must begin with whsk_"},
		{true, VECTOR_SEED_PUBLIC, "private key must begin with whsk_"},
		{true, "whsk_AAAA", "private key: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_config config = good_config();

		app_key_add(rows[i].private_key ? &config.signers : &config.secrets, str_c(rows[i].text), 1000);
		check(&config, rows[i].said);
	}
}

/* The bounds of a list of keys hold for these two as they do for keys of UserSigs. */
static void test_app_check_lists_of_secrets(void **state)
{
	static const char *const texts[] = {VECTOR_SECRET, VECTOR_SEED};
	static const char *const names[] = {"secrets", "private keys"};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct app_config config = good_config();
		struct app_keys *keys = i ? &config.signers : &config.secrets;

		while (keys->count < APP_KEY_COUNT_MAX)
			app_key_add(keys, str_c(texts[i]), 1000);
		check(&config, NULL);
		keys->list[3].bytes[0] = 'x'; /* every one is read */
		check(&config, "");
		keys->list[3].bytes[0] = 'w';
		keys->count++;
		check(&config, names[i]);
		keys->count--;
		keys->list[0].id = keys->list[1].id;
		check(&config, names[i]);
		keys->list[0].id++;
		keys->list[2].expire_ms = -1;
		check(&config, names[i]);
		keys->list[2].expire_ms = 0;
		keys->id_next = 0;
		check(&config, names[i]);
	}
}

static void test_app_check_pause(void **state)
{
	static const struct {
		int pause;
		int64_t pause_ms;
		const char *said;
	} rows[] = {
		{PAUSE_NONE, 0, NULL},	       {PAUSE_OPERATOR, 1, NULL}, {PAUSE_GONE, INT64_MAX, NULL},
		{APP_PAUSE_COUNT, 1, "pause"}, {-1, 1, "pause"},	  {PAUSE_GONE, -1, "pause"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_config config = good_config();

		config.pause = (enum app_pause)rows[i].pause;
		config.pause_ms = rows[i].pause_ms;
		check(&config, rows[i].said);
	}
}

static void test_app_check_policy(void **state)
{
	static const struct {
		struct alert_policy policy;
		const char *said;
	} rows[] = {
		{{ALERT_STEP, 1, {1}, 0, 1}, NULL},
		{{ALERT_EDGE, 1, {100}, 50, 50}, NULL},
		{{ALERT_EVERY, 8, {1, 2, 3, 4, 5, 6, 7, 8}, 5, 10}, NULL},
		{{ALERT_MODE_COUNT, 1, {70}, 5, 10}, "every, edge or step"},
		{{(enum alert_mode) - 1, 1, {70}, 5, 10}, "every, edge or step"},
		{{ALERT_EDGE, 0, {70}, 5, 10}, "1 to 8"},
		{{ALERT_EDGE, 9, {1, 2, 3, 4, 5, 6, 7, 8}, 5, 10}, "1 to 8"},
		{{ALERT_EDGE, 1, {0}, 5, 10}, "rising"},
		{{ALERT_EDGE, 1, {101}, 5, 10}, "rising"},
		{{ALERT_EDGE, 1, {255}, 5, 10}, "rising"},
		{{ALERT_EDGE, 2, {70, 70}, 5, 10}, "rising"},
		{{ALERT_EDGE, 2, {70, 69}, 5, 10}, "rising"},
		{{ALERT_EDGE, 1, {70}, 51, 10}, "0 to 50"},
		{{ALERT_EDGE, 1, {70}, 5, 0}, "1 to 50"},
		{{ALERT_EDGE, 1, {70}, 5, 51}, "1 to 50"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app_config config = good_config();

		config.alert = rows[i].policy;
		check(&config, rows[i].said);
	}
}

static void test_app_thresholds_parse(void **state)
{
	static const struct {
		const char *text;
		unsigned count;
		uint8_t want[8];
	} rows[] = {{"70", 1, {70}},
		    {"70,85,95", 3, {70, 85, 95}},
		    {"1,2,3,4,5,6,7,8", 8, {1, 2, 3, 4, 5, 6, 7, 8}},
		    {"100", 1, {100}},
		    {"007", 1, {7}},
		    {"", 0, {0}},
		    {",", 0, {0}},
		    {"70,", 0, {0}},
		    {",70", 0, {0}},
		    {"70,,80", 0, {0}},
		    {"70 ,80", 0, {0}},
		    {"0", 0, {0}},
		    {"101", 0, {0}},
		    {"326", 0, {0}},
		    {"-1", 0, {0}},
		    {"70.5", 0, {0}},
		    {"80,70", 0, {0}},
		    {"70,70", 0, {0}},
		    {"70%", 0, {0}},
		    {"1,2,3,4,5,6,7,8,9", 0, {0}},
		    {"18446744073709551686", 0, {0}}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct alert_policy policy = good_config().alert;
		struct error err;
		int rc = alert_thresholds_parse(str_c(rows[i].text), &policy, &err);

		assert_int_equal(rc, rows[i].count ? 0 : -1);
		assert_int_equal(policy.threshold_count, rows[i].count ? rows[i].count : 1);
		if (rows[i].count)
			assert_memory_equal(policy.thresholds, rows[i].want, rows[i].count);
		else
			assert_int_equal(policy.thresholds[0], 70);
	}
}

static void test_app_mode_words(void **state)
{
	enum alert_mode mode;

	(void)state;
	for (unsigned i = 0; i < ALERT_MODE_COUNT; i++) {
		assert_int_equal(alert_mode_parse(str_c(alert_mode_word((enum alert_mode)i)), &mode), 0);
		assert_int_equal(mode, i);
	}
	mode = ALERT_EDGE;
	assert_int_equal(alert_mode_parse(STR("Every"), &mode), -1);
	assert_int_equal(alert_mode_parse(STR(""), &mode), -1);
	assert_int_equal(mode, ALERT_EDGE);
}

static void test_app_identifier_bounds(void **state)
{
	static const struct {
		struct str text;
		bool good;
	} rows[] = {{{"a", 1}, true},
		    {{"@TIM#SYSTEM", 11}, true},
		    {{"!~", 2}, true},
		    {{"12345678901234567890123456789012", 32}, true},
		    {{"123456789012345678901234567890123", 33}, false},
		    {{"", 0}, false},
		    {{"a b", 3}, false},
		    {{"a\0b", 3}, false},
		    {{"a\x7f", 2}, false},
		    {{"\xc3\xa4", 2}, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(app_identifier_ok(rows[i].text), rows[i].good);
}

static void test_app_admins_and_switches(void **state)
{
	struct app_config config = good_config();

	(void)state;
	assert_true(app_is_admin(&config, STR("administrator")));
	assert_false(app_is_admin(&config, STR("administrato")));
	assert_false(app_is_admin(&config, STR("Administrator")));
	assert_false(app_is_admin(&config, STR("")));
	(void)strcpy(config.admins[1], "ghost"); /* beyond the count */
	assert_false(app_is_admin(&config, STR("ghost")));
	config.callback_commands = 1u << HW_CALLBACK_THRESHOLD;
	assert_false(app_callback_on(&config, HW_CALLBACK_THRESHOLD));
	config.callback_set = true;
	assert_true(app_callback_on(&config, HW_CALLBACK_THRESHOLD));
	assert_false(app_callback_on(&config, HW_CALLBACK_ROOM_CREATED));
}

static void test_app_ids_hold_number_and_sequence(void **state)
{
	static const struct {
		uint32_t number;
		uint64_t sequence;
	} rows[] = {{0, 0}, {1, 0}, {1, 1}, {7, 123456789}, {APP_NUMBER_MAX, (UINT64_C(1) << 40) - 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t id = app_id_make(rows[i].number, rows[i].sequence);

		assert_true(id >= 0);
		assert_int_equal(app_id_number(id), rows[i].number);
		assert_true(app_id_sequence(id) == rows[i].sequence);
		if (i)
			assert_true(id > app_id_make(rows[i - 1].number, rows[i - 1].sequence));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_app_defaults_are_the_documented_ones),
		cmocka_unit_test(test_app_check_numbers),
		cmocka_unit_test(test_app_check_key),
		cmocka_unit_test(test_app_check_every_key),
		cmocka_unit_test(test_app_check_key_ids_and_times),
		cmocka_unit_test(test_app_check_admins),
		cmocka_unit_test(test_app_check_callback),
		cmocka_unit_test(test_app_check_token),
		cmocka_unit_test(test_app_check_secrets),
		cmocka_unit_test(test_app_check_lists_of_secrets),
		cmocka_unit_test(test_app_check_pause),
		cmocka_unit_test(test_app_check_policy),
		cmocka_unit_test(test_app_thresholds_parse),
		cmocka_unit_test(test_app_mode_words),
		cmocka_unit_test(test_app_identifier_bounds),
		cmocka_unit_test(test_app_admins_and_switches),
		cmocka_unit_test(test_app_ids_hold_number_and_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
