/* live_step against an independent model, with random batches from a seed.
 *
 * The model knows nothing of sets, levels or stores. It keeps an owner per room id, a count, and for each percentage
 * whether it has alerted; from the manual's sentences it says what each command must answer and which alerts must come.
 * world_run checks besides that each counter equals the rooms that exist, and the callbacks that wait. A failure prints the seed and the command. */
#include "base/mem.h"
#include "base/random.h"
#include "unit/live/world.h"

#include <stdio.h>

#define MODEL_APPS 3
#define MODEL_ROOMS 40
#define MODEL_BATCH_MAX 20
#define MODEL_COMMANDS 100000
#define MODEL_REPLAYS 8	     /* ids of one command */
#define MODEL_ENDED_KEPT 100 /* callbacks that have ended and can be replayed */

struct model_app {
	uint32_t sdkappid;
	bool exists;
	uint32_t number;
	uint32_t max;
	bool callback_on;
	unsigned count;
	unsigned owners[MODEL_ROOMS]; /* 0: no such room; else 1 + owner */
	bool alerted[101];	      /* per line: it has, and is not re-armed */
	uint64_t sequence;
	unsigned pending;
};

struct model_alert {
	int64_t id;
	unsigned line, count, max;
	bool by_system;
};

struct model {
	struct world world;
	struct prng prng;
	struct alert_policy policy;
	struct model_app apps[MODEL_APPS];
	uint32_t number_next;
	struct model_alert expected[MODEL_BATCH_MAX];
	size_t expected_count;
	struct command commands[MODEL_BATCH_MAX];
	struct app_config configs[MODEL_BATCH_MAX];
	char room_ids[MODEL_BATCH_MAX][16];
	bool ended[WORLD_CALLBACKS];	/* a final mark for it was made in this batch */
	bool replayed[WORLD_CALLBACKS]; /* it was replayed in this batch */
	int64_t replay_ids[MODEL_BATCH_MAX][MODEL_REPLAYS + 1];
	uint64_t replay_counts[MODEL_BATCH_MAX]; /* what a replay must answer */
	uint64_t alerts_total, quota_total, replays_total, batch;
};

static const char *const owner_names[] = {"ann", "bob", "cyd"};

static bool model_is_line(const struct alert_policy *policy, unsigned line)
{
	if (policy->mode == ALERT_STEP && line > policy->thresholds[0] && line <= 100 &&
	    (line - policy->thresholds[0]) % policy->step_percent == 0)
		return true;
	for (unsigned i = 0; i < policy->threshold_count; i++)
		if (policy->thresholds[i] == line)
			return true;
	return false;
}

/* What the count's change, or the maximum's, must do. */
static void model_evaluate(struct model *model, struct model_app *app, bool created, bool may_alert)
{
	const struct alert_policy *policy = &model->policy;
	unsigned reached = 0;

	for (unsigned line = 1; line <= 100; line++) {
		if (app->count == 0 || (int)(app->count * 100) < ((int)line - policy->rearm_margin) * (int)app->max)
			app->alerted[line] = false;
		if (model_is_line(policy, line) && app->count && app->count * 100 >= line * app->max)
			reached = line;
	}
	if (!may_alert || !reached || !app->callback_on)
		return;
	if (app->alerted[reached] && !(policy->mode == ALERT_EVERY && created))
		return;
	for (unsigned line = 1; line <= reached; line++)
		if (model_is_line(policy, line))
			app->alerted[line] = true;
	model->expected[model->expected_count++] = (struct model_alert){app_id_make(app->number, ++app->sequence),
									reached, app->count, app->max, !created};
	app->pending++;
	model->alerts_total++;
}

static int model_room_create(struct model *model, struct model_app *app, unsigned room, unsigned owner)
{
	if (app->owners[room])
		return app->owners[room] == owner + 1 ? HW_ROOM_EXISTS_OWNED : HW_ROOM_EXISTS;
	if (app->count >= app->max) {
		model->quota_total++;
		return HW_QUOTA_FULL;
	}
	app->owners[room] = owner + 1;
	app->count++;
	model_evaluate(model, app, true, true);
	return HW_OK;
}

static int model_room_destroy(struct model *model, struct model_app *app, unsigned room, unsigned by, bool admin)
{
	if (!app->owners[room])
		return HW_NO_ROOM;
	if (app->owners[room] != by + 1 && !admin)
		return HW_NO_PERMISSION;
	app->owners[room] = 0;
	app->count--;
	model_evaluate(model, app, false, false);
	return HW_OK;
}

static int model_app_create(struct model *model, struct model_app *app, uint32_t max)
{
	if (app->exists)
		return HW_BAD_PARAMETER;
	*app = (struct model_app){.sdkappid = app->sdkappid,
				  .exists = true,
				  .number = model->number_next++,
				  .max = max,
				  .callback_on = true};
	return HW_OK;
}

static int model_app_delete(struct model_app *app, bool force)
{
	if (app->count || (app->pending && !force))
		return HW_BAD_PARAMETER;
	*app = (struct model_app){.sdkappid = app->sdkappid};
	return HW_OK;
}

/* ---- one random command, with the answer that it must get ---- */

static int model_make_room_command(struct model *model, struct model_app *app, struct command *command, char *room_id)
{
	unsigned room = (unsigned)prng_below(&model->prng, MODEL_ROOMS);
	unsigned who = (unsigned)prng_below(&model->prng, ARRAY_LEN(owner_names));
	bool create = prng_below(&model->prng, 100) < 60;

	(void)snprintf(room_id, 16, "room-%u", room); /* fits */
	*command = create ? world_create(app->sdkappid, room_id, owner_names[who])
			  : world_destroy(app->sdkappid, room_id, owner_names[who]);
	command->origin.admin = !create && prng_below(&model->prng, 2);
	if (!app->exists)
		return HW_UNKNOWN_SDKAPPID;
	return create ? model_room_create(model, app, room, who)
		      : model_room_destroy(model, app, room, who, command->origin.admin);
}

static int model_make_max_command(struct model *model, struct model_app *app, struct command *command,
				  struct app_config *config)
{
	config->room_count_max = (uint32_t)prng_below(&model->prng, MODEL_ROOMS + 5);
	*command = world_set_max(app->sdkappid, config);
	if (!app->exists)
		return HW_UNKNOWN_SDKAPPID;
	app->max = config->room_count_max;
	model_evaluate(model, app, false, true);
	return HW_OK;
}

static int model_make_switch_command(struct model *model, struct model_app *app, struct command *command)
{
	bool on = prng_below(&model->prng, 4) > 0;

	*command = world_command(COMMAND_CALLBACK_UPDATE, app->sdkappid);
	command->u.callback.url = STR("http://127.0.0.1/");
	command->u.callback.commands = on ? 1u << HW_CALLBACK_THRESHOLD : 0;
	if (!app->exists)
		return HW_UNKNOWN_SDKAPPID;
	app->callback_on = on;
	return HW_OK;
}

static int model_make_life_command(struct model *model, struct model_app *app, struct command *command,
				   struct app_config *config)
{
	bool create = prng_below(&model->prng, 2);

	*command = world_command(create ? COMMAND_APP_CREATE : COMMAND_APP_DELETE, app->sdkappid);
	if (create) {
		*config = world_config(model->policy.mode, (uint32_t)prng_below(&model->prng, MODEL_ROOMS + 1));
		config->alert = model->policy;
		command->u.app_create = config;
		return model_app_create(model, app, config->room_count_max);
	}
	command->u.app_delete.force = prng_below(&model->prng, 2);
	return app->exists ? model_app_delete(app, command->u.app_delete.force) : HW_UNKNOWN_SDKAPPID;
}

/* A mark for a stored callback that has no final one yet. */
static int model_make_mark_command(struct model *model, struct model_app *app, struct command *command)
{
	for (size_t i = 0; i < model->world.callback_count; i++) {
		const struct world_callback *callback = &model->world.callbacks[i];
		enum delivery_mark mark = (enum delivery_mark)prng_below(&model->prng, 4);

		if (callback->sdkappid != app->sdkappid || callback->state != CALLBACK_WAITING || model->ended[i])
			continue;
		*command = world_mark(app->sdkappid, callback->id, mark);
		if (!app->exists || app_id_number(callback->id) != app->number)
			return HW_UNKNOWN_SDKAPPID;
		if (mark != DELIVERY_RETRY) {
			model->ended[i] = true;
			app->pending--;
		}
		return HW_OK;
	}
	return model_make_switch_command(model, app, command);
}

/* A replay of random callbacks: any app's, any state, and some that never were. */
static int model_make_replay_command(struct model *model, struct model_app *app, size_t at)
{
	size_t count = prng_below(&model->prng, MODEL_REPLAYS + 1);
	size_t used = 0;

	for (size_t i = 0; i < count && model->world.callback_count; i++) {
		size_t pick = prng_below(&model->prng, model->world.callback_count);
		int64_t id = model->world.callbacks[pick].id;
		bool twice = false;

		for (size_t j = 0; j < used; j++)
			twice |= model->replay_ids[at][j] == id;
		if (twice)
			continue;
		model->replay_ids[at][used++] = id;
		if (!app->exists || app_id_number(id) != app->number || model->replayed[pick] ||
		    model->world.callbacks[pick].state == CALLBACK_WAITING)
			continue;
		model->replayed[pick] = true;
		app->pending++;
		model->replay_counts[at]++;
		model->replays_total++;
	}
	model->replay_ids[at][used] = app_id_make(app->number, app->sequence + 1000); /* never was */
	model->commands[at] = world_command(COMMAND_CALLBACK_REPLAY, app->sdkappid);
	model->commands[at].u.replay.ids = model->replay_ids[at];
	model->commands[at].u.replay.count = used < MODEL_REPLAYS ? used + 1 : used;
	return app->exists ? HW_OK : HW_UNKNOWN_SDKAPPID;
}

static int model_make_command(struct model *model, size_t at)
{
	struct model_app *app = &model->apps[prng_below(&model->prng, MODEL_APPS)];
	struct command *command = &model->commands[at];
	uint64_t dice = prng_below(&model->prng, 100);

	model->replay_counts[at] = 0;
	if (dice < 77)
		return model_make_room_command(model, app, command, model->room_ids[at]);
	if (dice < 80)
		return model_make_replay_command(model, app, at);
	if (dice < 84)
		return model_make_max_command(model, app, command, &model->configs[at]);
	if (dice < 87)
		return model_make_switch_command(model, app, command);
	if (dice < 97)
		return model_make_mark_command(model, app, command);
	return model_make_life_command(model, app, command, &model->configs[at]);
}

/* ---- comparing ---- */

static void model_check_alerts(struct model *model)
{
	struct world *world = &model->world;

	assert_int_equal(world->callback_count - world->last_batch, model->expected_count);
	for (size_t i = 0; i < model->expected_count; i++) {
		const struct world_callback *got = &world->callbacks[world->last_batch + i];
		const struct model_alert *want = &model->expected[i];
		struct hw_alert alert;
		char reason[160];

		assert_int_equal(hw_alert_parse(got->body, strlen(got->body), &alert, reason, sizeof(reason)), 0);
		assert_true(got->id == want->id);
		assert_int_equal(got->threshold, want->line);
		assert_int_equal(alert.room_count, want->count);
		assert_int_equal(alert.room_count_max, want->max);
		assert_int_equal(strcmp(alert.operator_account, APP_SYSTEM_OPERATOR) == 0, want->by_system);
	}
}

static void model_check_apps(struct model *model)
{
	for (size_t i = 0; i < MODEL_APPS; i++) {
		const struct model_app *want = &model->apps[i];
		const struct world_app *got = world_app(&model->world, want->sdkappid);

		assert_int_equal(got != NULL, want->exists);
		if (!got)
			continue;
		assert_int_equal(got->config.number, want->number);
		assert_int_equal(got->state.room_count, want->count);
		assert_int_equal(got->state.callback_pending, want->pending);
		assert_int_equal(got->state.callback_sequence, want->sequence);
		for (unsigned room = 0; room < MODEL_ROOMS; room++) {
			char room_id[16];
			const struct world_room *row;

			(void)snprintf(room_id, sizeof(room_id), "room-%u", room); /* fits */
			row = world_room(&model->world, want->number, str_c(room_id));
			assert_int_equal(row != NULL, want->owners[room] != 0);
			if (row)
				assert_string_equal(row->owner, owner_names[want->owners[room] - 1]);
		}
	}
}

/* Forgets the oldest callbacks that have ended, so that the world's array lasts. */
static void model_forget_callbacks(struct model *model)
{
	struct world *world = &model->world;
	size_t ended = 0;
	size_t keep = 0;

	for (size_t i = 0; i < world->callback_count; i++)
		ended += world->callbacks[i].state != CALLBACK_WAITING;
	for (size_t i = 0; i < world->callback_count; i++) {
		if (world->callbacks[i].state == CALLBACK_WAITING || ended <= MODEL_ENDED_KEPT)
			world->callbacks[keep++] = world->callbacks[i];
		else
			ended--;
	}
	memset(&world->callbacks[keep], 0, (world->callback_count - keep) * sizeof(world->callbacks[0]));
	world->callback_count = keep;
	memset(model->ended, 0, sizeof(model->ended));
	memset(model->replayed, 0, sizeof(model->replayed));
}

static void model_run_batch(struct model *model)
{
	size_t count = 1 + prng_below(&model->prng, MODEL_BATCH_MAX);
	struct command *pointers[MODEL_BATCH_MAX];
	int want[MODEL_BATCH_MAX];

	model->expected_count = 0;
	for (size_t i = 0; i < count; i++) {
		want[i] = model_make_command(model, i);
		pointers[i] = &model->commands[i];
	}
	world_run(&model->world, pointers, count);
	for (size_t i = 0; i < count; i++)
		if (pointers[i]->code != want[i])
			fail_msg("batch %llu, command %zu of type %d answered %d, not %d: %s",
				 (unsigned long long)model->batch, i, (int)pointers[i]->type, pointers[i]->code,
				 want[i], pointers[i]->text);
	for (size_t i = 0; i < count; i++)
		assert_true(pointers[i]->count == model->replay_counts[i]);
	model_check_alerts(model);
	model_forget_callbacks(model);
}

static void run_model(enum alert_mode mode, const char *thresholds, uint8_t margin, uint8_t step, uint64_t seed)
{
	struct model *model = mem_zalloc(sizeof(*model));
	struct error err;
	size_t commands = 0;

	model->policy = (struct alert_policy){.mode = mode, .rearm_margin = margin, .step_percent = step};
	assert_int_equal(alert_thresholds_parse(str_c(thresholds), &model->policy, &err), 0);
	model->prng.state = seed;
	model->number_next = model->world.app_number_next = 1;
	for (uint32_t i = 0; i < MODEL_APPS; i++)
		model->apps[i].sdkappid = 1400000000 + i;
	for (model->batch = 0; commands < MODEL_COMMANDS; model->batch++) {
		model_run_batch(model);
		commands += MODEL_BATCH_MAX / 2;
		if (model->batch % 16 == 0)
			model_check_apps(model);
	}
	model_check_apps(model);
	assert_true(model->alerts_total > 500); /* the run met what it is for */
	assert_true(model->quota_total > 500);
	assert_true(model->replays_total > 500);
	mem_free(model);
}

static void test_step_matches_the_model_in_mode_every(void **state)
{
	(void)state;
	run_model(ALERT_EVERY, "70", 5, 10, 1);
}

static void test_step_matches_the_model_in_mode_edge(void **state)
{
	(void)state;
	run_model(ALERT_EDGE, "70", 5, 10, 2);
	run_model(ALERT_EDGE, "3,50,85,100", 7, 10, 3);
}

static void test_step_matches_the_model_in_mode_step(void **state)
{
	(void)state;
	run_model(ALERT_STEP, "70", 5, 10, 4);
	run_model(ALERT_STEP, "10,33", 12, 7, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_step_matches_the_model_in_mode_every),
		cmocka_unit_test(test_step_matches_the_model_in_mode_edge),
		cmocka_unit_test(test_step_matches_the_model_in_mode_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
