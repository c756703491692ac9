/* States of callbacks and endpoints; see delivery.h. */
#include "live/delivery.h"

#include <assert.h>

static const char *const state_words[] = {
#define STATE_WORD(name, word) [name] = (word),
	DELIVERY_STATES(STATE_WORD)
#undef STATE_WORD
};

#define MOVE(state) (1u << (state))

/* Where a callback may go from each state. What fails without having been on the wire belongs to an app that was
 * deleted. From in_flight back to scheduled or parked: that attempt failed, and there will be another. */
static const unsigned state_moves[DELIVERY_STATE_COUNT] = {
	[STATE_PENDING] = MOVE(STATE_SCHEDULED) | MOVE(STATE_PARKED) | MOVE(STATE_SUPERSEDED) | MOVE(STATE_FAILED),
	[STATE_SCHEDULED] = MOVE(STATE_IN_FLIGHT) | MOVE(STATE_PARKED) | MOVE(STATE_SUPERSEDED) | MOVE(STATE_FAILED),
	[STATE_PARKED] = MOVE(STATE_SCHEDULED) | MOVE(STATE_SUPERSEDED) | MOVE(STATE_FAILED),
	[STATE_IN_FLIGHT] = MOVE(STATE_SCHEDULED) | MOVE(STATE_PARKED) | MOVE(STATE_DELIVERED) |
			    MOVE(STATE_SUPERSEDED) | MOVE(STATE_FAILED),
	[STATE_DELIVERED] = MOVE(STATE_SCHEDULED), /* a replay, as the next two */
	[STATE_SUPERSEDED] = MOVE(STATE_SCHEDULED),
	[STATE_FAILED] = MOVE(STATE_SCHEDULED),
};

const char *delivery_state_word(enum delivery_state state)
{
	assert((unsigned)state < DELIVERY_STATE_COUNT);
	return state_words[state];
}

int delivery_state_parse(struct str word, enum delivery_state *out)
{
	for (unsigned i = 0; i < DELIVERY_STATE_COUNT; i++) {
		if (str_eq(word, str_c(state_words[i]))) {
			*out = (enum delivery_state)i;
			return 0;
		}
	}
	return -1;
}

bool delivery_state_is_final(enum delivery_state state)
{
	return state == STATE_DELIVERED || state == STATE_SUPERSEDED || state == STATE_FAILED;
}

enum delivery_state delivery_state_of_final(enum callback_state stored)
{
	static const enum delivery_state states[] = {[CALLBACK_DELIVERED] = STATE_DELIVERED,
						     [CALLBACK_FAILED] = STATE_FAILED,
						     [CALLBACK_SUPERSEDED] = STATE_SUPERSEDED};

	assert(stored != CALLBACK_WAITING && (unsigned)stored < CALLBACK_STATE_COUNT);
	return states[stored];
}

bool delivery_move_is_legal(enum delivery_state from, enum delivery_state to)
{
	assert((unsigned)from < DELIVERY_STATE_COUNT && (unsigned)to < DELIVERY_STATE_COUNT);
	return (state_moves[from] & MOVE(to)) != 0;
}

void delivery_move(enum delivery_state *state, enum delivery_state to)
{
	assert(delivery_move_is_legal(*state, to));
	*state = to;
}

const char *endpoint_state_word(enum endpoint_state state)
{
	static const char *const words[] = {[ENDPOINT_OK] = "ok",
					    [ENDPOINT_FAILING] = "failing",
					    [ENDPOINT_OPEN] = "open",
					    [ENDPOINT_PAUSED] = "paused"};

	assert((unsigned)state <= ENDPOINT_PAUSED);
	return words[state];
}

enum endpoint_state endpoint_state_of(enum app_pause pause, uint32_t failures)
{
	if (pause != PAUSE_NONE)
		return ENDPOINT_PAUSED;
	if (failures >= ENDPOINT_OPEN_AFTER)
		return ENDPOINT_OPEN;
	return failures ? ENDPOINT_FAILING : ENDPOINT_OK;
}

enum delivery_state delivery_state_of_waiting(bool due, bool in_flight, enum endpoint_state endpoint)
{
	if (in_flight)
		return STATE_IN_FLIGHT;
	if (endpoint == ENDPOINT_PAUSED || endpoint == ENDPOINT_OPEN)
		return STATE_PARKED;
	return due ? STATE_SCHEDULED : STATE_PENDING;
}
