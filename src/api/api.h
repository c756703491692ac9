#pragma once
/* What the backend answers over HTTP: the vendor's server API for app admins (/v4/live_engine_http_srv/ and
 * /v4/live_config/, /v4/im_open_login_svc/, /v4/profile/), Highwater's own client path (/v4/live_client/) and
 * the management API (/manage/v1/). docs/api.md lists every command.
 *
 * A request is checked on its loop thread (route, query, signature, body), turned into a command for the engine, and
 * answered when the command is durable. Nothing here blocks. */
#include "api/rate.h"
#include "base/settings.h"
#include "engine/engine.h"
#include "hook/hook.h"
#include "http/server.h"

struct api;

/* What the management API tells of the backend; all borrowed. */
struct api_about {
	const struct settings *settings;
	const char *store;    /* its kind: "sqlite" or "postgresql" */
	const char *data_dir; /* where it keeps its files */
};

struct api_options {
	struct engine *engine;	     /* borrowed */
	struct hook *hook;	     /* borrowed; for the state of deliveries */
	struct secret admin_token;   /* for the management API, 16 to 256 bytes; copied */
	bool console;		     /* serve the console's files, see console.h */
	bool tls;		     /* requests come over TLS: the cookie of sessions is for TLS only */
	uint64_t session_timeout_ms; /* of browsers that are not used, above 0 */
	uint64_t wrong_tokens_max;   /* admin tokens in a row before an address must wait, see guess.h; 0: no limit */
	const char *trusted_proxies; /* addresses, comma-separated, whose X-Forwarded-For is believed; "" for none */
	const char *client_origins;  /* see cors.h; for /v4/live_client/ */
	struct rate_limits rates;
	unsigned thread_count;	 /* of the HTTP server */
	uint64_t body_bytes_max; /* of the HTTP server, for the text of the refusal */
	struct api_about about;
};

/* The rule for `trusted_proxies`, for who checks settings before anything is opened. Errors ERR_INVALID, naming
 * http.trusted_proxies. */
MUST_CHECK int api_check_proxies(const char *text, struct error *err);

/* The same for `client_origins` and client.origins. */
MUST_CHECK int api_check_origins(const char *text, struct error *err);

/* Before engine_start: it listens to what changes. Errors ERR_INVALID (a proxy that is no address, an origin that is none). */
MUST_CHECK int api_open(const struct api_options *options, struct api **api_out, struct error *err);
/* Every call must have been answered, every stream be over, and the engine be stopped. Accepts NULL. */
void api_close(struct api **api);

/* Other limits of calls from now on, but for room_id_ms. Threads: any. */
void api_set_rates(struct api *api, const struct rate_limits *rates);

/* For struct http_server_options; `context` is the struct api. */
void api_handle(void *context, struct http_call *call);
void api_refuse(void *context, enum http_refusal why, struct buf *body_out);
