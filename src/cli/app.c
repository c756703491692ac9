/* `highwater app`: makes, shows, changes and deletes apps, over the management API of a running server. */
#include "cli/app.h"
#include "cli/files.h"

#include <inttypes.h>
#include <string.h>

#define APPS_PAGE_COUNT 100
#define APPS_SETTABLE                                                                                                  \
	(OPTION_BIT(OPTION_MAX) | OPTION_BIT(OPTION_MODE) | OPTION_BIT(OPTION_THRESHOLDS) |                            \
	 OPTION_BIT(OPTION_REARM_MARGIN) | OPTION_BIT(OPTION_STEP) | OPTION_BIT(OPTION_ADMINS) |                       \
	 OPTION_BIT(OPTION_OVERWRITE) | OPTION_BIT(OPTION_NO_OVERWRITE) | OPTION_BIT(OPTION_REQUIRE_ACCOUNTS) |        \
	 OPTION_BIT(OPTION_KEY_FILE))

/* ---- bodies ---- */

int apps_sdkappid_before(const struct cli_line *line, unsigned more, uint32_t *out)
{
	const struct option_value *option = options_get(line, OPTION_APP);
	bool given = line->argument_count > more;
	uint64_t sdkappid = option->number;

	if (given && option->set)
		return cli_fail(line, CLI_USAGE, "the app is given twice: %s and --app", line->arguments[0]);
	if (!given && !option->set)
		return cli_fail(line, CLI_USAGE, "which app? Give its SDKAppID, such as: highwater app %s 1400000001",
				line->command->name);
	if (given && (str_to_u64(str_c(line->arguments[0]), HW_SDKAPPID_MAX, &sdkappid) || sdkappid == 0))
		return cli_fail(line, CLI_USAGE, "\"%.40s\" is no SDKAppID, a number from 1 to %u", line->arguments[0],
				HW_SDKAPPID_MAX);
	*out = (uint32_t)sdkappid;
	return CLI_DONE;
}

int apps_sdkappid(const struct cli_line *line, uint32_t *out)
{
	return apps_sdkappid_before(line, 0, out);
}

/* A list with commas as a JSON array, of strings or of what must look like numbers. */
static int apps_append_list(struct buf *body, const char *text, bool strings)
{
	struct str rest = str_c(text);
	struct str item;
	bool first = true;
	bool more;

	buf_append_char(body, '[');
	do {
		uint64_t number = 0;

		more = str_cut(&rest, ',', &item);
		if (!str_is_utf8(item) || item.len == 0 || (!strings && str_to_u64(item, INT64_MAX, &number)))
			return -1;
		if (!first)
			buf_append_char(body, ',');
		if (strings)
			buf_append_json_string(body, item);
		else
			buf_append_u64(body, number);
		first = false;
	} while (more);
	buf_append_char(body, ']');
	return 0;
}

static void apps_append_number(const struct cli_line *line, enum option_id id, const char *key, struct buf *body)
{
	if (options_get(line, id)->set)
		buf_printf(body, ",\"%s\":%" PRIu64, key, options_get(line, id)->number);
}

static int apps_append_settable(const struct cli_line *line, struct buf *body)
{
	const struct option_value *mode = options_get(line, OPTION_MODE);
	const struct option_value *thresholds = options_get(line, OPTION_THRESHOLDS);
	const struct option_value *admins = options_get(line, OPTION_ADMINS);
	const struct option_value *accounts = options_get(line, OPTION_REQUIRE_ACCOUNTS);
	bool overwrite = options_get(line, OPTION_OVERWRITE)->set;

	if (accounts->set && strcmp(accounts->text, "on") && strcmp(accounts->text, "off"))
		return cli_fail(line, CLI_USAGE, "--require-accounts: must be on or off");
	if (overwrite && options_get(line, OPTION_NO_OVERWRITE)->set)
		return cli_fail(line, CLI_USAGE, "--overwrite and --no-overwrite exclude each other");
	if (mode->set && !str_is_utf8(str_c(mode->text)))
		return cli_fail(line, CLI_USAGE, "--mode: must be every, edge or step");
	apps_append_number(line, OPTION_MAX, "MaxRoomCount", body);
	apps_append_number(line, OPTION_REARM_MARGIN, "RearmMargin", body);
	apps_append_number(line, OPTION_STEP, "StepPercent", body);
	if (mode->set) {
		buf_append_c(body, ",\"AlertMode\":");
		buf_append_json_string(body, str_c(mode->text));
	}
	if (thresholds->set) {
		buf_append_c(body, ",\"Thresholds\":");
		if (apps_append_list(body, thresholds->text, false))
			return cli_fail(line, CLI_USAGE,
					"--thresholds: must be percentages with commas between, such as 70,85");
	}
	if (admins->set) {
		buf_append_c(body, ",\"Admins\":");
		if (apps_append_list(body, admins->text, true))
			return cli_fail(line, CLI_USAGE,
					"--admins: must be names with commas between, such as administrator,ops");
	}
	if (overwrite || options_get(line, OPTION_NO_OVERWRITE)->set)
		buf_printf(body, ",\"CallbackOverwrite\":%s", overwrite ? "true" : "false");
	if (accounts->set)
		buf_printf(body, ",\"AccountsRequired\":%s", strcmp(accounts->text, "on") ? "false" : "true");
	return apps_append_key(line, body);
}

/* What `create` and `set` send; the caller wipes `body`, in which a key may be. Returns CLI_DONE or the exit code. */
static int apps_build_settable(const struct cli_line *line, uint32_t sdkappid, struct buf *body)
{
	int exit;

	buf_init(body, APPS_BODY_BYTES_MAX);
	buf_printf(body, "{\"SdkAppid\":%" PRIu32, sdkappid);
	exit = apps_append_settable(line, body);
	buf_append_char(body, '}');
	return exit;
}

/* ---- commands ---- */

static int apps_create(const struct cli_line *line)
{
	struct remote_answer answer;
	uint32_t sdkappid;
	struct buf body;
	int exit = apps_sdkappid(line, &sdkappid);

	if (exit != CLI_DONE)
		return exit;
	exit = apps_build_settable(line, sdkappid, &body);
	if (exit == CLI_DONE)
		exit = remote_run_manage(line, "app_create", &body, &answer);
	files_wipe(&body);
	if (exit != CLI_DONE)
		return exit;
	apps_print(line, "created app", answer.response);
	if (!options_get(line, OPTION_JSON)->set) /* standard output is all there is */
		(void)printf("Keep both to yourself: with the key UserSigs of this app are made, and with the secret "
			     "the App "
			     "backend sees that a callback is real. `highwater app show %" PRIu32
			     " --reveal-key` shows them again.\n",
			     sdkappid);
	remote_answer_free(&answer);
	return CLI_DONE;
}

static int apps_show(const struct cli_line *line)
{
	struct remote_answer answer;
	uint32_t sdkappid;
	struct buf body;
	int exit = apps_sdkappid(line, &sdkappid);

	if (exit != CLI_DONE)
		return exit;
	buf_init(&body, APPS_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu32 ",\"RevealKey\":%s}", sdkappid,
		   options_get(line, OPTION_REVEAL_KEY)->set ? "true" : "false");
	exit = remote_run_manage(line, "app_show", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	apps_print(line, "app", answer.response);
	remote_answer_free(&answer);
	return CLI_DONE;
}

int apps_run_plain(const struct cli_line *line, const char *command, const struct buf *body, const char *done)
{
	struct remote_answer answer;
	int exit = remote_run_manage(line, command, body, &answer);

	if (exit != CLI_DONE)
		return exit;
	if (!remote_print_json(line, answer.response))
		(void)puts(done); /* standard output is all there is */
	remote_answer_free(&answer);
	return CLI_DONE;
}

static int apps_set(const struct cli_line *line)
{
	uint32_t sdkappid;
	struct buf body;
	char done[64];
	bool any = false;
	int exit = apps_sdkappid(line, &sdkappid);

	if (exit != CLI_DONE)
		return exit;
	for (unsigned id = 0; id < OPTION_COUNT; id++)
		any = any || (APPS_SETTABLE & OPTION_BIT(id) && line->options[id].set);
	if (!any)
		return cli_fail(line, CLI_USAGE,
				"nothing to change: give at least one of --max, --mode, --thresholds, "
				"--rearm-margin, --step, --admins, --key-file, --overwrite, --no-overwrite, "
				"--require-accounts");
	exit = apps_build_settable(line, sdkappid, &body);
	(void)snprintf(done, sizeof(done), "changed app %" PRIu32, sdkappid); /* sized for it */
	if (exit == CLI_DONE)
		exit = apps_run_plain(line, "app_set", &body, done);
	files_wipe(&body);
	return exit;
}

static int apps_delete(const struct cli_line *line)
{
	uint32_t sdkappid;
	struct buf body;
	char done[64];
	int exit = apps_sdkappid(line, &sdkappid);

	if (exit != CLI_DONE)
		return exit;
	buf_init(&body, APPS_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu32 ",\"Force\":%s}", sdkappid,
		   options_get(line, OPTION_FORCE)->set ? "true" : "false");
	(void)snprintf(done, sizeof(done), "deleted app %" PRIu32, sdkappid); /* sized for it */
	exit = apps_run_plain(line, "app_delete", &body, done);
	buf_fini(&body);
	return exit;
}

static void apps_print_row(const json_t *app)
{
	struct buf alert;

	buf_init(&alert, 256);
	buf_printf(&alert, "%s ", remote_text(app, "AlertMode"));
	apps_append_joined(app, "Thresholds", &alert);
	/* standard output is all there is */
	(void)printf("%-10" PRId64 "  %10" PRId64 "  %10" PRId64 "  %-14s  %7" PRId64 "  %s\n",
		     remote_number(app, "SdkAppid"), remote_number(app, "RoomCount"),
		     remote_number(app, "MaxRoomCount"), buf_c(&alert), remote_number(app, "CallbackPending"),
		     *remote_text(app, "CallbackUrl") ? remote_text(app, "CallbackUrl") : "none");
	buf_fini(&alert);
}

int apps_fetch_all(const struct cli_line *line, json_t **apps_out)
{
	json_t *apps = json_array();
	int64_t next = 0;
	int exit;

	do {
		struct remote_answer answer;
		struct buf body;
		int64_t before = next;

		buf_init(&body, APPS_BODY_BYTES_MAX);
		buf_printf(&body, "{\"Next\":%" PRId64 ",\"Count\":%d}", next, APPS_PAGE_COUNT);
		exit = remote_run_manage(line, "app_list", &body, &answer);
		buf_fini(&body);
		if (exit != CLI_DONE)
			break;
		(void)json_array_extend(apps,
					json_object_get(answer.response, "AppList")); /* a page without is empty */
		next = remote_number(answer.response, "Next");
		remote_answer_free(&answer);
		if (next && next <= before) /* pages rise, else this would never end */
			exit = cli_fail(line, CLI_IO, "the server's pages do not end");
	} while (next && exit == CLI_DONE);
	if (exit == CLI_DONE)
		*apps_out = apps;
	else
		json_decref(apps);
	return exit;
}

static int apps_list(const struct cli_line *line)
{
	json_t *apps;
	json_t *whole;
	int exit = apps_fetch_all(line, &apps);

	if (exit != CLI_DONE)
		return exit;
	whole = json_pack("{s:o}", "AppList", apps);
	if (!remote_print_json(line, whole)) {
		/* standard output is all there is */
		if (json_array_size(apps) == 0)
			(void)puts("no apps yet: `highwater app create SDKAPPID` makes one");
		else
			(void)printf("%-10s  %10s  %10s  %-14s  %7s  %s\n", "SDKAPPID", "ROOMS", "MAXIMUM",
				     "ALERT AT %", "WAITING", "CALLBACK URL");
		for (size_t i = 0; i < json_array_size(apps); i++)
			apps_print_row(json_array_get(apps, i));
	}
	json_decref(whole);
	return CLI_DONE;
}

#define APPS_COMMAND(word, line_arguments, most, taken, text, more, function)                                          \
	{                                                                                                              \
		.group = "app", .name = word, .arguments = line_arguments, .argument_max = most,                       \
		.options = REMOTE_OPTIONS | (taken), .summary = text, .details = more, .run = function                 \
	}

#define APPS_SECRET_COMMAND(word, needed, taken, text, more, function)                                                 \
	{                                                                                                              \
		.group = "app", .name = word, .arguments = "SDKAPPID", .argument_max = 1,                              \
		.options = REMOTE_OPTIONS | OPTION_BIT(OPTION_APP) | (needed) | (taken), .required = (needed),         \
		.summary = text, .details = more, .run = function                                                      \
	}

static const struct cli_command apps_commands[] = {
	APPS_COMMAND("create", "SDKAPPID", 1, OPTION_BIT(OPTION_APP) | APPS_SETTABLE, "Creates an app",
		     "Without --key-file the server makes the key and this command prints it.\n", apps_create),
	APPS_COMMAND("list", "", 0, UINT64_C(0), "Lists all apps", "", apps_list),
	APPS_COMMAND("export", "[SDKAPPID]", 1, OPTION_BIT(OPTION_APP),
		     "Prints all apps, or one, as a file for `highwater apply`",
		     "Keys, secrets, tokens and certificates are not in it.\n", apps_export),
	APPS_COMMAND("show", "SDKAPPID", 1, OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_REVEAL_KEY), "Shows one app", "",
		     apps_show),
	APPS_COMMAND("set", "SDKAPPID", 1, OPTION_BIT(OPTION_APP) | APPS_SETTABLE,
		     "Changes an app: what is given is set, the rest stays", "", apps_set),
	APPS_COMMAND("rotate-key", "SDKAPPID", 1,
		     OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_OVERLAP) | OPTION_BIT(OPTION_KEY_FILE),
		     "Gives an app a new key, and the others an end",
		     "Without --key-file the server makes the key and this command prints it.\n", apps_rotate_key),
	APPS_COMMAND("revoke-key", "SDKAPPID KEY-ID", 2, OPTION_BIT(OPTION_APP), "Ends one key of an app at once", "",
		     apps_revoke_key),
	APPS_SECRET_COMMAND(
		"rotate-secret", OPTION_BIT(OPTION_KIND), OPTION_BIT(OPTION_SECRET_FILE) | OPTION_BIT(OPTION_OVERLAP),
		"Gives an app a new secret to sign callbacks with, and the others of its kind an end",
		"Without --secret-file the server makes it. A private key (v1a) is never shown.\n", apps_rotate_secret),
	APPS_SECRET_COMMAND("revoke-secret", OPTION_BIT(OPTION_KIND) | OPTION_BIT(OPTION_ID), UINT64_C(0),
			    "Ends one secret of an app at once", "", apps_revoke_secret),
	APPS_SECRET_COMMAND("set-certificate", OPTION_BIT(OPTION_CERT_FILE) | OPTION_BIT(OPTION_KEY_FILE), UINT64_C(0),
			    "Sets the client certificate that an app's callbacks show, for mutual TLS",
			    "The server keeps certificate and key, and never shows the key.\n", apps_set_certificate),
	APPS_COMMAND("delete-certificate", "SDKAPPID", 1, OPTION_BIT(OPTION_APP), "Deletes that certificate", "",
		     apps_delete_certificate),
	APPS_COMMAND("delete", "SDKAPPID", 1, OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_FORCE),
		     "Deletes an app that has no rooms", "", apps_delete),
};

const struct cli_group cli_app_group = {
	.name = "app",
	.summary = "Creates, lists, exports, shows, sets and deletes apps, their keys, secrets and certificates",
	.commands = apps_commands,
	.command_count = ARRAY_LEN(apps_commands),
};
