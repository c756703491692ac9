/* `highwater audit`: who changed what, from the server's audit log. */
#include "base/clock.h"
#include "cli/remote.h"

#include <inttypes.h>

#define AUDIT_PAGE_COUNT 100 /* the server's largest page */
#define AUDIT_LIMIT_DEFAULT 20
#define AUDIT_BODY_BYTES_MAX 256

/* One page, added to `rows`; `next` is where the one after it starts, 0 for none. */
static int audit_fetch_page(const struct cli_line *line, uint64_t count, int64_t *next, json_t *rows)
{
	const struct option_value *app = options_get(line, OPTION_APP);
	struct remote_answer answer;
	int64_t before = *next;
	struct buf body;
	int exit;

	buf_init(&body, AUDIT_BODY_BYTES_MAX);
	buf_printf(&body, "{\"SdkAppid\":%" PRIu64 ",\"Next\":%" PRId64 ",\"Count\":%" PRIu64 "}",
		   app->set ? app->number : 0, before, count < AUDIT_PAGE_COUNT ? count : AUDIT_PAGE_COUNT);
	exit = remote_run_manage(line, "audit_list", &body, &answer);
	buf_fini(&body);
	if (exit != CLI_DONE)
		return exit;
	(void)json_array_extend(rows, json_object_get(answer.response, "AuditList")); /* may be empty */
	*next = remote_number(answer.response, "Next");
	remote_answer_free(&answer);
	if (*next && before && *next >= before)
		return cli_fail(line, CLI_IO, "the server's pages do not end");
	return CLI_DONE;
}

static void audit_print_list(const json_t *rows, bool more)
{
	if (json_array_size(rows) == 0) /* standard output is all there is, as below */
		(void)puts("nothing was changed yet");
	else
		(void)printf("%-20s  %-10s  %-22s  %-22s  %-15s  %s\n", "TIME", "APP", "ACTION", "WHO", "FROM", "WHAT");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		char time[CLOCK_TEXT_BYTES];

		clock_format(remote_number(row, "Time"), time);
		(void)printf("%.19sZ  %-10" PRId64 "  %-22s  %-22s  %-15s  %s\n", time, remote_number(row, "SdkAppid"),
			     remote_text(row, "Action"), remote_text(row, "Actor"), remote_text(row, "ClientIp"),
			     remote_text(row, "Detail"));
	}
	if (more)
		(void)puts("There may be older ones: --limit N shows up to N.");
}

static int audit_run(const struct cli_line *line)
{
	const struct option_value *limit = options_get(line, OPTION_LIMIT);
	uint64_t most = limit->set ? limit->number : AUDIT_LIMIT_DEFAULT;
	json_t *whole = json_pack("{s:[]}", "AuditList");
	json_t *rows = json_object_get(whole, "AuditList");
	int64_t next = 0;
	int exit;

	do
		exit = audit_fetch_page(line, most - json_array_size(rows), &next, rows);
	while (exit == CLI_DONE && next && json_array_size(rows) < most);
	if (exit == CLI_DONE && !remote_print_json(line, whole))
		audit_print_list(rows, next != 0);
	json_decref(whole);
	return exit;
}

static const struct cli_command audit_commands[] = {
	{
		.group = "audit",
		.name = "",
		.arguments = "",
		.options = REMOTE_OPTIONS | OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_LIMIT),
		.summary = "Lists who changed what, the newest first",
		.details = "\nOf all apps, deleted ones too, or of --app. 20 changes, unless --limit says otherwise.\n"
			   "WHO is token: the admin token; session: a browser signed in with it; admin: an app admin\n"
			   "over the server API; system: the server itself.\n",
		.run = audit_run,
	},
};

const struct cli_group cli_audit_group = {
	.name = "audit",
	.summary = "Lists who changed what",
	.commands = audit_commands,
	.command_count = ARRAY_LEN(audit_commands),
};
