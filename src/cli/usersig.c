/* `highwater usersig`: makes and checks UserSigs without a server. */
#include "base/clock.h"
#include "cli/files.h"
#include "cli/options.h"

#include <highwater/code.h>
#include <highwater/usersig.h>

#include <inttypes.h>
#include <string.h>

#define USERSIG_TEXT_BYTES_MAX 8192 /* more than any has that is valid */
#define USERSIG_SHOWN_MAX_S INT64_C(253402300799)

/* Reads the key; the caller wipes it in any case. Returns CLI_DONE or the exit code. */
static int usersig_read_key(const struct cli_line *line, struct buf *key)
{
	buf_init(key, HW_USERSIG_KEY_BYTES_MAX + 1024);
	return options_read_secret(line, OPTION_KEY_FILE, HW_USERSIG_KEY_BYTES_MAX, key);
}

static int usersig_generate(const struct cli_line *line)
{
	char usersig[HW_USERSIG_BYTES_MAX + 1];
	struct hw_usersig_params params = {
		.sdkappid = (uint32_t)options_get(line, OPTION_APP)->number,
		.identifier = options_get(line, OPTION_IDENTIFIER)->text,
		.time_s = clock_wall_ms() / 1000,
		.expire_s = (int64_t)(options_get(line, OPTION_EXPIRE)->number / 1000),
	};
	struct buf key;
	int exit = usersig_read_key(line, &key);

	params.key = buf_c(&key);
	params.key_len = key.len;
	if (exit == CLI_DONE && hw_usersig_generate(&params, usersig, sizeof(usersig)) < 0)
		exit = cli_fail(line, CLI_USAGE, "--identifier: must have 1 to %d bytes of UTF-8",
				HW_IDENTIFIER_BYTES_MAX);
	if (exit == CLI_DONE)
		(void)puts(usersig); /* standard output is all there is */
	files_wipe(&key);
	return exit;
}

/* A UserSig may say any number of seconds; what is beyond the year 9999 is shown as its end. */
static int64_t usersig_clamp(int64_t time_s)
{
	return time_s < USERSIG_SHOWN_MAX_S ? time_s : USERSIG_SHOWN_MAX_S;
}

static void usersig_print_facts(const struct hw_usersig_facts *facts, int64_t now_s)
{
	int64_t made_s = usersig_clamp(facts->time_s);
	int64_t end_s = usersig_clamp(made_s + usersig_clamp(facts->expire_s));
	int64_t left_s = end_s > now_s ? end_s - now_s : now_s - end_s;
	char made[CLOCK_TEXT_BYTES];
	char end[CLOCK_TEXT_BYTES];

	clock_format(made_s * 1000, made);
	clock_format(end_s * 1000, end);
	/* standard output is all there is */
	(void)printf("%s\n  made     %.19sZ\n  expires  %.19sZ, %s%" PRId64 " d %" PRId64 " h %" PRId64 " min%s\n",
		     end_s >= now_s ? "valid" : "expired", made, end, end_s >= now_s ? "in " : "", left_s / 86400,
		     left_s / 3600 % 24, left_s / 60 % 60, end_s >= now_s ? "" : " ago");
}

/* The argument, or standard input for "-": a UserSig is a secret while it is valid, and arguments can be read by others.
 * The caller wipes it in any case. Returns CLI_DONE or the exit code. */
static int usersig_read(const struct cli_line *line, struct buf *usersig)
{
	struct error err;

	buf_init(usersig, USERSIG_TEXT_BYTES_MAX + 1024);
	if (strcmp(line->arguments[0], "-") != 0)
		buf_append_str(usersig, str_slice(str_c(line->arguments[0]), 0, USERSIG_TEXT_BYTES_MAX));
	else if (strcmp(options_get(line, OPTION_KEY_FILE)->text, "-") == 0)
		return cli_fail(line, CLI_USAGE, "the UserSig and --key-file cannot both be read from standard input");
	else if (files_read_secret("-", USERSIG_TEXT_BYTES_MAX, usersig, &err))
		return cli_fail(line, CLI_IO, "%s", err.text);
	return CLI_DONE;
}

static int usersig_verify_text(const struct cli_line *line, struct str usersig)
{
	int64_t now_s = clock_wall_ms() / 1000;
	struct hw_usersig_facts facts;
	struct buf key;
	int exit = usersig_read_key(line, &key);
	int code;

	if (exit != CLI_DONE) {
		files_wipe(&key);
		return exit;
	}
	code = hw_usersig_verify(usersig.ptr, usersig.len, (uint32_t)options_get(line, OPTION_APP)->number,
				 options_get(line, OPTION_IDENTIFIER)->text, buf_c(&key), key.len, now_s, &facts);
	files_wipe(&key);
	if (code == HW_OK || code == HW_SIG_EXPIRED)
		usersig_print_facts(&facts, now_s);
	if (code != HW_OK)
		return cli_fail(line, CLI_REFUSED, "not valid (%d): %s", code, hw_code_text(code));
	return CLI_DONE;
}

static int usersig_verify(const struct cli_line *line)
{
	struct buf usersig;
	int exit = usersig_read(line, &usersig);

	if (exit == CLI_DONE)
		exit = usersig_verify_text(line, (struct str){buf_c(&usersig), usersig.len});
	files_wipe(&usersig);
	return exit;
}

#define USERSIG_OPTIONS (OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_IDENTIFIER) | OPTION_BIT(OPTION_KEY_FILE))

static const struct cli_command usersig_commands[] = {
	{
		.group = "usersig",
		.name = "generate",
		.arguments = "",
		.options = USERSIG_OPTIONS | OPTION_BIT(OPTION_EXPIRE),
		.required = USERSIG_OPTIONS,
		.summary = "Makes a UserSig and prints it",
		.details = "",
		.run = usersig_generate,
	},
	{
		.group = "usersig",
		.name = "verify",
		.arguments = "USERSIG|-",
		.argument_min = 1,
		.argument_max = 1,
		.options = USERSIG_OPTIONS,
		.required = USERSIG_OPTIONS,
		.summary = "Checks a UserSig",
		.details =
			"\nPrints when it was made and when it expires, or why it is not valid; then the exit code is "
			"1. \"-\" reads\nit from standard input: others on this machine can read arguments.\n",
		.run = usersig_verify,
	},
};

const struct cli_group cli_usersig_group = {
	.name = "usersig",
	.summary = "Makes and checks UserSigs, without a server",
	.commands = usersig_commands,
	.command_count = ARRAY_LEN(usersig_commands),
};
