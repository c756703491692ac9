/* How a command tells that it failed; see cli.h. */
#include "cli/options.h"

#include <stdarg.h>

int cli_fail(const struct cli_line *line, enum cli_exit exit, const char *format, ...)
{
	const struct cli_command *command = line->command;
	va_list args;

	/* results of printing are discarded: there is nobody else to tell */
	(void)fprintf(stderr, "highwater %s%s%s: ", command->group, *command->name ? " " : "", command->name);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	if (exit == CLI_USAGE)
		(void)fprintf(stderr, "`highwater %s%s%s --help` shows how it is used.\n", command->group,
			      *command->name ? " " : "", command->name);
	return (int)exit;
}
