/* Reading a command's line; see options.h. */
#include "cli/options.h"
#include "base/settings.h"
#include "cli/files.h"

#include <highwater/usersig.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum option_type { OPTION_TEXT, OPTION_FLAG, OPTION_NUMBER, OPTION_DURATION };

struct option_row {
	const char *name;
	const char *word; /* of the value, for the help */
	enum option_type type;
	uint64_t min; /* of numbers; of durations in milliseconds */
	uint64_t max;
	const char *environment; /* or NULL */
	const char *fallback;
	const char *help;
};

static const struct option_row option_rows[OPTION_COUNT] = {
	[OPTION_APP] = {"app", "SDKAPPID", OPTION_NUMBER, 1, HW_SDKAPPID_MAX, NULL, "", "The app, by its SDKAppID."},
	[OPTION_MAX] = {"max", "N", OPTION_NUMBER, 0, INT64_MAX, NULL, "",
			"Most rooms the app may have at a time (a new app: 500)."},
	[OPTION_MODE] =
		{"mode", "every|edge|step", OPTION_TEXT, 0, 0, NULL, "",
		 "When to alert: every creation at or above a threshold, edge: once when it is crossed, step: as "
		 "edge and again each further --step (a new app: every)."},
	[OPTION_THRESHOLDS] = {"thresholds", "LIST", OPTION_TEXT, 0, 0, NULL, "",
			       "Percentages of the maximum, rising, such as 70,85 (a new app: 70)."},
	[OPTION_REARM_MARGIN] =
		{"rearm-margin", "N", OPTION_NUMBER, 0, INT64_MAX, NULL, "",
		 "How many percentage points the count must fall below a threshold before it alerts again, "
		 "in modes edge and step (a new app: 5)."},
	[OPTION_STEP] = {"step", "N", OPTION_NUMBER, 0, INT64_MAX, NULL, "",
			 "Percentage points between the further alerts of mode step (a new app: 10)."},
	[OPTION_ADMINS] = {"admins", "LIST", OPTION_TEXT, 0, 0, NULL, "",
			   "Who may call the server API, such as administrator,ops (a new app: administrator)."},
	[OPTION_OVERWRITE] = {"overwrite", NULL, OPTION_FLAG, 0, 0, NULL, "",
			      "Let set_callback replace a callback configuration that exists."},
	[OPTION_NO_OVERWRITE] = {"no-overwrite", NULL, OPTION_FLAG, 0, 0, NULL, "",
				 "Let set_callback answer 100300 when a callback configuration exists."},
	[OPTION_REVEAL_KEY] = {"reveal-key", NULL, OPTION_FLAG, 0, 0, NULL, "",
			       "Print the app's key too; it is a secret."},
	[OPTION_FORCE] = {"force", NULL, OPTION_FLAG, 0, 0, NULL, "",
			  "Delete also while callbacks wait to be delivered; they end as failed."},
	[OPTION_REQUIRE_ACCOUNTS] =
		{"require-accounts", "on|off", OPTION_TEXT, 0, 0, NULL, "",
		 "Whether owners and robots of rooms must have been imported as accounts (a new app: off)."},
	[OPTION_KEY_FILE] = {"key-file", "FILE", OPTION_TEXT, 0, 0, NULL, "",
			     "File with the app's key, or in PEM the key of its certificate; - reads standard input."},
	[OPTION_OVERLAP] = {"overlap", "DURATION", OPTION_DURATION, 0, UINT64_C(31536000000), NULL, "1d",
			    "How long the other keys or secrets stay valid at most, in whole seconds, with a unit: s, "
			    "m, h or d; 0s "
			    "ends them at once."},
	[OPTION_AS] = {"as", "IDENTIFIER", OPTION_TEXT, 0, 0, NULL, "administrator",
		       "Which user makes the call, with --client."},
	[OPTION_CLIENT] = {"client", NULL, OPTION_FLAG, 0, 0, NULL, "",
			   "Call as an app user does from a client, not as the server's operator."},
	[OPTION_PLATFORM] = {"platform", "Web|Android|iOS|Windows|Mac|iPad|Unknown", OPTION_TEXT, 0, 0, NULL, "",
			     "The client's platform; of a room it needs --client."},
	[OPTION_NAME] = {"name", "TEXT", OPTION_TEXT, 0, 0, NULL, "", "Name of the room (without it: its id)."},
	[OPTION_OWNER] = {"owner", "IDENTIFIER", OPTION_TEXT, 0, 0, NULL, "",
			  "Owner of the room (without it: administrator, or with --client who makes the call)."},
	[OPTION_HIDDEN] = {"hidden", NULL, OPTION_FLAG, 0, 0, NULL, "", "Leave the room out of lists."},
	[OPTION_URL] = {"url", "URL", OPTION_TEXT, 0, 0, NULL, "", "Where the app's callbacks go, http or https."},
	[OPTION_COMMANDS] = {"commands", "LIST", OPTION_TEXT, 0, 0, NULL, "",
			     "Callback commands to switch on, with commas between."},
	[OPTION_TOKEN_FILE] =
		{"token-file", "FILE", OPTION_TEXT, 0, 0, NULL, "",
		 "File with the token that callbacks are signed with; switches Sign and RequestTime on. - "
		 "reads standard input."},
	[OPTION_NO_TOKEN] = {"no-token", NULL, OPTION_FLAG, 0, 0, NULL, "", "Switch Sign and RequestTime off."},
	[OPTION_LIMIT] = {"limit", "N", OPTION_NUMBER, 1, INT64_MAX, NULL, "", "Show at most this many."},
	[OPTION_KIND] = {"kind", "v1|v1a", OPTION_TEXT, 0, 0, NULL, "",
			 "v1: a shared secret, HMAC-SHA256; v1a: a private key, Ed25519."},
	[OPTION_ID] = {"id", "N", OPTION_NUMBER, 1, INT64_MAX, NULL, "", "Which one; `highwater app show` lists them."},
	[OPTION_SECRET_FILE] = {"secret-file", "FILE", OPTION_TEXT, 0, 0, NULL, "",
				"File with the secret, whsec_... or whsk_...; - reads standard input."},
	[OPTION_CERT_FILE] = {"cert-file", "FILE", OPTION_TEXT, 0, 0, NULL, "",
			      "PEM file with the certificate, and after it those that lead to its authority."},
	[OPTION_STATE] = {"state", "pending|scheduled|in_flight|parked|delivered|superseded|failed|waiting|final",
			  OPTION_TEXT, 0, 0, NULL, "",
			  "Only callbacks in this state; waiting: any of the first four, final: delivered, superseded "
			  "or failed."},
	[OPTION_SINCE] = {"since", "TIME", OPTION_TEXT, 0, 0, NULL, "",
			  "Only events from this time on: 2h (ago), 2026-11-25T03:00:00Z, or milliseconds since 1970."},
	[OPTION_UNTIL] = {"until", "TIME", OPTION_TEXT, 0, 0, NULL, "", "Only events up to this time."},
	[OPTION_FROM] = {"from", "SEQUENCE", OPTION_NUMBER, 1, INT64_MAX, NULL, "", "First of a range of callbacks."},
	[OPTION_TO] = {"to", "SEQUENCE", OPTION_NUMBER, 1, INT64_MAX, NULL, "", "Last of the range, which is in it."},
	[OPTION_WAIT] = {"wait", "DURATION", OPTION_DURATION, 0, 3600000, NULL, "15s",
			 "How long to wait for the delivery, with a unit: ms, s or m."},
	[OPTION_IDENTIFIER] = {"identifier", "NAME", OPTION_TEXT, 0, 0, NULL, "", "The user the UserSig belongs to."},
	[OPTION_EXPIRE] = {"expire", "DURATION", OPTION_DURATION, 1000, HW_USERSIG_EXPIRE_MAX_S *UINT64_C(1000), NULL,
			   "180d", "How long the UserSig is valid, with a unit: s, m, h or d."},
	[OPTION_ONCE] = {"once", NULL, OPTION_FLAG, 0, 0, NULL, "",
			 "Stop after the alert was checked; the exit code says whether all was as it must be."},
	[OPTION_DIR] = {"dir", "FOLDER", OPTION_TEXT, 0, 0, NULL, "",
			"Where to keep data, logs and certificates, a new or empty folder that stays (without it: a "
			"temporary one)."},
	[OPTION_ALLOWED_ADDRESSES] =
		{"allowed-addresses", "LIST", OPTION_TEXT, 0, 0, NULL, "",
		 "Addresses and ranges beside the public ones that callbacks may go to, as the server's setting "
		 "callback.allowed_addresses; * for all."},
	[OPTION_SERVER] = {"server", "URL", OPTION_TEXT, 0, 0, "HIGHWATER_SERVER", "http://127.0.0.1:8080",
			   "Address of the running server."},
	[OPTION_CA_FILE] = {"ca-file", "FILE", OPTION_TEXT, 0, 0, "HIGHWATER_CA_FILE", "",
			    "PEM file with the certificates to trust, for https (without it: the system's)."},
	[OPTION_ADMIN_TOKEN_FILE] = {"admin-token-file", "FILE", OPTION_TEXT, 0, 0, "HIGHWATER_ADMIN_TOKEN_FILE",
				     "./highwater-data/admin-token", "The server's admin token, from its data folder."},
	[OPTION_JSON] = {"json", NULL, OPTION_FLAG, 0, 0, NULL, "",
			 "Print JSON: the server's Response, or what was found."},
	[OPTION_RECORD] = {"record", "FILE", OPTION_TEXT, 0, 0, "HIGHWATER_RECORD", "./callbacks.db",
			   "The record of `highwater receive` or `highwater listen`."},
	[OPTION_FORMAT] = {"format", "jsonl|csv", OPTION_TEXT, 0, 0, NULL, "jsonl", "JSON lines, or CSV."},
	[OPTION_CLEAR] = {"clear", NULL, OPTION_FLAG, 0, 0, NULL, "", "Let the gaps not count any more."},
	[OPTION_THRESHOLD] = {"threshold", "PERCENT", OPTION_NUMBER, 1, 100, NULL, "", "Threshold of the alert."},
	[OPTION_COMMAND] = {"command", "COMMAND", OPTION_TEXT, 0, 0, NULL, "",
			    "Callback command, such as Live.CallbackAfterCreateRoom."},
	[OPTION_CURRENT] = {"current", "N", OPTION_NUMBER, 0, INT64_MAX, NULL, "400", "Rooms that the alert tells."},
	[OPTION_OPERATOR] = {"operator", "IDENTIFIER", OPTION_TEXT, 0, 0, NULL, "administrator",
			     "Who caused the callback."},
	[OPTION_ROOM] = {"room", "ROOM", OPTION_TEXT, 0, 0, NULL, "room-1", "Room of a callback about a room."},
	[OPTION_IP] = {"ip", "ADDRESS", OPTION_TEXT, 0, 0, NULL, "127.0.0.1",
		       "Address of who caused the callback, its ClientIP."},
	[OPTION_SKEW] = {"skew", "DURATION", OPTION_TEXT, 0, 0, NULL, "0s",
			 "How far the sender's clock is off, such as 90s or -5m."},
	[OPTION_FAULT] = {"fault", "FAULT", OPTION_TEXT, 0, 0, NULL, "",
			  "What to do wrong, or odd: one of those above."},
	[OPTION_TOLD_MAX] = {"max", "N", OPTION_NUMBER, 0, INT64_MAX, NULL, "500",
			     "The app's maximum that the alert tells."},
	[OPTION_TOLD_THRESHOLD] = {"threshold", "PERCENT", OPTION_NUMBER, 1, 100, NULL, "70",
				   "Threshold that the alert has reached."},
	[OPTION_TOLD_PLATFORM] = {"platform", "RESTAPI|Web|Android|iOS|Windows|Mac|iPad|Unknown", OPTION_TEXT, 0, 0,
				  NULL, "RESTAPI", "Where the callback was caused, its OptPlatform."},
	[OPTION_TIMES] = {"times", "N", OPTION_NUMBER, 1, 1000, NULL, "1", "Send the same event so often."},
	[OPTION_EVENT_ID] = {"event-id", "ID", OPTION_TEXT, 0, 0, NULL, "",
			     "The event's webhook-id (without it: a new one)."},
	[OPTION_BODY_FILE] = {"body-file", "FILE", OPTION_TEXT, 0, 0, NULL, "",
			      "File with the packet to send instead; - reads standard input."},
	[OPTION_JUNIT] = {"junit", "FILE", OPTION_TEXT, 0, 0, NULL, "", "Write a JUnit XML report there, too."},
	[OPTION_FOREIGN_APP] = {"foreign-app", "SDKAPPID", OPTION_NUMBER, 1, HW_SDKAPPID_MAX, NULL, "",
				"An app that the receiver does not serve (without it: the one after --app)."},
	[OPTION_LISTEN] = {"listen", "ADDRESS", OPTION_TEXT, 0, 0, NULL, "127.0.0.1:8081",
			   "Address and port to listen on; port 0 takes a free one."},
	[OPTION_FORWARD] = {"forward", "URL", OPTION_TEXT, 0, 0, NULL, "", "Pass each callback on to this URL."},
	[OPTION_SEARCH] = {"search", "TEXT", OPTION_TEXT, 0, 0, NULL, "",
			   "Only rooms whose id begins so, in the order of their ids."},
	[OPTION_ORDER] = {"order", "ORDER", OPTION_TEXT, 0, 0, NULL, "", "newest (first, the default) or oldest."},
	[OPTION_DRY_RUN] = {"dry-run", NULL, OPTION_FLAG, 0, 0, NULL, "",
			    "Show what would change, and change nothing."},
	[OPTION_PRUNE] = {"prune", NULL, OPTION_FLAG, 0, 0, NULL, "",
			  "Delete apps that are not in the file; those with rooms or waiting callbacks are refused."},
	[OPTION_EXIT_CODE] = {"exit-code", NULL, OPTION_FLAG, 0, 0, NULL, "",
			      "With --dry-run: exit code 1 when something differs."},
	[OPTION_DATA_DIR] = {"data-dir", "FOLDER", OPTION_TEXT, 0, 0, "HIGHWATER_DATA_DIR", "./highwater-data",
			     "The server's data folder."},
	/* not from the environment, which may name the record of a receiver in use */
	[OPTION_LISTEN_RECORD] = {"record", "FILE", OPTION_TEXT, 0, 0, NULL, "./listen.db",
				  "Where callbacks are kept; `highwater record --record FILE` reads it."},
	[OPTION_RESEND] = {"resend", "ID|all", OPTION_TEXT, 0, 0, NULL, "",
			   "Pass on what is in the record: one by its number or webhook-id, or all."},
};
static_assert(OPTION_COUNT <= 128, "a mask of options has 128 bits");

/* ---- values ---- */

/* The settings table knows how to read a duration. */
static int options_read_duration(const struct option_row *row, const char *text, uint64_t *out, struct error *err)
{
	const struct setting setting = {row->name, SETTING_DURATION, 0, row->fallback, row->min, row->max, "", false};
	struct settings settings;
	struct buf flag;
	int index = 0;
	int taken;

	buf_init(&flag, 256);
	buf_printf(&flag, "--%s=%.100s", row->name, text);
	settings_init(&settings, &setting, 1, out);
	taken = settings_take_flag(&settings, 1, &flag.ptr, &index, err);
	settings_fini(&settings);
	buf_fini(&flag);
	assert(taken != 0);
	return taken == 1 ? 0 : -1;
}

static int options_set(const struct option_row *row, const char *text, struct option_value *value, struct error *err)
{
	value->text = text;
	if (row->type == OPTION_DURATION)
		return options_read_duration(row, text, &value->number, err);
	if (row->type != OPTION_NUMBER)
		return 0;
	if (str_to_u64(str_c(text), row->max, &value->number) == 0 && value->number >= row->min)
		return 0;
	return error_set(err, ERR_INVALID, "--%s: \"%.40s\" is not a whole number from %llu to %llu", row->name, text,
			 (unsigned long long)row->min, (unsigned long long)row->max);
}

/* Standard input can be read once. */
static int options_check_input(const struct cli_line *line, struct error *err)
{
	const char *first = NULL;

	for (unsigned id = 0; id < OPTION_COUNT; id++) {
		const struct option_row *row = &option_rows[id];

		if (!line->options[id].set || row->type != OPTION_TEXT || strcmp(row->word, "FILE") != 0 ||
		    strcmp(line->options[id].text, "-") != 0)
			continue;
		if (first)
			return error_set(err, ERR_INVALID, "--%s and --%s cannot both read standard input", first,
					 row->name);
		first = row->name;
	}
	return 0;
}

/* Environment and defaults, for what the line did not say. */
static int options_fill(const struct cli_command *command, struct cli_line *line, struct error *err)
{
	for (unsigned id = 0; id < OPTION_COUNT; id++) {
		const struct option_row *row = &option_rows[id];
		struct option_value *value = &line->options[id];
		const char *found = row->environment ? getenv(row->environment) : NULL;

		if (value->set)
			continue;
		value->text = row->fallback;
		if (!(command->options & OPTION_BIT(id)))
			continue;
		if (found && *found) {
			value->text = found;
			value->set = true;
		}
		if (*value->text && options_set(row, value->text, value, err))
			return -1;
		if (command->required & OPTION_BIT(id) && !value->set)
			return error_set(err, ERR_INVALID, "--%s %s is missing", row->name, row->word ? row->word : "");
	}
	return 0;
}

/* ---- the line ---- */

static int options_find(const struct cli_command *command, struct str name)
{
	for (int id = 0; id < OPTION_COUNT; id++)
		if (command->options & OPTION_BIT(id) && str_eq(name, str_c(option_rows[id].name)))
			return id;
	return -1;
}

/* Takes argv[*index], which begins with a dash, and its value. */
static int options_take_flag(struct cli_line *line, int argc, char **argv, int *index, struct error *err)
{
	struct str flag = str_c(argv[*index]);
	ptrdiff_t equals = str_find_char(flag, '=');
	struct str name = equals < 0 ? flag : str_slice(flag, 0, (size_t)equals);
	const char *text = equals < 0 ? NULL : argv[*index] + equals + 1;
	int id = str_starts_with(name, STR("--")) ? options_find(line->command, str_slice(name, 2, name.len)) : -1;
	struct option_value *value;

	if (id < 0)
		return error_set(err, ERR_INVALID, "unknown option %.*s", STR_ARG(str_slice(name, 0, 60)));
	value = &line->options[id];
	if (value->set)
		return error_set(err, ERR_INVALID, "--%s is given twice", option_rows[id].name);
	value->set = true;
	if (option_rows[id].type == OPTION_FLAG)
		return text ? error_set(err, ERR_INVALID, "--%s takes no value", option_rows[id].name) : 0;
	if (!text && ++*index < argc)
		text = argv[*index];
	if (!text || !*text)
		return error_set(err, ERR_INVALID, "--%s needs a value: --%s %s", option_rows[id].name,
				 option_rows[id].name, option_rows[id].word);
	return options_set(&option_rows[id], text, value, err);
}

static int options_take_argument(struct cli_line *line, const char *text, struct error *err)
{
	if (line->argument_count == line->command->argument_max)
		return error_set(err, ERR_INVALID, "\"%.60s\" is one argument too many", text);
	line->arguments[line->argument_count++] = text;
	return 0;
}

int options_parse(const struct cli_command *command, int argc, char **argv, struct cli_line *line_out,
		  struct error *err)
{
	struct cli_line line = {.command = command};
	bool literal = false; /* after "--" */

	assert(command->argument_max <= OPTIONS_ARGUMENT_COUNT_MAX);
	for (int i = 0; i < argc; i++) {
		bool dashed = argv[i][0] == '-' && argv[i][1] != '\0';

		if (dashed && !literal && strcmp(argv[i], "--") == 0) {
			literal = true;
			continue;
		}
		if (dashed && !literal && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
			return 1;
		if (dashed && !literal ? options_take_flag(&line, argc, argv, &i, err)
				       : options_take_argument(&line, argv[i], err))
			return -1;
	}
	if (line.argument_count < command->argument_min)
		return error_set(err, ERR_INVALID, "%s is missing", command->arguments);
	if (options_fill(command, &line, err) || options_check_input(&line, err))
		return -1;
	*line_out = line;
	return 0;
}

int options_read_secret(const struct cli_line *line, enum option_id id, size_t bytes_max, struct buf *out)
{
	struct error err;

	if (files_read_secret(options_get(line, id)->text, bytes_max, out, &err))
		return cli_fail(line, CLI_IO, "--%s: %s", option_rows[id].name, err.text);
	return CLI_DONE;
}

int options_read_text(const struct cli_line *line, enum option_id id, size_t bytes_max, struct buf *out)
{
	struct error err;

	if (files_read_text(options_get(line, id)->text, bytes_max, out, &err))
		return cli_fail(line, CLI_IO, "--%s: %s", option_rows[id].name, err.text);
	return CLI_DONE;
}

/* ---- help ---- */

static void options_help_usage(const struct cli_command *command, struct buf *out)
{
	buf_printf(out, "usage: highwater %s%s%s", command->group, *command->name ? " " : "", command->name);
	if (*command->arguments)
		buf_printf(out, " %s", command->arguments);
	for (unsigned id = 0; id < OPTION_COUNT; id++)
		if (command->required & OPTION_BIT(id))
			buf_printf(out, " --%s %s", option_rows[id].name, option_rows[id].word);
	buf_printf(out, " [OPTION]...\n\n%s.\n%s", command->summary, command->details);
}

void options_help(const struct cli_command *command, struct buf *out)
{
	options_help_usage(command, out);
	buf_append_c(out, "\nOptions:\n");
	for (unsigned id = 0; id < OPTION_COUNT; id++) {
		const struct option_row *row = &option_rows[id];

		if (!(command->options & OPTION_BIT(id)))
			continue;
		buf_printf(out, "  --%s%s%s\n      %s", row->name, row->word ? " " : "", row->word ? row->word : "",
			   row->help);
		if (*row->fallback)
			buf_printf(out, " Default %s.", row->fallback);
		if (row->environment)
			buf_printf(out, " Environment %s.", row->environment);
		buf_append_char(out, '\n');
	}
	buf_append_c(out, "  --help\n      This text.\n");
}
