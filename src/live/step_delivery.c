/* Callbacks on their way: how attempts ended, pause and resume, tests, replays, and what requests are signed with; see
 * step.h.
 *
 * The app's counter of waiting callbacks is exact, as its counter of rooms is: each mark that ends a callback, and each
 * replay, is one command in the commit that stores it. */
#include "live/key.h"
#include "live/step_internal.h"

#include <assert.h>
#include <inttypes.h>

/* ---- outcomes of attempts ---- */

static void step_note_failure(struct live_app *app, const struct delivery_result *result)
{
	struct app_endpoint *endpoint = &app->state.endpoint;

	if (endpoint->failures == 0)
		endpoint->failing_ms = result->attempt_ms;
	if (endpoint->failures < UINT32_MAX)
		endpoint->failures++;
	app->state_changed = true;
}

static void step_note_delivery(struct live_app *app, const struct delivery_result *result)
{
	app->state.endpoint = (struct app_endpoint){.delivered_ms = result->attempt_ms};
	app->state_changed = true;
}

static void step_pause(struct live_set *set, struct live_app *app, enum app_pause pause, int64_t now_ms)
{
	struct app_config *config;

	if (app->config->pause == pause || app->config->pause == PAUSE_OPERATOR)
		return; /* what somebody said, only he takes back */
	config = step_edit(set, app);
	config->pause = pause;
	config->pause_ms = now_ms;
}

void step_delivery_mark(struct live_set *set, struct live_app *app, struct command *command)
{
	const struct delivery_result *result = &command->u.delivery;

	if (app_id_number(result->callback_id) != app->config->number) {
		step_answer(command, HW_UNKNOWN_SDKAPPID, "the app of this callback was deleted");
		return;
	}
	assert(set->mark_count < set->capacity);
	set->marks[set->mark_count++] = result;
	app->callbacks_changed = true;
	if (result->mark != DELIVERY_RETRY && app->state.callback_pending > 0) { /* 0: a file that was tampered with */
		app->state.callback_pending--;
		app->state_changed = true;
	}
	if (result->sent && result->mark == DELIVERY_DELIVERED)
		step_note_delivery(app, result);
	else if (result->sent && !result->endpoint_fine)
		step_note_failure(app, result);
	/* The mark may come behind a command that has set another URL: that one did not answer. */
	if (result->gone && app->config->callback_set && live_callback_url_hash(app->config) == result->url_hash)
		step_pause(set, app, PAUSE_GONE, result->attempt_ms);
	step_ok(command, app);
}

/* ---- pause, resume, test ---- */

void step_callback_pause(struct live_set *set, struct live_app *app, struct command *command)
{
	step_pause(set, app, PAUSE_OPERATOR, command->origin.wall_ms);
	step_ok(command, app);
}

void step_callback_resume(struct live_set *set, struct live_app *app, struct command *command)
{
	if (app->config->pause != PAUSE_NONE) {
		struct app_config *config = step_edit(set, app);

		config->pause = PAUSE_NONE;
		config->pause_ms = 0;
	}
	step_wake(app, WAKE_NOW);
	step_ok(command, app);
}

/* Each refusal is what would keep the test from leaving: a test that never goes out tells nothing. */
void step_callback_test(struct live_set *set, struct live_app *app, struct command *command)
{
	if (!app->config->callback_set) {
		step_answer(command, HW_NO_CALLBACK, "%s", hw_code_text(HW_NO_CALLBACK));
		return;
	}
	if (app->config->pause != PAUSE_NONE) {
		step_answer(command, HW_BAD_PARAMETER, "callbacks of the app are paused (%s): resume them first",
			    app->config->pause == PAUSE_GONE ? "its endpoint answered 410" : "by an operator");
		return;
	}
	if (!step_add_alert(set, app, command, STR(APP_SYSTEM_OPERATOR), 0)) {
		step_answer(command, HW_BAD_PARAMETER, "%s is not switched on for the app: nothing would be sent",
			    hw_callback_word(HW_CALLBACK_THRESHOLD));
		return;
	}
	step_wake(app, WAKE_NOW);
	command->callback_id = set->callbacks[set->callback_count - 1].id;
	step_ok(command, app);
}

/* ---- replay ---- */

void step_callback_replay(struct live_set *set, struct live_app *app, struct command *command)
{
	for (size_t i = 0; i < command->u.replay.count; i++) {
		struct live_delivery *delivery = live_set_delivery(set, command->u.replay.ids[i]);

		assert(delivery);
		if (!delivery->exists || delivery->state == CALLBACK_WAITING ||
		    app_id_number(delivery->id) != app->config->number)
			continue;
		assert(delivery_move_is_legal(delivery_state_of_final(delivery->state), STATE_SCHEDULED));
		delivery->state = CALLBACK_WAITING;
		delivery->replayed = true;
		delivery->replay_ms = command->origin.wall_ms;
		delivery->due_ms = command->origin.steady_ms;
		app->state.callback_pending++;
		app->state_changed = true;
		app->callbacks_changed = true;
		command->count++;
		step_wake(app, WAKE_NOW);
	}
	step_ok(command, app);
}

/* ---- what requests are signed with ---- */

static struct app_keys *step_secrets(struct app_config *config, bool private_key)
{
	return private_key ? &config->signers : &config->secrets;
}

void step_secret_rotate(struct live_set *set, struct live_app *app, struct command *command)
{
	struct app_config *config = step_copy(set, app);
	struct app_keys *secrets = step_secrets(config, command->u.secret_rotate.private_key);
	uint32_t known = app_key_find(secrets, command->u.secret_rotate.text);

	if (known) { /* as of keys of UserSigs: two ids, and neither could be revoked */
		step_answer(command, HW_BAD_PARAMETER, "Secret: the app has this one already, as %" PRIu32, known);
		return;
	}
	app_key_rotate(secrets, command->u.secret_rotate.text, command->origin.wall_ms,
		       command->u.secret_rotate.overlap_ms);
	if (step_use(app, config, command))
		return;
	command->key_id = secrets->list[0].id;
	step_ok(command, app);
}

void step_secret_revoke(struct live_set *set, struct live_app *app, struct command *command)
{
	struct app_config *config = step_copy(set, app);
	uint32_t id = command->u.secret_revoke.id;

	if (app_key_revoke(step_secrets(config, command->u.secret_revoke.private_key), id)) {
		step_answer(command, HW_BAD_PARAMETER, "SecretId: the app has none of this kind with id %" PRIu32, id);
		return;
	}
	if (step_use(app, config, command) == 0)
		step_ok(command, app);
}

static void step_certificate(struct live_set *set, struct live_app *app, struct str chain, struct str key)
{
	step_edit(set, app)->certificate_set = chain.len > 0;
	app->certificate_changed = true;
	app->certificate = chain;
	app->certificate_key = key;
}

void step_certificate_set(struct live_set *set, struct live_app *app, struct command *command)
{
	assert(command->u.certificate.chain.len > 0 && command->u.certificate.chain.len <= CERTIFICATE_BYTES_MAX &&
	       command->u.certificate.key.len <= CERTIFICATE_BYTES_MAX);
	step_certificate(set, app, command->u.certificate.chain, command->u.certificate.key);
	step_wake(app, WAKE_NOW);
	step_ok(command, app);
}

void step_certificate_delete(struct live_set *set, struct live_app *app, struct command *command)
{
	if (app->config->certificate_set)
		step_certificate(set, app, STR(""), STR(""));
	step_ok(command, app);
}
