#pragma once
/* The states of a callback and the moves between them, as one table, and what is known of an app's endpoint. Pure.
 *
 * A callback is stored as waiting until it is delivered, superseded or has failed; these three are final, and only a
 * replay makes it wait again. How a waiting one waits is not stored: it follows from whether it was tried, from the
 * app's endpoint, and from what the delivery thread has on the wire. So a restart, which forgets what was on the wire,
 * leaves nothing half done. */
#include "live/app.h"

/* What is stored. Numbers are those of the database. */
enum callback_state {
	CALLBACK_WAITING,
	CALLBACK_DELIVERED,
	CALLBACK_FAILED,     /* retries used up, or the app was deleted */
	CALLBACK_SUPERSEDED, /* a newer alert took its place while it waited */
	CALLBACK_STATE_COUNT
};

/* What people see, and what the delivery thread moves. */
#define DELIVERY_STATES(X)                                                                                             \
	X(STATE_PENDING, "pending")	/* was never tried; its turn comes */                                          \
	X(STATE_SCHEDULED, "scheduled") /* its next attempt has a time, or is about to be made */                      \
	X(STATE_IN_FLIGHT, "in_flight") /* a request is on the wire, or its outcome is not on disk yet */              \
	X(STATE_PARKED, "parked")	/* waits for its endpoint, which is paused or does not answer */               \
	X(STATE_DELIVERED, "delivered") /* final, as the next two */                                                   \
	X(STATE_SUPERSEDED, "superseded")                                                                              \
	X(STATE_FAILED, "failed")

enum delivery_state {
#define STATE_ENUM(name, word) name,
	DELIVERY_STATES(STATE_ENUM)
#undef STATE_ENUM
		DELIVERY_STATE_COUNT
};

const char *delivery_state_word(enum delivery_state state);
/* Returns 0, or -1 for a word that is none. */
MUST_CHECK int delivery_state_parse(struct str word, enum delivery_state *out);
bool delivery_state_is_final(enum delivery_state state);
/* The final state that is stored as `stored`; not for waiting ones (asserted). */
enum delivery_state delivery_state_of_final(enum callback_state stored);

/* May a callback go from one state to the other? */
bool delivery_move_is_legal(enum delivery_state from, enum delivery_state to);
/* Makes the move; one that is not legal is a bug (asserted). */
void delivery_move(enum delivery_state *state, enum delivery_state to);

/* ---- the endpoint: where an app's callbacks go ---- */

#define ENDPOINT_OPEN_AFTER 3 /* failed attempts in a row, after which only probes are sent */

enum endpoint_state {
	ENDPOINT_OK,
	ENDPOINT_FAILING, /* its last attempt failed */
	ENDPOINT_OPEN,	  /* the breaker is open: it gets probes only */
	ENDPOINT_PAUSED,  /* it gets nothing */
};
/* "ok", "failing", "open", "paused". Static. */
const char *endpoint_state_word(enum endpoint_state state);
enum endpoint_state endpoint_state_of(enum app_pause pause, uint32_t failures);

/* How a waiting callback waits. `due`: it was tried, or is to be replayed, and so has a time. */
enum delivery_state delivery_state_of_waiting(bool due, bool in_flight, enum endpoint_state endpoint);
