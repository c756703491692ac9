/* `highwater doctor URL`: what keeps callbacks from arriving there.
 *
 * The checks follow the way of a callback and stop where it would: no address that is allowed, nothing is connected to;
 * no certificate that is trusted, nothing is sent. Each writes what it found to one list: this file makes that list,
 * prints it and turns it into an exit code. Neither token nor secret is printed, nor the query of a URL. */
#include "cli/doctor.h"
#include "base/mem.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/trier.h"

#include <highwater/sign.h>

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#define DOCTOR_TEXT_BYTES_MAX 2047
#define DOCTOR_APP_DEFAULT 1400000001

/* What is read from files; wiped at the end. */
struct doctor_files {
	struct buf token;
	struct buf client_cert;
	struct buf client_key;
};

static const char *const doctor_words[] = {"ok", "warning", "problem"};

/* ---- findings ---- */

static void doctor_clean(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

void doctor_find(struct doctor *doctor, enum doctor_level level, const char *check, const char *advice,
		 const char *format, ...)
{
	char text[DOCTOR_TEXT_BYTES_MAX + 1];
	json_t *finding;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* cut when too long */
	va_end(args);
	doctor_clean(text);
	doctor->warnings += level == DOCTOR_WARNING;
	doctor->problems += level == DOCTOR_PROBLEM;
	finding = json_pack("{s:s, s:s, s:s, s:s}", "Level", doctor_words[level], "Check", check, "Text", text,
			    "Advice", advice ? advice : "");
	assert(finding);					/* all of it is ASCII */
	(void)json_array_append_new(doctor->findings, finding); /* fails only when memory is out */
	if (doctor->json)
		return;
	/* standard output is all there is */
	(void)printf("%-7s  %-11s  %s%s%s\n", doctor_words[level], check, text, advice ? " -> " : "",
		     advice ? advice : "");
	(void)fflush(stdout); /* the next check may take a while */
}

static const char *doctor_plural(unsigned count)
{
	return count == 1 ? "" : "s";
}

static void doctor_print_end(const struct doctor *doctor)
{
	/* standard output is all there is */
	(void)printf("%u problem%s, %u warning%s; %s\n", doctor->problems, doctor_plural(doctor->problems),
		     doctor->warnings, doctor_plural(doctor->warnings),
		     doctor->sent ? "a test callback was sent" : "no callback was sent");
}

static void doctor_print_json(const struct doctor *doctor)
{
	enum doctor_level level = doctor->problems ? DOCTOR_PROBLEM : doctor->warnings ? DOCTOR_WARNING : DOCTOR_OK;
	json_t *whole = json_pack("{s:s, s:b, s:O}", "Result", doctor_words[level], "CallbackSent", doctor->sent,
				  "FindingList", doctor->findings);

	trier_print_json(whole);
}

/* ---- the line ---- */

/* Reads token and key into memory that the caller wipes. Returns CLI_DONE or the exit code. */
static int doctor_read_secrets(const struct cli_line *line, struct doctor *doctor, struct buf *token)
{
	int exit = CLI_DONE;

	if (options_get(line, OPTION_TOKEN_FILE)->set)
		exit = options_read_secret(line, OPTION_TOKEN_FILE, HW_TOKEN_BYTES_MAX, token);
	doctor->token = secret_of(buf_str(token));
	if (exit == CLI_DONE)
		exit = trier_read_key(line, &doctor->key);
	doctor->with_key = exit == CLI_DONE && doctor->key.kind != HW_WEBHOOK_NONE;
	return exit;
}

static int doctor_read_line(const struct cli_line *line, struct doctor *doctor, struct doctor_files *files)
{
	const struct option_value *app = options_get(line, OPTION_APP);
	const struct option_value *ca_file = options_get(line, OPTION_CA_FILE);
	struct error err;
	int exit;

	doctor->url = line->arguments[0];
	doctor->sdkappid = app->set ? (uint32_t)app->number : DOCTOR_APP_DEFAULT;
	doctor->json = options_get(line, OPTION_JSON)->set;
	doctor->ca_file = ca_file->text;
	if (guard_parse("callback.allowed_addresses", options_get(line, OPTION_ALLOWED_ADDRESSES)->text, &doctor->guard,
			&err))
		return cli_fail(line, CLI_USAGE, "--allowed-addresses: %s", err.text);
	if (ca_file->set && files_check_readable(ca_file->text, &err))
		return cli_fail(line, CLI_IO, "--ca-file: %s", err.text);
	exit = trier_read_client_cert(line, &files->client_cert, &files->client_key);
	doctor->client_cert = buf_str(&files->client_cert);
	doctor->client_key = buf_str(&files->client_key);
	return exit == CLI_DONE ? doctor_read_secrets(line, doctor, &files->token) : exit;
}

/* Returns CLI_DONE when all was checked, whatever was found. */
static int doctor_check(const struct cli_line *line, struct doctor *doctor)
{
	bool reached = false;
	struct error err;

	if (doctor_reach(doctor, &reached, &err) || (reached && doctor_call(doctor, &err)))
		return cli_fail(line, CLI_IO, "%s", err.text);
	return CLI_DONE;
}

static int doctor_run(const struct cli_line *line)
{
	struct doctor doctor = {.findings = json_array()};
	struct doctor_files files;
	int exit;

	assert(doctor.findings);	/* out of memory */
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail; a receiver may hang up */
	buf_init(&files.token, HW_TOKEN_BYTES_MAX + 1024);
	buf_init(&files.client_cert, TRIER_PEM_BYTES_MAX + 1024);
	buf_init(&files.client_key, TRIER_PEM_BYTES_MAX + 1024);
	exit = doctor_read_line(line, &doctor, &files);
	if (exit == CLI_DONE)
		exit = doctor_check(line, &doctor);
	if (exit == CLI_DONE) {
		if (doctor.json)
			doctor_print_json(&doctor);
		else
			doctor_print_end(&doctor);
		exit = doctor.problems ? CLI_REFUSED : CLI_DONE;
	}
	files_wipe(&files.token);
	files_wipe(&files.client_cert);
	files_wipe(&files.client_key);
	hw_webhook_key_wipe(&doctor.key);
	json_decref(doctor.findings);
	return exit;
}

static const struct cli_command doctor_commands[] = {
	{
		.group = "doctor",
		.name = "",
		.arguments = "URL",
		.argument_min = 1,
		.argument_max = 1,
		.options = OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_TOKEN_FILE) | OPTION_BIT(OPTION_SECRET_FILE) |
			   OPTION_BIT(OPTION_CERT_FILE) | OPTION_BIT(OPTION_KEY_FILE) |
			   OPTION_BIT(OPTION_ALLOWED_ADDRESSES) | OPTION_BIT(OPTION_CA_FILE) | OPTION_BIT(OPTION_JSON),
		.summary = "Checks a callback URL: what keeps callbacks from arriving there",
		.details =
			"\nURL, name, addresses, connection, certificates, then one test callback with the header\n"
			"Highwater-Test: 1: an alert of 0 rooms, for the app of --app (without it: 1400000001). Prints "
			"a\n"
			"line for each finding (ok, warning or problem) and what to do; the exit code is 1 when there "
			"is a\n"
			"problem. It stops where a callback would.\n\n"
			"It runs on this machine and from it: run it where the server runs, with the server's\n"
			"callback.ca_file as --ca-file and its callback.allowed_addresses as --allowed-addresses.\n"
			"`highwater callback test` is the check through the server, with the app's own URL and keys.\n",
		.run = doctor_run,
	},
};

const struct cli_group cli_doctor_group = {
	.name = "doctor",
	.summary = "Checks a callback URL: what keeps callbacks from arriving there",
	.commands = doctor_commands,
	.command_count = ARRAY_LEN(doctor_commands),
};
