/* The management API's calls for apps, for whoever holds the backend's admin token. The command line tools and the
 * console speak it. */
#include "api/manage.h"
#include "base/mem.h"
#include "live/key.h"

#include <inttypes.h>
#include <string.h>

/* ---- reading an app from the body ---- */

/* Each takes its fields into `config`, sets the bits of those that are there, and returns 0, or -1 when answered. */
static int manage_take_thresholds(struct api_request *request, struct alert_policy *policy, unsigned *fields)
{
	json_t *list;
	enum json_found found = json_field_array(request->body, "Thresholds", &list);

	if (found == JSON_ABSENT)
		return 0;
	if (found == JSON_WRONG || json_array_size(list) < 1 || json_array_size(list) > APP_THRESHOLD_COUNT_MAX)
		goto bad;
	policy->threshold_count = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_int_t value = json_integer_value(json_array_get(list, i)); /* 0 for what is no integer */

		if (value < 1 || value > 100)
			goto bad;
		policy->thresholds[policy->threshold_count++] = (uint8_t)value;
	}
	*fields |= APP_FIELD_THRESHOLDS;
	return 0;
bad:
	api_refuse_with(request, HW_BAD_PARAMETER, "Thresholds must be 1 to %d percentages from 1 to 100, rising",
			APP_THRESHOLD_COUNT_MAX);
	return -1;
}

static int manage_take_alert(struct api_request *request, struct alert_policy *policy, unsigned *fields)
{
	uint64_t number;
	struct str mode;
	int found = api_take_str(request, request->body, "AlertMode", 1, 16, &mode);

	if (found == 1 && alert_mode_parse(mode, &policy->mode)) {
		api_answer(request, HW_BAD_PARAMETER, "AlertMode must be every, edge or step");
		return -1;
	}
	*fields |= found == 1 ? APP_FIELD_ALERT_MODE : 0;
	if (found < 0 || manage_take_thresholds(request, policy, fields))
		return -1;
	found = api_take_u64(request, request->body, "RearmMargin", 0, 50, &number);
	if (found < 0)
		return -1;
	if (found) {
		policy->rearm_margin = (uint8_t)number;
		*fields |= APP_FIELD_REARM_MARGIN;
	}
	found = api_take_u64(request, request->body, "StepPercent", 1, 50, &number);
	if (found < 0)
		return -1;
	if (found) {
		policy->step_percent = (uint8_t)number;
		*fields |= APP_FIELD_STEP_PERCENT;
	}
	return 0;
}

static int manage_take_admins(struct api_request *request, struct app_config *config, unsigned *fields)
{
	json_t *list;
	enum json_found found = json_field_array(request->body, "Admins", &list);

	if (found == JSON_ABSENT)
		return 0;
	if (found == JSON_WRONG || json_array_size(list) > APP_ADMIN_COUNT_MAX)
		goto bad;
	memset(config->admins, 0, sizeof(config->admins));
	config->admin_count = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		if (!json_is_string(item) || !app_identifier_ok(json_str(item)))
			goto bad;
		(void)str_copy(config->admins[config->admin_count++], sizeof(config->admins[0]),
			       json_str(item)); /* fits */
	}
	*fields |= APP_FIELD_ADMINS;
	return 0;
bad:
	api_refuse_with(request, HW_BAD_PARAMETER,
			"Admins must be at most %d names of 1 to %d bytes, printable ASCII without space",
			APP_ADMIN_COUNT_MAX, HW_IDENTIFIER_BYTES_MAX);
	return -1;
}

static int manage_take_app(struct api_request *request, struct app_config *config, unsigned *fields)
{
	uint64_t room_count_max;
	struct str key;
	int found = api_take_u64(request, request->body, "MaxRoomCount", 0, APP_ROOM_COUNT_MAX_LIMIT, &room_count_max);

	if (found < 0)
		return -1;
	if (found) {
		config->room_count_max = (uint32_t)room_count_max;
		*fields |= APP_FIELD_ROOM_COUNT_MAX;
	}
	found = api_take_str(request, request->body, "Key", APP_KEY_BYTES_MIN, HW_USERSIG_KEY_BYTES_MAX, &key);
	if (found < 0)
		return -1;
	if (found) {
		app_key_add(&config->keys, key, 0);
		*fields |= APP_FIELD_KEY;
	}
	found = api_take_bool(request, request->body, "CallbackOverwrite", &config->callback_overwrite);
	if (found < 0)
		return -1;
	*fields |= found ? APP_FIELD_CALLBACK_OVERWRITE : 0;
	found = api_take_bool(request, request->body, "AccountsRequired", &config->accounts_required);
	if (found < 0)
		return -1;
	*fields |= found ? APP_FIELD_ACCOUNTS_REQUIRED : 0;
	return manage_take_alert(request, &config->alert, fields) || manage_take_admins(request, config, fields) ? -1
														 : 0;
}

int manage_need_sdkappid(struct api_request *request, uint32_t *out)
{
	uint64_t sdkappid;

	if (api_need_u64(request, request->body, "SdkAppid", 1, HW_SDKAPPID_MAX, &sdkappid))
		return -1;
	*out = (uint32_t)sdkappid;
	return 0;
}

int manage_hold_app(struct api_request *request)
{
	if (manage_need_sdkappid(request, &request->look.sdkappid))
		return -1;
	request->app = directory_acquire(engine_directory(request->api->engine), request->look.sdkappid);
	if (!request->app)
		api_answer(request, HW_UNKNOWN_SDKAPPID, NULL);
	return request->app ? 0 : -1;
}

struct str manage_make_key(struct arena *arena)
{
	unsigned char random[MANAGE_SECRET_BYTES];
	struct str key;
	struct buf hex;

	random_bytes(random, sizeof(random));
	buf_init(&hex, 2 * sizeof(random));
	buf_append_hex(&hex, random, sizeof(random));
	key = arena_dup(arena, buf_str(&hex));
	mem_wipe(random, sizeof(random));
	mem_wipe(hex.ptr, hex.len);
	buf_fini(&hex);
	return key;
}

/* ---- writing an app ---- */

void manage_append_policy(struct buf *out, const struct alert_policy *policy)
{
	buf_printf(out, "\"AlertMode\":\"%s\",\"Thresholds\":[", alert_mode_word(policy->mode));
	for (unsigned i = 0; i < policy->threshold_count; i++)
		buf_printf(out, "%s%u", i ? "," : "", policy->thresholds[i]);
	buf_printf(out, "],\"RearmMargin\":%u,\"StepPercent\":%u", policy->rearm_margin, policy->step_percent);
}

static void manage_append_key(struct buf *out, const struct app_config *config, unsigned index, bool reveal)
{
	const struct app_key_entry *key = &config->keys.list[index];

	buf_printf(out, "%s{\"KeyId\":%" PRIu32 ",\"CreateTime\":%" PRId64 ",\"ExpireTime\":%" PRId64, index ? "," : "",
		   key->id, key->create_ms, key->expire_ms);
	if (reveal) {
		buf_append_c(out, ",\"Key\":");
		buf_append_json_string(out, secret_reveal(app_key_at(&config->keys, index)));
	}
	buf_append_char(out, '}');
}

static void manage_append_keys(struct buf *out, const struct app_config *config, bool reveal)
{
	buf_append_c(out, "\"Keys\":[");
	for (unsigned i = 0; i < config->keys.count; i++)
		manage_append_key(out, config, i, reveal);
	buf_append_char(out, ']');
	if (reveal && config->keys.count) {
		buf_append_c(out, ",\"Key\":");
		buf_append_json_string(out, secret_reveal(app_key_newest(&config->keys)));
	}
}

void manage_append_endpoint(struct buf *out, const struct app_config *config, const struct app_endpoint *endpoint)
{
	buf_printf(out,
		   "\"Endpoint\":{\"State\":\"%s\",\"Failures\":%" PRIu32 ",\"FailingSince\":%" PRId64
		   ",\"LastDelivered\":%" PRId64 ",\"PauseReason\":\"%s\",\"PauseTime\":%" PRId64 "}",
		   endpoint_state_word(endpoint_state_of(config->pause, endpoint->failures)), endpoint->failures,
		   endpoint->failing_ms, endpoint->delivered_ms, app_pause_word(config->pause), config->pause_ms);
}

struct manage_view {
	const struct app_config *config;
	const struct app_state *state;
	struct str certificate; /* PEM; empty for none */
	bool reveal;		/* keys and secrets too */
};

static void manage_append_callbacks(struct buf *out, const struct manage_view *view)
{
	const struct app_config *config = view->config;

	buf_printf(out, "\"CallbackPending\":%" PRIu64 ",\"CallbackSequence\":%" PRIu64 ",\"CallbackUrl\":",
		   view->state->callback_pending, view->state->callback_sequence);
	buf_append_json_string(out, str_c(config->callback_url));
	buf_append_c(out, ",\"CallbackCommandList\":");
	api_append_callback_commands(out, config->callback_commands);
	buf_append_char(out, ',');
	manage_append_endpoint(out, config, &view->state->endpoint);
	buf_printf(out, ",\"IsTokenEnable\":%s,", config->token_set && config->token_enabled ? "true" : "false");
	manage_append_secrets(out, config, view->reveal);
	buf_append_c(out, ",\"Certificate\":");
	certificate_append(out, view->certificate);
}

static void manage_append_app(struct buf *out, const struct manage_view *view)
{
	const struct app_config *config = view->config;

	buf_printf(out, "{\"SdkAppid\":%" PRIu32 ",\"MaxRoomCount\":%" PRIu32 ",\"RoomCount\":%" PRIu64 ",",
		   config->sdkappid, config->room_count_max, view->state->room_count);
	manage_append_policy(out, &config->alert);
	buf_printf(out, ",\"AlertLevel\":%u,\"Admins\":[", view->state->alert_level);
	for (unsigned i = 0; i < config->admin_count; i++) {
		if (i)
			buf_append_char(out, ',');
		buf_append_json_string(out, str_c(config->admins[i]));
	}
	buf_printf(out, "],\"CallbackOverwrite\":%s,\"CreateTime\":%" PRId64 ",",
		   config->callback_overwrite ? "true" : "false", config->create_ms);
	manage_append_callbacks(out, view);
	buf_printf(out, ",\"AccountsRequired\":%s,", config->accounts_required ? "true" : "false");
	manage_append_keys(out, config, view->reveal);
	buf_append_char(out, '}');
}

/* ---- create, set, delete ---- */

/* The only time that key and secret are shown unasked. */
static void manage_app_created(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);
	const struct command *command = &request->job.command;

	if (command->code == HW_OK) {
		struct app_config *made = arena_new(request->arena, struct app_config);
		const struct app_state state = {0};

		*made = *command->u.app_create;
		made->create_ms = command->origin.wall_ms;
		app_key_stamp(&made->keys, command->origin.wall_ms);
		app_key_stamp(&made->secrets, command->origin.wall_ms);
		manage_append_app(&request->response,
				  &(struct manage_view){.config = made, .state = &state, .reveal = true});
	}
	api_answer(request, command->code, command->text);
}

void api_manage_app_create(struct api_request *request)
{
	struct app_config *config = arena_new(request->arena, struct app_config);
	unsigned fields = 0;
	struct error err;

	app_config_init(config);
	(void)str_copy(config->admins[0], sizeof(config->admins[0]),
		       STR("administrator")); /* the name all samples use */
	config->admin_count = 1;
	if (manage_need_sdkappid(request, &config->sdkappid) || manage_take_app(request, config, &fields))
		return;
	if (!(fields & APP_FIELD_KEY))
		app_key_add(&config->keys, manage_make_key(request->arena), 0);
	app_key_add(&config->secrets, manage_make_secret(request->arena, false), 0);
	if (app_config_check(config, &err)) {
		api_answer(request, HW_BAD_PARAMETER, err.text);
		return;
	}
	request->job.command.u.app_create = config;
	api_submit(request, COMMAND_APP_CREATE, config->sdkappid, manage_app_created);
}

void api_manage_app_set(struct api_request *request)
{
	struct app_config *config = arena_new(request->arena, struct app_config);
	unsigned fields = 0;
	uint32_t sdkappid;

	app_config_init(config);
	if (manage_need_sdkappid(request, &sdkappid) || manage_take_app(request, config, &fields))
		return;
	if (!fields) {
		api_answer(request, HW_BAD_PARAMETER,
			   "nothing to set: give MaxRoomCount, AlertMode, Thresholds, RearmMargin, StepPercent, Key, "
			   "Admins, CallbackOverwrite or AccountsRequired");
		return;
	}
	request->job.command.u.app_set.fields = fields;
	request->job.command.u.app_set.config = config;
	api_submit(request, COMMAND_APP_SET, sdkappid, api_command_done);
}

void api_manage_app_delete(struct api_request *request)
{
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) ||
	    api_take_bool(request, request->body, "Force", &request->job.command.u.app_delete.force) < 0)
		return;
	api_submit(request, COMMAND_APP_DELETE, sdkappid, api_command_done);
}

/* ---- looking ---- */

/* Returns 1 when the app was appended, 0 when there is none, -1 with the outcome set. */
static int manage_read_app(struct api_request *request, struct store_reader *reader, uint32_t sdkappid, bool reveal)
{
	struct store_app *app = arena_new(request->arena, struct store_app);
	struct manage_view view = {.config = &app->config, .state = &app->state, .reveal = reveal};
	struct str key;
	struct error err;
	int found = store_app_get(reader, sdkappid, app, &err);

	if (found == 1 && app->config.certificate_set &&
	    store_certificate_get(reader, request->arena, sdkappid, &view.certificate, &key, &err) < 0)
		found = -1;
	if (found < 0)
		api_read_failed(request, &err);
	else if (found == 1)
		manage_append_app(&request->response, &view);
	return found;
}

static void manage_app_show_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);

	if (manage_read_app(request, reader, request->look.sdkappid, request->look.reveal_key) == 0)
		api_read_refused(request, HW_UNKNOWN_SDKAPPID, NULL);
}

void api_manage_app_show(struct api_request *request)
{
	if (manage_need_sdkappid(request, &request->look.sdkappid) ||
	    api_take_bool(request, request->body, "RevealKey", &request->look.reveal_key) < 0)
		return;
	api_submit_read(request, manage_app_show_read);
}

static void manage_app_list_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	uint32_t sdkappids[MANAGE_PAGE_COUNT_MAX];
	struct buf *out = &request->response;
	size_t count = directory_list(engine_directory(request->api->engine), request->look.sdkappid, sdkappids,
				      request->look.count);
	bool first = true;

	buf_append_c(out, "{\"AppList\":[");
	for (size_t i = 0; i < count; i++) {
		size_t start = out->len;
		int found;

		if (!first)
			buf_append_char(out, ',');
		found = manage_read_app(request, reader, sdkappids[i], false);
		if (found < 0) {
			buf_reset(out);
			return;
		}
		if (found == 0)
			out->len = start; /* deleted since */
		first = first && found == 0;
	}
	buf_printf(out, "],\"Next\":%" PRIu32 "}", count == request->look.count ? sdkappids[count - 1] : 0);
}

void api_manage_app_list(struct api_request *request)
{
	uint64_t next = 0;

	request->look.count = MANAGE_PAGE_COUNT_MAX;
	if (api_take_u64(request, request->body, "Next", 0, HW_SDKAPPID_MAX, &next) < 0 ||
	    api_take_u64(request, request->body, "Count", 1, MANAGE_PAGE_COUNT_MAX, &request->look.count) < 0)
		return;
	request->look.sdkappid = (uint32_t)next;
	api_submit_read(request, manage_app_list_read);
}
