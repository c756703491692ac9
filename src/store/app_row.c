/* An app's columns; see app_row.h. Lists stand in text: thresholds "70,85", admins a name a line, keys a line each. */
#include "store/app_row.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

/* Lists of keys are the longest: 55 bytes of numbers and a key each. */
#define APP_ROW_TEXT_BYTES_MAX (sizeof(struct app_keys) * 2)

bool app_column_is_text(enum app_config_column column)
{
	switch (column) {
	case CONFIG_ALERT_MODE:
	case CONFIG_THRESHOLDS:
	case CONFIG_KEYS:
	case CONFIG_ADMINS:
	case CONFIG_CALLBACK_URL:
	case CONFIG_TOKEN:
	case CONFIG_SECRETS:
	case CONFIG_SIGNERS:
		return true;
	default:
		return false;
	}
}

bool app_column_is_bytes(enum app_config_column column)
{
	return column == CONFIG_KEYS || column == CONFIG_TOKEN || column == CONFIG_SECRETS || column == CONFIG_SIGNERS;
}

static int app_row_read_admins(struct str text, struct app_config *config)
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
static int app_row_read_key(struct str line, struct app_key_entry *key)
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
	if (line.len)
		memcpy(key->bytes, line.ptr, line.len);
	return 0;
}

static int app_row_read_keys(struct str text, struct app_keys *keys)
{
	while (text.len) {
		struct str line;

		(void)str_cut(&text, '\n', &line);
		if (keys->count == APP_KEY_COUNT_MAX || app_row_read_key(line, &keys->list[keys->count]))
			return -1;
		keys->count++;
	}
	return 0;
}

static void app_row_append_keys(struct buf *out, const struct app_keys *keys)
{
	for (unsigned i = 0; i < keys->count; i++) {
		const struct app_key_entry *key = &keys->list[i];

		buf_printf(out, "%s%" PRIu32 " %" PRId64 " %" PRId64 " ", i ? "\n" : "", key->id, key->create_ms,
			   key->expire_ms);
		buf_append_str(out, secret_reveal(app_key_at(keys, i)));
	}
}

/* ---- reading ---- */

struct app_row_bounds {
	int column;
	int64_t min, max;
};

/* a number that is nearly used up is none that this program made: it leaves room for four thousand million more */
#define APP_ROW_SEQUENCE_MAX ((INT64_C(1) << APP_ID_SEQUENCE_BITS) - (INT64_C(1) << 32))

/* Bounds that the casts below, and the asserts of live/, rely on. */
static bool app_row_config_in_bounds(const struct app_row *row)
{
	static const struct app_row_bounds bounds[] = {
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
	};

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		if (row->config[bounds[i].column].number < bounds[i].min ||
		    row->config[bounds[i].column].number > bounds[i].max)
			return false;
	return true;
}

static bool app_row_state_in_bounds(const struct app_row *row)
{
	static const struct app_row_bounds bounds[] = {
		{STATE_ROOM_COUNT, 0, APP_ROW_SEQUENCE_MAX},
		{STATE_ROOM_SEQUENCE, 0, APP_ROW_SEQUENCE_MAX},
		{STATE_CALLBACK_SEQUENCE, 0, APP_ROW_SEQUENCE_MAX},
		{STATE_CALLBACK_PENDING, 0, APP_ROW_SEQUENCE_MAX},
		{STATE_ALERT_LEVEL, 0, 100},
		{STATE_FAILURES, 0, UINT32_MAX},
		{STATE_FAILING_MS, 0, INT64_MAX},
		{STATE_DELIVERED_MS, 0, INT64_MAX},
		{STATE_MINUTE_MS, 0, INT64_MAX},
		{STATE_MINUTE_HIGHEST, 0, APP_ROW_SEQUENCE_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		if (row->state[bounds[i].column] < bounds[i].min || row->state[bounds[i].column] > bounds[i].max)
			return false;
	return true;
}

static int app_row_read_token(struct str token, struct app_config *config)
{
	if (token.len > sizeof(config->token))
		return -1;
	if (token.len)
		memcpy(config->token, token.ptr, token.len);
	config->token_len = (uint16_t)token.len;
	return 0;
}

static int app_row_convert(const struct app_row *row, struct app_config *config)
{
	struct error ignored; /* the caller names the app */

	*config = (struct app_config){
		.sdkappid = (uint32_t)row->config[CONFIG_SDKAPPID].number,
		.number = (uint32_t)row->config[CONFIG_NUMBER].number,
		.create_ms = row->config[CONFIG_CREATE_MS].number,
		.room_count_max = (uint32_t)row->config[CONFIG_ROOM_COUNT_MAX].number,
		.alert = {.rearm_margin = (uint8_t)row->config[CONFIG_REARM_MARGIN].number,
			  .step_percent = (uint8_t)row->config[CONFIG_STEP_PERCENT].number},
		.keys.id_next = (uint32_t)row->config[CONFIG_KEY_ID_NEXT].number,
		.callback_set = row->config[CONFIG_CALLBACK_SET].number != 0,
		.callback_commands = (uint32_t)row->config[CONFIG_CALLBACK_COMMANDS].number,
		.callback_overwrite = row->config[CONFIG_CALLBACK_OVERWRITE].number != 0,
		.token_set = row->config[CONFIG_TOKEN_SET].number != 0,
		.token_enabled = row->config[CONFIG_TOKEN_ENABLED].number != 0,
		.accounts_required = row->config[CONFIG_ACCOUNTS_REQUIRED].number != 0,
		.secrets.id_next = (uint32_t)row->config[CONFIG_SECRET_ID_NEXT].number,
		.signers.id_next = (uint32_t)row->config[CONFIG_SIGNER_ID_NEXT].number,
		.certificate_set = row->config[CONFIG_CERTIFICATE_SET].number != 0,
		.pause = (enum app_pause)row->config[CONFIG_PAUSE].number,
		.pause_ms = row->config[CONFIG_PAUSE_MS].number,
	};
	if (alert_mode_parse(row->config[CONFIG_ALERT_MODE].text, &config->alert.mode) ||
	    alert_thresholds_parse(row->config[CONFIG_THRESHOLDS].text, &config->alert, &ignored) ||
	    app_row_read_keys(row->config[CONFIG_KEYS].text, &config->keys) ||
	    app_row_read_keys(row->config[CONFIG_SECRETS].text, &config->secrets) ||
	    app_row_read_keys(row->config[CONFIG_SIGNERS].text, &config->signers) ||
	    app_row_read_admins(row->config[CONFIG_ADMINS].text, config) ||
	    app_row_read_token(row->config[CONFIG_TOKEN].text, config) ||
	    !str_copy(config->callback_url, sizeof(config->callback_url), row->config[CONFIG_CALLBACK_URL].text))
		return -1;
	return app_config_check(config, &ignored);
}

static int app_row_refuse(int64_t sdkappid, struct error *err)
{
	return error_set(err, ERR_INTERNAL, "the row of app %lld holds values out of bounds", (long long)sdkappid);
}

int app_row_read_config(const struct app_row *row, struct app_config *config_out, struct error *err)
{
	if (!app_row_config_in_bounds(row) || app_row_convert(row, config_out))
		return app_row_refuse(row->config[CONFIG_SDKAPPID].number, err);
	return 0;
}

int app_row_read_state(const struct app_row *row, struct app_state *state_out, struct error *err)
{
	if (!app_row_state_in_bounds(row))
		return app_row_refuse(row->state[STATE_SDKAPPID], err);
	*state_out = (struct app_state){
		.room_count = (uint64_t)row->state[STATE_ROOM_COUNT],
		.room_sequence = (uint64_t)row->state[STATE_ROOM_SEQUENCE],
		.callback_sequence = (uint64_t)row->state[STATE_CALLBACK_SEQUENCE],
		.callback_pending = (uint64_t)row->state[STATE_CALLBACK_PENDING],
		.alert_level = (uint8_t)row->state[STATE_ALERT_LEVEL],
		.endpoint = {.failures = (uint32_t)row->state[STATE_FAILURES],
			     .failing_ms = row->state[STATE_FAILING_MS],
			     .delivered_ms = row->state[STATE_DELIVERED_MS]},
		.minute_ms = row->state[STATE_MINUTE_MS],
		.minute_highest = (uint64_t)row->state[STATE_MINUTE_HIGHEST],
	};
	return 0;
}

/* ---- writing ---- */

static void app_row_write_numbers(const struct app_config *config, struct app_row *row)
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

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		row->config[numbers[i][0]].number = numbers[i][1];
}

void app_row_write_config(const struct app_config *config, struct app_row *row, struct app_row_text *text)
{
	struct buf *texts = text->texts;

	app_row_text_init(text);
	for (unsigned i = 0; i < config->alert.threshold_count; i++)
		buf_printf(&texts[CONFIG_THRESHOLDS], "%s%u", i ? "," : "", config->alert.thresholds[i]);
	for (unsigned i = 0; i < config->admin_count; i++)
		buf_printf(&texts[CONFIG_ADMINS], "%s%s", i ? "\n" : "", config->admins[i]);
	app_row_append_keys(&texts[CONFIG_KEYS], &config->keys);
	app_row_append_keys(&texts[CONFIG_SECRETS], &config->secrets);
	app_row_append_keys(&texts[CONFIG_SIGNERS], &config->signers);
	app_row_write_numbers(config, row);
	for (size_t i = 0; i < CONFIG_COLUMN_COUNT; i++)
		row->config[i].text = buf_str(&texts[i]);
	row->config[CONFIG_ALERT_MODE].text = str_c(alert_mode_word(config->alert.mode));
	row->config[CONFIG_CALLBACK_URL].text = str_c(config->callback_url);
	row->config[CONFIG_TOKEN].text = secret_reveal(app_token(config));
}

void app_row_text_init(struct app_row_text *text)
{
	for (size_t i = 0; i < CONFIG_COLUMN_COUNT; i++)
		buf_init(&text->texts[i], APP_ROW_TEXT_BYTES_MAX);
}

void app_row_text_fini(struct app_row_text *text)
{
	for (size_t i = 0; i < CONFIG_COLUMN_COUNT; i++) {
		if (text->texts[i].ptr)
			mem_wipe(text->texts[i].ptr, text->texts[i].capacity);
		buf_fini(&text->texts[i]);
	}
}

void app_row_write_state(uint32_t sdkappid, const struct app_state *state, struct app_row *row)
{
	const int64_t numbers[][2] = {
		{STATE_SDKAPPID, sdkappid},
		{STATE_ROOM_COUNT, (int64_t)state->room_count},
		{STATE_ROOM_SEQUENCE, (int64_t)state->room_sequence},
		{STATE_CALLBACK_SEQUENCE, (int64_t)state->callback_sequence},
		{STATE_CALLBACK_PENDING, (int64_t)state->callback_pending},
		{STATE_ALERT_LEVEL, state->alert_level},
		{STATE_FAILURES, state->endpoint.failures},
		{STATE_FAILING_MS, state->endpoint.failing_ms},
		{STATE_DELIVERED_MS, state->endpoint.delivered_ms},
		{STATE_MINUTE_MS, state->minute_ms},
		{STATE_MINUTE_HIGHEST, (int64_t)state->minute_highest},
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		row->state[numbers[i][0]] = numbers[i][1];
}
