#pragma once
/* How often each name occurs in a list. Pure. Threads: any. */
#include "base/str.h"

struct tally {
	struct str name;
	uint64_t count;
};

/* Sorts `names` and writes each of them once to `tallies_out`, which has room for `count`: the most frequent first, those
 * alike by name. Returns how many there are. */
size_t tally_names(struct str *names, size_t count, struct tally *tallies_out);
