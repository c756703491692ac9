/* `highwater listen`: a receiver for whoever develops one. Takes callbacks, checks what it can, keeps them in a record, shows
 * them as they come, and passes them on to a local server if asked. With --resend it passes on what is in the record, and
 * ends.
 *
 * The sender is answered OK when the record has the callback; what the local server makes of it is only shown. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/listen_forward.h"
#include "cli/listen_show.h"
#include "cli/moment.h"
#include "cli/record_words.h"
#include "cli/service.h"
#include "cli/trier.h"
#include "http/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_BODY_BYTES_MAX (256 * 1024)
#define LISTEN_GAP_AFTER_MS (5 * 60 * 1000)
#define LISTEN_DRAIN_MS 2000
#define LISTEN_PAGE_ROWS 50

struct listen {
	const struct cli_line *line;
	struct trier trier; /* its secrets; and the client, for --resend */
	struct hw_receiver *receiver;
	struct listen_show *show;
	struct listen_forward *forward; /* NULL for none */
	struct receive *receive;
	struct http_server *server;
	_Atomic uint64_t taken;
	_Atomic uint64_t known; /* of those, that came before */
	_Atomic uint64_t refused;
	size_t not_forwarded; /* at the end */
};

static const char *listen_record(const struct cli_line *line)
{
	return options_get(line, OPTION_LISTEN_RECORD)->text;
}

/* ---- receiving ---- */

static void listen_seen(void *context, const struct receive_seen *seen)
{
	struct listen *listen = context;

	if (!seen->row)
		listen->refused++;
	else if (seen->row->kind == RECORD_CALLBACK)
		listen->taken++;
	if (seen->row && !seen->is_new)
		listen->known++;
	listen_show_seen(listen->show, seen);
	if (listen->forward && seen->row && seen->request)
		listen_forward_put(listen->forward, seen);
}

/* What callbacks must prove: all apps, or one, with what was given. */
static int listen_make_receiver(struct listen *listen)
{
	const struct option_value *app = options_get(listen->line, OPTION_APP);
	struct str token = secret_reveal(listen->trier.caller.token);
	uint32_t sdkappid = app->set ? (uint32_t)app->number : 0;
	char key[HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1] = "";
	char reason[160];
	int result;

	listen->receiver = hw_receiver_new();
	result = hw_receiver_add_app(listen->receiver, sdkappid, reason, sizeof(reason));
	if (result == 0 && token.len)
		result =
			hw_receiver_add_token(listen->receiver, sdkappid, token.ptr, token.len, reason, sizeof(reason));
	if (result == 0 && listen->trier.caller.key &&
	    hw_webhook_key_text(listen->trier.caller.key, key, sizeof(key)) > 0)
		result = hw_receiver_add_key(listen->receiver, sdkappid, key, strlen(key), reason, sizeof(reason));
	mem_wipe(key, sizeof(key));
	return result ? cli_fail(listen->line, CLI_USAGE, "%s", reason) : CLI_DONE;
}

/* Is it an address of this machine at which we listen: the very one, or any of its own where we listen at all? */
static bool listen_is_here(const struct probe_address *address, const char *listen)
{
	const struct sockaddr *at = (const struct sockaddr *)&address->address;
	char host[INET6_ADDRSTRLEN];
	struct sockaddr_storage own = address->address;
	bool bracketed = listen[0] == '[';
	struct str ours = {listen + bracketed, (size_t)(strrchr(listen, ':') - listen) - 2 * bracketed};
	bool is_here;
	int fd;

	if (getnameinfo(at, address->len, host, sizeof(host), NULL, 0, NI_NUMERICHOST))
		return false;
	if (!str_eq(ours, STR("0.0.0.0")) && !str_eq(ours, STR("::")))
		return str_eq(ours, str_c(host));
	if (own.ss_family == AF_INET)
		((struct sockaddr_in *)&own)->sin_port = 0;
	else
		((struct sockaddr_in6 *)&own)->sin6_port = 0;
	fd = socket(own.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	is_here = fd >= 0 && bind(fd, (const struct sockaddr *)&own, address->len) == 0; /* only one's own can be */
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	return is_here;
}

/* Would each callback that is passed on come back, and be passed on again? */
static bool listen_is_ring(const char *forward, const char *listen, unsigned port)
{
	struct probe_addresses addresses;
	struct probe_target target;
	struct error err; /* whoever sends there tells it */
	uint64_t there;

	if (probe_target_parse(forward, &target, &err) || str_to_u64(str_c(target.port), UINT16_MAX, &there) ||
	    there != port || probe_resolve(&target, &addresses, &err))
		return false;
	for (size_t i = 0; i < addresses.count; i++)
		if (listen_is_here(&addresses.list[i], listen))
			return true;
	return false;
}

static int listen_open(struct listen *listen, struct error *err)
{
	const struct cli_line *line = listen->line;
	const struct option_value *forward = options_get(line, OPTION_FORWARD);
	const struct receive_options receive = {.receiver = listen->receiver,
						.record_path = listen_record(line),
						.gap_after_ms = LISTEN_GAP_AFTER_MS,
						.on_seen = listen_seen,
						.context = listen};
	struct http_server_options server = {.listen = options_get(line, OPTION_LISTEN)->text,
					     .thread_count = 1,
					     .body_bytes_max = LISTEN_BODY_BYTES_MAX,
					     .header_bytes_max = 16 * 1024,
					     .connection_count_max = 1000,
					     .request_timeout_ms = 10000,
					     .idle_timeout_ms = 60000,
					     .handler = receive_handle,
					     .refuse = receive_refuse};

	if (listen_show_open(options_get(line, OPTION_JSON)->set, &listen->show, err) ||
	    (forward->set && listen_forward_open(forward->text, options_get(line, OPTION_CA_FILE)->text, listen->show,
						 &listen->forward, err)) ||
	    receive_open(&receive, &listen->receive, err))
		return -1;
	server.context = listen->receive;
	if (http_server_open(&server, &listen->server, err) || http_server_start(listen->server, err))
		return -1;
	if (forward->set && listen_is_ring(forward->text, server.listen, http_server_port(listen->server)))
		return error_set(err, ERR_INVALID,
				 "--forward leads back to --listen: each callback would come again and again");
	return 0;
}

/* Returns errno of what kept it from printing, or 0. */
static int listen_close(struct listen *listen)
{
	int failure;

	if (listen->server)
		http_server_drain(listen->server, LISTEN_DRAIN_MS);
	http_server_close(&listen->server);
	receive_close(&listen->receive);
	listen->not_forwarded = listen_forward_close(&listen->forward);
	failure = listen_show_close(&listen->show);
	hw_receiver_free(listen->receiver);
	return failure;
}

/* Where callbacks are to be sent, and what is looked at: on standard error, so that standard output has events only. */
static void listen_greet(const struct listen *listen)
{
	const char *address = options_get(listen->line, OPTION_LISTEN)->text;
	const char *colon = strrchr(address, ':');
	bool signs = secret_reveal(listen->trier.caller.token).len > 0;
	bool keys = listen->trier.caller.key != NULL;

	/* standard error is all there is, as below */
	(void)fprintf(stderr, "listening at http://%.*s:%u/ and keeping callbacks in %s\n",
		      (int)(colon ? colon - address : 0), address, http_server_port(listen->server),
		      listen_record(listen->line));
	(void)fprintf(stderr,
		      signs || keys ? "checking%s%s%s; Ctrl-C ends\n"
				    : "believing everybody: --token-file and --secret-file would check%.0s%.0s%.0s; "
				      "Ctrl-C ends\n",
		      signs ? " Sign" : "", signs && keys ? " and" : "", keys ? " signatures" : "");
}

static int listen_run_server(struct listen *listen)
{
	struct error err;
	int failure;
	int exit;

	service_prepare(&(struct service_log_choice){LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT});
	exit = listen_make_receiver(listen);
	if (exit == CLI_DONE && listen_open(listen, &err))
		exit = cli_fail(listen->line, err.class == ERR_INVALID ? CLI_USAGE : CLI_IO, "%s", err.text);
	if (exit == CLI_DONE) {
		listen_greet(listen);
		service_wait_signal(&(struct service_watch){0});
		listen_show_end(listen->show);
	}
	failure = listen_close(listen);
	if (exit != CLI_DONE)
		return exit;
	(void)fprintf(stderr, "%" PRIu64 " callbacks taken, %" PRIu64 " of them known before, %" PRIu64 " refused\n",
		      listen->taken, listen->known, listen->refused);
	if (listen->not_forwarded)
		(void)fprintf(stderr, "%zu of them not passed on any more: --resend does it\n", listen->not_forwarded);
	return failure == 0 || failure == EPIPE || failure == ETIMEDOUT ? CLI_DONE : CLI_IO;
}

/* ---- resending ---- */

struct listen_resend {
	struct listen *listen;
	uint64_t sent;
	uint64_t delivered;
};

static void resend_print_json(const struct record_row *row, const struct trier_result *result)
{
	bool replied = result->outcome == HTTP_OUTCOME_REPLIED;
	struct buf line;

	buf_init(&line, 4096);
	buf_printf(&line,
		   "{\"Event\":\"resent\",\"Id\":%" PRId64 ",\"SdkAppid\":%" PRIu32
		   ",\"Status\":%d,\"DurationUs\":%" PRId64 ",\"Delivered\":%s,\"Reason\":",
		   row->id, row->sdkappid, replied ? result->status : 0, result->duration_us,
		   result->verdict.delivered ? "true" : "false");
	buf_append_json_string(&line, str_c(result->verdict.reason));
	(void)printf("%s}\n", buf_c(&line)); /* standard output is all there is, as below */
	buf_fini(&line);
}

static void resend_print(const struct record_row *row, const struct trier_result *result)
{
	(void)printf("%6" PRId64 "  app %" PRIu32 "  ", row->id, row->sdkappid);
	if (result->outcome == HTTP_OUTCOME_REPLIED)
		(void)printf("-> %d in %.1f ms", result->status, (double)result->duration_us / 1000);
	else
		(void)printf("-> no answer");
	(void)printf("%s%s\n", result->verdict.delivered ? "" : ": ", result->verdict.reason);
}

/* As it was, but signed anew: what it had is stale by now. */
static int resend_row(struct listen_resend *resend, const struct record_row *row)
{
	struct listen *listen = resend->listen;
	struct caller caller = listen->trier.caller;
	struct caller_request request;
	struct trier_result result;
	char command[64];
	char client_ip[HW_IP_BYTES_MAX + 1];
	char event_id[HW_WEBHOOK_ID_BYTES_MAX + 1];
	struct error err;

	(void)str_copy(command, sizeof(command), row->command); /* they fit: they were checked when they came */
	(void)str_copy(client_ip, sizeof(client_ip), row->client_ip.len ? row->client_ip : STR("127.0.0.1"));
	(void)str_copy(event_id, sizeof(event_id), row->webhook_id);
	caller.url = options_get(listen->line, OPTION_FORWARD)->text;
	caller.sdkappid = row->sdkappid;
	caller.command = command;
	caller.client_ip = client_ip;
	if (hw_platform_parse(row->platform.ptr, row->platform.len, &caller.platform))
		caller.platform = HW_PLATFORM_UNKNOWN;
	caller.threshold = row->threshold > 0 && row->threshold <= 100 ? (int)row->threshold : 0;
	caller.is_test = row->is_test;
	caller.event_id = event_id;
	caller.fault = row->webhook_id.len ? CALLER_FAULT_NONE : CALLER_FAULT_NO_ID;
	caller.sequence = row->sequence > 0 ? row->sequence : 0;
	caller.replay = row->replay > 0 && row->replay < INT32_MAX ? (unsigned)row->replay + 1 : 1;
	caller.body = row->body;
	if (caller_build(&caller, clock_wall_ms(), &request, &err)) {
		caller_request_free(&request);
		return cli_fail(listen->line, CLI_USAGE, "--forward: %s", err.text);
	}
	trier_send(&listen->trier, &request, 0, &result);
	resend->sent++;
	resend->delivered += result.verdict.delivered;
	if (options_get(listen->line, OPTION_JSON)->set)
		resend_print_json(row, &result);
	else
		resend_print(row, &result);
	(void)fflush(stdout); /* the next answer may take a while */
	trier_result_free(&result);
	caller_request_free(&request);
	return CLI_DONE;
}

static int resend_all(struct listen_resend *resend, struct record_reader *reader, struct arena *arena)
{
	const struct cli_line *line = resend->listen->line;
	const struct option_value *since = options_get(line, OPTION_SINCE);
	const struct option_value *app = options_get(line, OPTION_APP);
	struct record_filter filter = {.sdkappid = app->set ? (uint32_t)app->number : 0};
	struct record_row rows[LISTEN_PAGE_ROWS];
	size_t count = 1;
	int exit = CLI_DONE;
	struct error err;

	if (since->set && moment_parse(since->text, clock_wall_ms(), &filter.since_ms, &err))
		return cli_fail(line, CLI_USAGE, "--since: %s", err.text);
	while (count && exit == CLI_DONE) {
		arena_reset(arena);
		if (record_read(reader, arena, &filter, ARRAY_LEN(rows), rows, &count, &err))
			return cli_fail(line, CLI_IO, "%s", err.text);
		for (size_t i = 0; i < count && exit == CLI_DONE; i++) {
			if (ferror(stdout)) /* nobody would know what was sent */
				return CLI_IO;
			filter.after_id = rows[i].id;
			if (rows[i].kind == RECORD_CALLBACK)
				exit = resend_row(resend, &rows[i]);
		}
	}
	return exit;
}

static int resend_one(struct listen_resend *resend, struct record_reader *reader, struct arena *arena)
{
	const struct cli_line *line = resend->listen->line;
	const char *which = options_get(line, OPTION_RESEND)->text;
	struct record_row row;
	struct error err;
	int found = record_find_word(reader, arena, which, &row, &err);

	if (found < 0)
		return cli_fail(line, CLI_IO, "%s", err.text);
	if (found == 0 || row.kind != RECORD_CALLBACK)
		return cli_fail(line, CLI_REFUSED, "there is no callback %.80s in %s", which, listen_record(line));
	return resend_row(resend, &row);
}

static int listen_resend(struct listen *listen)
{
	const struct cli_line *line = listen->line;
	struct listen_resend resend = {.listen = listen};
	struct record_reader *reader = NULL;
	struct arena arena;
	struct error err;
	int exit;

	if (!options_get(line, OPTION_FORWARD)->set)
		return cli_fail(line, CLI_USAGE, "--resend needs --forward: where to?");
	if (record_reader_open(listen_record(line), &reader, &err))
		return cli_fail(line, err.class == ERR_INVALID ? CLI_USAGE : CLI_IO, "%s", err.text);
	arena_init(&arena, 65536);
	exit = strcmp(options_get(line, OPTION_RESEND)->text, "all") == 0 ? resend_all(&resend, reader, &arena)
									  : resend_one(&resend, reader, &arena);
	arena_fini(&arena);
	record_reader_close(&reader);
	if (exit != CLI_DONE)
		return exit;
	/* as above */
	(void)printf(options_get(line, OPTION_JSON)->set ? "{\"Event\":\"end\",\"Delivered\":%" PRIu64
							   ",\"Sent\":%" PRIu64 "}\n"
							 : "%" PRIu64 " of %" PRIu64 " delivered\n",
		     resend.delivered, resend.sent);
	return resend.delivered == resend.sent ? CLI_DONE : CLI_REFUSED;
}

static int listen_run(const struct cli_line *line)
{
	struct listen listen = {.line = line};
	int exit = CLI_DONE;

	if (options_get(line, OPTION_SINCE)->set && !options_get(line, OPTION_RESEND)->set)
		exit = cli_fail(line, CLI_USAGE, "--since needs --resend");
	if (exit == CLI_DONE) {
		exit = trier_open(line, &listen.trier);
		if (exit == CLI_DONE)
			exit = options_get(line, OPTION_RESEND)->set ? listen_resend(&listen)
								     : listen_run_server(&listen);
		trier_close(&listen.trier);
	}
	return exit;
}

static const struct cli_command listen_commands[] = {
	{
		.group = "listen",
		.name = "",
		.arguments = "",
		.options = OPTION_BIT(OPTION_LISTEN) | OPTION_BIT(OPTION_APP) | OPTION_BIT(OPTION_TOKEN_FILE) |
			   OPTION_BIT(OPTION_SECRET_FILE) | OPTION_BIT(OPTION_LISTEN_RECORD) |
			   OPTION_BIT(OPTION_FORWARD) | OPTION_BIT(OPTION_CA_FILE) | OPTION_BIT(OPTION_RESEND) |
			   OPTION_BIT(OPTION_SINCE) | OPTION_BIT(OPTION_JSON),
		.summary = "Receives callbacks and shows them as they come; passes them on; sends them again",
		.details =
			"\nFor whoever develops a receiver. Takes callbacks of any app, or of --app; with --token-file "
			"or "
			"--secret-file\nit checks them. All are kept in --record, and answered OK when they are there. "
			"--forward passes each on as it\ncame, once, and shows the answer.\n\n--resend ID, --resend "
			"WEBHOOK-ID or --resend all (with --since and --app if you like) passes on what is in "
			"the\nrecord, signed anew with --token-file and --secret-file, and ends; the exit code is 0 "
			"when "
			"all were delivered.\n",
		.run = listen_run,
	},
};

const struct cli_group cli_listen_group = {
	.name = "listen",
	.summary = "Receives callbacks, shows them as they come, passes them on",
	.commands = listen_commands,
	.command_count = ARRAY_LEN(listen_commands),
};
