/* `highwater`: finds the command that a line names and runs it, or prints help. */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAIN_TEXT_BYTES_MAX (64 * 1024)

static const struct cli_group *const main_groups[] = {
	&cli_serve_group,  &cli_receive_group, &cli_demo_group,	    &cli_apply_group,
	&cli_app_group,	   &cli_room_group,    &cli_callback_group, &cli_replay_group,
	&cli_record_group, &cli_listen_group,  &cli_trigger_group,  &cli_check_group,
	&cli_doctor_group, &cli_audit_group,   &cli_store_group,    &cli_usersig_group,
};

/* ---- help ---- */

static void main_print(struct buf *text)
{
	assert(buf_ok(text));
	(void)fputs(buf_c(text), stdout); /* standard output is all there is */
	buf_fini(text);
}

static int main_help(void)
{
	struct buf text;

	buf_init(&text, MAIN_TEXT_BYTES_MAX);
	buf_printf(&text,
		   "usage: highwater COMMAND [ARGUMENT]...\n\n"
		   "Highwater is a Live room backend that warns an app before it runs out of rooms.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(main_groups); i++)
		buf_printf(&text, "  %-9s %s\n", main_groups[i]->name, main_groups[i]->summary);
	buf_append_c(&text,
		     "  version   Prints the version\n"
		     "  help      Prints this, or the help of a command: highwater help app create\n\nExit codes:\n");
#define MAIN_EXIT(name, number, meaning) buf_printf(&text, "  %-3d %s\n", number, meaning);
	CLI_EXITS(MAIN_EXIT)
#undef MAIN_EXIT
	buf_append_c(&text, "\nTo see it work: highwater demo\n");
	main_print(&text);
	return CLI_DONE;
}

static int main_help_group(const struct cli_group *group)
{
	struct buf text;
	int width = 9;

	for (size_t i = 0; i < group->command_count; i++)
		width = (int)strlen(group->commands[i].name) > width ? (int)strlen(group->commands[i].name) : width;
	buf_init(&text, MAIN_TEXT_BYTES_MAX);
	buf_printf(&text, "usage: highwater %s COMMAND [ARGUMENT]...\n\n%s.\n\nCommands:\n", group->name,
		   group->summary);
	for (size_t i = 0; i < group->command_count; i++)
		buf_printf(&text, "  %-*s %s\n", width, group->commands[i].name, group->commands[i].summary);
	buf_printf(&text, "\n`highwater %s COMMAND --help` shows a command's options.\n", group->name);
	main_print(&text);
	return CLI_DONE;
}

static int main_help_command(const struct cli_command *command)
{
	struct buf text;

	buf_init(&text, MAIN_TEXT_BYTES_MAX);
	options_help(command, &text);
	main_print(&text);
	return CLI_DONE;
}

/* ---- finding and running ---- */

static bool main_is_help(const char *word)
{
	return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int main_run_command(const struct cli_command *command, int argc, char **argv)
{
	struct cli_line line = {.command = command};
	struct error err;
	int parsed = options_parse(command, argc, argv, &line, &err);

	if (parsed < 0)
		return cli_fail(&line, CLI_USAGE, "%s", err.text);
	return parsed == 1 ? main_help_command(command) : command->run(&line);
}

/* A wrong word gets the list of right ones. */
static int main_unknown(const char *before, const char *word, const struct cli_group *group)
{
	(void)fprintf(stderr, "highwater%s%s: ", *before ? " " : "", before); /* as cli_fail, and so are those below */
	if (word)
		(void)fprintf(stderr, "there is no command \"%.60s\". There are:", word);
	else
		(void)fprintf(stderr, "which command? There are:");
	for (size_t i = 0; group && i < group->command_count; i++)
		(void)fprintf(stderr, " %s", group->commands[i].name);
	for (size_t i = 0; !group && i < ARRAY_LEN(main_groups); i++)
		(void)fprintf(stderr, " %s", main_groups[i]->name);
	(void)fprintf(stderr, "%s\n", group ? "" : " version help");
	return CLI_USAGE;
}

/* argv[0] is the group's word. */
static int main_run_group(const struct cli_group *group, int argc, char **argv)
{
	if (group->run)
		return group->run(argc, argv);
	if (group->command_count == 1 && !*group->commands[0].name)
		return main_run_command(&group->commands[0], argc - 1, argv + 1);
	if (argc < 2)
		return main_unknown(group->name, NULL, group);
	if (main_is_help(argv[1]))
		return main_help_group(group);
	for (size_t i = 0; i < group->command_count; i++)
		if (strcmp(argv[1], group->commands[i].name) == 0)
			return main_run_command(&group->commands[i], argc - 2, argv + 2);
	return main_unknown(group->name, argv[1], group);
}

static int main_run(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(main_groups); i++)
		if (strcmp(argv[0], main_groups[i]->name) == 0)
			return main_run_group(main_groups[i], argc, argv);
	return main_unknown("", argv[0], NULL);
}

static int main_version(int argc, char **argv)
{
	if (argc > 1 && main_is_help(argv[1]))
		return main_help();
	if (argc > 1) {
		(void)fprintf(stderr, "highwater version: takes no arguments\n"); /* as cli_fail */
		return CLI_USAGE;
	}
	(void)puts("highwater " HW_VERSION); /* standard output is all there is */
	return CLI_DONE;
}

/* `help app create` is `app create --help`. */
static int main_help_words(int argc, char **argv)
{
	char help[] = "--help";
	char *words[4] = {0};

	if (argc > 2) {
		(void)fprintf(stderr, "highwater help: \"%.60s\" is one word too many\n", argv[2]); /* as cli_fail */
		return CLI_USAGE;
	}
	for (int i = 0; i < argc; i++)
		words[i] = argv[i];
	if (argc && strcmp(words[0], "version") && !main_is_help(words[0])) {
		words[argc] = help;
		return main_run(argc + 1, words);
	}
	return main_help();
}

static int main_run_line(int argc, char **argv)
{
	if (argc < 2) {
		(void)fprintf(
			stderr,
			"highwater: which command? `highwater help` shows all, `highwater demo` a demonstration.\n");
		return CLI_USAGE;
	}
	if (main_is_help(argv[1]))
		return main_help_words(argc - 2, argv + 2);
	if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0)
		return main_version(argc - 1, argv + 1);
	return main_run(argc - 1, argv + 1);
}

/* Opens what is closed of standard input, output and error, so that no file of ours gets such a number, and prints and
 * logs land in it. Reading from there, or writing to it, fails as it would have. */
static void main_open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			abort(); /* without a word: there is nowhere to say it */
}

/* What was printed may be the only copy of a key, or go to a full disk: only now is it known to be written. */
int main(int argc, char **argv)
{
	bool failed_before;
	bool fails;
	int exit;

	main_open_standard();
	exit = main_run_line(argc, argv);
	failed_before = ferror(stdout) != 0; /* whose errno may be another's by now */
	fails = fflush(stdout) != 0;

	if (!fails && !failed_before)
		return exit;
	(void)fprintf(stderr, "highwater: writing standard output: %s\n",
		      fails ? strerror(errno) : "not all of it could be written"); /* as cli_fail */
	return exit == CLI_DONE ? CLI_IO : exit;
}
