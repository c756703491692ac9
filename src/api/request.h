#pragma once
/* One request on its way through the API: what every handler gets and how it answers. Internal to api/.
 *
 * Life: api_handle makes it in the call's arena, checks it, and calls the route's handler. The handler either answers
 * (api_answer) or submits a command or a read, whose mail answers later on the same thread. Answering releases
 * everything; the request must not be touched afterwards. */
#include "api/api.h"
#include "api/cors.h"
#include "api/events.h"
#include "api/guess.h"
#include "api/rate.h"
#include "api/session.h"
#include "base/json.h"
#include "base/log.h"

#include <highwater/code.h>
#include <highwater/query.h>

#define API_REQUEST_ID_BYTES 72

enum api_access {
	API_ADMIN,	   /* an app admin: UserSig of one of the app's admins */
	API_CLIENT,	   /* an app user: UserSig of anybody of the app */
	API_MANAGE,	   /* whoever runs the backend: the admin token, or a session and its guard */
	API_MANAGE_SHOW,   /* the same without the guard: changes nothing */
	API_MANAGE_STREAM, /* the same, by GET */
	API_SIGN_IN,	   /* anybody: the handler looks at what is sent */
	API_OPEN,	   /* anybody */
};

struct api_request;

#define API_CLIENT_PREFIX "/v4/live_client/"

struct api_route {
	const char *path;
	enum api_access access;
	void (*handle)(struct api_request *request);
	int command; /* for handlers that serve several routes; an enum command_type */
	enum rate_class rate;
};

/* The route of a path; of a call of the vendor's that is not supported the one that says so; NULL for others. */
const struct api_route *api_find_route(struct str path);
/* A number of the command, below api_route_count. */
size_t api_route_index(const struct api_route *route);
size_t api_route_count(void);
/* Of each path one, from 0; NULL, which is a path that is none, has the last one, api_route_count. */
size_t api_route_place(const struct api_route *route);
const struct api_route *api_route_at(size_t place);

struct api_request {
	struct api *api;
	struct http_call *call;
	struct arena *arena; /* the call's */
	const struct api_route *route;
	char id[API_REQUEST_ID_BYTES];

	/* filled by the checks, for API_ADMIN and API_CLIENT */
	const struct directory_entry *app; /* held until the answer */
	struct str identifier;		   /* in the arena */
	enum hw_platform platform;
	struct str actor; /* of API_MANAGE: as the audit log names him; lives as long as the request */
	/* filled for all */
	struct str client_ip; /* in the arena */
	json_t *body;	      /* an object; NULL for API_OPEN */

	struct engine_job job;
	struct engine_read read;
	struct {
		struct str room_id;
		int64_t before_id; /* a page's rows have smaller ids */
		uint64_t count;	   /* of rows on a page */
		uint32_t sdkappid;
		bool reveal_key;
		enum item_kind kind;
		uint64_t offset;
		bool paged;		 /* the answer tells where the next page starts */
		const struct str *names; /* wanted ones; none: all */
		size_t name_count;
		const struct str *tags; /* of a profile */
		size_t tag_count;
		struct store_callback_filter filter; /* of callbacks; its before_id moves on */
		unsigned states;		     /* of callbacks: bit per enum delivery_state */
		uint32_t number;		     /* whose callbacks are paged; 0 for all apps */
		int64_t callback_id;
		struct overview *overview; /* of apps */
		unsigned order;		   /* of rooms */
		struct str search;	   /* what their ids begin with */
		struct str after;	   /* a page's ids are above this */
	} look;				   /* what a read looks for, checked by its handler */
	int code;			   /* outcome of a read, set on the reader thread */
	char text[192];
	struct buf response; /* JSON of "Response", built by handlers; freed by the answer, as the next one */
	struct buf beside;   /* `,"Name":value` that stands beside it in the envelope; for ErrorCode 0 */
};

/* Everything per loop thread, so that nothing is shared. */
struct api_thread;
/* The sender's signature, with a cache of what was verified before. Returns an enum hw_code. */
MUST_CHECK int api_verify_usersig(struct api_request *request, struct str usersig);

struct api_thread *api_threads_new(unsigned count);
void api_threads_free(struct api_thread **threads, unsigned count);
void api_make_request_id(struct api_thread *thread, char out[API_REQUEST_ID_BYTES]);
struct api_thread *api_request_thread(struct api_request *request);
/* Of the log lines about refused requests. */
struct log_limit *api_refusal_limit(struct api_thread *thread);
/* The same of those about wrong admin tokens. */
struct log_limit *api_guess_limit(struct api_thread *thread);
/* Comes from one of the trusted proxies, so that its headers can be believed. */
bool api_is_proxied(const struct api_request *request);

/* ---- counts of answers (tally.c) ---- */

/* What an answer's code says, in few words. */
#define API_RESULTS(X)                                                                                                 \
	X(RESULT_OK, "ok")                                                                                             \
	X(RESULT_BAD, "bad")	       /* the request is wrong */                                                      \
	X(RESULT_DENIED, "denied")     /* who sends it may not, or does not prove who he is */                         \
	X(RESULT_UNKNOWN, "unknown")   /* what it names is not there */                                                \
	X(RESULT_CONFLICT, "conflict") /* what it would make is there already */                                       \
	X(RESULT_FULL, "full")	       /* the app's maximum of rooms */                                                \
	X(RESULT_BUSY, "busy")	       /* a rate or a queue; try again */                                              \
	X(RESULT_FAILED, "failed")     /* the backend's fault */

enum api_result {
#define API_RESULT_ENUM(name, word) name,
	API_RESULTS(API_RESULT_ENUM)
#undef API_RESULT_ENUM
		API_RESULT_COUNT
};
const char *api_result_word(enum api_result result);
/* Of an enum hw_code. */
enum api_result api_result_of(int code);

struct tally; /* of one loop thread */
struct tally *tally_new(void);
/* Accepts NULL. */
void tally_free(struct tally **tally);
/* Threads: the owner. */
void tally_count(struct tally *tally, const struct api_route *route, int code);
/* Adds the counts of the path at that place. Threads: any. */
void tally_add(const struct tally *tally, size_t place, uint64_t counts[API_RESULT_COUNT]);
struct tally *api_tally(struct api_thread *thread);
/* Of all threads. */
void api_tally_sum(struct api *api, size_t place, uint64_t counts_out[API_RESULT_COUNT]);

/* Ends the request: envelope with code and text (NULL takes the code's standard text), and the response when the code
 * is HW_OK and something was built. */
void api_answer(struct api_request *request, int code, const char *text);
/* Ends the request with a stream. NULL when the client has gone: then nothing of `options` is called. */
struct http_stream *api_answer_stream(struct api_request *request, const struct http_stream_options *options);
/* The same as api_answer with a formatted text. */
void api_refuse_with(struct api_request *request, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* Sends request->job.command to the engine; `done` answers. Type, app and origin are filled here. */
void api_submit(struct api_request *request, enum command_type type, uint32_t sdkappid,
		void (*done)(struct mail *mail));
/* Type, app and origin of a command that the request sends by itself. */
void api_fill_command(const struct api_request *request, struct command *command, enum command_type type,
		      uint32_t sdkappid);
/* Imports accounts (no name twice, in the arena) into the request's app; the answer is the command's. */
void api_submit_accounts(struct api_request *request, const struct account *accounts, size_t count);
/* An answer that is the command's and nothing more; for api_submit. */
void api_command_done(struct mail *mail);
/* Runs `read` on the reader thread, which sets code and text or builds the response; then answers. */
void api_submit_read(struct api_request *request, void (*read)(struct engine_read *read, struct store_reader *reader));
/* The same, but `done` goes on after the read: it answers, or submits what the read has found. */
void api_submit_read_then(struct api_request *request,
			  void (*read)(struct engine_read *read, struct store_reader *reader),
			  void (*done)(struct mail *mail));
struct api_request *api_request_of_job(struct mail *mail);
struct api_request *api_request_of_read(struct engine_read *read);
struct api_request *api_request_of_read_mail(struct mail *mail);
/* For reads: a store's failure as the outcome. */
void api_read_failed(struct api_request *request, const struct error *err);
/* For reads: a refusal as the outcome; NULL takes the code's standard text. */
void api_read_refused(struct api_request *request, int code, const char *text);

/* Getters that answer the request themselves when the value is missing or wrong; they return -1 then. */
MUST_CHECK int api_need_str(struct api_request *request, const json_t *object, const char *key, size_t bytes_min,
			    size_t bytes_max, struct str *out);
MUST_CHECK int api_need_u64(struct api_request *request, const json_t *object, const char *key, uint64_t min,
			    uint64_t max, uint64_t *out);
/* Optional: 1 when it is there, 0 when not, -1 answered. */
MUST_CHECK int api_take_str(struct api_request *request, const json_t *object, const char *key, size_t bytes_min,
			    size_t bytes_max, struct str *out);
MUST_CHECK int api_take_u64(struct api_request *request, const json_t *object, const char *key, uint64_t min,
			    uint64_t max, uint64_t *out);
MUST_CHECK int api_take_bool(struct api_request *request, const json_t *object, const char *key, bool *out);
/* -1 when it is no name of an account; `key` is the field that holds it. */
MUST_CHECK int api_check_account(struct api_request *request, const char *key, struct str account);
/* An array of strings in the body, as a list in the arena without those given twice. */
struct api_names_rule {
	const char *key;
	size_t count_max; /* elements; at least one is needed */
	bool accounts;	  /* each must be the name of an account */
};
MUST_CHECK int api_need_names(struct api_request *request, const struct api_names_rule *rule,
			      const struct str **names_out, size_t *count_out);
/* True when `name` is one of them. */
bool api_has_name(const struct str *names, size_t count, struct str name);
/* True when there is no control character in it. */
bool api_is_plain_text(struct str text);
/* RoomId of the body or of RoomInfo: printable ASCII up to its limit. */
MUST_CHECK int api_need_room_id(struct api_request *request, const json_t *object, struct str *out);

struct api {
	struct engine *engine;
	struct hook *hook;
	struct secret admin_token; /* owned bytes */
	struct sessions *sessions;
	struct guesses *guesses;
	struct events *events;
	bool tls;
	bool console;
	char (*proxies)[HW_IP_BYTES_MAX + 1];
	size_t proxy_count;
	struct cors *cors;
	struct rate *rate;
	struct api_thread *threads;
	unsigned thread_count;
	uint64_t body_bytes_max;
	struct api_about about;
	int64_t start_ms; /* wall clock */
};

/* URL (of that field) and CallbackCommandList of the body, into the request's command. -1 when answered. */
MUST_CHECK int api_need_callback(struct api_request *request, const char *url_key);
/* Token and IsTokenEnable of the body. -1 when answered. */
MUST_CHECK int api_take_token(struct api_request *request, struct token_change *change);
/* The words of the commands whose switch is on, as a JSON array. */
void api_append_callback_commands(struct buf *out, uint32_t commands);

/* What `json` gives of a room, in the words of RoomInfo; for an update the updatable fields only. -1 when answered. */
MUST_CHECK int api_take_room_info(struct api_request *request, const json_t *json, bool update, struct room_info *out);
/* Creates the room that the command names, for the owner that it names, with that and the defaults. */
void api_submit_room(struct api_request *request, uint32_t sdkappid, struct room_info *info);

/* ---- handlers ---- */

void api_room_create(struct api_request *request);
void api_room_destroy(struct api_request *request);
void api_room_get(struct api_request *request);
void api_room_list(struct api_request *request);
void api_room_update(struct api_request *request);
void api_room_change_owner(struct api_request *request);
void api_room_statistic(struct api_request *request);
void api_metadata_set(struct api_request *request);
void api_metadata_get(struct api_request *request);
void api_metadata_delete(struct api_request *request);
void api_admins_modify(struct api_request *request);
void api_admins_get(struct api_request *request);
void api_robots_change(struct api_request *request);
void api_robots_get(struct api_request *request);
void api_member_mute(struct api_request *request);
void api_member_ban(struct api_request *request);
void api_member_unban(struct api_request *request);
void api_muted_get(struct api_request *request);
void api_banned_get(struct api_request *request);
void api_account_import(struct api_request *request);
void api_account_import_many(struct api_request *request);
void api_profile_get(struct api_request *request);
void api_profile_set(struct api_request *request);
void api_not_supported(struct api_request *request);
void api_callback_set(struct api_request *request);
void api_callback_get(struct api_request *request);
void api_callback_delete(struct api_request *request);
void api_token_set(struct api_request *request);
void api_token_get(struct api_request *request);
void api_manage_session_open(struct api_request *request);
void api_manage_session_show(struct api_request *request);
void api_manage_session_close(struct api_request *request);
void api_manage_app_create(struct api_request *request);
void api_manage_app_show(struct api_request *request);
void api_manage_app_list(struct api_request *request);
void api_manage_app_overview(struct api_request *request);
void api_manage_app_set(struct api_request *request);
void api_manage_app_delete(struct api_request *request);
void api_manage_key_rotate(struct api_request *request);
void api_manage_key_revoke(struct api_request *request);
void api_manage_secret_rotate(struct api_request *request);
void api_manage_secret_revoke(struct api_request *request);
void api_manage_certificate_set(struct api_request *request);
void api_manage_certificate_delete(struct api_request *request);
void api_manage_app_history(struct api_request *request);
void api_manage_audit_list(struct api_request *request);
void api_manage_callback_set(struct api_request *request);
void api_manage_callback_clear(struct api_request *request);
void api_manage_callback_list(struct api_request *request);
void api_manage_callback_show(struct api_request *request);
void api_manage_callback_replay(struct api_request *request);
void api_manage_callback_pause(struct api_request *request);
void api_manage_callback_resume(struct api_request *request);
void api_manage_callback_test(struct api_request *request);
void api_manage_room_list(struct api_request *request);
void api_manage_room_show(struct api_request *request);
void api_manage_room_creators(struct api_request *request);
void api_manage_room_create(struct api_request *request);
void api_manage_room_destroy(struct api_request *request);
void api_manage_server_show(struct api_request *request);
void api_manage_events(struct api_request *request);
void api_health(struct api_request *request);
