/* `highwater record`: reads what `highwater receive` and `highwater listen` have recorded, from the file, also while they
 * run; and two notes for them: an alert is over, gaps do not count. */
#include "receive/record.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/moment.h"
#include "cli/options.h"
#include "cli/record_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_LIST_DEFAULT 20
#define RECORD_PAGE_ROWS 200
#define RECORD_TIME_BYTES 21 /* "2026-11-25T03:00:00Z" */

/* ---- what the commands share ---- */

static int records_fail(const struct cli_line *line, const struct error *err)
{
	return cli_fail(line,
			err->class == ERR_INVALID    ? CLI_USAGE
			: err->class == ERR_INTERNAL ? CLI_DISK
						     : CLI_IO,
			"%s", err->text);
}

static const char *records_path(const struct cli_line *line)
{
	return options_get(line, OPTION_RECORD)->text;
}

static int records_time(const struct cli_line *line, enum option_id id, const char *name, int64_t *out)
{
	const struct option_value *option = options_get(line, id);
	struct error err;

	if (option->set && moment_parse(option->text, clock_wall_ms(), out, &err))
		return cli_fail(line, CLI_USAGE, "--%s: %s", name, err.text);
	return CLI_DONE;
}

static int records_filter(const struct cli_line *line, struct record_filter *out)
{
	const struct option_value *app = options_get(line, OPTION_APP);
	int exit;

	*out = (struct record_filter){.sdkappid = app->set ? (uint32_t)app->number : 0,
				      .command = str_c(options_get(line, OPTION_COMMAND)->text)};
	exit = records_time(line, OPTION_SINCE, "since", &out->since_ms);
	if (exit == CLI_DONE)
		exit = records_time(line, OPTION_UNTIL, "until", &out->until_ms);
	if (exit == CLI_DONE && options_get(line, OPTION_UNTIL)->set)
		out->until_ms++; /* the last moment is in it */
	return exit;
}

struct records_page {
	struct arena arena;
	struct record_row rows[RECORD_PAGE_ROWS];
};

/* Calls `each` for the rows of the filter, up to `limit`, a page at a time, until it returns false. */
static int records_each(const struct cli_line *line, struct record_filter *filter, uint64_t limit,
			bool (*each)(void *context, const struct record_row *row), void *context)
{
	struct record_reader *reader = NULL;
	struct records_page *page;
	struct error err;
	size_t count = 1;
	bool more = true;
	int result = 0;

	if (record_reader_open(records_path(line), &reader, &err))
		return records_fail(line, &err);
	page = mem_zalloc(sizeof(*page));
	arena_init(&page->arena, 65536);
	while (result == 0 && more && count && limit) {
		size_t wanted = limit < RECORD_PAGE_ROWS ? (size_t)limit : RECORD_PAGE_ROWS;

		arena_reset(&page->arena);
		result = record_read(reader, &page->arena, filter, wanted, page->rows, &count, &err);
		for (size_t i = 0; result == 0 && more && i < count; i++) {
			more = each(context, &page->rows[i]);
			if (filter->newest_first)
				filter->before_id = page->rows[i].id;
			else
				filter->after_id = page->rows[i].id;
		}
		limit -= count;
	}
	arena_fini(&page->arena);
	mem_free(page);
	record_reader_close(&reader);
	return result ? records_fail(line, &err) : CLI_DONE;
}

static void records_append_time(struct buf *out, int64_t time_ms)
{
	char text[CLOCK_TEXT_BYTES];

	clock_format(time_ms / 1000 * 1000, text);
	text[RECORD_TIME_BYTES - 2] = 'Z'; /* without the fraction */
	text[RECORD_TIME_BYTES - 1] = '\0';
	buf_append_c(out, text);
}

/* ---- list ---- */

struct records_list {
	bool json;
	uint64_t count;
	struct buf line;
};

static bool records_list_one(void *context, const struct record_row *row)
{
	struct records_list *list = context;
	struct buf *line = &list->line;
	struct buf words;

	buf_reset(line);
	list->count++;
	if (list->json) {
		record_append_json(row, line);
	} else {
		if (list->count == 1) /* standard output is all there is, as below */
			(void)puts("    ID  RECEIVED              APP         TIMES  EVENT");
		buf_init(&words, 1024);
		record_describe(row, &words);
		buf_printf(line, "%6" PRId64 "  ", row->id);
		records_append_time(line, row->receive_ms);
		buf_printf(line, "  %-10" PRIu32 "  %5" PRIu64 "  %s", row->sdkappid, row->times, buf_c(&words));
		if (row->webhook_id.len) {
			buf_append_c(line, "  ");
			buf_append_str(line, row->webhook_id);
		}
		buf_fini(&words);
	}
	buf_append_char(line, '\n');
	return fwrite(line->ptr, 1, line->len, stdout) == line->len;
}

static int records_list(const struct cli_line *line)
{
	const struct option_value *limit = options_get(line, OPTION_LIMIT);
	struct records_list list = {.json = options_get(line, OPTION_JSON)->set};
	struct record_filter filter;
	int exit = records_filter(line, &filter);

	if (exit != CLI_DONE)
		return exit;
	filter.newest_first = true;
	buf_init(&list.line, RECORD_LINE_BYTES_MAX + 1);
	exit = records_each(line, &filter, limit->set ? limit->number : RECORD_LIST_DEFAULT, records_list_one, &list);
	buf_fini(&list.line);
	if (exit == CLI_DONE && list.count == 0 && !list.json)
		(void)puts("nothing is recorded that fits"); /* standard output is all there is */
	return exit;
}

/* ---- show ---- */

static void records_print_body(const struct record_row *row)
{
	struct error err;
	json_t *body;
	char *text;

	if (json_read(row->body, &body, &err)) {
		(void)printf("body: %s\n", err.text); /* standard output is all there is, as below */
		return;
	}
	text = json_dumps(body, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	if (text)
		(void)puts(text);
	free(text); /* jansson's own */
	json_decref(body);
}

static void records_print_row(const struct record_row *row)
{
	struct buf text;

	buf_init(&text, 65536);
	buf_printf(&text, "event %" PRId64 ": ", row->id);
	record_describe(row, &text);
	buf_printf(&text, "\n  app         %" PRIu32 "\n  command     ", row->sdkappid);
	record_append_safe(&text, row->command);
	buf_append_c(&text, "\n  received    ");
	records_append_time(&text, row->receive_ms);
	buf_printf(&text, ", %" PRIu64 " time%s, last ", row->times, row->times == 1 ? "" : "s");
	records_append_time(&text, row->last_ms);
	if (row->kind == RECORD_CALLBACK) {
		buf_printf(&text, "\n  from        %.*s (ClientIP %.*s, OptPlatform %.*s)", STR_ARG(row->peer),
			   STR_ARG(row->client_ip), STR_ARG(row->platform));
		buf_printf(&text, "\n  verified    %s%s%s",
			   row->is_signed			  ? "Sign"
			   : row->webhook_kind == HW_WEBHOOK_NONE ? "nothing"
								  : "",
			   row->is_signed && row->webhook_kind != HW_WEBHOOK_NONE ? ", " : "",
			   row->webhook_kind == HW_WEBHOOK_NONE ? "" : "webhook signature");
	}
	if (row->webhook_id.len)
		buf_printf(&text, "\n  webhook-id  %.*s", STR_ARG(row->webhook_id));
	if (row->sequence >= 0)
		buf_printf(&text, "\n  sequence    %" PRId64, row->sequence);
	if (row->attempt >= 0)
		buf_printf(&text, "\n  attempt     %" PRId64 " (of the delivery that came first)", row->attempt);
	if (row->threshold >= 0)
		buf_printf(&text, "\n  threshold   %" PRId64 " %%", row->threshold);
	if (row->replay >= 0)
		buf_printf(&text, "\n  replay      %" PRId64, row->replay);
	if (row->is_test)
		buf_append_c(&text, "\n  test        an operator made it: no threshold was reached");
	(void)puts(buf_c(&text)); /* standard output is all there is */
	buf_fini(&text);
	records_print_body(row);
}

static int records_show(const struct cli_line *line)
{
	struct record_reader *reader = NULL;
	struct record_row row;
	struct arena arena;
	struct error err;
	struct buf text;
	int found;

	if (record_reader_open(records_path(line), &reader, &err))
		return records_fail(line, &err);
	arena_init(&arena, 65536);
	found = record_find_word(reader, &arena, line->arguments[0], &row, &err);
	if (found == 1 && options_get(line, OPTION_JSON)->set) {
		buf_init(&text, RECORD_LINE_BYTES_MAX);
		record_append_json(&row, &text);
		(void)puts(buf_c(&text)); /* standard output is all there is */
		buf_fini(&text);
	} else if (found == 1) {
		records_print_row(&row);
	}
	arena_fini(&arena);
	record_reader_close(&reader);
	if (found < 0)
		return records_fail(line, &err);
	if (found == 0)
		return cli_fail(line, CLI_REFUSED, "there is no event %.80s in the record", line->arguments[0]);
	return CLI_DONE;
}

/* ---- export ---- */

struct records_export {
	bool csv;
	bool has_begun;
	struct buf line;
};

/* The names of the columns, once it is known that there is a record. */
static void records_export_begin(struct records_export *export)
{
	if (export->has_begun)
		return;
	export->has_begun = true;
	buf_reset(&export->line);
	if (export->csv)
		record_append_csv_head(&export->line);
	(void)fwrite(export->line.ptr, 1, export->line.len, stdout); /* its failure stays with stdout */
}

static bool records_export_one(void *context, const struct record_row *row)
{
	struct records_export *export = context;

	records_export_begin(export);
	buf_reset(&export->line);
	if (export->csv) {
		record_append_csv(row, &export->line);
	} else {
		record_append_json(row, &export->line);
		buf_append_char(&export->line, '\n');
	}
	return fwrite(export->line.ptr, 1, export->line.len, stdout) == export->line.len;
}

static int records_export(const struct cli_line *line)
{
	const char *format = options_get(line, OPTION_FORMAT)->text;
	struct records_export export = {.csv = strcmp(format, "csv") == 0};
	struct record_filter filter;
	int exit = records_filter(line, &filter);

	if (exit != CLI_DONE)
		return exit;
	if (!export.csv && strcmp(format, "jsonl") != 0)
		return cli_fail(line, CLI_USAGE, "--format: \"%.40s\" is none of jsonl and csv", format);
	buf_init(&export.line, 2 * RECORD_LINE_BYTES_MAX); /* CSV doubles quotes */
	exit = records_each(line, &filter, UINT64_MAX, records_export_one, &export);
	if (exit == CLI_DONE)
		records_export_begin(&export);
	buf_fini(&export.line);
	return exit;
}

/* ---- gaps ---- */

static int records_clear_gaps(const struct cli_line *line, uint32_t sdkappid)
{
	uint64_t removed = 0;
	struct error err;

	if (record_gaps_clear(records_path(line), sdkappid, &removed, &err))
		return records_fail(line, &err);
	/* standard output is all there is */
	if (options_get(line, OPTION_JSON)->set)
		(void)printf("{\"Cleared\":%" PRIu64 "}\n", removed);
	else
		(void)printf("%" PRIu64 " missing number%s do%s not count any more\n", removed, removed == 1 ? "" : "s",
			     removed == 1 ? "es" : "");
	return CLI_DONE;
}

static void records_print_gaps(const struct record_gap *gaps, size_t count)
{
	struct buf text;

	/* standard output is all there is, as below */
	(void)puts(count ? "APP         MISSING              SINCE" : "no number is missing");
	for (size_t i = 0; i < count; i++) {
		char range[48];

		if (gaps[i].first == gaps[i].last)
			(void)snprintf(range, sizeof(range), "%" PRId64, gaps[i].first); /* fits, as the next */
		else
			(void)snprintf(range, sizeof(range), "%" PRId64 " to %" PRId64, gaps[i].first, gaps[i].last);
		buf_init(&text, 256);
		buf_printf(&text, "%-10" PRIu32 "  %-19s  ", gaps[i].sdkappid, range);
		records_append_time(&text, gaps[i].since_ms);
		(void)puts(buf_c(&text));
		buf_fini(&text);
	}
	if (count)
		(void)puts(
			"Callbacks that the sender superseded or gave up never come, and those that wait come later:\n"
			"`highwater callback list --app SDKAPPID` at the sender tells what became of a number.\n"
			"`highwater record gaps --clear` lets them not count any more.");
}

static void records_print_gaps_json(const struct record_gap *gaps, size_t count)
{
	(void)fputs("[", stdout); /* standard output is all there is, as below */
	for (size_t i = 0; i < count; i++)
		(void)printf("%s{\"SdkAppid\":%" PRIu32 ",\"First\":%" PRId64 ",\"Last\":%" PRId64 ",\"Since\":%" PRId64
			     "}",
			     i ? "," : "", gaps[i].sdkappid, gaps[i].first, gaps[i].last, gaps[i].since_ms);
	(void)puts("]");
}

static int records_gaps(const struct cli_line *line)
{
	const struct option_value *app = options_get(line, OPTION_APP);
	uint32_t sdkappid = app->set ? (uint32_t)app->number : 0;
	struct record_reader *reader = NULL;
	struct record_gap *gaps = NULL;
	struct arena arena;
	struct error err;
	size_t count = 0;
	int result;

	if (options_get(line, OPTION_CLEAR)->set)
		return records_clear_gaps(line, sdkappid);
	if (record_reader_open(records_path(line), &reader, &err))
		return records_fail(line, &err);
	arena_init(&arena, 65536);
	result = record_read_gaps(reader, &arena, sdkappid, &gaps, &count, &err);
	if (result == 0 && options_get(line, OPTION_JSON)->set)
		records_print_gaps_json(gaps, count);
	else if (result == 0)
		records_print_gaps(gaps, count);
	arena_fini(&arena);
	record_reader_close(&reader);
	return result ? records_fail(line, &err) : CLI_DONE;
}

/* ---- resolve ---- */

/* Does the record know the app? A note about another one, by a typing mistake, would resolve nothing. */
static int records_knows(const char *path, uint32_t sdkappid, bool *known_out, struct error *err)
{
	struct record_reader *reader = NULL;
	struct record_app *apps = NULL;
	struct arena arena;
	size_t count = 0;
	int result;

	if (record_reader_open(path, &reader, err))
		return -1;
	arena_init(&arena, 65536);
	result = record_read_apps(reader, &arena, &apps, &count, err);
	*known_out = false;
	for (size_t i = 0; i < count && result == 0; i++)
		*known_out = *known_out || apps[i].sdkappid == sdkappid;
	arena_fini(&arena);
	record_reader_close(&reader);
	return result;
}

static int records_resolve(const struct cli_line *line)
{
	uint32_t sdkappid = (uint32_t)options_get(line, OPTION_APP)->number;
	const struct option_value *threshold = options_get(line, OPTION_THRESHOLD);
	struct error err;
	bool known;

	if (records_knows(records_path(line), sdkappid, &known, &err))
		return records_fail(line, &err);
	if (!known)
		return cli_fail(line, CLI_REFUSED, "the record has nothing of app %" PRIu32, sdkappid);
	if (record_note_add(records_path(line), sdkappid, threshold->set ? (unsigned)threshold->number : 0,
			    clock_wall_ms(), &err))
		return records_fail(line, &err);
	/* standard output is all there is */
	(void)printf("noted that the alert of app %" PRIu32 " is over; the next one begins anew\n", sdkappid);
	return CLI_DONE;
}

/* ---- the table ---- */

#define RECORDS_FILTER                                                                                                 \
	(OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_COMMAND) | OPTION_BIT(OPTION_SINCE) | OPTION_BIT(OPTION_UNTIL))

static const struct cli_command records_commands[] = {
	{
		.group = "record",
		.name = "list",
		.arguments = "",
		.options =
			OPTION_BIT(OPTION_RECORD) | RECORDS_FILTER | OPTION_BIT(OPTION_LIMIT) | OPTION_BIT(OPTION_JSON),
		.summary = "Lists recorded events, the newest first",
		.details = "\n20 of them, unless --limit says otherwise.\n",
		.run = records_list,
	},
	{
		.group = "record",
		.name = "show",
		.arguments = "ID|WEBHOOK-ID",
		.argument_min = 1,
		.argument_max = 1,
		.options = OPTION_BIT(OPTION_RECORD) | OPTION_BIT(OPTION_JSON),
		.summary = "Shows all of an event",
		.details = "",
		.run = records_show,
	},
	{
		.group = "record",
		.name = "export",
		.arguments = "",
		.options = OPTION_BIT(OPTION_RECORD) | RECORDS_FILTER | OPTION_BIT(OPTION_FORMAT),
		.summary = "Writes events to standard output, in the order of recording",
		.details = "",
		.run = records_export,
	},
	{
		.group = "record",
		.name = "gaps",
		.arguments = "",
		.options = OPTION_BIT(OPTION_RECORD) | OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_CLEAR) |
			   OPTION_BIT(OPTION_JSON),
		.summary = "Lists the numbers that are missing in the apps' sequences",
		.details = "",
		.run = records_gaps,
	},
	{
		.group = "record",
		.name = "resolve",
		.arguments = "",
		.options = OPTION_BIT(OPTION_RECORD) | OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_THRESHOLD),
		.required = OPTION_BIT(OPTION_APP),
		.summary = "Notes that an app's alert is over, for the sinks of `highwater receive`",
		.details = "\nWithout --threshold the alerts of all its thresholds. An Alertmanager resolves them "
			   "within a\n"
			   "second or two.\n",
		.run = records_resolve,
	},
};

const struct cli_group cli_record_group = {
	.name = "record",
	.summary = "Lists and exports what was received; gaps; resolves alerts",
	.commands = records_commands,
	.command_count = ARRAY_LEN(records_commands),
};
