#pragma once
/* Slows down whoever guesses the admin token.
 *
 * An address that has sent `free_count` wrong tokens in a row must wait, and longer after each further one: 1 s, 2 s,
 * 4 s, at most GUESS_WAIT_MS_MAX. While it waits nothing it sends is looked at, so that the wait cannot be used. Other
 * addresses are not touched. A right token, or GUESS_FORGET_MS without a wrong one, ends it. An IPv6 address counts
 * with its whole /64, since whoever has one address of it has all.
 *
 * A fixed table: when thousands of addresses guess at once, the oldest of a full set of places is forgotten.
 * Times are clock_mono_ms(). Threads: any, but for new and free. */
#include "base/str.h"

#define GUESS_WAIT_MS_MAX 30000
#define GUESS_FORGET_MS 900000
#define GUESS_PLACES 4096      /* a power of two */
#define GUESS_PLACES_PER_SET 8 /* a power of two */

struct guesses;

/* free_count 0: nobody waits. */
struct guesses *guesses_new(uint64_t free_count);
/* Accepts NULL. */
void guesses_free(struct guesses **guesses);

/* Milliseconds that this address has to wait, 0 when it may try. */
int64_t guesses_wait_ms(struct guesses *guesses, struct str address, int64_t now_ms);
/* It sent a wrong token; a right one. */
void guesses_wrong(struct guesses *guesses, struct str address, int64_t now_ms);
void guesses_right(struct guesses *guesses, struct str address);
