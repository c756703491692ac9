/* Apps as values; see app.h. */
#include "live/app.h"

#include <highwater/webhook.h>

#include <assert.h>

void app_config_init(struct app_config *config)
{
	*config = (struct app_config){
		.room_count_max = APP_ROOM_COUNT_MAX_DEFAULT,
		.keys.id_next = 1,
		.secrets.id_next = 1,
		.signers.id_next = 1,
		.alert = {.mode = ALERT_EVERY,
			  .threshold_count = 1,
			  .thresholds = {70},
			  .rearm_margin = 5,
			  .step_percent = 10},
	};
}

int alert_policy_check(const struct alert_policy *policy, struct error *err)
{
	uint8_t previous = 0;

	if ((unsigned)policy->mode >= ALERT_MODE_COUNT)
		return error_set(err, ERR_INVALID, "alert mode must be every, edge or step");
	if (policy->threshold_count < 1 || policy->threshold_count > APP_THRESHOLD_COUNT_MAX)
		return error_set(err, ERR_INVALID, "there must be 1 to %d thresholds", APP_THRESHOLD_COUNT_MAX);
	for (unsigned i = 0; i < policy->threshold_count; i++) {
		if (policy->thresholds[i] <= previous || policy->thresholds[i] > 100)
			return error_set(err, ERR_INVALID, "thresholds must be percentages from 1 to 100, rising");
		previous = policy->thresholds[i];
	}
	if (policy->rearm_margin > 50)
		return error_set(err, ERR_INVALID, "re-arm margin must be 0 to 50 percentage points");
	if (policy->step_percent < 1 || policy->step_percent > 50)
		return error_set(err, ERR_INVALID, "step must be 1 to 50 percentage points");
	return 0;
}

/* `what` names the list in the error's text. */
static int app_check_keys(const struct app_keys *keys, const char *what, struct error *err)
{
	uint32_t id_above = keys->id_next;

	if (id_above < 1 || id_above > APP_KEY_ID_MAX)
		return error_set(err, ERR_INVALID, "an app can be given %u %ss in its life", APP_KEY_ID_MAX - 1, what);
	if (keys->count > APP_KEY_COUNT_MAX)
		return error_set(err, ERR_INVALID, "an app has at most %d %ss", APP_KEY_COUNT_MAX, what);
	for (unsigned i = 0; i < keys->count; i++) {
		const struct app_key_entry *key = &keys->list[i];

		if (key->len < APP_KEY_BYTES_MIN || key->len > HW_USERSIG_KEY_BYTES_MAX)
			return error_set(err, ERR_INVALID, "%s must have %d to %d bytes", what, APP_KEY_BYTES_MIN,
					 HW_USERSIG_KEY_BYTES_MAX);
		if (!str_is_printable_ascii((struct str){key->bytes, key->len}))
			return error_set(err, ERR_INVALID, "%s must be printable ASCII", what);
		if (key->id < 1 || key->id >= id_above)
			return error_set(err, ERR_INVALID, "ids of %ss must fall, below that of the next %s", what,
					 what);
		if (key->create_ms < 0 || key->expire_ms < 0)
			return error_set(err, ERR_INVALID, "times of %ss must not lie before 1970", what);
		id_above = key->id;
	}
	return 0;
}

static int app_check_webhook_keys(const struct app_keys *keys, enum hw_webhook_kind kind, const char *what,
				  struct error *err)
{
	struct hw_webhook_key parsed;
	enum hw_webhook_kind found;
	char reason[96];

	if (app_check_keys(keys, what, err))
		return -1;
	for (unsigned i = 0; i < keys->count; i++) {
		if (hw_webhook_key_parse(keys->list[i].bytes, keys->list[i].len, &parsed, reason, sizeof(reason)))
			return error_set(err, ERR_INVALID, "%s: %s", what, reason);
		found = parsed.kind;
		hw_webhook_key_wipe(&parsed);
		if (found != kind)
			return error_set(err, ERR_INVALID, "%s must begin with %s", what,
					 kind == HW_WEBHOOK_SECRET ? "whsec_" : "whsk_");
	}
	return 0;
}

static int app_config_check_callback(const struct app_config *config, struct error *err)
{
	const char *fault;

	if (config->callback_set) {
		fault = hw_callback_url_check(config->callback_url, str_c(config->callback_url).len);
		if (fault)
			return error_set(err, ERR_INVALID, "callback URL: %s", fault);
		if (config->callback_commands >> HW_CALLBACK_COUNT)
			return error_set(err, ERR_INVALID, "unknown callback command");
	}
	if (config->token_set && (config->token_len < 1 || config->token_len > HW_TOKEN_BYTES_MAX))
		return error_set(err, ERR_INVALID, "callback token must have 1 to %d bytes", HW_TOKEN_BYTES_MAX);
	if ((unsigned)config->pause >= APP_PAUSE_COUNT || config->pause_ms < 0)
		return error_set(err, ERR_INVALID, "unknown reason of a pause");
	return app_check_webhook_keys(&config->secrets, HW_WEBHOOK_SECRET, "secret", err) ||
			       app_check_webhook_keys(&config->signers, HW_WEBHOOK_PRIVATE, "private key", err)
		       ? -1
		       : 0;
}

int app_config_check(const struct app_config *config, struct error *err)
{
	if (config->sdkappid == 0)
		return error_set(err, ERR_INVALID, "SDKAppID must be 1 to %u", HW_SDKAPPID_MAX);
	if (config->room_count_max > APP_ROOM_COUNT_MAX_LIMIT)
		return error_set(err, ERR_INVALID, "maximum number of rooms must be 0 to %u", APP_ROOM_COUNT_MAX_LIMIT);
	if (alert_policy_check(&config->alert, err))
		return -1;
	if (app_check_keys(&config->keys, "key", err))
		return -1;
	if (config->admin_count > APP_ADMIN_COUNT_MAX)
		return error_set(err, ERR_INVALID, "an app has at most %d admins", APP_ADMIN_COUNT_MAX);
	for (unsigned i = 0; i < config->admin_count; i++)
		if (!app_identifier_ok(str_c(config->admins[i])))
			return error_set(err, ERR_INVALID,
					 "an admin must have 1 to %d bytes of printable ASCII without space",
					 HW_IDENTIFIER_BYTES_MAX);
	return app_config_check_callback(config, err);
}

const char *app_pause_word(enum app_pause pause)
{
	static const char *const words[] = {
#define PAUSE_WORD(name, word) [name] = (word),
		APP_PAUSES(PAUSE_WORD)
#undef PAUSE_WORD
	};

	assert((unsigned)pause < APP_PAUSE_COUNT);
	return words[pause];
}

static const char *const alert_mode_words[] = {
#define ALERT_WORD(name, word) [name] = (word),
	ALERT_MODES(ALERT_WORD)
#undef ALERT_WORD
};

const char *alert_mode_word(enum alert_mode mode)
{
	assert((unsigned)mode < ALERT_MODE_COUNT);
	return alert_mode_words[mode];
}

int alert_mode_parse(struct str word, enum alert_mode *out)
{
	for (unsigned i = 0; i < ALERT_MODE_COUNT; i++) {
		if (str_eq(word, str_c(alert_mode_words[i]))) {
			*out = (enum alert_mode)i;
			return 0;
		}
	}
	return -1;
}

int alert_thresholds_parse(struct str text, struct alert_policy *policy, struct error *err)
{
	struct alert_policy parsed = *policy;
	struct str item;
	uint64_t value;
	bool more;

	parsed.threshold_count = 0;
	do {
		more = str_cut(&text, ',', &item);
		if (parsed.threshold_count == APP_THRESHOLD_COUNT_MAX)
			return error_set(err, ERR_INVALID, "there must be 1 to %d thresholds", APP_THRESHOLD_COUNT_MAX);
		if (str_to_u64(item, 100, &value))
			return error_set(err, ERR_INVALID, "thresholds must be percentages from 1 to 100, rising");
		parsed.thresholds[parsed.threshold_count++] = (uint8_t)value;
	} while (more);
	if (alert_policy_check(&parsed, err))
		return -1;
	*policy = parsed;
	return 0;
}

bool app_identifier_ok(struct str identifier)
{
	return identifier.len >= 1 && identifier.len <= HW_IDENTIFIER_BYTES_MAX && str_is_printable_ascii(identifier) &&
	       str_find_char(identifier, ' ') < 0;
}

bool app_is_admin(const struct app_config *config, struct str identifier)
{
	for (unsigned i = 0; i < config->admin_count; i++)
		if (str_eq(identifier, str_c(config->admins[i])))
			return true;
	return false;
}

bool app_callback_on(const struct app_config *config, enum hw_callback command)
{
	return config->callback_set && (config->callback_commands >> command & 1) != 0;
}

struct secret app_key_newest(const struct app_keys *keys)
{
	return keys->count ? app_key_at(keys, 0) : secret_of(STR(""));
}

struct secret app_key_at(const struct app_keys *keys, unsigned index)
{
	assert(index < keys->count);
	return secret_of((struct str){keys->list[index].bytes, keys->list[index].len});
}

bool app_key_expired(const struct app_key_entry *key, int64_t now_ms)
{
	return key->expire_ms && now_ms > key->expire_ms;
}

struct secret app_token(const struct app_config *config)
{
	return secret_of((struct str){config->token, config->token_len});
}

int64_t app_id_make(uint32_t number, uint64_t sequence)
{
	assert(number <= APP_NUMBER_MAX && sequence >> APP_ID_SEQUENCE_BITS == 0);
	return (int64_t)((uint64_t)number << APP_ID_SEQUENCE_BITS | sequence);
}

uint32_t app_id_number(int64_t id)
{
	return (uint32_t)((uint64_t)id >> APP_ID_SEQUENCE_BITS);
}

uint64_t app_id_sequence(int64_t id)
{
	return (uint64_t)id & ((UINT64_C(1) << APP_ID_SEQUENCE_BITS) - 1);
}
