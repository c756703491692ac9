/* `highwater check URL`: does an App backend, in whatever language, do as it must? check_cases.c has the cases; here are the
 * line and the reports. */
#include "cli/check.h"
#include "cli/files.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_JUNIT_BYTES_MAX (256 * 1024)

static const char *const check_result_words[] = {
	[CHECK_PASSED] = "passed", [CHECK_FAILED] = "failed", [CHECK_SKIPPED] = "skipped"};
static const char *const check_level_words[] = {[CHECK_MUST] = "must", [CHECK_SHOULD] = "should"};

unsigned check_failures(const struct check *check, enum check_level level)
{
	unsigned count = 0;

	for (size_t i = 0; i < check->count; i++)
		count += check->findings[i].result == CHECK_FAILED && check->findings[i].level == level;
	return count;
}

/* ---- for people ---- */

static bool check_has_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

void check_print_finding(const struct check *check, const struct check_finding *finding)
{
	static const char *const colours[] = {
		[CHECK_PASSED] = "\033[32m", [CHECK_FAILED] = "\033[31m", [CHECK_SKIPPED] = "\033[33m"};
	bool colour = check_has_colour();

	(void)check; /* all print alike */
	/* standard output is all there is, as below */
	(void)printf("%s%-7s%s  %-6s  %-23s  %s", colour ? colours[finding->result] : "",
		     check_result_words[finding->result], colour ? "\033[0m" : "", check_level_words[finding->level],
		     finding->id, finding->title);
	if (finding->result != CHECK_PASSED)
		(void)printf("\n         seen: %s", finding->seen);
	if (*finding->advice)
		(void)printf("\n         do:   %s", finding->advice);
	(void)puts("");
	(void)fflush(stdout); /* the next case may take a while */
}

void check_print_end(const struct check *check)
{
	unsigned skipped = 0;
	unsigned passed = 0;

	for (size_t i = 0; i < check->count; i++) {
		skipped += check->findings[i].result == CHECK_SKIPPED;
		passed += check->findings[i].result == CHECK_PASSED;
	}
	/* standard output is all there is */
	(void)printf("%u passed, %u failed that must pass, %u failed that should, %u skipped\n", passed,
		     check_failures(check, CHECK_MUST), check_failures(check, CHECK_SHOULD), skipped);
	if (!check->reachable)
		(void)puts("Nothing answered, so the rest was left out; `highwater doctor` looks at the way there.");
}

/* ---- for machines ---- */

void check_print_json(const struct check *check)
{
	json_t *list = json_array();
	json_t *whole;

	for (size_t i = 0; i < check->count; i++) {
		const struct check_finding *finding = &check->findings[i];

		/* fails with memory only, as below */
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "Id", finding->id, "Title",
					finding->title, "Level", check_level_words[finding->level], "Result",
					check_result_words[finding->result], "Seen", finding->seen, "Advice",
					finding->advice, "DurationUs", (json_int_t)finding->duration_us));
	}
	whole = json_pack("{s:b, s:i, s:i, s:o}", "Conforms", check_failures(check, CHECK_MUST) == 0, "FailedMust",
			  (int)check_failures(check, CHECK_MUST), "FailedShould",
			  (int)check_failures(check, CHECK_SHOULD), "CaseList", list);
	trier_print_json(whole);
}

static void check_append_xml(struct buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			buf_append_c(out, "&lt;");
			break;
		case '>':
			buf_append_c(out, "&gt;");
			break;
		case '&':
			buf_append_c(out, "&amp;");
			break;
		case '"':
			buf_append_c(out, "&quot;");
			break;
		default:
			buf_append_char(out, *text < ' ' || *text > '~' ? '?' : *text);
		}
	}
}

static void check_append_junit_case(struct buf *out, const struct check_finding *finding)
{
	buf_printf(out, "  <testcase classname=\"highwater.check.%s\" name=\"%s\" time=\"%.6f\">\n",
		   check_level_words[finding->level], finding->id, (double)finding->duration_us / 1e6);
	if (finding->result == CHECK_SKIPPED) {
		buf_append_c(out, "    <skipped message=\"");
		check_append_xml(out, finding->seen);
		buf_append_c(out, "\"/>\n");
	} else if (finding->result == CHECK_FAILED) {
		buf_append_c(out, "    <failure message=\"");
		check_append_xml(out, finding->title);
		buf_append_c(out, "\">seen: ");
		check_append_xml(out, finding->seen);
		buf_append_c(out, "\ndo: ");
		check_append_xml(out, finding->advice);
		buf_append_c(out, "</failure>\n");
	}
	buf_append_c(out, "  </testcase>\n");
}

int check_write_junit(const struct check *check, const char *path, struct error *err)
{
	unsigned skipped = 0;
	double seconds = 0;
	struct buf out;
	int result;

	for (size_t i = 0; i < check->count; i++) {
		skipped += check->findings[i].result == CHECK_SKIPPED;
		seconds += (double)check->findings[i].duration_us / 1e6;
	}
	buf_init(&out, CHECK_JUNIT_BYTES_MAX);
	buf_printf(&out,
		   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"highwater check\" tests=\"%zu\" "
		   "failures=\"%u\" errors=\"0\" skipped=\"%u\" time=\"%.6f\">\n",
		   check->count, check_failures(check, CHECK_MUST) + check_failures(check, CHECK_SHOULD), skipped,
		   seconds);
	for (size_t i = 0; i < check->count; i++)
		check_append_junit_case(&out, &check->findings[i]);
	buf_append_c(&out, "</testsuite>\n");
	result = files_write_report(path, buf_str(&out), err);
	buf_fini(&out);
	return result;
}

/* ---- the line ---- */

static int check_report(struct check *check)
{
	const struct option_value *junit = options_get(check->line, OPTION_JUNIT);
	struct error err;

	if (check->json)
		check_print_json(check);
	else
		check_print_end(check);
	if (junit->set && check_write_junit(check, junit->text, &err))
		return cli_fail(check->line, CLI_IO, "--junit: %s", err.text);
	return check_failures(check, CHECK_MUST) ? CLI_REFUSED : CLI_DONE;
}

static int check_run(const struct cli_line *line)
{
	struct check check = {.line = line, .json = options_get(line, OPTION_JSON)->set};
	const struct option_value *foreign = options_get(line, OPTION_FOREIGN_APP);
	const struct option_value *junit = options_get(line, OPTION_JUNIT);
	const char *wrong;
	struct error err;
	int exit = trier_open(line, &check.trier);

	wrong = hw_callback_url_check(line->arguments[0], strlen(line->arguments[0]));
	if (exit == CLI_DONE && wrong)
		exit = cli_fail(line, CLI_USAGE, "%s", wrong);
	if (exit == CLI_DONE && foreign->set && foreign->number == check.trier.caller.sdkappid)
		exit = cli_fail(line, CLI_USAGE, "--foreign-app must be another app than --app");
	if (exit == CLI_DONE && junit->set && files_check_report(junit->text, &err)) /* not after a minute */
		exit = cli_fail(line, CLI_IO, "--junit: %s", err.text);
	if (foreign->set)
		check.trier.caller.foreign_sdkappid = (uint32_t)foreign->number;
	if (exit == CLI_DONE) {
		check_run_cases(&check);
		exit = check_report(&check);
	}
	trier_close(&check.trier);
	return exit;
}

static const struct cli_command check_commands[] = {
	{
		.group = "check",
		.name = "",
		.arguments = "URL",
		.argument_min = 1,
		.argument_max = 1,
		.options = TRIER_OPTIONS | OPTION_BIT(OPTION_FOREIGN_APP) | OPTION_BIT(OPTION_JUNIT),
		.summary = "Checks whether an App backend does as it must: takes, refuses, answers in form and time",
		.details =
			"\nSends about 60 callbacks, all for the app of --app (without it: 1400000001) and marked with "
			"Highwater-Test: 1,\nright and wrong ones, and says for each case what was seen and what to "
			"do. "
			"Cases about Sign need --token-file,\nthose about signatures --secret-file. The exit code is 1 "
			"when a case failed that must pass.\n",
		.run = check_run,
	},
};

const struct cli_group cli_check_group = {
	.name = "check",
	.summary = "Checks whether an App backend does as it must",
	.commands = check_commands,
	.command_count = ARRAY_LEN(check_commands),
};
