#pragma once
/* Which web pages may use the client path: the server's half of CORS (https://fetch.spec.whatwg.org/#http-cors-protocol).
 *
 * A browser lets a page of another origin send a call only when the preflight (OPTIONS) allowed it, and lets it read
 * the answer only when the answer names the page's origin or "*". No credentials are allowed: a caller is known by its
 * UserSig, never by a cookie. Threads: any, after cors_open. */
#include "base/error.h"
#include "http/server.h"

#define CORS_ORIGIN_COUNT_MAX 32
#define CORS_ORIGIN_BYTES_MAX 300

struct cors;

/* `origins`, the setting client.origins: "*" for all, "" for none, or up to CORS_ORIGIN_COUNT_MAX of
 * scheme://host[:port] with commas between, space around each does not count. They are brought into the form in which
 * browsers send them: lower case, without the scheme's own port. Errors ERR_INVALID, naming client.origins. */
MUST_CHECK int cors_open(const char *origins, struct cors **cors_out, struct error *err);
/* Accepts NULL. */
void cors_close(struct cors **cors);

/* May a page of this origin, as its Origin header says it, use the client path? Never for the empty view. */
bool cors_allows(const struct cors *cors, struct str origin);

/* Adds what lets the page read the reply to come, when the request has an Origin that is allowed: at most two headers. */
void cors_answer(const struct cors *cors, struct http_call *call);
/* Answers a preflight of an allowed origin and returns true. Returns false, with nothing done, for all else; the
 * answer that comes then has none of these headers, which a browser takes as a refusal. */
MUST_CHECK bool cors_preflight(const struct cors *cors, struct http_call *call);
