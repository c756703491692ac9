/* `highwater serve`: the Live backend.
 *
 * Start, in this order: settings, data folder, store (its lock keeps a second server out), admin token, engine,
 * delivery, API, listening address; then the threads; then the port file and the line "ready", so whoever waits for
 * those finds everything there. Stop, on SIGTERM or SIGINT: no new requests, answers for those under way, delivery,
 * engine, and all is closed in reverse; a second signal ends the process at once, which loses nothing that was
 * acknowledged.
 */
#include "api/api.h"
#include "api/metrics.h"
#include "base/mem.h"
#include "cli/files.h"
#include "cli/serve_token.h"
#include "cli/reload.h"
#include "cli/service.h"
#include "http/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVE_PATH_BYTES_MAX 4096

struct serve_settings {
	struct service_http http;
	char *trusted_proxies;
	char *client_origins;
	struct rate_limits rates;
	char *data_dir;
	char *store_url;
	uint64_t store_timeout;
	uint64_t store_cache;
	uint64_t store_wal_max;
	uint64_t queue_max;
	uint64_t batch_max;
	char *ca_file;
	char *allowed_addresses;
	uint64_t connect_timeout;
	uint64_t total_timeout;
	uint64_t reply_max;
	uint64_t in_flight_max;
	uint64_t in_flight_per_app;
	uint64_t retry_first;
	uint64_t retry_longest;
	uint64_t give_up;
	uint64_t probe_longest;
	bool supersede;
	uint64_t keep_delivered;
	uint64_t keep_failed;
	bool console;
	uint64_t session_timeout;
	uint64_t wrong_tokens_max;
	uint64_t keep_audit;
	uint64_t keep_samples;
	char *on_fail;
	char *on_unparsable;
	struct service_status status;
	uint64_t status_apps_max;
	struct service_log log;
};

#define SERVE_ROW(name, type, field, fallback, min, max, help)                                                         \
	{                                                                                                              \
		name, type, offsetof(struct serve_settings, field), fallback, min, max, help, false                    \
	}
/* One that can be reloaded. */
#define SERVE_LIVE(name, type, field, fallback, min, max, help)                                                        \
	{                                                                                                              \
		name, type, offsetof(struct serve_settings, field), fallback, min, max, help, true                     \
	}
#define SERVE_S UINT64_C(1000)
#define SERVE_DAY (86400 * SERVE_S)
#define SERVE_ALLOWED_NAME "callback.allowed_addresses"
#define SERVE_MIB (UINT64_C(1024) * 1024)
#define SERVE_PRUNE_MS 60000   /* between two rounds of removing old callbacks */
#define SERVE_PROBE_MS 5000    /* with PostgreSQL: how soon it is noticed, without a request, that it went away */
#define SERVE_PATIENCE_TIMES 6 /* store.timeout: the longest that a thread waits for PostgreSQL before it goes round */

/* on_unparsable: a 2xx without a reply that can be understood often comes from something before the receiver (a default
 * page, a login wall, a proxy), so it proves nothing. Trying again may show a receiver one event twice, which the same
 * webhook-id tells it; accepting may lose the alert. */
static const struct setting serve_rows[] = {
	SERVICE_HTTP_ROWS(serve_settings, "127.0.0.1:8080", "0", "64KiB"),
	SERVE_ROW("http.trusted_proxies", SETTING_TEXT, trusted_proxies, "", 0, 4000,
		  "Addresses of proxies, with commas between, whose X-Forwarded-For is believed."),
	SERVE_ROW("client.origins", SETTING_TEXT, client_origins, "*", 0, 4000,
		  "Web origins whose pages may use the client path, with commas between; * for all, empty for none."),
	SERVE_LIVE("rate.api", SETTING_COUNT, rates.api, "200", 0, RATE_PER_SECOND_MAX,
		   "Calls per second of one app and command on the server API; 0 for no limit, as in all of rate."),
	SERVE_LIVE("rate.slow", SETTING_COUNT, rates.slow, "100", 0, RATE_PER_SECOND_MAX,
		   "The same for the commands of robots and statistics."),
	SERVE_LIVE("rate.list", SETTING_COUNT, rates.list, "10", 0, RATE_PER_SECOND_MAX,
		   "The same for get_room_list of the server API."),
	SERVE_LIVE("rate.client", SETTING_COUNT, rates.client, "200", 0, RATE_PER_SECOND_MAX,
		   "The same for the commands of the client path, over all users of the app."),
	SERVE_LIVE("rate.app", SETTING_COUNT, rates.app, "0", 0, RATE_PER_SECOND_MAX,
		   "Calls per second of one app over all commands of server API and client path."),
	SERVE_ROW("rate.room_id", SETTING_DURATION, rates.room_id_ms, "1s", 0, RATE_ROOM_ID_MS_MAX,
		  "How long after its creation the id of a room cannot be used again when the room was destroyed."),
	SERVE_ROW("data.dir", SETTING_TEXT, data_dir, "./highwater-data", 1, 3900,
		  "Folder of the database and the admin token; made when missing, for its owner only."),
	SERVE_ROW("store.url", SETTING_HIDDEN, store_url, "", 0, 2000,
		  "PostgreSQL database in place of the SQLite file, such as postgresql://user@host/name; best in the "
		  "settings file or the environment, since it may hold a password."),
	SERVE_ROW("store.timeout", SETTING_DURATION, store_timeout, "10s", 2 * SERVE_S, 300 * SERVE_S,
		  "Longest time that PostgreSQL may take for one batch or read."),
	SERVE_ROW("store.cache", SETTING_SIZE, store_cache, "64MiB", SERVE_MIB, 65536 * SERVE_MIB,
		  "Memory for the database's pages."),
	SERVE_ROW("store.wal_max", SETTING_SIZE, store_wal_max, "64MiB", SERVE_MIB, 65536 * SERVE_MIB,
		  "The write-ahead log is emptied when it has grown past this."),
	SERVE_ROW("engine.queue_max", SETTING_COUNT, queue_max, "10000", 1, 1000000,
		  "Most commands that wait for the writer; further ones are answered 60007, try again."),
	SERVE_ROW("engine.batch_max", SETTING_COUNT, batch_max, "512", 1, 10000, "Most commands in one transaction."),
	SERVE_LIVE("callback.ca_file", SETTING_TEXT, ca_file, "", 0, 4000,
		   "PEM file with the certificates that receivers are checked against; without it the system's."),
	SERVE_LIVE(
		SERVE_ALLOWED_NAME, SETTING_TEXT, allowed_addresses, "", 0, 4000,
		"Addresses and CIDR ranges inside your network that callbacks may go to, with commas between, such as "
		"127.0.0.0/8, ::1; * for all, empty for none. Public addresses need no entry."),
	SERVE_LIVE("callback.connect_timeout", SETTING_DURATION, connect_timeout, "2s", 10, 300 * SERVE_S,
		   "Longest time to reach a receiver (name, TCP and TLS), a part of callback.total_timeout."),
	SERVE_LIVE("callback.total_timeout", SETTING_DURATION, total_timeout, "5s", 10, 300 * SERVE_S,
		   "Longest time of one attempt, the reply included."),
	SERVE_LIVE("callback.reply_max", SETTING_SIZE, reply_max, "16KiB", 256, 16 * SERVE_MIB,
		   "Largest reply of a receiver; a longer one is a failed attempt."),
	SERVE_ROW("callback.in_flight_max", SETTING_COUNT, in_flight_max, "256", 1, 4096,
		  "Most attempts under way at a time, over all apps."),
	SERVE_ROW("callback.in_flight_per_app", SETTING_COUNT, in_flight_per_app, "8", 1, 4096,
		  "Most attempts under way at a time for one app."),
	SERVE_LIVE("callback.retry_first", SETTING_DURATION, retry_first, "1s", 1, SERVE_DAY,
		   "Wait after the first failed attempt; it doubles with each further one."),
	SERVE_LIVE("callback.retry_longest", SETTING_DURATION, retry_longest, "15m", 1, 7 * SERVE_DAY,
		   "Longest wait between two attempts."),
	SERVE_LIVE("callback.give_up", SETTING_DURATION, give_up, "3d", 1, 365 * SERVE_DAY,
		   "A callback that was not delivered this long after its event ends as failed."),
	SERVE_LIVE(
		"callback.probe_longest", SETTING_DURATION, probe_longest, "1m", 1, SERVE_DAY,
		"Longest wait between two probes of a receiver that keeps failing; it starts at callback.retry_first."),
	SERVE_LIVE("callback.supersede", SETTING_BOOL, supersede, "on", 0, 0,
		   "Whether an alert that waits for a receiver ends when a newer one of the same app and threshold is "
		   "made."),
	SERVE_LIVE("callback.keep_delivered", SETTING_DURATION, keep_delivered, "7d", 0, 3650 * SERVE_DAY,
		   "How long delivered and superseded callbacks are kept; 0 for ever."),
	SERVE_LIVE("callback.keep_failed", SETTING_DURATION, keep_failed, "30d", 0, 3650 * SERVE_DAY,
		   "How long callbacks that failed are kept, and can be replayed; 0 for ever."),
	SERVE_ROW("console.enabled", SETTING_BOOL, console, "on", 0, 0,
		  "Whether the web console is served at /console/."),
	SERVE_ROW("manage.session_timeout", SETTING_DURATION, session_timeout, "8h", 60 * SERVE_S, 7 * SERVE_DAY,
		  "How long a browser stays signed in to the console without being used; a week at the most, used or "
		  "not."),
	SERVE_ROW("manage.wrong_tokens_max", SETTING_COUNT, wrong_tokens_max, "5", 0, 1000000,
		  "Wrong admin tokens in a row after which an address must wait, up to 30 s for each further one; 0: "
		  "no wait."),
	SERVE_LIVE("audit.keep", SETTING_DURATION, keep_audit, "365d", 0, 3650 * SERVE_DAY,
		   "How long the audit log keeps who changed what; 0 for ever."),
	SERVE_LIVE("history.keep", SETTING_DURATION, keep_samples, "2d", SERVE_DAY / 24, 31 * SERVE_DAY,
		   "How long the history of each app's room count is kept, one row for each minute with a change."),
	SERVE_LIVE("callback.on_fail", SETTING_TEXT, on_fail, "retry", 1, 16,
		   "What a reply with ActionStatus FAIL means: retry, or accept it as delivered."),
	SERVE_LIVE("callback.on_unparsable", SETTING_TEXT, on_unparsable, "retry", 1, 16,
		   "What status 2xx with a body that is no reply means: retry, or accept it as delivered."),
	SERVICE_STATUS_ROWS(serve_settings, ""),
	SERVE_ROW("status.apps_max", SETTING_COUNT, status_apps_max, "1000", 0, METRICS_APPS_MAX,
		  "Most apps of which /metrics tells one by one, those with the lowest SDKAppIDs; its sums are over "
		  "all."),
	SERVICE_LOG_ROWS(serve_settings),
};

struct serve {
	struct serve_settings settings;
	const struct settings *table; /* of the settings */
	char *data_dir;		      /* data.dir as it is called from anywhere */
	struct verdict_policy verdict;
	struct guard guard;
	struct service_log_choice log;
	struct buf token; /* secret */
	struct store *store;
	struct engine *engine;
	struct hook *hook;
	struct api *api;
	struct http_server *server;
	struct metrics *metrics; /* NULL for none, as status_server */
	struct status_page page;
	struct http_server *status_server;
	bool wrote_status_port; /* the file of another process that runs is not ours to remove */
	struct reload reload;
};

/* ---- settings ---- */

static int serve_choice(const char *name, const char *word, enum verdict_choice *out, struct error *err)
{
	if (strcmp(word, "retry") && strcmp(word, "accept"))
		return error_set(err, ERR_INVALID, "%s: \"%s\" is neither retry nor accept", name, word);
	*out = strcmp(word, "accept") ? VERDICT_RETRY : VERDICT_ACCEPT;
	return 0;
}

static int serve_check_callback(const struct serve_settings *settings, struct error *err)
{
	if (settings->in_flight_per_app > settings->in_flight_max)
		return error_set(err, ERR_INVALID,
				 "callback.in_flight_per_app (%llu) is larger than callback.in_flight_max (%llu)",
				 (unsigned long long)settings->in_flight_per_app,
				 (unsigned long long)settings->in_flight_max);
	if (settings->retry_first > settings->retry_longest)
		return error_set(err, ERR_INVALID,
				 "callback.retry_first (%llu ms) is longer than callback.retry_longest (%llu ms)",
				 (unsigned long long)settings->retry_first,
				 (unsigned long long)settings->retry_longest);
	if (settings->retry_first > settings->probe_longest)
		return error_set(err, ERR_INVALID,
				 "callback.retry_first (%llu ms) is longer than callback.probe_longest (%llu ms)",
				 (unsigned long long)settings->retry_first,
				 (unsigned long long)settings->probe_longest);
	return service_file_check("callback.ca_file", settings->ca_file, err);
}

static int serve_check(void *target, struct error *err)
{
	struct serve *serve = container_of(target, struct serve, settings);
	const struct serve_settings *settings = &serve->settings;

	return service_http_check(&settings->http, err) || service_status_check(&settings->status, err) ||
			       api_check_proxies(settings->trusted_proxies, err) ||
			       api_check_origins(settings->client_origins, err) ||
			       serve_check_callback(settings, err) ||
			       guard_parse(SERVE_ALLOWED_NAME, settings->allowed_addresses, &serve->guard, err) ||
			       serve_choice("callback.on_fail", settings->on_fail, &serve->verdict.on_fail, err) ||
			       serve_choice("callback.on_unparsable", settings->on_unparsable,
					    &serve->verdict.on_unparsable, err) ||
			       service_log_check(&settings->log, &serve->log, err)
		       ? -1
		       : 0;
}

/* ---- --check ---- */

static bool serve_is_postgres(const struct serve_settings *settings)
{
	return *settings->store_url != '\0';
}

static struct store_postgres_options serve_postgres(const struct serve_settings *settings)
{
	return (struct store_postgres_options){.conninfo = settings->store_url,
					       .answer_timeout_ms = settings->store_timeout};
}

static void serve_look_postgres(const struct serve_settings *settings, struct look *look)
{
	const struct store_postgres_options options = serve_postgres(settings);
	struct error err;
	unsigned steps;

	if (store_postgres_inspect(&options, &steps, &err))
		look_fail(look, "store.url", &err);
	else if (steps)
		look_say(look, LOOK_OK, "store.url",
			 "the database is reached; the start makes its tables, or brings them forward");
	else
		look_say(look, LOOK_OK, "store.url", "the database is reached, its tables are of this version");
}

static void serve_look(void *target, struct look *look)
{
	const struct serve_settings *settings = &container_of(target, struct serve, settings)->settings;
	char path[SERVE_PATH_BYTES_MAX];

	service_http_look(&settings->http, look);
	service_status_look(&settings->status, look);
	look_authorities(look, "callback.ca_file", settings->ca_file);
	if (serve_is_postgres(settings))
		serve_look_postgres(settings, look);
	if (look_folder(look, "data.dir", settings->data_dir))
		return;								   /* nothing is in it */
	(void)snprintf(path, sizeof(path), "%s/highwater.db", settings->data_dir); /* fits, as below */
	if (!serve_is_postgres(settings))
		look_store(look, "data.dir", path);
	serve_token_look(settings->data_dir, look);
}

/* ---- open, start, stop, close ---- */

static void serve_append_store_path(const struct serve *serve, struct buf *path)
{
	buf_init(path, SERVE_PATH_BYTES_MAX);
	buf_printf(path, "%s/highwater.db", serve->settings.data_dir);
}

static int serve_open_sqlite(struct serve *serve, struct error *err)
{
	struct store_sqlite_options options = {
		.cache_bytes = serve->settings.store_cache,
		.wal_bytes_max = serve->settings.store_wal_max,
	};
	struct buf path;
	int result;

	serve_append_store_path(serve, &path);
	options.path = buf_c(&path);
	result = store_sqlite_open(&options, &serve->store, err);
	buf_fini(&path);
	return result;
}

static int serve_open_store(struct serve *serve, struct error *err)
{
	const struct store_postgres_options postgres = serve_postgres(&serve->settings);

	if (files_make_folder(serve->settings.data_dir, 0700, err))
		return error_wrap(err, "data.dir");
	serve->data_dir = realpath(serve->settings.data_dir, NULL);
	return serve_is_postgres(&serve->settings) ? store_postgres_open(&postgres, &serve->store, err)
						   : serve_open_sqlite(serve, err);
}

static struct engine_keep serve_keep(const struct serve_settings *settings)
{
	return (struct engine_keep){.delivered_ms = settings->keep_delivered,
				    .failed_ms = settings->keep_failed,
				    .audit_ms = settings->keep_audit,
				    .samples_ms = settings->keep_samples};
}

static int serve_open_engine(struct serve *serve, struct error *err)
{
	const struct engine_options options = {
		.queue_count_max = serve->settings.queue_max,
		.batch_count_max = serve->settings.batch_max,
		.prune_interval_ms = SERVE_PRUNE_MS,
		.probe_interval_ms = serve_is_postgres(&serve->settings) ? SERVE_PROBE_MS : 0,
		.keep = serve_keep(&serve->settings),
	};

	return engine_open(&options, serve->store, &serve->engine, err);
}

static struct hook_options serve_hook_options(const struct serve *serve)
{
	const struct serve_settings *settings = &serve->settings;

	return (struct hook_options){
		.ca_file = settings->ca_file,
		.guard = &serve->guard,
		.connect_timeout_ms = settings->connect_timeout,
		.total_timeout_ms = settings->total_timeout,
		.reply_bytes_max = settings->reply_max,
		.in_flight_max = settings->in_flight_max,
		.in_flight_per_app = settings->in_flight_per_app,
		.supersede = settings->supersede,
		.probe_longest_ms = settings->probe_longest,
		.retry = {.first_ms = settings->retry_first,
			  .longest_ms = settings->retry_longest,
			  .give_up_ms = settings->give_up},
		.verdict = serve->verdict,
	};
}

static int serve_open_hook(struct serve *serve, struct error *err)
{
	const struct hook_options options = serve_hook_options(serve);

	return hook_open(&options, serve->engine, &serve->hook, err);
}

static int serve_open_server(struct serve *serve, struct error *err)
{
	struct http_server_options server;
	struct api_options api = {
		.engine = serve->engine,
		.hook = serve->hook,
		.console = serve->settings.console,
		.tls = serve->settings.http.cert_file[0] != '\0',
		.session_timeout_ms = serve->settings.session_timeout,
		.wrong_tokens_max = serve->settings.wrong_tokens_max,
		.admin_token = secret_of(buf_str(&serve->token)),
		.trusted_proxies = serve->settings.trusted_proxies,
		.client_origins = serve->settings.client_origins,
		.rates = serve->settings.rates,
		.about = {.settings = serve->table,
			  .store = serve_is_postgres(&serve->settings) ? "postgresql" : "sqlite",
			  .data_dir = serve->data_dir ? serve->data_dir : serve->settings.data_dir},
	};

	if (service_http_options(&serve->settings.http, &server, err))
		return -1;
	api.thread_count = server.thread_count;
	api.body_bytes_max = server.body_bytes_max;
	if (api_open(&api, &serve->api, err))
		return -1;
	server.handler = api_handle;
	server.refuse = api_refuse;
	server.context = serve->api;
	return http_server_open(&server, &serve->server, err);
}

static int serve_open_status(struct serve *serve, struct error *err)
{
	struct metrics_options options = {
		.engine = serve->engine,
		.hook = serve->hook,
		.api = serve->api,
		.server = serve->server,
		.app_count_max = serve->settings.status_apps_max,
	};
	struct buf path;
	int result;

	if (!*serve->settings.status.listen)
		return 0;
	serve_append_store_path(serve, &path);
	options.store_path = serve_is_postgres(&serve->settings) ? NULL : buf_c(&path);
	result = metrics_open(&options, &serve->metrics, err);
	buf_fini(&path);
	if (result)
		return -1;
	serve->page.write_metrics = metrics_write;
	serve->page.write_trouble = metrics_write_trouble;
	serve->page.context = serve->metrics;
	if (service_open_status(&serve->settings.status, &serve->page, &serve->status_server, err))
		return -1;
	serve->wrote_status_port = true;
	return 0;
}

static void serve_close_status(struct serve *serve)
{
	status_page_close(&serve->status_server);
	metrics_close(&serve->metrics);
}

static int serve_open(struct serve *serve, struct error *err)
{
	return serve_open_store(serve, err) || serve_token_open(serve->settings.data_dir, &serve->token, err) ||
			       serve_open_engine(serve, err) || serve_open_hook(serve, err) ||
			       serve_open_server(serve, err)
		       ? -1
		       : 0;
}

static int serve_start(struct serve *serve, struct error *err)
{
	return engine_start(serve->engine, err) || hook_start(serve->hook, err) || serve_open_status(serve, err) ||
			       http_server_start(serve->server, err) ||
			       service_ready(&serve->settings.http, http_server_port(serve->server), err)
		       ? -1
		       : 0;
}

/* Nothing is asked any more: delivery gives its last marks to the engine, which then finishes all it has. */
static void serve_finish(void *context)
{
	struct serve *serve = context;

	serve_close_status(serve); /* it borrows the server that is closed next */
	hook_stop(serve->hook);
	engine_stop(serve->engine);
}

/* Of whatever was opened, also half. */
static void serve_close(struct serve *serve)
{
	serve_close_status(serve);
	if (serve->hook)
		hook_stop(serve->hook);
	if (serve->engine)
		engine_stop(serve->engine);
	http_server_close(&serve->server);
	api_close(&serve->api);
	hook_close(&serve->hook);
	engine_close(&serve->engine);
	store_close(&serve->store);
	files_wipe(&serve->token);
	free(serve->data_dir); /* realpath's */
}

/* ---- while it runs ---- */

static int serve_take(void *context, void *target, struct error *err)
{
	struct serve *serve = context;
	struct serve *fresh = container_of(target, struct serve, settings);
	struct hook_options hook = serve_hook_options(fresh);
	struct engine_keep keep = serve_keep(&fresh->settings);
	struct http_tls *tls;

	if (*fresh->settings.ca_file && http_client_check_ca(fresh->settings.ca_file, err))
		return error_wrap(err, "callback.ca_file");
	if (reload_read_tls(&serve->settings.http, &fresh->settings.http, &tls, err))
		return -1;
	hook.in_flight_max = serve->settings.in_flight_max; /* these two cannot be taken */
	hook.in_flight_per_app = serve->settings.in_flight_per_app;
	reload_take_http(serve->server, &fresh->settings.http, &tls);
	hook_change(serve->hook, &hook);
	engine_set_keep(serve->engine, &keep);
	api_set_rates(serve->api, &fresh->settings.rates);
	log_set_level(fresh->log.level);
	return 0;
}

static void serve_reload(void *context)
{
	struct serve *serve = context;
	struct serve *fresh = mem_zalloc(sizeof(*fresh));

	reload_run(&serve->reload, &fresh->settings);
	mem_free(fresh);
}

static void serve_ping(void *context)
{
	engine_ping(((struct serve *)context)->engine);
}

static int64_t serve_round_ms(void *context)
{
	const struct serve *serve = context;
	int64_t rounds[] = {http_server_round_ms(serve->server), hook_round_ms(serve->hook),
			    engine_round_ms(serve->engine)};

	for (size_t i = 1; i < ARRAY_LEN(rounds); i++)
		if (rounds[i] < rounds[0])
			rounds[0] = rounds[i];
	return rounds[0];
}

/* With PostgreSQL a thread may wait for it: for a batch, and while it asks what became of one (see store/postgres.c). */
static uint64_t serve_patience_ms(const struct serve *serve)
{
	return serve_is_postgres(&serve->settings) ? SERVE_PATIENCE_TIMES * serve->settings.store_timeout : 0;
}

static int serve_run_service(struct serve *serve, struct error *err)
{
	const struct service_watch watch = {.reload = serve_reload,
					    .ping = serve_ping,
					    .round_ms = serve_round_ms,
					    .patience_ms = serve_patience_ms(serve),
					    .context = serve};

	service_prepare(&serve->log);
	if (serve_open(serve, err) || serve_start(serve, err))
		return -1;
	service_wait_signal(&watch);
	status_page_drain(&serve->page);
	service_close_http(&serve->settings.http, &serve->server, serve_finish, serve);
	return 0;
}

static const struct service serve_service = {
	.name = "serve",
	.summary = "Runs the Live backend until SIGTERM or Ctrl-C",
	.details = "Rooms, quotas, alerts and their delivery. It keeps everything in the data folder, also the admin "
		   "token\n"
		   "that `highwater app` needs. Logs go to standard error.\n",
	.rows = serve_rows,
	.row_count = ARRAY_LEN(serve_rows),
	.check = serve_check,
	.look = serve_look,
};

static int serve_run(int argc, char **argv)
{
	struct settings settings;
	struct serve serve = {.table = &settings};
	struct error err;
	int exit;

	serve.reload = (struct reload){&serve_service, argc, argv, &settings, serve_take, &serve};
	if (service_configure(&serve_service, argc, argv, &serve.settings, &settings, &exit)) {
		bool failed = serve_run_service(&serve, &err) != 0;

		serve_close(&serve);
		if (failed)
			exit = service_fail(&serve_service, &err);
		else
			service_stopped(&serve.settings.http);
		if (serve.wrote_status_port)
			service_stopped_status(&serve.settings.status);
	}
	settings_fini(&settings);
	return exit;
}

const struct cli_group cli_serve_group = {
	.name = "serve",
	.summary = "Runs the Live backend",
	.run = serve_run,
};
