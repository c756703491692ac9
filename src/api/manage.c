/* The management API: apps and their deliveries, for whoever holds the backend's admin token. The command line tools
 * and the console speak it. */
#include "api/request.h"
#include "base/mem.h"
#include "hook/request.h"
#include "live/key.h"

#include <inttypes.h>
#include <string.h>

#define MANAGE_PAGE_COUNT_MAX 100
#define MANAGE_PAGE_BYTES (1024 * 1024) /* a page of callbacks ends with the row that passes this */
#define MANAGE_KEY_BYTES 32		/* random bytes of a key made here; twice as many hexadecimal digits */
#define MANAGE_OVERLAP_DEFAULT_S 86400
#define MANAGE_OVERLAP_MAX_S 31536000 /* a year */

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

static int manage_need_sdkappid(struct api_request *request, uint32_t *out)
{
	uint64_t sdkappid;

	if (api_need_u64(request, request->body, "SdkAppid", 1, HW_SDKAPPID_MAX, &sdkappid))
		return -1;
	*out = (uint32_t)sdkappid;
	return 0;
}

/* A random key, in the arena. */
static struct str manage_make_key(struct arena *arena)
{
	unsigned char random[MANAGE_KEY_BYTES];
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

static void manage_append_policy(struct buf *out, const struct alert_policy *policy)
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

static void manage_append_app(struct buf *out, const struct app_config *config, const struct app_state *state,
			      bool reveal_key)
{
	buf_printf(out, "{\"SdkAppid\":%" PRIu32 ",\"MaxRoomCount\":%" PRIu32 ",\"RoomCount\":%" PRIu64 ",",
		   config->sdkappid, config->room_count_max, state->room_count);
	manage_append_policy(out, &config->alert);
	buf_printf(out, ",\"AlertLevel\":%u,\"Admins\":[", state->alert_level);
	for (unsigned i = 0; i < config->admin_count; i++) {
		if (i)
			buf_append_char(out, ',');
		buf_append_json_string(out, str_c(config->admins[i]));
	}
	buf_printf(out,
		   "],\"CallbackOverwrite\":%s,\"CreateTime\":%" PRId64 ",\"CallbackPending\":%" PRIu64
		   ",\"CallbackSequence\":%" PRIu64 ",\"CallbackUrl\":",
		   config->callback_overwrite ? "true" : "false", config->create_ms, state->callback_pending,
		   state->callback_sequence);
	buf_append_json_string(out, str_c(config->callback_url));
	buf_append_c(out, ",\"CallbackCommandList\":");
	api_append_callback_commands(out, config->callback_commands);
	buf_printf(out, ",\"IsTokenEnable\":%s,\"AccountsRequired\":%s,\"Keys\":[",
		   config->token_set && config->token_enabled ? "true" : "false",
		   config->accounts_required ? "true" : "false");
	for (unsigned i = 0; i < config->keys.count; i++)
		manage_append_key(out, config, i, reveal_key);
	buf_append_char(out, ']');
	if (reveal_key && config->keys.count) {
		buf_append_c(out, ",\"Key\":");
		buf_append_json_string(out, secret_reveal(app_key_newest(&config->keys)));
	}
	buf_append_char(out, '}');
}

/* ---- create, set, delete ---- */

static void manage_app_created(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);
	const struct command *command = &request->job.command;
	struct app_state state = {0};

	if (command->code == HW_OK) {
		struct app_config made = *command->u.app_create;

		made.create_ms = command->origin.wall_ms;
		app_key_stamp(&made.keys, command->origin.wall_ms);
		manage_append_app(&request->response, &made, &state, true); /* the only time the key is shown unasked */
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

/* ---- keys ---- */

static void manage_key_rotated(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);
	const struct command *command = &request->job.command;

	if (command->code == HW_OK) {
		buf_printf(&request->response, "{\"KeyId\":%" PRIu32 ",\"Key\":", command->key_id);
		buf_append_json_string(&request->response, command->u.key_rotate.key);
		buf_append_char(&request->response, '}');
	}
	api_answer(request, command->code, command->text);
}

void api_manage_key_rotate(struct api_request *request)
{
	struct command *command = &request->job.command;
	uint64_t overlap_s = MANAGE_OVERLAP_DEFAULT_S;
	uint32_t sdkappid;
	int found;

	if (manage_need_sdkappid(request, &sdkappid))
		return;
	found = api_take_str(request, request->body, "Key", APP_KEY_BYTES_MIN, HW_USERSIG_KEY_BYTES_MAX,
			     &command->u.key_rotate.key);
	if (found < 0 || api_take_u64(request, request->body, "Overlap", 0, MANAGE_OVERLAP_MAX_S, &overlap_s) < 0)
		return;
	if (!found)
		command->u.key_rotate.key = manage_make_key(request->arena);
	command->u.key_rotate.overlap_ms = (int64_t)overlap_s * 1000;
	api_submit(request, COMMAND_KEY_ROTATE, sdkappid, manage_key_rotated);
}

void api_manage_key_revoke(struct api_request *request)
{
	uint32_t sdkappid;
	uint64_t key_id;

	if (manage_need_sdkappid(request, &sdkappid) ||
	    api_need_u64(request, request->body, "KeyId", 1, APP_KEY_ID_MAX, &key_id))
		return;
	request->job.command.u.key_revoke.key_id = (uint32_t)key_id;
	api_submit(request, COMMAND_KEY_REVOKE, sdkappid, api_command_done);
}

/* ---- looking ---- */

static void manage_app_show_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct store_app app;
	struct error err;
	int found = store_app_get(reader, request->look.sdkappid, &app, &err);

	if (found < 0) {
		api_read_failed(request, &err);
	} else if (found == 0) {
		request->code = HW_UNKNOWN_SDKAPPID;
		(void)str_copy(request->text, sizeof(request->text),
			       str_c(hw_code_text(HW_UNKNOWN_SDKAPPID))); /* fits */
	} else {
		manage_append_app(&request->response, &app.config, &app.state, request->look.reveal_key);
	}
}

void api_manage_app_show(struct api_request *request)
{
	if (manage_need_sdkappid(request, &request->look.sdkappid) ||
	    api_take_bool(request, request->body, "RevealKey", &request->look.reveal_key) < 0)
		return;
	api_submit_read(request, manage_app_show_read);
}

static int manage_take_page(struct api_request *request, uint64_t next_max, uint64_t *next_out)
{
	*next_out = 0;
	request->look.count = MANAGE_PAGE_COUNT_MAX;
	return api_take_u64(request, request->body, "Next", 0, next_max, next_out) < 0 ||
			       api_take_u64(request, request->body, "Count", 1, MANAGE_PAGE_COUNT_MAX,
					    &request->look.count) < 0
		       ? -1
		       : 0;
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
		struct store_app app;
		struct error err;
		int found = store_app_get(reader, sdkappids[i], &app, &err);

		if (found < 0) {
			buf_reset(out);
			api_read_failed(request, &err);
			return;
		}
		if (found == 0)
			continue; /* deleted since */
		if (!first)
			buf_append_char(out, ',');
		manage_append_app(out, &app.config, &app.state, false);
		first = false;
	}
	buf_printf(out, "],\"Next\":%" PRIu32 "}", count == request->look.count ? sdkappids[count - 1] : 0);
}

void api_manage_app_list(struct api_request *request)
{
	uint64_t next;

	if (manage_take_page(request, HW_SDKAPPID_MAX, &next))
		return;
	request->look.sdkappid = (uint32_t)next;
	api_submit_read(request, manage_app_list_read);
}

static void manage_append_callback(struct buf *out, uint64_t id, const struct store_callback *callback)
{
	char event_id[REQUEST_EVENT_ID_BYTES + 1];

	request_event_id(id, callback->id, event_id);
	buf_printf(out,
		   "{\"WebhookId\":\"%s\",\"Sequence\":%" PRIu64
		   ",\"CallbackCommand\":\"%s\",\"State\":\"%s\",\"Attempts\":%" PRIu32 ",\"DueTime\":%" PRId64
		   ",\"LastAttemptTime\":%" PRId64 ",\"HttpStatus\":%" PRId32 ",\"Error\":",
		   event_id, app_id_sequence(callback->id), hw_callback_word(callback->command),
		   callback_state_word(callback->state), callback->attempts, callback->due_ms, callback->attempt_ms,
		   callback->http_status);
	buf_append_json_string(out, callback->error);
	buf_printf(out, ",\"EventTime\":%" PRId64 ",\"Threshold\":%u,\"OptPlatform\":\"%s\",\"ClientIP\":",
		   callback->event_ms, callback->threshold, hw_platform_word(callback->platform));
	buf_append_json_string(out, callback->client_ip);
	buf_append_c(out, ",\"Body\":");
	buf_append_str(out, callback->body); /* JSON, made by this program */
	buf_append_char(out, '}');
}

static void manage_callback_list_read(struct engine_read *read, struct store_reader *reader)
{
	struct api_request *request = api_request_of_read(read);
	struct store_callback *rows = arena_array(request->arena, request->look.count, sizeof(*rows));
	struct buf *out = &request->response;
	struct error err;
	size_t count;
	size_t shown;

	if (store_callback_list(reader, request->arena, request->app->config.number, request->look.before_id,
				request->look.count, rows, &count, &err)) {
		api_read_failed(request, &err);
		return;
	}
	buf_append_c(out, "{\"CallbackList\":[");
	for (shown = 0; shown < count && out->len < MANAGE_PAGE_BYTES; shown++) {
		if (shown)
			buf_append_char(out, ',');
		manage_append_callback(out, store_id(engine_store(request->api->engine)), &rows[shown]);
	}
	buf_printf(out, "],\"Next\":%" PRIu64 "}",
		   shown && (shown < count || count == request->look.count) ? app_id_sequence(rows[shown - 1].id) : 0);
}

/* Newest first; Next is a sequence number, 0 for the first page. */
void api_manage_callback_list(struct api_request *request)
{
	uint64_t next;
	uint32_t sdkappid;

	if (manage_need_sdkappid(request, &sdkappid) ||
	    manage_take_page(request, (UINT64_C(1) << APP_ID_SEQUENCE_BITS) - 1, &next))
		return;
	request->app = directory_acquire(engine_directory(request->api->engine), sdkappid);
	if (!request->app) {
		api_answer(request, HW_UNKNOWN_SDKAPPID, NULL);
		return;
	}
	request->look.before_id = next ? app_id_make(request->app->config.number, next) : INT64_MAX;
	api_submit_read(request, manage_callback_list_read);
}
