#pragma once
/* The heart: what a batch of commands does to the world. Pure: no I/O, no clock, no randomness; the same set and the
 * same commands give the same answers and the same changes. */
#include "live/set.h"

/* Executes the commands in order on the loaded set. Fills code, text and room_count of each; changes the set; adds the
 * callbacks to store. A command that is refused changes nothing. */
void live_step(struct live_set *set, struct command **commands, size_t count);
