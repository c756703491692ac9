/* How a command tells that it failed; see cli.h. */
#include "cli/options.h"
#include "cli/record_words.h"

#include <stdarg.h>

#define CLI_FAIL_BYTES_MAX 4096

int cli_fail(const struct cli_line *line, enum cli_exit exit, const char *format, ...)
{
	const struct cli_command *command = line->command;
	char text[CLI_FAIL_BYTES_MAX];
	struct buf safe;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* cut when longer */
	va_end(args);
	buf_init(&safe, sizeof(text));
	record_append_safe(&safe, str_c(text)); /* what a server says may be in it */
	/* results of printing are discarded: there is nobody else to tell */
	(void)fprintf(stderr, "highwater %s%s%s: %s\n", command->group, *command->name ? " " : "", command->name,
		      buf_c(&safe));
	buf_fini(&safe);
	if (exit == CLI_USAGE)
		(void)fprintf(stderr, "`highwater %s%s%s --help` shows how it is used.\n", command->group,
			      *command->name ? " " : "", command->name);
	return (int)exit;
}
