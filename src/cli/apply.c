/* `highwater apply`: makes the apps of a running server as a file says, over the management API.
 *
 * All is read first: the file, the server's apps, and where the file has a token the server's (asked for as an app admin,
 * since the management API gives none). Then each app in turn gets what differs, and is looked at again. Only fields that
 * differ are sent, and the server changes only what it is sent, so a change that somebody else makes meanwhile stays;
 * of two changes of one field the later counts, and when that was not ours, this is told.
 *
 * An app that is refused is told and the others go on. When there is no answer all ends there: then it is not known what
 * became of the call under way, and the next run finds out. */
#include "base/mem.h"
#include "cli/app.h"
#include "cli/apply_show.h"
#include "cli/files.h"

#include <highwater/code.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define APPLY_BODY_BYTES_MAX (16 * 1024)

/* ---- the token, which the management API does not give ---- */

/* Asks as the app's first admin, with the newest key. */
static int apply_ask_token(const struct cli_line *line, struct remote_sender *sender, const struct apply_app *app,
			   enum apply_token *out)
{
	struct remote_answer answer;
	struct remote remote;
	struct error err;
	struct str token = {0};
	int exit = remote_of_line(line, &remote);

	if (exit != CLI_DONE)
		return exit;
	if (remote_send(&remote, sender, "/v4/live_config/get_callback_token", STR("{}"), &answer, &err))
		return cli_fail(line, CLI_IO, "%s", err.text);
	(void)json_field_str(answer.response, "Token", &token); /* stays empty, which no token is */
	if (answer.code == HW_NO_CALLBACK_TOKEN)
		*out = APPLY_TOKEN_NEW;
	else if (answer.code != HW_OK)
		*out = APPLY_TOKEN_UNKNOWN;
	else
		*out = str_eq_secret(token, buf_str(&app->token)) ? APPLY_TOKEN_SAME : APPLY_TOKEN_OTHER;
	remote_answer_free(&answer);
	return CLI_DONE;
}

static int apply_compare_token(const struct cli_line *line, struct apply_step *step)
{
	const json_t *admin = json_array_get(json_object_get(step->before, "Admins"), 0);
	struct remote_sender sender = {.sdkappid = step->sdkappid, .identifier = json_string_value(admin)};
	struct remote_answer answer;
	struct str key;
	struct buf body;
	int exit;

	step->token = APPLY_TOKEN_UNKNOWN;
	buf_init(&body, 256);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu32 ",\"RevealKey\":true}", step->sdkappid);
	exit = remote_run_manage(line, "app_show", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	if (json_field_str(answer.response, "Key", &key) == JSON_FOUND && key.len <= HW_USERSIG_KEY_BYTES_MAX) {
		memcpy(sender.key, key.ptr, key.len);
		sender.key_len = key.len;
	}
	remote_answer_free(&answer);
	if (sender.key_len && sender.identifier)
		exit = apply_ask_token(line, &sender, step->app, &step->token);
	mem_wipe(&sender, sizeof(sender));
	return exit;
}

/* What only the server knows, before anything is changed. */
static int apply_complete_plan(const struct cli_line *line, struct apply_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct apply_step *step = &plan->steps[i];
		int exit;

		if (step->action == APPLY_CREATE && !step->app->token.len && step->differs[APPLY_TOKEN_ENABLE])
			return cli_fail(line, CLI_USAGE,
					"%s: Apps[%zu].IsTokenEnable: app %" PRIu32 " is new and has no token yet: "
					"give TokenFile or TokenVariable",
					line->arguments[0], step->app->index, step->sdkappid);
		if (!step->before || !step->app || !step->app->token.len)
			continue;
		exit = apply_compare_token(line, step);
		if (exit != CLI_DONE)
			return exit;
		if (step->token != APPLY_TOKEN_SAME)
			step->action = APPLY_CHANGE;
	}
	return CLI_DONE;
}

/* ---- calls ---- */

/* Returns 0 when the server did it, 1 when it refused, which the step tells, -1 without an answer. */
static int apply_call(const struct remote *remote, const char *command, const struct buf *body, struct apply_step *step,
		      struct remote_answer *answer_out)
{
	struct error err;

	if (!buf_ok(body)) {
		(void)snprintf(step->error, sizeof(step->error), "too long for one request"); /* fits */
		return 1;
	}
	if (remote_manage(remote, command, buf_str(body), answer_out, &err)) {
		(void)snprintf(step->error, sizeof(step->error), "%.60s: %s", command, err.text); /* fits */
		return -1;
	}
	if (answer_out->code == HW_OK)
		return 0;
	(void)snprintf(step->error, sizeof(step->error), "%.60s was refused (%d): %s", command, answer_out->code,
		       answer_out->text); /* fits */
	return 1;
}

static int apply_call_plain(const struct remote *remote, const char *command, const struct buf *body,
			    struct apply_step *step)
{
	struct remote_answer answer = {0};
	int result = apply_call(remote, command, body, step, &answer);

	remote_answer_free(&answer);
	return result;
}

static void apply_start_body(const struct apply_step *step, struct buf *body)
{
	buf_init(body, APPLY_BODY_BYTES_MAX);
	buf_printf(body, "{\"SdkAppid\":%" PRIu32, step->sdkappid);
}

static void apply_append_field(const struct apply_step *step, unsigned field, struct buf *body)
{
	char *text = json_dumps(step->app->wanted[field], JSON_COMPACT | JSON_ENCODE_ANY);

	buf_printf(body, ",\"%s\":", apply_field_name((enum apply_field)field));
	buf_append_c(body, text ? text : "null");
	free(text); /* jansson's own */
}

/* Those of app_create and app_set that differ. */
static void apply_append_settings(const struct apply_step *step, struct buf *body)
{
	for (unsigned field = 0; field < APPLY_CALLBACK_URL; field++)
		if (step->differs[field])
			apply_append_field(step, field, body);
}

static void apply_mark_done(struct apply_step *step, unsigned from, unsigned to)
{
	for (unsigned field = from; field < to; field++)
		step->done[field] = step->differs[field];
}

/* The app as it is now; -1 without an answer, 1 when there is none. */
static int apply_look(const struct remote *remote, struct apply_step *step, json_t **app_out)
{
	struct remote_answer answer = {0};
	struct buf body;
	int result;

	apply_start_body(step, &body);
	buf_append_char(&body, '}');
	result = apply_call(remote, "app_show", &body, step, &answer);
	buf_fini(&body);
	if (result == 0)
		*app_out = json_incref(answer.response);
	remote_answer_free(&answer);
	return result;
}

static int apply_set(const struct remote *remote, struct apply_step *step)
{
	struct buf body;
	int result;

	if (!apply_step_needs_set(step))
		return 0;
	apply_start_body(step, &body);
	apply_append_settings(step, &body);
	buf_append_char(&body, '}');
	result = apply_call_plain(remote, "app_set", &body, step);
	buf_fini(&body);
	if (result == 0)
		apply_mark_done(step, 0, APPLY_CALLBACK_URL);
	return result;
}

/* URL and switches go together; of token and its switch what differs. */
static int apply_set_callback(const struct remote *remote, struct apply_step *step)
{
	const json_t *url = step->app->wanted[APPLY_CALLBACK_URL];
	bool clear = json_string_length(url) == 0;
	struct buf body;
	int result;

	if (!apply_step_needs_callback(step))
		return 0;
	apply_start_body(step, &body);
	if (!clear) {
		apply_append_field(step, APPLY_CALLBACK_URL, &body);
		apply_append_field(step, APPLY_CALLBACK_COMMANDS, &body);
	}
	if (step->differs[APPLY_TOKEN_ENABLE] || step->token != APPLY_TOKEN_SAME)
		apply_append_field(step, APPLY_TOKEN_ENABLE, &body);
	if (step->token != APPLY_TOKEN_SAME) {
		buf_append_c(&body, ",\"Token\":");
		buf_append_json_string(&body, buf_str(&step->app->token));
	}
	buf_append_char(&body, '}');
	result = apply_call_plain(remote, clear ? "callback_clear" : "callback_set", &body, step);
	files_wipe(&body);
	if (result == 0) {
		apply_mark_done(step, APPLY_CALLBACK_URL, APPLY_FIELD_COUNT);
		step->token_done = step->token != APPLY_TOKEN_SAME;
	}
	return result;
}

static int apply_create(const struct remote *remote, struct apply_step *step)
{
	struct remote_answer answer = {0};
	json_t *found = NULL;
	struct buf body;
	int result;

	apply_start_body(step, &body);
	apply_append_settings(step, &body);
	if (step->app->key.len) {
		buf_append_c(&body, ",\"Key\":");
		buf_append_json_string(&body, buf_str(&step->app->key));
	}
	buf_append_char(&body, '}');
	result = apply_call(remote, "app_create", &body, step, &answer);
	files_wipe(&body);
	if (result == 0) {
		apply_mark_done(step, 0, APPLY_CALLBACK_URL);
	} else if (result == 1 && answer.code == HW_BAD_PARAMETER) {
		char refusal[sizeof(step->error)];

		memcpy(refusal, step->error, sizeof(refusal));
		result = apply_look(remote, step, &found);
		if (result == 1)
			memcpy(step->error, refusal, sizeof(refusal)); /* there is none: that was not why */
	}
	remote_answer_free(&answer);
	if (!found)
		return result;
	apply_step_compare(step, found); /* somebody else has made it meanwhile */
	step->action = APPLY_CHANGE;
	if (step->app->token.len)
		step->token = APPLY_TOKEN_UNKNOWN;
	return apply_set(remote, step);
}

static int apply_delete(const struct remote *remote, struct apply_step *step)
{
	struct remote_answer answer = {0};
	struct buf body;
	int result;

	apply_start_body(step, &body);
	buf_append_char(&body, '}');
	result = apply_call(remote, "app_delete", &body, step, &answer);
	if (result == 1 && answer.code == HW_UNKNOWN_SDKAPPID) /* somebody else was faster */
		result = 0;
	remote_answer_free(&answer);
	buf_fini(&body);
	return result;
}

/* Is it now as the file says? */
static int apply_verify(const struct remote *remote, struct apply_step *step)
{
	struct apply_step now = {.sdkappid = step->sdkappid, .app = step->app};
	json_t *found = NULL;
	struct buf names;
	int result = apply_look(remote, step, &found);

	if (result)
		return result;
	buf_init(&names, sizeof(step->error));
	apply_step_compare(&now, found);
	for (unsigned field = 0; field < APPLY_FIELD_COUNT; field++)
		if (now.differs[field])
			buf_printf(&names, "%s%s", names.len ? ", " : "", apply_field_name((enum apply_field)field));
	if (names.len)
		(void)snprintf(step->error, sizeof(step->error),
			       "somebody else changed it meanwhile, so it is not as the file says: %s", buf_c(&names));
	json_decref(found);
	result = names.len > 0;
	buf_fini(&names);
	return result;
}

/* As apply_call. */
static int apply_run_step(const struct remote *remote, struct apply_step *step)
{
	int result;

	if (step->action == APPLY_SAME)
		return 0;
	if (step->action == APPLY_DELETE)
		return apply_delete(remote, step);
	result = step->action == APPLY_CREATE ? apply_create(remote, step) : apply_set(remote, step);
	if (result == 0)
		result = apply_set_callback(remote, step);
	return result ? result : apply_verify(remote, step);
}

/* ---- the command ---- */

static int apply_read_all(const struct cli_line *line, struct apply_file *file, struct apply_plan *plan)
{
	json_t *apps;
	struct error err;
	int exit;

	if (apply_file_read(line->arguments[0], file, &err))
		return cli_fail(line, err.class == ERR_INVALID ? CLI_USAGE : CLI_IO, "%s", err.text);
	exit = apps_fetch_all(line, &apps);
	if (exit != CLI_DONE)
		return exit;
	apply_plan_make(file, apps, options_get(line, OPTION_PRUNE)->set, plan);
	json_decref(apps);
	return apply_complete_plan(line, plan);
}

static void apply_tell_failure(const struct cli_line *line, const struct apply_step *step)
{
	struct buf done;

	buf_init(&done, 512);
	for (unsigned field = 0; field < APPLY_FIELD_COUNT; field++)
		if (step->done[field])
			buf_printf(&done, "%s%s",
				   done.len ? ", " : "; was set before: ", apply_field_name((enum apply_field)field));
	(void)cli_fail(line, CLI_REFUSED, "app %" PRIu32 ": %s%s", step->sdkappid, step->error, buf_c(&done));
	buf_fini(&done); /* the exit code is that of the whole */
}

/* All steps, or those up to the first without an answer. */
static int apply_run_plan(const struct cli_line *line, struct apply_plan *plan)
{
	bool quiet = options_get(line, OPTION_JSON)->set;
	struct remote remote;
	int exit = remote_of_line(line, &remote);

	for (size_t i = 0; i < plan->count && (exit == CLI_DONE || exit == CLI_REFUSED); i++) {
		struct apply_step *step = &plan->steps[i];
		int result = apply_run_step(&remote, step);

		step->result = result ? APPLY_FAILED : APPLY_DONE;
		if (!quiet)
			apply_show_step(step);
		if (result == 0)
			continue;
		(void)fflush(stdout); /* keeps the order for people */
		apply_tell_failure(line, step);
		exit = result < 0 ? CLI_IO : CLI_REFUSED;
	}
	return exit;
}

static int apply_dry_run(const struct cli_line *line, const struct apply_plan *plan)
{
	bool quiet = options_get(line, OPTION_JSON)->set;
	bool differs = false;

	for (size_t i = 0; i < plan->count; i++) {
		differs = differs || plan->steps[i].action != APPLY_SAME;
		if (!quiet)
			apply_show_step(&plan->steps[i]);
	}
	return differs && options_get(line, OPTION_EXIT_CODE)->set ? CLI_REFUSED : CLI_DONE;
}

static int apply_run(const struct cli_line *line)
{
	bool dry_run = options_get(line, OPTION_DRY_RUN)->set;
	struct apply_file file = {0};
	struct apply_plan plan = {0};
	json_t *whole;
	int exit;

	if (options_get(line, OPTION_EXIT_CODE)->set && !dry_run)
		return cli_fail(line, CLI_USAGE, "--exit-code needs --dry-run");
	exit = apply_read_all(line, &file, &plan);
	if (exit == CLI_DONE) {
		exit = dry_run ? apply_dry_run(line, &plan) : apply_run_plan(line, &plan);
		whole = apply_show_json(&plan, dry_run);
		if (!remote_print_json(line, whole))
			apply_show_sum(&plan, dry_run);
		json_decref(whole);
	}
	apply_plan_free(&plan);
	apply_file_free(&file);
	return exit;
}

static const struct cli_command apply_commands[] = {
	{.group = "apply",
	 .name = "",
	 .arguments = "FILE",
	 .argument_min = 1,
	 .argument_max = 1,
	 .options =
		 REMOTE_OPTIONS | OPTION_BIT(OPTION_DRY_RUN) | OPTION_BIT(OPTION_PRUNE) | OPTION_BIT(OPTION_EXIT_CODE),
	 .summary = "Makes the apps of a server as a JSON file says",
	 .details = "FILE is - for standard input. Nothing is changed when anything in it is wrong.\n"
		    "`highwater app export` prints such a file of what is there.\n",
	 .run = apply_run},
};

const struct cli_group cli_apply_group = {
	.name = "apply",
	.summary = "Makes apps as a file says, shows what differs",
	.commands = apply_commands,
	.command_count = ARRAY_LEN(apply_commands),
};
