/* An app's columns, which several files of the SQLite store read and write. */
#include "base/mem.h"
#include "store/sqlite_internal.h"

#include <inttypes.h>
#include <string.h>

static int sqlite_read_admins(struct str text, struct app_config *config)
{
	while (text.len) {
		struct str name;

		(void)str_cut(&text, '\n', &name); /* the loop looks at the rest, as below */
		if (config->admin_count == APP_ADMIN_COUNT_MAX ||
		    !str_copy(config->admins[config->admin_count], sizeof(config->admins[0]), name))
			return -1;
		config->admin_count++;
	}
	return 0;
}

/* A line "ID CREATED EXPIRES BYTES". The bytes are last because spaces may be in them. */
static int sqlite_read_key(struct str line, struct app_key_entry *key)
{
	uint64_t numbers[3];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct str number;

		if (!str_cut(&line, ' ', &number) || str_to_u64(number, INT64_MAX, &numbers[i]))
			return -1;
	}
	if (numbers[0] > APP_KEY_ID_MAX || line.len > sizeof(key->bytes))
		return -1;
	key->id = (uint32_t)numbers[0];
	key->create_ms = (int64_t)numbers[1];
	key->expire_ms = (int64_t)numbers[2];
	key->len = (uint16_t)line.len;
	memcpy(key->bytes, line.ptr, line.len);
	return 0;
}

static int sqlite_read_keys(struct str text, struct app_keys *keys)
{
	while (text.len) {
		struct str line;

		(void)str_cut(&text, '\n', &line);
		if (keys->count == APP_KEY_COUNT_MAX || sqlite_read_key(line, &keys->list[keys->count]))
			return -1;
		keys->count++;
	}
	return 0;
}

static void sqlite_append_keys(struct buf *out, const struct app_keys *keys)
{
	buf_init(out, sizeof(*keys) * 2); /* 55 bytes of numbers each */
	for (unsigned i = 0; i < keys->count; i++) {
		const struct app_key_entry *key = &keys->list[i];

		buf_printf(out, "%s%" PRIu32 " %" PRId64 " %" PRId64 " ", i ? "\n" : "", key->id, key->create_ms,
			   key->expire_ms);
		buf_append_str(out, secret_reveal(app_key_at(keys, i)));
	}
}

/* Column of the app's state in the joined row. */
static int sqlite_of_state(enum sqlite_state_column column)
{
	return CONFIG_COLUMN_COUNT + (int)column;
}

/* Bounds that the casts below, and the asserts of live/, rely on. */
static bool sqlite_app_in_bounds(sqlite3_stmt *statement)
{
	/* a number that is nearly used up is none that this program made: it leaves room for four thousand million more */
	static const int64_t sequence_max = (INT64_C(1) << APP_ID_SEQUENCE_BITS) - (INT64_C(1) << 32);
	const struct sqlite_bounds bounds[] = {
		{CONFIG_SDKAPPID, 1, HW_SDKAPPID_MAX},
		{CONFIG_NUMBER, 1, APP_NUMBER_MAX},
		{CONFIG_ROOM_COUNT_MAX, 0, APP_ROOM_COUNT_MAX_LIMIT},
		{CONFIG_REARM_MARGIN, 0, 50},
		{CONFIG_STEP_PERCENT, 0, 50},
		{CONFIG_CALLBACK_COMMANDS, 0, UINT32_MAX},
		{CONFIG_KEY_ID_NEXT, 1, APP_KEY_ID_MAX},
		{CONFIG_SECRET_ID_NEXT, 1, APP_KEY_ID_MAX},
		{CONFIG_SIGNER_ID_NEXT, 1, APP_KEY_ID_MAX},
		{CONFIG_PAUSE, 0, APP_PAUSE_COUNT - 1},
		{CONFIG_PAUSE_MS, 0, INT64_MAX},
		{sqlite_of_state(STATE_ROOM_COUNT), 0, sequence_max},
		{sqlite_of_state(STATE_ROOM_SEQUENCE), 0, sequence_max},
		{sqlite_of_state(STATE_CALLBACK_SEQUENCE), 0, sequence_max},
		{sqlite_of_state(STATE_CALLBACK_PENDING), 0, sequence_max},
		{sqlite_of_state(STATE_ALERT_LEVEL), 0, 100},
		{sqlite_of_state(STATE_FAILURES), 0, UINT32_MAX},
		{sqlite_of_state(STATE_FAILING_MS), 0, INT64_MAX},
		{sqlite_of_state(STATE_DELIVERED_MS), 0, INT64_MAX},
		{sqlite_of_state(STATE_MINUTE_MS), 0, INT64_MAX},
		{sqlite_of_state(STATE_MINUTE_HIGHEST), 0, sequence_max},
	};

	return sqlite_in_bounds(statement, bounds, ARRAY_LEN(bounds));
}

static int sqlite_read_token(struct str token, struct app_config *config)
{
	if (token.len > sizeof(config->token))
		return -1;
	memcpy(config->token, token.ptr, token.len);
	config->token_len = (uint16_t)token.len;
	return 0;
}

static int sqlite_read_config(sqlite3_stmt *statement, struct app_config *config)
{
	struct error ignored; /* the caller names the app */

	*config = (struct app_config){
		.sdkappid = (uint32_t)sqlite3_column_int64(statement, CONFIG_SDKAPPID),
		.number = (uint32_t)sqlite3_column_int64(statement, CONFIG_NUMBER),
		.create_ms = sqlite3_column_int64(statement, CONFIG_CREATE_MS),
		.room_count_max = (uint32_t)sqlite3_column_int64(statement, CONFIG_ROOM_COUNT_MAX),
		.alert = {.rearm_margin = (uint8_t)sqlite3_column_int(statement, CONFIG_REARM_MARGIN),
			  .step_percent = (uint8_t)sqlite3_column_int(statement, CONFIG_STEP_PERCENT)},
		.keys.id_next = (uint32_t)sqlite3_column_int64(statement, CONFIG_KEY_ID_NEXT),
		.callback_set = sqlite3_column_int(statement, CONFIG_CALLBACK_SET) != 0,
		.callback_commands = (uint32_t)sqlite3_column_int64(statement, CONFIG_CALLBACK_COMMANDS),
		.callback_overwrite = sqlite3_column_int(statement, CONFIG_CALLBACK_OVERWRITE) != 0,
		.token_set = sqlite3_column_int(statement, CONFIG_TOKEN_SET) != 0,
		.token_enabled = sqlite3_column_int(statement, CONFIG_TOKEN_ENABLED) != 0,
		.accounts_required = sqlite3_column_int(statement, CONFIG_ACCOUNTS_REQUIRED) != 0,
		.secrets.id_next = (uint32_t)sqlite3_column_int64(statement, CONFIG_SECRET_ID_NEXT),
		.signers.id_next = (uint32_t)sqlite3_column_int64(statement, CONFIG_SIGNER_ID_NEXT),
		.certificate_set = sqlite3_column_int(statement, CONFIG_CERTIFICATE_SET) != 0,
		.pause = (enum app_pause)sqlite3_column_int(statement, CONFIG_PAUSE),
		.pause_ms = sqlite3_column_int64(statement, CONFIG_PAUSE_MS),
	};
	if (alert_mode_parse(sqlite_column_str(statement, CONFIG_ALERT_MODE), &config->alert.mode) ||
	    alert_thresholds_parse(sqlite_column_str(statement, CONFIG_THRESHOLDS), &config->alert, &ignored) ||
	    sqlite_read_keys(sqlite_column_str(statement, CONFIG_KEYS), &config->keys) ||
	    sqlite_read_keys(sqlite_column_str(statement, CONFIG_SECRETS), &config->secrets) ||
	    sqlite_read_keys(sqlite_column_str(statement, CONFIG_SIGNERS), &config->signers) ||
	    sqlite_read_admins(sqlite_column_str(statement, CONFIG_ADMINS), config) ||
	    sqlite_read_token(sqlite_column_str(statement, CONFIG_TOKEN), config) ||
	    !str_copy(config->callback_url, sizeof(config->callback_url),
		      sqlite_column_str(statement, CONFIG_CALLBACK_URL)))
		return -1;
	return app_config_check(config, &ignored);
}

int sqlite_read_app(sqlite3_stmt *statement, struct store_app *app_out, struct error *err)
{
	if (!sqlite_app_in_bounds(statement) || sqlite_read_config(statement, &app_out->config))
		return error_set(err, ERR_INTERNAL, "the row of app %lld holds values out of bounds",
				 (long long)sqlite3_column_int64(statement, CONFIG_SDKAPPID));
	app_out->state = (struct app_state){
		.room_count = (uint64_t)sqlite3_column_int64(statement, sqlite_of_state(STATE_ROOM_COUNT)),
		.room_sequence = (uint64_t)sqlite3_column_int64(statement, sqlite_of_state(STATE_ROOM_SEQUENCE)),
		.callback_sequence =
			(uint64_t)sqlite3_column_int64(statement, sqlite_of_state(STATE_CALLBACK_SEQUENCE)),
		.callback_pending = (uint64_t)sqlite3_column_int64(statement, sqlite_of_state(STATE_CALLBACK_PENDING)),
		.alert_level = (uint8_t)sqlite3_column_int(statement, sqlite_of_state(STATE_ALERT_LEVEL)),
		.endpoint =
			{
				.failures = (uint32_t)sqlite3_column_int64(statement, sqlite_of_state(STATE_FAILURES)),
				.failing_ms = sqlite3_column_int64(statement, sqlite_of_state(STATE_FAILING_MS)),
				.delivered_ms = sqlite3_column_int64(statement, sqlite_of_state(STATE_DELIVERED_MS)),
			},
		.minute_ms = sqlite3_column_int64(statement, sqlite_of_state(STATE_MINUTE_MS)),
		.minute_highest = (uint64_t)sqlite3_column_int64(statement, sqlite_of_state(STATE_MINUTE_HIGHEST)),
	};
	return 0;
}

void sqlite_bind_app(sqlite3_stmt *statement, const struct app_config *config, struct sqlite_app_text *scratch)
{
	const int64_t numbers[][2] = {
		{CONFIG_SDKAPPID, config->sdkappid},
		{CONFIG_NUMBER, config->number},
		{CONFIG_CREATE_MS, config->create_ms},
		{CONFIG_ROOM_COUNT_MAX, config->room_count_max},
		{CONFIG_REARM_MARGIN, config->alert.rearm_margin},
		{CONFIG_STEP_PERCENT, config->alert.step_percent},
		{CONFIG_KEY_ID_NEXT, config->keys.id_next},
		{CONFIG_CALLBACK_SET, config->callback_set},
		{CONFIG_CALLBACK_COMMANDS, config->callback_commands},
		{CONFIG_CALLBACK_OVERWRITE, config->callback_overwrite},
		{CONFIG_TOKEN_SET, config->token_set},
		{CONFIG_TOKEN_ENABLED, config->token_enabled},
		{CONFIG_ACCOUNTS_REQUIRED, config->accounts_required},
		{CONFIG_SECRET_ID_NEXT, config->secrets.id_next},
		{CONFIG_SIGNER_ID_NEXT, config->signers.id_next},
		{CONFIG_CERTIFICATE_SET, config->certificate_set},
		{CONFIG_PAUSE, config->pause},
		{CONFIG_PAUSE_MS, config->pause_ms},
	};

	buf_init(&scratch->thresholds, 64);
	buf_init(&scratch->admins, sizeof(config->admins));
	for (unsigned i = 0; i < config->alert.threshold_count; i++)
		buf_printf(&scratch->thresholds, "%s%u", i ? "," : "", config->alert.thresholds[i]);
	for (unsigned i = 0; i < config->admin_count; i++)
		buf_printf(&scratch->admins, "%s%s", i ? "\n" : "", config->admins[i]);
	sqlite_append_keys(&scratch->keys, &config->keys);
	sqlite_append_keys(&scratch->secrets, &config->secrets);
	sqlite_append_keys(&scratch->signers, &config->signers);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)sqlite3_bind_int64(statement, (int)numbers[i][0] + 1, numbers[i][1]); /* as sqlite_bind_str */
	sqlite_bind_str(statement, CONFIG_ALERT_MODE + 1, str_c(alert_mode_word(config->alert.mode)));
	sqlite_bind_str(statement, CONFIG_THRESHOLDS + 1, buf_str(&scratch->thresholds));
	sqlite_bind_str(statement, CONFIG_KEYS + 1, buf_str(&scratch->keys));
	sqlite_bind_str(statement, CONFIG_ADMINS + 1, buf_str(&scratch->admins));
	sqlite_bind_str(statement, CONFIG_CALLBACK_URL + 1, str_c(config->callback_url));
	sqlite_bind_str(statement, CONFIG_TOKEN + 1, secret_reveal(app_token(config)));
	sqlite_bind_str(statement, CONFIG_SECRETS + 1, buf_str(&scratch->secrets));
	sqlite_bind_str(statement, CONFIG_SIGNERS + 1, buf_str(&scratch->signers));
}

static void sqlite_wipe_text(struct buf *text)
{
	if (text->ptr)
		mem_wipe(text->ptr, text->capacity);
	buf_fini(text);
}

void sqlite_app_text_fini(struct sqlite_app_text *scratch)
{
	buf_fini(&scratch->thresholds);
	buf_fini(&scratch->admins);
	sqlite_wipe_text(&scratch->keys);
	sqlite_wipe_text(&scratch->secrets);
	sqlite_wipe_text(&scratch->signers);
}
