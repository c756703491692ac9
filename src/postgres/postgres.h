#pragma once
/* PostgreSQL as this program uses it: one connection that is made anew when it was lost, statements prepared once,
 * several of them in one trip to the server, arrays as parameters, errors by class. What is stored is the caller's
 * matter. Threads: one at a time per connection. */
#include "base/buf.h"
#include "base/error.h"

#include <libpq-fe.h>

#define PG_PARAM_COUNT_MAX 32
#define PG_PARAM_BYTES_MAX ((size_t)256 << 20)

struct pg;

struct pg_options {
	const char *conninfo;	       /* URI or keywords, as libpq takes them; may hold a password */
	uint64_t connect_timeout_ms;   /* 2000 at least; what conninfo says goes before */
	uint64_t answer_timeout_ms;    /* for one trip; the server ends statements by itself then */
	const char *const *statements; /* SQL of the prepared ones, by index; static */
	size_t statement_count;
};

/* Connects nothing yet. Errors ERR_INVALID: conninfo cannot be parsed. */
MUST_CHECK int pg_open(const struct pg_options *options, struct pg **pg_out, struct error *err);
/* Accepts NULL. */
void pg_close(struct pg **pg);
/* Connects when there is no connection: to a server that can write, durably. Errors ERR_IO, ERR_INVALID (the encoding is
 * not UTF-8). */
MUST_CHECK int pg_connect(struct pg *pg, struct error *err);
/* Drops the connection; what it had begun is undone by the server. */
void pg_disconnect(struct pg *pg);
bool pg_is_connected(const struct pg *pg);

/* ---- parameters ---- */

/* Of one statement, as text: numbers, texts, or arrays of them that grow an element at a time. */
struct pg_params {
	struct buf values[PG_PARAM_COUNT_MAX];
	size_t count;
	unsigned arrays; /* bit per parameter: it is an array */
};
void pg_params_init(struct pg_params *params);
/* Frees, and wipes what may have been secret. */
void pg_params_fini(struct pg_params *params);
/* Empties it, for a statement of `count` parameters, all of them arrays or none. */
void pg_params_begin(struct pg_params *params, size_t count, bool arrays);
/* Makes parameter `index` a plain number, in a statement of arrays. */
void pg_param_scalar_i64(struct pg_params *params, size_t index, int64_t number);
void pg_param_i64(struct pg_params *params, size_t index, int64_t number);
/* Well-formed UTF-8 without NUL, which PostgreSQL's text cannot hold. */
void pg_param_str(struct pg_params *params, size_t index, struct str text);
/* Of a parameter that is bytea: any bytes. */
void pg_param_bytes(struct pg_params *params, size_t index, struct str bytes);

/* ---- a trip: statements go out together, their results come back together ---- */

/* Adds a statement to the trip. NULL for one without parameters. What goes wrong is told by pg_trip. */
void pg_send(struct pg *pg, size_t statement, struct pg_params *params);
/* The same of SQL that is not prepared; one command without parameters. */
void pg_send_sql(struct pg *pg, const char *sql);
/* Sends what was added and takes all results, the first `count` into results_out (each to be freed with PQclear). On -1
 * none is given and what a failed statement's transaction did is undone: the first error is told. Errors ERR_BUSY
 * (deadlock, lost a race: the same may succeed when done again), ERR_TIMEOUT, ERR_FULL, ERR_IO; the connection was lost
 * when pg_is_connected is false then, and it is not known how far the trip came. */
MUST_CHECK int pg_trip(struct pg *pg, PGresult **results_out, size_t count, struct error *err);
/* Did the server give a warning in the last trip? A COMMIT that no longer waits for its standbys succeeds with one. */
bool pg_was_warned(const struct pg *pg);
/* SQL without results, several commands too. */
MUST_CHECK int pg_execute(struct pg *pg, const char *sql, struct error *err);

/* ---- results ---- */

/* Decimal text of the field; `none` where it is NULL. Clamped to int64_t. */
int64_t pg_i64(const PGresult *result, int row, int column, int64_t none);
/* A view, valid until PQclear. */
struct str pg_str(const PGresult *result, int row, int column);
/* Appends the bytes of a field that is bytea. Returns 0, or -1 when it is none. */
MUST_CHECK int pg_append_bytes(const PGresult *result, int row, int column, struct buf *out);
