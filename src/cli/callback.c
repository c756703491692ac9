/* `highwater callback`: the app's callback URL, switches and token. What became of callbacks stands in callback_show.c,
 * what sends and holds them in callback_send.c.
 *
 * Setting is two calls, the URL first: when it is refused because one exists, the token in use was not touched. */
#include "base/mem.h"
#include "cli/callback.h"
#include "cli/files.h"

#include <highwater/callback.h>
#include <highwater/code.h>
#include <highwater/sign.h>

#include <inttypes.h>
#include <string.h>

/* One call of /v4/live_config/. */
static int callbacks_call(const struct cli_line *line, const struct remote_sender *sender, const char *command,
			  const struct buf *body, struct remote_answer *answer_out)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "/v4/live_config/%s", command); /* fits */
	return remote_run_send(line, sender, path, body, answer_out);
}

static int callbacks_call_plain(const struct cli_line *line, const struct remote_sender *sender, const char *command,
				const struct buf *body)
{
	struct remote_answer answer;
	int exit = callbacks_call(line, sender, command, body, &answer);

	if (exit == CLI_DONE)
		remote_answer_free(&answer);
	return exit;
}

/* ---- set ---- */

static void callbacks_append_commands(struct buf *body, const char *text)
{
	for (bool first = true; *text || first; first = false) {
		size_t len = strcspn(text, ",");

		buf_append_char(body, first ? '[' : ',');
		buf_append_json_string(body, (struct str){text, len});
		text += len + (text[len] == ',');
	}
	buf_append_char(body, ']');
}

static int callbacks_set_url(const struct cli_line *line, const struct remote_sender *sender)
{
	const char *url = options_get(line, OPTION_URL)->text;
	const char *commands = options_get(line, OPTION_COMMANDS)->text;
	bool update = options_get(line, OPTION_UPDATE)->set;
	struct buf body;
	int exit;

	buf_init(&body, CALLBACKS_BODY_BYTES_MAX);
	buf_append_c(&body, "{\"Url\":");
	buf_append_json_string(&body, str_c(url));
	buf_append_c(&body, ",\"CallbackCommandList\":");
	callbacks_append_commands(&body, commands);
	buf_append_char(&body, '}');
	exit = callbacks_call_plain(line, sender, update ? "update_callback" : "set_callback", &body);
	buf_fini(&body);
	return exit;
}

static int callbacks_set_token(const struct cli_line *line, const struct remote_sender *sender, const struct buf *token)
{
	struct buf body;
	int exit;

	if (!options_get(line, OPTION_TOKEN_FILE)->set && !options_get(line, OPTION_NO_TOKEN)->set)
		return CLI_DONE;
	buf_init(&body, CALLBACKS_BODY_BYTES_MAX);
	if (token->len) {
		buf_append_c(&body, "{\"IsTokenEnable\":true,\"Token\":");
		buf_append_json_string(&body, buf_str(token));
		buf_append_char(&body, '}');
	} else {
		buf_append_c(&body, "{\"IsTokenEnable\":false}");
	}
	exit = callbacks_call_plain(line, sender, "set_callback_token", &body);
	files_wipe(&body);
	if (exit != CLI_DONE)
		(void)fprintf(stderr, "The URL was set, the token was not changed.\n"); /* nobody else to tell */
	return exit;
}

/* What the table of options cannot say, and the token. Returns CLI_DONE or the exit code. */
static int callbacks_check_set(const struct cli_line *line, struct buf *token)
{
	const char *url = options_get(line, OPTION_URL)->text;
	const struct option_value *file = options_get(line, OPTION_TOKEN_FILE);
	const char *fault = hw_callback_url_check(url, strlen(url));

	if (fault)
		return cli_fail(line, CLI_USAGE, "--url: %s", fault);
	if (!str_is_utf8(str_c(options_get(line, OPTION_COMMANDS)->text)))
		return cli_fail(line, CLI_USAGE, "--commands must be callback commands with commas between");
	if (file->set && options_get(line, OPTION_NO_TOKEN)->set)
		return cli_fail(line, CLI_USAGE, "--token-file and --no-token exclude each other");
	return file->set ? options_read_secret(line, OPTION_TOKEN_FILE, HW_TOKEN_BYTES_MAX, token) : CLI_DONE;
}

static int callbacks_set(const struct cli_line *line)
{
	struct remote_sender sender = {0};
	struct buf token;
	int exit;

	buf_init(&token, HW_TOKEN_BYTES_MAX + 1024);
	exit = callbacks_check_set(line, &token);
	if (exit == CLI_DONE)
		exit = remote_sender_of_line(line, &sender);
	if (exit == CLI_DONE)
		exit = callbacks_set_url(line, &sender);
	if (exit == CLI_DONE)
		exit = callbacks_set_token(line, &sender, &token);
	if (exit == CLI_DONE && options_get(line, OPTION_JSON)->set)
		(void)puts("{}"); /* standard output is all there is */
	else if (exit == CLI_DONE)
		(void)printf("callbacks of app %" PRIu32 " go to %s\n", sender.sdkappid,
			     options_get(line, OPTION_URL)->text); /* as above */
	mem_wipe(&sender, sizeof(sender));
	files_wipe(&token);
	return exit;
}

/* ---- show, delete ---- */

static void callbacks_print_config(const json_t *config)
{
	const json_t *list = json_object_get(config, "CallbackCommandList");

	(void)printf("  url          %s\n", remote_text(config, "Url")); /* standard output is all there is, as below */
	for (size_t i = 0; i < json_array_size(list); i++)
		(void)printf("  %-12s %s\n", i ? "" : "switched on", json_string_value(json_array_get(list, i)));
	if (json_array_size(list) == 0)
		(void)printf("  switched on  nothing\n");
}

/* The token itself stays where it is. */
static int callbacks_print_token(const struct cli_line *line, const struct remote_sender *sender,
				 const struct buf *body)
{
	struct remote remote;
	struct remote_answer answer;
	struct error err;
	int exit = remote_of_line(line, &remote);

	if (exit != CLI_DONE)
		return exit;
	if (remote_send(&remote, sender, "/v4/live_config/get_callback_token", buf_str(body), &answer, &err))
		return cli_fail(line, CLI_IO, "%s", err.text);
	if (answer.code == HW_NO_CALLBACK_TOKEN)
		(void)printf("  token        none: callbacks are not signed\n"); /* standard output is all there is */
	else if (answer.code == HW_OK)
		(void)printf("  token        set, %s\n", json_is_true(json_object_get(answer.response, "IsTokenEnable"))
								 ? "callbacks carry Sign and RequestTime"
								 : "but switched off: callbacks are not signed");
	else
		exit = remote_tell(line, &answer);
	remote_answer_free(&answer);
	return exit;
}

static int callbacks_show(const struct cli_line *line)
{
	struct remote_sender sender;
	struct remote_answer answer;
	struct buf body;
	int exit = remote_sender_of_line(line, &sender);

	buf_init(&body, CALLBACKS_BODY_BYTES_MAX);
	buf_append_c(&body, "{}");
	if (exit == CLI_DONE)
		exit = callbacks_call(line, &sender, "get_callback", &body, &answer);
	if (exit == CLI_DONE) {
		if (!remote_print_json(line, answer.response)) {
			(void)printf("callbacks of app %" PRIu32 "\n",
				     sender.sdkappid); /* standard output is all there is */
			callbacks_print_config(answer.response);
			exit = callbacks_print_token(line, &sender, &body);
		}
		remote_answer_free(&answer);
	}
	buf_fini(&body);
	mem_wipe(&sender, sizeof(sender));
	return exit;
}

static int callbacks_delete(const struct cli_line *line)
{
	struct remote_sender sender;
	struct buf body;
	int exit = remote_sender_of_line(line, &sender);

	buf_init(&body, CALLBACKS_BODY_BYTES_MAX);
	buf_append_c(&body, "{}");
	if (exit == CLI_DONE)
		exit = callbacks_call_plain(line, &sender, "delete_callback", &body);
	if (exit == CLI_DONE) /* standard output is all there is */
		(void)puts(options_get(line, OPTION_JSON)->set ? "{}" : "no callback URL is configured any more");
	buf_fini(&body);
	mem_wipe(&sender, sizeof(sender));
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
	CALLBACKS_COMMAND("set",
			  REMOTE_APP_OPTIONS | OPTION_BIT(OPTION_URL) | OPTION_BIT(OPTION_COMMANDS) |
				  OPTION_BIT(OPTION_TOKEN_FILE) | OPTION_BIT(OPTION_NO_TOKEN) |
				  OPTION_BIT(OPTION_UPDATE),
			  OPTION_BIT(OPTION_URL), "Sets the app's callback URL, and which callbacks are switched on",
			  "Without --token-file and --no-token the token stays as it is.\n", callbacks_set),
	CALLBACKS_COMMAND("show", REMOTE_APP_OPTIONS, UINT64_C(0), "Shows URL, switches and whether a token is set", "",
			  callbacks_show),
	CALLBACKS_COMMAND("delete", REMOTE_APP_OPTIONS, UINT64_C(0), "Deletes URL and switches; the token stays", "",
			  callbacks_delete),
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
	.summary = "Sets, shows and deletes an app's callback URL; lists, sends, holds and tests callbacks",
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
