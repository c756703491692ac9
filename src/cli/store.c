/* `highwater store`: copies of the database and their way back, the way from one kind of store to another, and the
 * recount that shows whether counters are right. All but `copy` works beside a server that may be using the database. */
#include "base/json.h"
#include "cli/files.h"
#include "cli/options.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORES_PATH_BYTES_MAX 4200
#define STORES_FINDING_BYTES 256
#define STORES_ANSWER_TIMEOUT_MS 60000 /* of PostgreSQL, for one statement */

/* ---- what is common ---- */

static int stores_fail(const struct cli_line *line, const struct error *err)
{
	enum cli_exit exit = err->class == ERR_INVALID ? CLI_USAGE : CLI_IO;

	return cli_fail(line, exit, "%s", err->text);
}

/* The database of --data-dir. */
static int stores_path(const struct cli_line *line, char path[STORES_PATH_BYTES_MAX])
{
	const char *folder = options_get(line, OPTION_DATA_DIR)->text;

	if (snprintf(path, STORES_PATH_BYTES_MAX, "%s/highwater.db", folder) >= STORES_PATH_BYTES_MAX)
		return cli_fail(line, CLI_USAGE, "--data-dir: the path is too long");
	return CLI_DONE;
}

/* ---- the recount ---- */

struct stores_count {
	const struct cli_line *line;
	struct store_reader *reader;
	json_t *drifts;
	uint64_t apps;
	uint64_t rooms;
	uint64_t waiting;
	int failed; /* -1: err says why */
	struct error err;
};

static void stores_note(struct stores_count *count, uint32_t sdkappid, const char *what, uint64_t kept,
			uint64_t counted)
{
	if (kept == counted)
		return;
	(void)json_array_append_new(count->drifts, json_pack("{s:I,s:s,s:I,s:I}", "SdkAppid", (json_int_t)sdkappid,
							     "Counter", what, "Kept", (json_int_t)kept, "Counted",
							     (json_int_t)counted)); /* memory ends the process */
}

static void stores_count_app(void *context, const struct store_app *app)
{
	struct stores_count *count = context;
	uint64_t rooms;
	uint64_t waiting;

	if (count->failed)
		return;
	if (store_room_count(count->reader, app->config.number, &rooms, &count->err) ||
	    store_waiting_count(count->reader, app->config.sdkappid, &waiting, &count->err)) {
		count->failed = -1;
		return;
	}
	stores_note(count, app->config.sdkappid, "rooms", app->state.room_count, rooms);
	stores_note(count, app->config.sdkappid, "waiting callbacks", app->state.callback_pending, waiting);
	count->apps++;
	count->rooms += rooms;
	count->waiting += waiting;
}

/* Opens one moment of it, and looks at every page of a file. */
static int stores_look(const char *place, struct stores_count *count, struct error *err)
{
	const struct store_postgres_options postgres = {place, STORES_ANSWER_TIMEOUT_MS};
	char finding[STORES_FINDING_BYTES];
	int sound;

	if (store_is_postgres(place))
		return store_postgres_look(&postgres, &count->reader, err);
	sound = store_sqlite_verify(place, finding, sizeof(finding), err);
	if (sound < 0 || store_sqlite_look(place, &count->reader, err))
		return -1;
	if (!sound)
		(void)json_array_append_new(count->drifts, json_pack("{s:s}", "Damage", finding)); /* as stores_note */
	return 0;
}

/* Recounts one moment of it. Returns CLI_DONE with the counts, or the exit code. */
static int stores_recount(const char *place, struct stores_count *count)
{
	struct error err;

	if (stores_look(place, count, &err))
		return stores_fail(count->line, &err);
	if (store_app_each(count->reader, stores_count_app, count, &err)) {
		count->failed = -1;
		count->err = err;
	}
	store_reader_close(&count->reader);
	return count->failed ? stores_fail(count->line, &count->err) : CLI_DONE;
}

static void stores_print_drift(const json_t *drift)
{
	const char *damage = json_string_value(json_object_get(drift, "Damage"));

	if (damage)
		(void)printf("  damaged: %s\n", damage); /* standard output is all there is, as below */
	else
		(void)printf("  app %" JSON_INTEGER_FORMAT ": %s: kept %" JSON_INTEGER_FORMAT
			     ", counted %" JSON_INTEGER_FORMAT "\n",
			     json_integer_value(json_object_get(drift, "SdkAppid")),
			     json_string_value(json_object_get(drift, "Counter")),
			     json_integer_value(json_object_get(drift, "Kept")),
			     json_integer_value(json_object_get(drift, "Counted")));
}

/* What was found, and the exit code that says whether it is right. */
static int stores_tell(const struct cli_line *line, const char *path, const struct stores_count *count)
{
	size_t drifts = json_array_size(count->drifts);

	if (options_get(line, OPTION_JSON)->set) {
		json_t *all = json_pack("{s:s,s:I,s:I,s:I,s:O}", "File", path, "Apps", (json_int_t)count->apps, "Rooms",
					(json_int_t)count->rooms, "Waiting", (json_int_t)count->waiting, "Drifts",
					count->drifts);

		(void)json_dumpf(all, stdout, JSON_ENSURE_ASCII | JSON_INDENT(2)); /* as above */
		(void)puts("");
		json_decref(all);
	} else {
		(void)printf("%s: %" PRIu64 " apps, %" PRIu64 " rooms, %" PRIu64 " callbacks waiting; %s\n", path,
			     count->apps, count->rooms, count->waiting,
			     drifts ? "this is not right:" : "pages and counters are right");
		for (size_t i = 0; i < drifts; i++)
			stores_print_drift(json_array_get(count->drifts, i));
	}
	return drifts ? CLI_REFUSED : CLI_DONE;
}

/* What a place is called: a URL may hold a password. */
static const char *stores_name(const char *place)
{
	return store_is_postgres(place) ? "the PostgreSQL database" : place;
}

static int stores_check_path(const struct cli_line *line, const char *path)
{
	struct stores_count count = {.line = line, .drifts = json_array()};
	int exit = stores_recount(path, &count);

	if (exit == CLI_DONE)
		exit = stores_tell(line, stores_name(path), &count);
	json_decref(count.drifts);
	return exit;
}

/* ---- commands ---- */

static int stores_check(const struct cli_line *line)
{
	char path[STORES_PATH_BYTES_MAX];
	int exit = CLI_DONE;

	if (line->argument_count)
		return stores_check_path(line, line->arguments[0]);
	exit = stores_path(line, path);
	return exit == CLI_DONE ? stores_check_path(line, path) : exit;
}

static int stores_backup(const struct cli_line *line)
{
	const char *to = line->arguments[0];
	char path[STORES_PATH_BYTES_MAX];
	struct error err;
	int exit = stores_path(line, path);

	if (exit != CLI_DONE)
		return exit;
	if (store_sqlite_copy(path, to, false, &err))
		return stores_fail(line, &err);
	return stores_check_path(line, to);
}

static int stores_restore(const struct cli_line *line)
{
	const char *folder = options_get(line, OPTION_DATA_DIR)->text;
	const char *from = line->arguments[0];
	char path[STORES_PATH_BYTES_MAX];
	char wal[STORES_PATH_BYTES_MAX + 8];
	struct error err;
	int exit = stores_path(line, path);

	if (exit == CLI_DONE) /* a damaged or wrong backup must not come so far as to be started on */
		exit = stores_check_path(line, from);
	if (exit != CLI_DONE)
		return exit;
	if (files_make_folder(folder, 0700, &err))
		return stores_fail(line, &err);
	(void)snprintf(wal, sizeof(wal), "%s-wal", path); /* sized for it */
	if (access(path, F_OK) == 0 || access(wal, F_OK) == 0)
		return cli_fail(line, CLI_USAGE,
				"%s has a database already: stop the server and move that folder away first", folder);
	if (store_sqlite_copy(from, path, true, &err))
		return stores_fail(line, &err);
	if (!options_get(line, OPTION_JSON)->set) /* standard output is all there is */
		(void)printf("restored to %s. Its files belong to whoever ran this: the server's user must own them.\n",
			     path);
	return CLI_DONE;
}

static void stores_print_report(const struct cli_line *line, const struct store_copy_report *report)
{
	bool dry = options_get(line, OPTION_DRY_RUN)->set;

	for (size_t i = 0; i < report->table_count; i++)
		(void)printf("%-13s %10" PRIu64 " rows\n", report->tables[i].name, report->tables[i].rows);
	(void)puts(dry ? "Nothing was copied (--dry-run)."
		       : "Copied, read back and compared. Only one of the two may go on: they are the same store.");
	if (!dry && !store_is_postgres(line->arguments[1]))
		(void)puts("The file belongs to whoever ran this: the server's user must own it.");
}

static void stores_print_json(const struct cli_line *line, const struct store_copy_report *report)
{
	json_t *tables = json_object();
	json_t *all;

	for (size_t i = 0; i < report->table_count; i++)
		(void)json_object_set_new(tables, report->tables[i].name,
					  json_integer((json_int_t)report->tables[i].rows)); /* as stores_note */
	all = json_pack("{s:b,s:o}", "DryRun", options_get(line, OPTION_DRY_RUN)->set, "Rows", tables);
	(void)json_dumpf(all, stdout, JSON_ENSURE_ASCII | JSON_INDENT(2)); /* as above */
	(void)puts("");
	json_decref(all);
}

static int stores_copy(const struct cli_line *line)
{
	const struct store_copy_options options = {.from = line->arguments[0],
						   .to = line->arguments[1],
						   .dry_run = options_get(line, OPTION_DRY_RUN)->set,
						   .answer_timeout_ms = STORES_ANSWER_TIMEOUT_MS};
	struct store_copy_report report;
	struct error err;

	if (store_copy(&options, &report, &err))
		return stores_fail(line, &err);
	if (options_get(line, OPTION_JSON)->set)
		stores_print_json(line, &report);
	else
		stores_print_report(line, &report);
	return CLI_DONE;
}

static const struct cli_command stores_commands[] = {
	{
		.group = "store",
		.name = "backup",
		.arguments = "FILE",
		.argument_min = 1,
		.argument_max = 1,
		.options = OPTION_BIT(OPTION_DATA_DIR) | OPTION_BIT(OPTION_JSON),
		.summary = "Copies the database to FILE, also while the server runs",
		.details = "\nThe copy is one moment of it, whole or not there, readable for its owner only; it is "
			   "recounted\n"
			   "before this ends. FILE must not exist. It holds every key and token.\n",
		.run = stores_backup,
	},
	{
		.group = "store",
		.name = "restore",
		.arguments = "FILE",
		.argument_min = 1,
		.argument_max = 1,
		.options = OPTION_BIT(OPTION_DATA_DIR) | OPTION_BIT(OPTION_JSON),
		.summary = "Makes a data folder from a backup",
		.details = "\nThe folder of --data-dir must have no database. Callbacks that waited in the backup are "
			   "sent\n"
			   "again, with new webhook-ids: those made after the backup may have been seen already.\n",
		.run = stores_restore,
	},
	{
		.group = "store",
		.name = "copy",
		.arguments = "FROM TO",
		.argument_min = 2,
		.argument_max = 2,
		.options = OPTION_BIT(OPTION_DRY_RUN) | OPTION_BIT(OPTION_JSON),
		.summary = "Moves everything from one store to another: SQLite file or PostgreSQL URL",
		.details =
			"\nEach of FROM and TO is the path of a highwater.db or a postgresql:// URL; leave its "
			"password\n"
			"to ~/.pgpass or PGPASSWORD. No server may use either; TO must have nothing yet. All that was\n"
			"written is read back and compared before it counts; when anything fails TO stays as it was.\n"
			"The copy is the same store: start a server on one of the two only.\n",
		.run = stores_copy,
	},
	{
		.group = "store",
		.name = "check",
		.arguments = "[FILE|URL]",
		.argument_max = 1,
		.options = OPTION_BIT(OPTION_DATA_DIR) | OPTION_BIT(OPTION_JSON),
		.summary = "Recounts a database or a backup, also while the server runs",
		.details = "\nLooks at every page of a file, and counts rooms and waiting callbacks of each app "
			   "against the "
			   "counters.\n"
			   "The exit code is 1 when something is not right.\n",
		.run = stores_check,
	},
};

const struct cli_group cli_store_group = {
	.name = "store",
	.summary = "Backs up, restores and recounts the database",
	.commands = stores_commands,
	.command_count = ARRAY_LEN(stores_commands),
};
