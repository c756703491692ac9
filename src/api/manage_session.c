/* Who uses the management API: somebody with the admin token, or a browser that has signed in with it.
 *
 * A program sends the token in the header Authorization. A browser sends it once, in session_open, and then the
 * session's cookie, and with whatever may change something the header Highwater-Csrf, which a page of another origin
 * can neither guess nor send: a header of that kind needs a preflight, and the management API answers none. For that
 * same reason session_open needs the header too, with any value: nobody else's page can sign a browser in. */
#include "api/guess.h"
#include "api/manage.h"
#include "api/session.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define SESSION_COOKIE "highwater_session"
#define SESSION_TOKEN_ACTOR "token" /* who has the admin token, for the audit log */

/* ---- the request's credentials ---- */

static struct str session_cookie(struct http_call *call)
{
	struct str rest = http_call_header(call, STR("cookie"));
	struct str name = STR(SESSION_COOKIE "=");

	while (rest.len) {
		struct str item;

		(void)str_cut(&rest, ';', &item); /* the loop looks at the rest */
		item = str_trim(item);
		if (str_starts_with(item, name))
			return str_slice(item, name.len, item.len);
	}
	return (struct str){0};
}

static struct str session_csrf(struct http_call *call)
{
	return http_call_header(call, STR("highwater-csrf"));
}

static void session_fill(struct api_request *request, struct str actor)
{
	request->identifier = STR(APP_SYSTEM_OPERATOR);
	request->platform = HW_PLATFORM_RESTAPI;
	request->actor = actor;
}

struct str manage_session_token(const struct api_request *request)
{
	return str_eq(request->actor, STR(SESSION_TOKEN_ACTOR)) ? (struct str){0} : session_cookie(request->call);
}

/* Answers when the address must wait before it may try a token. */
static int session_check_wait(struct api_request *request)
{
	int64_t wait_ms = guesses_wait_ms(request->api->guesses, request->client_ip, clock_mono_ms());
	char seconds[24];

	if (wait_ms == 0)
		return 0;
	(void)snprintf(seconds, sizeof(seconds), "%" PRId64, (wait_ms + 999) / 1000); /* sized for it */
	http_call_add_header(request->call, STR("retry-after"), str_c(seconds));
	api_refuse_with(request, HW_API_BUSY,
			"too frequent: this address has sent wrong admin tokens, it may try again in %s s", seconds);
	return -1;
}

static void session_note_wrong(struct api_request *request)
{
	uint64_t held_back;

	guesses_wrong(request->api->guesses, request->client_ip, clock_mono_ms());
	if (log_limit_pass(api_guess_limit(api_request_thread(request)), clock_mono_ms(), &held_back))
		log_event(LOG_LEVEL_WARN, "wrong_admin_token", LOG_STR("client_ip", request->client_ip),
			  LOG_U64("held_back", held_back));
}

/* Is it the admin token? Otherwise the request is answered. */
static int session_check_token(struct api_request *request, struct str token)
{
	if (session_check_wait(request))
		return -1;
	if (str_eq_secret(token, secret_reveal(request->api->admin_token))) {
		guesses_right(request->api->guesses, request->client_ip);
		return 0;
	}
	session_note_wrong(request);
	api_answer(request, HW_NEEDS_ADMIN, "that is not the backend's admin token");
	return -1;
}

static int session_need(struct api_request *request, struct session_view *view_out)
{
	if (sessions_use(request->api->sessions, session_cookie(request->call), clock_mono_ms(), view_out) == 0)
		return 0;
	api_answer(request, HW_NEEDS_ADMIN,
		   "the management API needs the header \"Authorization: Bearer\" with the backend's admin token, or "
		   "the cookie of a session that has not ended");
	return -1;
}

int manage_check_sender(struct api_request *request)
{
	struct str header = http_call_header(request->call, STR("authorization"));
	struct str scheme = STR("Bearer ");
	struct session_view view;

	if (str_starts_with(header, scheme)) {
		if (session_check_token(request, str_slice(header, scheme.len, header.len)))
			return -1;
		session_fill(request, STR(SESSION_TOKEN_ACTOR));
		return 0;
	}
	if (session_need(request, &view))
		return -1;
	if (request->route->access == API_MANAGE && !str_eq_secret(session_csrf(request->call), str_c(view.guard))) {
		api_answer(request, HW_NEEDS_ADMIN,
			   "the header Highwater-Csrf is missing, or is not this session's: session_show tells it");
		return -1;
	}
	session_fill(request, arena_dup(request->arena, str_c(view.name)));
	return 0;
}

/* ---- the calls ---- */

static bool session_is_over_tls(const struct api_request *request)
{
	return request->api->tls ||
	       (api_is_proxied(request) &&
		str_eq_nocase(http_call_header(request->call, STR("x-forwarded-proto")), STR("https")));
}

/* An empty token takes the cookie away. */
static void session_set_cookie(struct api_request *request, const char *token)
{
	char cookie[256];

	(void)snprintf(cookie, sizeof(cookie), SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s",
		       token, *token ? SESSION_LIFE_MS / 1000 : 0,
		       session_is_over_tls(request) ? "; Secure" : ""); /* sized for it */
	http_call_add_header(request->call, STR("set-cookie"), str_c(cookie));
	http_call_add_header(request->call, STR("cache-control"), STR("no-store"));
}

static void session_answer(struct api_request *request, const struct session_view *view)
{
	int64_t left_ms = view->end_ms - clock_mono_ms();

	buf_printf(&request->response, "{\"Actor\":\"%s\",\"CsrfToken\":\"%s\",\"ExpireTime\":%" PRId64 "}", view->name,
		   view->guard, clock_wall_ms() + left_ms);
	api_answer(request, HW_OK, NULL);
}

void api_manage_session_open(struct api_request *request)
{
	char cookie[SESSION_TOKEN_BYTES + 1];
	struct session_view view;
	struct str token;

	if (session_csrf(request->call).len == 0) {
		api_answer(request, HW_NEEDS_ADMIN, "session_open needs the header Highwater-Csrf, with any value");
		return;
	}
	if (api_need_str(request, request->body, "Token", 1, 256, &token) || session_check_token(request, token))
		return;
	sessions_open(request->api->sessions, clock_mono_ms(), cookie, &view);
	session_set_cookie(request, cookie);
	log_event(LOG_LEVEL_INFO, "session_opened", LOG_C("session", view.name),
		  LOG_STR("client_ip", request->client_ip));
	session_answer(request, &view);
}

void api_manage_session_show(struct api_request *request)
{
	struct session_view view;

	http_call_add_header(request->call, STR("cache-control"), STR("no-store"));
	if (sessions_look(request->api->sessions, session_cookie(request->call), clock_mono_ms(), &view) == 0) {
		session_answer(request, &view);
		return;
	}
	buf_append_c(&request->response, "{\"Actor\":\"token\",\"CsrfToken\":\"\",\"ExpireTime\":0}");
	api_answer(request, HW_OK, NULL);
}

void api_manage_session_close(struct api_request *request)
{
	sessions_close(request->api->sessions, session_cookie(request->call)); /* a token has none: fine */
	session_set_cookie(request, "");
	log_event(LOG_LEVEL_INFO, "session_closed", LOG_STR("session", request->actor));
	api_answer(request, HW_OK, NULL);
}
