/* Routes, checks and envelopes; see api.h and request.h.
 *
 * The checks, in this order, each with its own code: the path (60009), the method (60002), the query (60002), sdkappid
 * (60012, 60006, 70020), identifier (60004), usersig (60005, 70xxx), contenttype (60025), being an admin (60010), the
 * rates (60007, 60011) and the body (60003). The status is 200 whatever the answer: the result is in
 * the envelope, as with the vendor. */
#include "api/console.h"
#include "api/manage.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define API_REPLY_BYTES_MAX (4 * 1024 * 1024)
#define API_JSON STR("application/json")

/* ---- answers ---- */

static void api_append_envelope(struct buf *out, int code, const char *text, const char *id)
{
	buf_append_c(out, code == HW_OK ? "{\"ActionStatus\":\"OK\",\"ErrorInfo\":"
					: "{\"ActionStatus\":\"FAIL\",\"ErrorInfo\":");
	buf_append_json_string(out, str_c(text));
	buf_append_c(out, ",\"ErrorCode\":");
	buf_append_u64(out, (uint64_t)code);
	buf_append_c(out, ",\"RequestId\":\"");
	buf_append_c(out, id);
	buf_append_char(out, '"');
}

/* A refusal is told at level info, so that whoever is given a RequestId finds it; ten a second and thread, for a peer
 * that only sends rubbish must not fill the disk. The rest, at level debug, is every request. */
static void api_log(struct api_request *request, int code)
{
	enum log_level level = code == HW_OK ? LOG_LEVEL_DEBUG : code == HW_INTERNAL ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
	uint64_t held_back = 0;

	if (level == LOG_LEVEL_INFO && !log_enabled(LOG_LEVEL_DEBUG) &&
	    !log_limit_pass(api_refusal_limit(api_request_thread(request)), clock_mono_ms(), &held_back))
		return;
	log_event(level, "request", LOG_C("request_id", request->id),
		  LOG_C("path", request->route ? request->route->path : "unknown"),
		  LOG_U64("app", request->app ? request->app->config.sdkappid : 0), LOG_I64("code", code),
		  LOG_U64("held_back", held_back));
}

static void api_release(struct api_request *request)
{
	directory_release(request->app);
	json_decref(request->body);
	buf_fini(&request->response);
	buf_fini(&request->beside);
}

void api_answer(struct api_request *request, int code, const char *text)
{
	struct http_call *call = request->call;
	struct buf reply;

	if (code == HW_OK && !buf_ok(&request->response)) {
		code = HW_INTERNAL;
		text = "the answer is too large";
	}
	buf_init(&reply, API_REPLY_BYTES_MAX + 1024);
	api_append_envelope(&reply, code, text ? text : hw_code_text(code), request->id);
	if (code == HW_OK)
		buf_append_str(&reply, buf_str(&request->beside));
	if (code == HW_OK && request->response.len) {
		buf_append_c(&reply, ",\"Response\":");
		buf_append_str(&reply, buf_str(&request->response));
	}
	buf_append_char(&reply, '}');
	assert(buf_ok(&reply)); /* what stands beside is short, see accounts.c */
	tally_count(api_tally(api_request_thread(request)), request->route, code);
	api_log(request, code);
	api_release(request);
	http_call_reply(call, 200, API_JSON, buf_str(&reply));
	buf_fini(&reply);
}

struct http_stream *api_answer_stream(struct api_request *request, const struct http_stream_options *options)
{
	struct http_call *call = request->call;

	api_log(request, HW_OK);
	api_release(request);
	return http_call_stream(call, options);
}

void api_refuse_with(struct api_request *request, int code, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* a text too long is cut */
	va_end(args);
	api_answer(request, code, text);
}

void api_refuse(void *context, enum http_refusal why, struct buf *body_out)
{
	struct api *api = context;
	char id[API_REQUEST_ID_BYTES];
	char text[128];
	struct prng prng = {random_u64()}; /* which thread asks is not known here, and refusals are rare */

	(void)snprintf(id, sizeof(id), "Id-%016llx%016llx-O-Seq-0", (unsigned long long)prng_next(&prng),
		       (unsigned long long)prng_next(&prng)); /* sized for it */
	if (why == HTTP_REFUSAL_BODY_TOO_LARGE)
		(void)snprintf(text, sizeof(text), "request body is larger than %llu bytes",
			       (unsigned long long)api->body_bytes_max); /* sized for it */
	else
		(void)str_copy(text, sizeof(text),
			       str_c(why == HTTP_REFUSAL_HEADER_TOO_LARGE ? "request line and headers are too large"
									  : hw_code_text(HW_BAD_HTTP))); /* fits */
	api_append_envelope(body_out, why == HTTP_REFUSAL_BODY_TOO_LARGE ? HW_BAD_JSON : HW_BAD_HTTP, text, id);
	buf_append_char(body_out, '}');
}

/* ---- commands and reads ---- */

struct api_request *api_request_of_job(struct mail *mail)
{
	return container_of(mail, struct api_request, job.mail);
}

struct api_request *api_request_of_read(struct engine_read *read)
{
	return container_of(read, struct api_request, read);
}

struct api_request *api_request_of_read_mail(struct mail *mail)
{
	return container_of(mail, struct api_request, read.mail);
}

static void api_answer_unqueued(struct api_request *request, const struct error *err)
{
	if (err->class == ERR_BUSY)
		api_answer(request, HW_API_BUSY, "too frequent: the backend's queue is full, try again");
	else
		api_answer(request, HW_TIMED_OUT, "the backend is shutting down");
}

void api_command_done(struct mail *mail)
{
	struct api_request *request = api_request_of_job(mail);

	api_answer(request, request->job.command.code, request->job.command.text);
}

void api_fill_command(const struct api_request *request, struct command *command, enum command_type type,
		      uint32_t sdkappid)
{
	command->type = type;
	command->sdkappid = sdkappid;
	command->origin.operator_account = request->identifier;
	command->origin.platform = request->platform;
	command->origin.client_ip = request->client_ip;
	command->origin.actor = request->actor;
	command->origin.admin = request->route->access != API_CLIENT;
	command->origin.wall_ms = clock_wall_ms();
	command->origin.steady_ms = clock_steady_ms();
}

void api_submit(struct api_request *request, enum command_type type, uint32_t sdkappid, void (*done)(struct mail *mail))
{
	struct error err;

	api_fill_command(request, &request->job.command, type, sdkappid);
	request->job.mail.run = done;
	request->job.mailbox = http_call_mailbox(request->call);
	if (engine_submit(request->api->engine, &request->job, &err))
		api_answer_unqueued(request, &err);
}

static void api_read_done(struct mail *mail)
{
	struct api_request *request = api_request_of_read_mail(mail);

	api_answer(request, request->code, request->text);
}

void api_submit_read(struct api_request *request, void (*read)(struct engine_read *read, struct store_reader *reader))
{
	api_submit_read_then(request, read, api_read_done);
}

void api_submit_read_then(struct api_request *request,
			  void (*read)(struct engine_read *read, struct store_reader *reader),
			  void (*done)(struct mail *mail))
{
	struct error err;

	request->read.read = read;
	request->read.mail.run = done;
	request->read.mailbox = http_call_mailbox(request->call);
	if (engine_submit_read(request->api->engine, &request->read, &err))
		api_answer_unqueued(request, &err);
}

void api_read_failed(struct api_request *request, const struct error *err)
{
	log_event(LOG_LEVEL_ERROR, "read_failed", LOG_C("request_id", request->id), LOG_C("error", err->text));
	request->code = HW_INTERNAL;
	(void)str_copy(request->text, sizeof(request->text), STR("the backend's store failed; try again")); /* fits */
}

void api_read_refused(struct api_request *request, int code, const char *text)
{
	request->code = code;
	(void)str_copy(request->text, sizeof(request->text),
		       str_c(text ? text : hw_code_text(code))); /* a text too long is cut */
}

/* ---- checks of the request ---- */

static struct str api_query_value(const struct hw_query *query, const char *name)
{
	const struct hw_param *param = hw_query_get(query, name);

	return param ? (struct str){param->value, param->value_len} : (struct str){0};
}

/* Finds the app the query names. Returns HW_OK or the code to answer. */
static int api_find_app(struct api_request *request, const struct hw_query *query)
{
	uint64_t sdkappid;

	if (!hw_query_get(query, "sdkappid"))
		return HW_NO_SDKAPPID;
	if (str_to_u64(api_query_value(query, "sdkappid"), HW_SDKAPPID_MAX, &sdkappid) || sdkappid == 0)
		return HW_BAD_SDKAPPID;
	request->app = directory_acquire(engine_directory(request->api->engine), (uint32_t)sdkappid);
	return request->app ? HW_OK : HW_UNKNOWN_SDKAPPID;
}

/* Who sends it, and may they? Returns HW_OK or the code to answer. */
static int api_check_sender(struct api_request *request, const struct hw_query *query)
{
	struct str usersig = api_query_value(query, "usersig");
	struct str contenttype = api_query_value(query, "contenttype");
	int code;

	request->identifier = api_query_value(query, "identifier"); /* the query's buffer is the arena's */
	if (request->identifier.len == 0)
		return HW_NO_IDENTIFIER;
	if (usersig.len == 0)
		return HW_NO_USERSIG;
	if (!app_identifier_ok(request->identifier))
		return HW_BAD_URL_PARAMETER;
	code = api_verify_usersig(request, usersig);
	if (code != HW_OK)
		return code;
	if (hw_query_get(query, "contenttype") && !str_eq_nocase(contenttype, STR("json")))
		return HW_BAD_URL_PARAMETER;
	if (request->route->access == API_ADMIN && !app_is_admin(&request->app->config, request->identifier))
		return HW_NEEDS_ADMIN;
	return HW_OK;
}

/* Clients say what they are; a word we do not know is Unknown, and REST cannot be claimed. */
static enum hw_platform api_platform(const struct api_request *request, const struct hw_query *query)
{
	struct str word = api_query_value(query, "platform");
	enum hw_platform platform;

	if (request->route->access != API_CLIENT)
		return HW_PLATFORM_RESTAPI;
	if (hw_platform_parse(word.ptr ? word.ptr : "", word.len, &platform) || platform == HW_PLATFORM_RESTAPI)
		return HW_PLATFORM_UNKNOWN;
	return platform;
}

/* Returns 0, or -1 when the request was answered. */
static int api_check_query(struct api_request *request)
{
	struct str text = http_call_query(request->call);
	size_t size = text.len * 2 + 2;
	char *buffer = arena_alloc(request->arena, size);
	struct hw_query query;
	int code = hw_query_parse(text.ptr ? text.ptr : "", text.len, buffer, size, &query);

	if (code) {
		api_refuse_with(request, HW_BAD_HTTP, "query of the URL: %s", hw_query_error_text(code));
		return -1;
	}
	code = api_find_app(request, &query);
	if (code == HW_OK)
		code = api_check_sender(request, &query);
	if (code != HW_OK) {
		api_answer(request, code, NULL);
		return -1;
	}
	request->platform = api_platform(request, &query);
	return 0;
}

/* Counts the call, now that it is known whose it is. Returns 0, or -1 when the request was answered. */
static int api_check_rate(struct api_request *request)
{
	int code = rate_admit(request->api->rate, request->app->config.sdkappid, api_route_index(request->route),
			      request->route->rate, clock_mono_ns());

	if (code == HW_OK)
		return 0;
	api_answer(request, code,
		   code == HW_API_BUSY ? "too frequent: this app calls this command more often than it may, try again"
				       : NULL);
	return -1;
}

static int api_check_body(struct api_request *request)
{
	struct error err;

	if (json_read(http_call_body(request->call), &request->body, &err)) {
		api_refuse_with(request, HW_BAD_JSON, "request body: %s", err.text);
		return -1;
	}
	if (!json_is_object(request->body)) {
		api_answer(request, HW_BAD_JSON, "request body: must be a JSON object, at least {}");
		return -1;
	}
	return 0;
}

/* ---- the client's address ---- */

static bool api_is_proxy(const struct api *api, struct str address)
{
	for (size_t i = 0; i < api->proxy_count; i++)
		if (str_eq(address, str_c(api->proxies[i])))
			return true;
	return false;
}

bool api_is_proxied(const struct api_request *request)
{
	return api_is_proxy(request->api, http_call_peer(request->call));
}

/* The one spelling of an address, as in the list of proxies. Returns 0, or -1 when it is none. */
static int api_normal_address(struct str text, char out[HW_IP_BYTES_MAX + 1])
{
	char copy[HW_IP_BYTES_MAX + 1];
	unsigned char bytes[16];

	if (!str_copy(copy, sizeof(copy), text))
		return -1;
	for (int family = AF_INET;; family = AF_INET6) {
		if (inet_pton(family, copy, bytes) == 1)
			return inet_ntop(family, bytes, out, HW_IP_BYTES_MAX + 1) ? 0 : -1;
		if (family == AF_INET6)
			return -1;
	}
}

/* The peer, or, when the peer is one of our proxies, the last address of X-Forwarded-For that is not. What stands
 * further left was written by whoever that is and is not believed. */
static struct str api_client_ip(const struct api *api, struct http_call *call, struct arena *arena)
{
	struct str address = http_call_peer(call);
	struct str chain = http_call_header(call, STR("x-forwarded-for"));
	char normal[HW_IP_BYTES_MAX + 1];

	while (api->proxy_count && api_is_proxy(api, address) && chain.len) {
		size_t start = chain.len;

		while (start > 0 && chain.ptr[start - 1] != ',')
			start--;
		if (api_normal_address(str_trim(str_slice(chain, start, chain.len)), normal))
			break;
		address = arena_dup(arena, str_c(normal));
		chain.len = start ? start - 1 : 0;
	}
	return arena_dup(arena, address);
}

/* ---- entry ---- */

/* Returns 0, or -1 when the request was answered. */
static int api_check_caller(struct api_request *request)
{
	switch (request->route->access) {
	case API_MANAGE:
	case API_MANAGE_SHOW:
	case API_MANAGE_STREAM:
		return manage_check_sender(request);
	case API_SIGN_IN:
		return 0;
	default:
		return api_check_query(request) || api_check_rate(request) ? -1 : 0;
	}
}

void api_handle(void *context, struct http_call *call)
{
	struct api *api = context;
	struct arena *arena = http_call_arena(call);
	struct api_request *request = arena_new(arena, struct api_request);
	bool stream;

	if (api->console && console_handle(call))
		return;
	if (str_starts_with(http_call_path(call), STR(API_CLIENT_PREFIX))) {
		if (cors_preflight(api->cors, call))
			return;
		cors_answer(api->cors, call);
	}
	request->api = api;
	request->call = call;
	request->arena = arena;
	api_make_request_id(api_request_thread(request), request->id);
	buf_init(&request->response, API_REPLY_BYTES_MAX);
	buf_init(&request->beside, API_REPLY_BYTES_MAX);
	request->route = api_find_route(http_call_path(call));
	if (!request->route) {
		api_answer(request, HW_NO_RESOURCE, NULL);
		return;
	}
	if (request->route->access == API_OPEN) {
		request->route->handle(request);
		return;
	}
	stream = request->route->access == API_MANAGE_STREAM;
	if (!str_eq(http_call_method(call), stream ? STR("GET") : STR("POST"))) {
		api_answer(request, HW_BAD_HTTP, stream ? "the method must be GET" : "the method must be POST");
		return;
	}
	request->client_ip = api_client_ip(api, call, arena);
	if (api_check_caller(request) == 0 && (stream || api_check_body(request) == 0))
		request->route->handle(request);
}

void api_health(struct api_request *request)
{
	api_answer(request, HW_OK, NULL);
}

/* ---- life ---- */

static int api_read_proxies(struct api *api, const char *text, struct error *err)
{
	struct str rest = str_c(text);

	api->proxies = mem_zalloc((rest.len + 1) * sizeof(*api->proxies)); /* an address has at least one byte */
	while (rest.len) {
		struct str item;

		(void)str_cut(&rest, ',', &item); /* the loop looks at the rest: one comma may stand at the end */
		item = str_trim(item);
		if (api_normal_address(item, api->proxies[api->proxy_count]))
			return error_set(err, ERR_INVALID, "http.trusted_proxies: \"%.*s\" is not an IP address",
					 STR_ARG(str_slice(item, 0, 60)));
		api->proxy_count++;
	}
	return 0;
}

int api_check_proxies(const char *text, struct error *err)
{
	struct api api = {0};
	int result = api_read_proxies(&api, text, err);

	mem_free(api.proxies);
	return result;
}

int api_check_origins(const char *text, struct error *err)
{
	struct cors *cors = NULL;
	int result = cors_open(text, &cors, err);

	cors_close(&cors);
	return result;
}

int api_open(const struct api_options *options, struct api **api_out, struct error *err)
{
	struct api *api = mem_zalloc(sizeof(*api));
	struct str token = secret_reveal(options->admin_token);

	assert(token.len >= 16 && token.len <= 256);
	api->engine = options->engine;
	api->hook = options->hook;
	api->admin_token = secret_of((struct str){mem_dup(token.ptr, token.len), token.len});
	api->sessions = sessions_new(options->session_timeout_ms);
	api->events = events_new();
	engine_on_change(options->engine, events_on_batch, api->events);
	api->guesses = guesses_new(options->wrong_tokens_max);
	api->tls = options->tls;
	api->console = options->console;
	api->thread_count = options->thread_count;
	api->body_bytes_max = options->body_bytes_max;
	api->about = options->about;
	api->start_ms = clock_wall_ms();
	api->threads = api_threads_new(options->thread_count);
	api->rate = rate_new(&options->rates, api_route_count());
	if (api_read_proxies(api, options->trusted_proxies, err) ||
	    cors_open(options->client_origins, &api->cors, err)) {
		api_close(&api);
		return -1;
	}
	*api_out = api;
	return 0;
}

void api_set_rates(struct api *api, const struct rate_limits *rates)
{
	rate_set_limits(api->rate, rates);
}

void api_close(struct api **api_ptr)
{
	struct api *api = *api_ptr;
	struct str token;

	if (!api)
		return;
	token = secret_reveal(api->admin_token);
	mem_wipe((void *)(uintptr_t)token.ptr, token.len); /* our own copy */
	mem_free((void *)(uintptr_t)token.ptr);
	api_threads_free(&api->threads, api->thread_count);
	sessions_free(&api->sessions);
	guesses_free(&api->guesses);
	events_free(&api->events);
	mem_free(api->proxies);
	rate_free(&api->rate);
	cors_close(&api->cors);
	mem_free(api);
	*api_ptr = NULL;
}
