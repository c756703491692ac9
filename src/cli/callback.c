/* `highwater callback`: the app's callback URL, switches and token, set by the operator over the management API. What became
 * of callbacks stands in callback_show.c, what sends and holds them in callback_send.c.
 *
 * What is not given stays: the server takes URL and switches together, so those that are there are asked for first. */
#include "cli/callback.h"
#include "cli/app.h"
#include "cli/files.h"

#include <highwater/callback.h>
#include <highwater/sign.h>

#include <inttypes.h>
#include <string.h>

#define CALLBACKS_DEFAULT "Live.CallbackAfterCreateRoomReachingThreshold" /* what is switched on with a first URL */

static void callbacks_start_body(const struct cli_line *line, struct buf *body)
{
	buf_init(body, CALLBACKS_BODY_BYTES_MAX);
	buf_printf(body, "{\"SdkAppid\":%" PRIu64, options_get(line, OPTION_APP)->number);
}

static int callbacks_fetch_app(const struct cli_line *line, struct remote_answer *answer_out)
{
	struct buf body;
	int exit;

	callbacks_start_body(line, &body);
	buf_append_char(&body, '}');
	exit = remote_run_manage(line, "app_show", &body, answer_out);
	buf_fini(&body);
	return exit;
}

/* ---- set ---- */

/* What can be told without the server; reads the token. */
static int callbacks_check_set(const struct cli_line *line, struct buf *token)
{
	const struct option_value *url = options_get(line, OPTION_URL);
	const struct option_value *file = options_get(line, OPTION_TOKEN_FILE);
	bool no_token = options_get(line, OPTION_NO_TOKEN)->set;
	const char *fault = url->set ? hw_callback_url_check(url->text, strlen(url->text)) : NULL;

	if (fault)
		return cli_fail(line, CLI_USAGE, "--url: %s", fault);
	if (!str_is_utf8(str_c(options_get(line, OPTION_COMMANDS)->text)))
		return cli_fail(line, CLI_USAGE, "--commands must be callback commands with commas between");
	if (file->set && no_token)
		return cli_fail(line, CLI_USAGE, "--token-file and --no-token exclude each other");
	if (!url->set && !options_get(line, OPTION_COMMANDS)->set && !file->set && !no_token)
		return cli_fail(line, CLI_USAGE,
				"nothing to set: give at least one of --url, --commands, --token-file, --no-token");
	return file->set ? options_read_secret(line, OPTION_TOKEN_FILE, HW_TOKEN_BYTES_MAX, token) : CLI_DONE;
}

static void callbacks_append_given(struct buf *body, const char *text)
{
	for (bool first = true; *text || first; first = false) {
		size_t len = strcspn(text, ",");

		buf_append_char(body, first ? '[' : ',');
		buf_append_json_string(body, (struct str){text, len});
		text += len + (text[len] == ',');
	}
	buf_append_char(body, ']');
}

static void callbacks_append_present(struct buf *body, const json_t *list)
{
	buf_append_char(body, '[');
	for (size_t i = 0; i < json_array_size(list); i++) {
		buf_append_c(body, i ? "," : "");
		buf_append_json_string(body, json_str(json_array_get(list, i)));
	}
	buf_append_char(body, ']');
}

/* URL and switches as given, else as `app` has them. */
static void callbacks_append_set(const struct cli_line *line, const json_t *app, const struct buf *token,
				 struct buf *body)
{
	const struct option_value *url = options_get(line, OPTION_URL);
	const struct option_value *commands = options_get(line, OPTION_COMMANDS);
	const char *present = remote_text(app, "CallbackUrl");

	buf_append_c(body, ",\"CallbackUrl\":");
	buf_append_json_string(body, str_c(url->set ? url->text : present));
	buf_append_c(body, ",\"CallbackCommandList\":");
	if (commands->set || !*present)
		callbacks_append_given(body, commands->set ? commands->text : CALLBACKS_DEFAULT);
	else
		callbacks_append_present(body, json_object_get(app, "CallbackCommandList"));
	if (token->len) {
		buf_append_c(body, ",\"IsTokenEnable\":true,\"Token\":");
		buf_append_json_string(body, buf_str(token));
	} else if (options_get(line, OPTION_NO_TOKEN)->set && json_is_true(json_object_get(app, "IsTokenEnable"))) {
		buf_append_c(body, ",\"IsTokenEnable\":false");
	}
	buf_append_char(body, '}');
}

static int callbacks_send_set(const struct cli_line *line, const json_t *app, const struct buf *token)
{
	const struct option_value *url = options_get(line, OPTION_URL);
	const char *present = remote_text(app, "CallbackUrl");
	struct buf body;
	char done[HW_CALLBACK_URL_BYTES_MAX + 64];
	int exit;

	if (!url->set && !*present)
		return cli_fail(line, CLI_USAGE, "--url is missing: the app has no callback URL yet");
	(void)snprintf(done, sizeof(done), "callbacks of app %" PRIu64 " go to %s",
		       options_get(line, OPTION_APP)->number, url->set ? url->text : present); /* fits */
	callbacks_start_body(line, &body);
	callbacks_append_set(line, app, token, &body);
	exit = apps_run_plain(line, "callback_set", &body, done);
	files_wipe(&body);
	return exit;
}

static int callbacks_set(const struct cli_line *line)
{
	struct remote_answer app;
	struct buf token;
	int exit;

	buf_init(&token, HW_TOKEN_BYTES_MAX + 1024);
	exit = callbacks_check_set(line, &token);
	if (exit == CLI_DONE)
		exit = callbacks_fetch_app(line, &app);
	if (exit == CLI_DONE) {
		exit = callbacks_send_set(line, app.response, &token);
		remote_answer_free(&app);
	}
	files_wipe(&token);
	return exit;
}

/* ---- show, clear ---- */

/* For --json: what is about callbacks. */
static json_t *callbacks_config(const json_t *app)
{
	static const char *const names[] = {"SdkAppid", "CallbackUrl", "CallbackCommandList", "IsTokenEnable",
					    "Endpoint"};
	json_t *config = json_object();

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)json_object_set(config, names[i], json_object_get(app, names[i])); /* memory ends the process */
	return config;
}

static void callbacks_print_config(const json_t *app)
{
	const json_t *list = json_object_get(app, "CallbackCommandList");
	const char *url = remote_text(app, "CallbackUrl");

	/* standard output is all there is, as below */
	(void)printf("callbacks of app %" PRId64 "\n  url          %s\n", remote_number(app, "SdkAppid"),
		     *url ? url : "none: no callback is made");
	for (size_t i = 0; i < json_array_size(list); i++)
		(void)printf("  %-12s %s\n", i ? "" : "switched on", json_string_value(json_array_get(list, i)));
	if (json_array_size(list) == 0)
		(void)printf("  switched on  nothing\n");
	(void)printf("  token        %s\n", json_is_true(json_object_get(app, "IsTokenEnable"))
						    ? "callbacks carry Sign and RequestTime"
						    : "none, or switched off: callbacks carry no Sign");
	(void)printf("  endpoint     %s\n", remote_text(json_object_get(app, "Endpoint"), "State"));
}

static int callbacks_show(const struct cli_line *line)
{
	struct remote_answer answer;
	json_t *config;
	int exit = callbacks_fetch_app(line, &answer);

	if (exit != CLI_DONE)
		return exit;
	config = callbacks_config(answer.response);
	if (!remote_print_json(line, config))
		callbacks_print_config(config);
	json_decref(config);
	remote_answer_free(&answer);
	return CLI_DONE;
}

static int callbacks_clear(const struct cli_line *line)
{
	struct buf body;
	int exit;

	callbacks_start_body(line, &body);
	buf_append_char(&body, '}');
	exit = apps_run_plain(line, "callback_clear", &body, "no callback URL is configured any more");
	buf_fini(&body);
	return exit;
}

#define CALLBACKS_COMMAND(word, taken, needed, text, more, function)                                                   \
	{                                                                                                              \
		.group = "callback", .name = word, .arguments = "", .options = (taken),                                \
		.required = OPTION_BIT(OPTION_APP) | (needed), .summary = text, .details = more, .run = function       \
	}

/* Calls of the management API that need not name an app. */
#define CALLBACKS_LOOK(word, line_arguments, least, taken, text, more, function)                                       \
	{                                                                                                              \
		.group = "callback", .name = word, .arguments = line_arguments, .argument_min = least,                 \
		.argument_max = sizeof(line_arguments) > 1, .options = REMOTE_OPTIONS | (taken), .summary = text,      \
		.details = more, .run = function                                                                       \
	}

/* It has a short name of its own, too. */
#define CALLBACKS_REPLAY(group_word, word)                                                                             \
	{                                                                                                              \
		.group = group_word, .name = word, .arguments = "[WEBHOOK-ID]", .argument_max = 1,                     \
		.options = REMOTE_OPTIONS | OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_FROM) | OPTION_BIT(OPTION_TO) | \
			   OPTION_BIT(OPTION_SINCE) | OPTION_BIT(OPTION_UNTIL) | OPTION_BIT(OPTION_STATE),             \
		.summary = "Sends callbacks again that were delivered, superseded or have failed",                     \
		.details = "Which: a WEBHOOK-ID, or --app with --from and --to, or --app with --since and, if you "    \
			   "like, --until.\nOf a range those that have failed, unless --state says otherwise.\n",      \
		.run = callbacks_replay                                                                                \
	}

static const struct cli_command callbacks_commands[] = {
	CALLBACKS_COMMAND(
		"set",
		REMOTE_OPTIONS | OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_URL) | OPTION_BIT(OPTION_COMMANDS) |
			OPTION_BIT(OPTION_TOKEN_FILE) | OPTION_BIT(OPTION_NO_TOKEN),
		UINT64_C(0), "Sets the app's callback URL, and which callbacks are switched on",
		"What is not given stays as it is; with a first URL the alert is switched on.\n", callbacks_set),
	CALLBACKS_COMMAND("show", REMOTE_OPTIONS | OPTION_BIT(OPTION_APP), UINT64_C(0),
			  "Shows URL, switches and whether callbacks carry Sign", "", callbacks_show),
	CALLBACKS_COMMAND("clear", REMOTE_OPTIONS | OPTION_BIT(OPTION_APP), UINT64_C(0),
			  "Clears URL and switches; the token stays", "", callbacks_clear),
	CALLBACKS_LOOK("list", "", 0,
		       OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_STATE) | OPTION_BIT(OPTION_SINCE) |
			       OPTION_BIT(OPTION_UNTIL) | OPTION_BIT(OPTION_LIMIT),
		       "Lists callbacks and what became of them, newest first",
		       "Of all apps without --app. Shows the newest 20 unless --limit says otherwise.\n",
		       callbacks_list),
	CALLBACKS_LOOK("attempts", "WEBHOOK-ID", 1, UINT64_C(0), "Shows a callback and the attempts to deliver it", "",
		       callbacks_attempts),
	CALLBACKS_REPLAY("callback", "replay"),
	CALLBACKS_COMMAND("pause", REMOTE_OPTIONS | OPTION_BIT(OPTION_APP), UINT64_C(0),
			  "Holds the app's callbacks back; they are kept", "", callbacks_pause),
	CALLBACKS_COMMAND("resume", REMOTE_OPTIONS | OPTION_BIT(OPTION_APP), UINT64_C(0),
			  "Sends them again, also after the endpoint answered 410", "", callbacks_resume),
	CALLBACKS_COMMAND("test", REMOTE_OPTIONS | OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_WAIT), UINT64_C(0),
			  "Sends a test to the app's callback URL, and tells what came of it",
			  "The exit code is 0 when it was delivered.\n", callbacks_test),
};

const struct cli_group cli_callback_group = {
	.name = "callback",
	.summary = "Sets, shows and clears an app's callback URL; lists, sends, holds and tests callbacks",
	.commands = callbacks_commands,
	.command_count = ARRAY_LEN(callbacks_commands),
};

static const struct cli_command replay_commands[] = {CALLBACKS_REPLAY("replay", "")};

const struct cli_group cli_replay_group = {
	.name = "replay",
	.summary = "Sends callbacks again: short for `highwater callback replay`",
	.commands = replay_commands,
	.command_count = ARRAY_LEN(replay_commands),
};
