/* Executes commands on a loaded set; see step.h. Apps and their configuration stand here; callbacks on their way in
 * step_delivery.c, rooms in step_room.c, what they keep in step_item.c.
 *
 * Callbacks are rows of the same batch, so each is stored with what caused it or not at all. */
#include "live/alert.h"
#include "live/audit.h"
#include "live/key.h"
#include "live/sample.h"
#include "live/step_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void PRINTF_LIKE(3, 4) step_answer(struct command *command, int code, const char *format, ...)
{
	va_list args;

	command->code = code;
	va_start(args, format);
	(void)vsnprintf(command->text, sizeof(command->text), format, args); /* texts here fit */
	va_end(args);
}

void step_ok(struct command *command, const struct live_app *app)
{
	command->code = HW_OK;
	command->text[0] = '\0';
	command->room_count = app->state.room_count;
}

void step_add_callback(struct live_set *set, struct live_app *app, const struct command *command,
		       enum hw_callback which, struct str body, unsigned threshold)
{
	assert(app_callback_on(app->config, which));
	assert(set->callback_count < set->capacity * LIVE_CALLBACKS_PER_COMMAND);
	set->callbacks[set->callback_count++] = (struct live_callback){
		.id = app_id_make(app->config->number, ++app->state.callback_sequence),
		.sdkappid = app->sdkappid,
		.command = which,
		.threshold = (uint8_t)threshold,
		.platform = command->origin.platform,
		.client_ip = command->origin.client_ip,
		.body = body,
		.event_ms = command->origin.wall_ms,
	};
	app->state.callback_pending++;
	app->state_changed = true;
	app->callbacks_changed = true;
	step_wake(app, WAKE_NEW);
}

void step_wake(struct live_app *app, enum delivery_wake wake)
{
	if (wake > app->wake)
		app->wake = wake;
}

bool step_add_alert(struct live_set *set, struct live_app *app, const struct command *command,
		    struct str operator_account, unsigned line)
{
	struct hw_alert alert = {.event_time_ms = command->origin.wall_ms,
				 .room_count = app->state.room_count,
				 .room_count_max = app->config->room_count_max};
	char body[HW_ALERT_BYTES_MAX];
	int len;

	if (!app_callback_on(app->config, HW_CALLBACK_THRESHOLD))
		return false;
	(void)str_copy(alert.operator_account, sizeof(alert.operator_account),
		       operator_account); /* checked by the API */
	len = hw_alert_build(&alert, body, sizeof(body));
	assert(len > 0);
	step_add_callback(set, app, command, HW_CALLBACK_THRESHOLD,
			  arena_dup(set->arena, (struct str){body, (size_t)len}), line);
	return true;
}

void step_evaluate_alert(struct live_set *set, struct live_app *app, const struct command *command, bool created)
{
	const struct app_config *config = app->config;
	struct str operator_account = created ? command->origin.operator_account : STR(APP_SYSTEM_OPERATOR);
	unsigned line;

	app->state.alert_level =
		alert_rearm(&config->alert, app->state.alert_level, app->state.room_count, config->room_count_max);
	line = alert_decide(&config->alert, app->state.alert_level, app->state.room_count, config->room_count_max,
			    created);
	if (line && step_add_alert(set, app, command, operator_account, line) && line > app->state.alert_level)
		app->state.alert_level = (uint8_t)line;
	app->state_changed = true;
}

struct app_config *step_copy(struct live_set *set, const struct live_app *app)
{
	struct app_config *config = arena_new(set->arena, struct app_config);

	*config = *app->config;
	return config;
}

struct app_config *step_edit(struct live_set *set, struct live_app *app)
{
	struct app_config *config = step_copy(set, app);

	app->config = config;
	app->config_changed = true;
	return config;
}

static void step_app_create(struct live_set *set, struct live_app *app, struct command *command)
{
	struct app_config *config;

	if (app->exists) {
		step_answer(command, HW_BAD_PARAMETER, "SDKAppID %" PRIu32 " exists already", app->sdkappid);
		return;
	}
	if (set->app_number_next > APP_NUMBER_MAX) {
		step_answer(command, HW_INTERNAL, "no app can be created any more: %u were", APP_NUMBER_MAX);
		return;
	}
	config = arena_new(set->arena, struct app_config);
	*config = *command->u.app_create;
	config->sdkappid = app->sdkappid;
	config->number = set->app_number_next++;
	config->create_ms = command->origin.wall_ms;
	app_key_stamp(&config->keys, command->origin.wall_ms);
	app_key_stamp(&config->secrets, command->origin.wall_ms);
	app_key_stamp(&config->signers, command->origin.wall_ms);
	set->app_number_used = true;
	app->exists = true;
	app->config = config;
	app->state = (struct app_state){0};
	app->config_changed = true;
	app->state_changed = true;
	step_ok(command, app);
}

/* Takes the named fields, and no others: whoever named others meanwhile loses nothing. */
static void step_merge(struct app_config *config, unsigned fields, const struct app_config *from, int64_t now_ms)
{
	if (fields & APP_FIELD_ROOM_COUNT_MAX)
		config->room_count_max = from->room_count_max;
	if (fields & APP_FIELD_ALERT_MODE)
		config->alert.mode = from->alert.mode;
	if (fields & APP_FIELD_THRESHOLDS) {
		config->alert.threshold_count = from->alert.threshold_count;
		memcpy(config->alert.thresholds, from->alert.thresholds, sizeof(config->alert.thresholds));
	}
	if (fields & APP_FIELD_REARM_MARGIN)
		config->alert.rearm_margin = from->alert.rearm_margin;
	if (fields & APP_FIELD_STEP_PERCENT)
		config->alert.step_percent = from->alert.step_percent;
	if (fields & APP_FIELD_KEY)
		app_key_replace(&config->keys, secret_reveal(app_key_newest(&from->keys)), now_ms);
	if (fields & APP_FIELD_ADMINS) {
		config->admin_count = from->admin_count;
		memcpy(config->admins, from->admins, sizeof(config->admins));
	}
	if (fields & APP_FIELD_CALLBACK_OVERWRITE)
		config->callback_overwrite = from->callback_overwrite;
	if (fields & APP_FIELD_ACCOUNTS_REQUIRED)
		config->accounts_required = from->accounts_required;
}

int step_use(struct live_app *app, const struct app_config *config, struct command *command)
{
	struct error err;

	if (app_config_check(config, &err)) {
		step_answer(command, HW_BAD_PARAMETER, "%s", err.text);
		return -1;
	}
	app->config = config;
	app->config_changed = true;
	return 0;
}

static void step_app_set(struct live_set *set, struct live_app *app, struct command *command)
{
	unsigned fields = command->u.app_set.fields;
	struct app_config *config = step_copy(set, app);

	step_merge(config, fields, command->u.app_set.config, command->origin.wall_ms);
	if (step_use(app, config, command))
		return;
	if (fields & (APP_FIELD_ROOM_COUNT_MAX | APP_FIELD_ALERT))
		step_evaluate_alert(set, app, command, false);
	step_ok(command, app);
}

static void step_key_rotate(struct live_set *set, struct live_app *app, struct command *command)
{
	struct app_config *config = step_copy(set, app);
	uint32_t known = app_key_find(&config->keys, command->u.key_rotate.key);

	if (known) { /* one key under two ids could not be revoked by either */
		step_answer(command, HW_BAD_PARAMETER, "Key: the app has this key already, as key %" PRIu32, known);
		return;
	}
	app_key_rotate(&config->keys, command->u.key_rotate.key, command->origin.wall_ms,
		       command->u.key_rotate.overlap_ms);
	if (step_use(app, config, command))
		return;
	command->key_id = config->keys.list[0].id;
	step_ok(command, app);
}

static void step_key_revoke(struct live_set *set, struct live_app *app, struct command *command)
{
	struct app_config *config = step_copy(set, app);

	if (app_key_revoke(&config->keys, command->u.key_revoke.key_id)) {
		step_answer(command, HW_BAD_PARAMETER, "KeyId: the app has no key %" PRIu32,
			    command->u.key_revoke.key_id);
		return;
	}
	if (step_use(app, config, command) == 0)
		step_ok(command, app);
}

static void step_app_delete(struct live_set *set, struct live_app *app, struct command *command)
{
	if (app->state.room_count) {
		step_answer(command, HW_BAD_PARAMETER, "the app still has %" PRIu64 " rooms: destroy them first",
			    app->state.room_count);
		return;
	}
	if (app->state.callback_pending && !command->u.app_delete.force) {
		step_answer(command, HW_BAD_PARAMETER,
			    "%" PRIu64 " callbacks of the app are not delivered yet: wait, or force the deletion",
			    app->state.callback_pending);
		return;
	}
	app->exists = false;
	app->pending_cancelled = true;
	app->callbacks_changed = app->callbacks_changed || app->state.callback_pending > 0;
	app->certificate_changed = false; /* goes with the app */
	step_wake(app, WAKE_NOW);	  /* delivery forgets it, also if it was told to wait */
	for (struct live_account *account = set->accounts; account; account = account->next)
		if (account->app == app) /* an app made anew has none of them */
			account->exists = account->exists_before = false;
	step_ok(command, app);
}

/* Can this change be made? Else the command is answered. */
static bool step_check_token(const struct app_config *config, const struct token_change *change,
			     struct command *command)
{
	if (config->token_set || (change->has_token && change->has_enabled))
		return true;
	step_answer(command, HW_BAD_PARAMETER, "the first call must set both Token and IsTokenEnable");
	return false;
}

static void step_change_token(struct app_config *config, const struct token_change *change)
{
	if (change->has_token) {
		assert(change->token.len <= sizeof(config->token));
		memset(config->token, 0, sizeof(config->token));
		memcpy(config->token, change->token.ptr, change->token.len);
		config->token_len = (uint16_t)change->token.len;
		config->token_set = true;
	}
	if (change->has_enabled)
		config->token_enabled = change->enabled;
}

static void step_callback_set(struct live_set *set, struct live_app *app, struct command *command)
{
	bool may_replace = app->config->callback_overwrite || command->u.callback.replace;
	const struct token_change *token = &command->u.callback.token;
	struct app_config *config;

	if (command->type == COMMAND_CALLBACK_SET && app->config->callback_set && !may_replace) {
		step_answer(command, HW_CALLBACK_EXISTS, "%s", hw_code_text(HW_CALLBACK_EXISTS));
		return;
	}
	if (command->type == COMMAND_CALLBACK_UPDATE && !app->config->callback_set) {
		step_answer(command, HW_NO_CALLBACK, "%s", hw_code_text(HW_NO_CALLBACK));
		return;
	}
	if ((token->has_token || token->has_enabled) && !step_check_token(app->config, token, command))
		return;
	config = step_edit(set, app);
	config->callback_set = true;
	(void)str_copy(config->callback_url, sizeof(config->callback_url),
		       command->u.callback.url); /* checked by the API */
	config->callback_commands = command->u.callback.commands;
	step_change_token(config, token);
	if (config->pause == PAUSE_GONE) { /* it was the old address that had gone */
		config->pause = PAUSE_NONE;
		config->pause_ms = 0;
	}
	step_wake(app, WAKE_NOW);
	step_ok(command, app);
}

static void step_callback_delete(struct live_set *set, struct live_app *app, struct command *command)
{
	if (app->config->callback_set) {
		struct app_config *config = step_edit(set, app);

		config->callback_set = false;
		config->callback_url[0] = '\0';
		config->callback_commands = 0;
	}
	step_ok(command, app);
}

static void step_token_set(struct live_set *set, struct live_app *app, struct command *command)
{
	if (!step_check_token(app->config, &command->u.token, command))
		return;
	step_change_token(step_edit(set, app), &command->u.token);
	step_ok(command, app);
}

/* clang-format off */
static step_function *const step_functions[] = {
	[COMMAND_APP_CREATE] = step_app_create,
	[COMMAND_APP_SET] = step_app_set,
	[COMMAND_APP_DELETE] = step_app_delete,
	[COMMAND_KEY_ROTATE] = step_key_rotate,
	[COMMAND_KEY_REVOKE] = step_key_revoke,
	[COMMAND_CALLBACK_SET] = step_callback_set,
	[COMMAND_CALLBACK_UPDATE] = step_callback_set,
	[COMMAND_CALLBACK_DELETE] = step_callback_delete,
	[COMMAND_TOKEN_SET] = step_token_set,
	[COMMAND_ROOM_CREATE] = step_room_create,
	[COMMAND_ROOM_DESTROY] = step_room_destroy,
	[COMMAND_ROOM_UPDATE] = step_room_update,
	[COMMAND_OWNER_CHANGE] = step_owner_change,
	[COMMAND_METADATA_SET] = step_metadata_set,
	[COMMAND_METADATA_DELETE] = step_metadata_delete,
	[COMMAND_MEMBERS_ADD] = step_members_add,
	[COMMAND_MEMBERS_REMOVE] = step_members_remove,
	[COMMAND_ACCOUNT_IMPORT] = step_account_import,
	[COMMAND_DELIVERY_MARK] = step_delivery_mark,
	[COMMAND_CALLBACK_PAUSE] = step_callback_pause,
	[COMMAND_CALLBACK_RESUME] = step_callback_resume,
	[COMMAND_CALLBACK_TEST] = step_callback_test,
	[COMMAND_CALLBACK_REPLAY] = step_callback_replay,
	[COMMAND_SECRET_ROTATE] = step_secret_rotate,
	[COMMAND_SECRET_REVOKE] = step_secret_revoke,
	[COMMAND_CERTIFICATE_SET] = step_certificate_set,
	[COMMAND_CERTIFICATE_DELETE] = step_certificate_delete,
};
/* clang-format on */

static void step_command(struct live_set *set, struct command *command)
{
	struct live_app *app = live_set_app(set, command->sdkappid);
	const struct app_config *before; /* a change makes a new one and leaves this as it is */
	uint64_t count_before;

	assert(app);
	command->room_count = 0;
	command->count = 0;
	command->callback_id = 0;
	if (!app->exists && command->type != COMMAND_APP_CREATE) {
		step_answer(command, HW_UNKNOWN_SDKAPPID, "SDKAppID %" PRIu32 " does not exist", app->sdkappid);
		return;
	}
	before = app->exists ? app->config : NULL;
	count_before = app->state.room_count;
	step_functions[command->type](set, app, command);
	if (command->code != HW_OK)
		return;
	audit_note(set, app, before, command);
	if (app->exists && before)
		sample_note(set, app, count_before, before->room_count_max, command->origin.wall_ms);
}

void live_step(struct live_set *set, struct command **commands, size_t count)
{
	for (size_t i = 0; i < count; i++)
		step_command(set, commands[i]);
}
