#pragma once
/* One table of options for all commands that are not servers: a flag has one name, one meaning and one sentence of
 * help, whichever command takes it. Values come from the line, else from the environment where the table names a
 * variable, else from the table's default. Threads: the main thread. */
#include "base/buf.h"
#include "base/error.h"
#include "cli/cli.h"

enum option_id {
	OPTION_APP,
	OPTION_MAX,
	OPTION_MODE,
	OPTION_THRESHOLDS,
	OPTION_REARM_MARGIN,
	OPTION_STEP,
	OPTION_ADMINS,
	OPTION_OVERWRITE,
	OPTION_NO_OVERWRITE,
	OPTION_REVEAL_KEY,
	OPTION_FORCE,
	OPTION_REQUIRE_ACCOUNTS,
	OPTION_KEY_FILE,
	OPTION_OVERLAP,
	OPTION_AS,
	OPTION_CLIENT,
	OPTION_PLATFORM,
	OPTION_NAME,
	OPTION_OWNER,
	OPTION_HIDDEN,
	OPTION_URL,
	OPTION_COMMANDS,
	OPTION_TOKEN_FILE,
	OPTION_NO_TOKEN,
	OPTION_LIMIT,
	OPTION_KIND,
	OPTION_ID,
	OPTION_SECRET_FILE,
	OPTION_CERT_FILE,
	OPTION_STATE,
	OPTION_SINCE,
	OPTION_UNTIL,
	OPTION_FROM,
	OPTION_TO,
	OPTION_WAIT,
	OPTION_IDENTIFIER,
	OPTION_EXPIRE,
	OPTION_ONCE,
	OPTION_DIR,
	OPTION_ALLOWED_ADDRESSES,
	OPTION_SERVER,
	OPTION_CA_FILE,
	OPTION_ADMIN_TOKEN_FILE,
	OPTION_JSON,
	OPTION_RECORD,
	OPTION_FORMAT,
	OPTION_CLEAR,
	OPTION_THRESHOLD,
	OPTION_COMMAND,
	OPTION_CURRENT,
	OPTION_OPERATOR,
	OPTION_ROOM,
	OPTION_IP,
	OPTION_SKEW,
	OPTION_FAULT,
	OPTION_TIMES,
	OPTION_EVENT_ID,
	OPTION_BODY_FILE,
	OPTION_JUNIT,
	OPTION_FOREIGN_APP,
	OPTION_LISTEN,
	OPTION_FORWARD,
	OPTION_RESEND,
	OPTION_DATA_DIR,
	OPTION_SEARCH,
	OPTION_ORDER,
	OPTION_DRY_RUN,
	OPTION_PRUNE,
	OPTION_EXIT_CODE,
	OPTION_LISTEN_RECORD, /* --record, too */
	OPTION_TOLD_MAX,      /* --max, --threshold and --platform of a callback that is made */
	OPTION_TOLD_THRESHOLD,
	OPTION_TOLD_PLATFORM,
	OPTION_COUNT /* at most 128, the bits of a mask */
};

#define OPTION_BIT(id) ((option_mask)1 << (id))
#define OPTIONS_ARGUMENT_COUNT_MAX 100

struct option_value {
	bool set;	  /* on the line or in the environment */
	const char *text; /* as given, or the default; "" when neither is there */
	uint64_t number;  /* of a number; of a duration, in milliseconds */
};

struct cli_line {
	const struct cli_command *command;
	struct option_value options[OPTION_COUNT];
	const char *arguments[OPTIONS_ARGUMENT_COUNT_MAX];
	unsigned argument_count;
};

/* Reads what follows the command's words. Returns 0, 1 when help was asked for, or -1 with ERR_INVALID that names the
 * flag or the argument. */
MUST_CHECK int options_parse(const struct cli_command *command, int argc, char **argv, struct cli_line *line_out,
			     struct error *err);
/* Usage, details and options of one command. */
void options_help(const struct cli_command *command, struct buf *out);

/* Reads the secret file that a given option names into `out`; see files_read_secret. Returns CLI_DONE, or the exit code
 * after telling what is wrong. */
MUST_CHECK int options_read_secret(const struct cli_line *line, enum option_id id, size_t bytes_max, struct buf *out);
/* The same for a file of many lines; see files_read_text. */
MUST_CHECK int options_read_text(const struct cli_line *line, enum option_id id, size_t bytes_max, struct buf *out);

static inline const struct option_value *options_get(const struct cli_line *line, enum option_id id)
{
	return &line->options[id];
}
