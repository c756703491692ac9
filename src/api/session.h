#pragma once
/* Browsers that are signed in to the management API.
 *
 * Whoever knows the admin token opens a session and gets a random token of its own, which his browser keeps in a cookie
 * that no script can read. Requests that a browser makes also carry the session's guard, which only the page knows:
 * another site can make the browser send the cookie, but not the guard. Only hashes of session tokens are kept, in
 * memory: a restart ends all sessions.
 *
 * Times are clock_mono_ms(). Threads: any, but for new and free. */
#include "base/str.h"

#define SESSION_COUNT_MAX 256	    /* a further one ends the one that was idle longest */
#define SESSION_TOKEN_BYTES 64	    /* hexadecimal digits, as of the guard */
#define SESSION_NAME_BYTES 16	    /* "session:" and eight digits */
#define SESSION_LIFE_MS 604800000LL /* a week: it ends then however much it is used */

struct sessions;

/* Idle sessions end after `timeout_ms`. */
struct sessions *sessions_new(uint64_t timeout_ms);
/* Accepts NULL. */
void sessions_free(struct sessions **sessions);

/* What a request may know of its session. */
struct session_view {
	char name[SESSION_NAME_BYTES + 1];   /* tells it from others in logs, no secret */
	char guard[SESSION_TOKEN_BYTES + 1]; /* what its pages must send along */
	int64_t end_ms;			     /* when it ends if it is not used again */
};

/* Writes the token for the cookie; it is a secret. */
void sessions_open(struct sessions *sessions, int64_t now_ms, char token_out[SESSION_TOKEN_BYTES + 1],
		   struct session_view *view_out);
/* Returns 0 and counts as use; -1 when there is no such session, or it has ended. */
MUST_CHECK int sessions_use(struct sessions *sessions, struct str token, int64_t now_ms, struct session_view *view_out);
/* The same without being a use. */
MUST_CHECK int sessions_look(struct sessions *sessions, struct str token, int64_t now_ms,
			     struct session_view *view_out);
void sessions_close(struct sessions *sessions, struct str token);
uint64_t sessions_count(struct sessions *sessions, int64_t now_ms);
