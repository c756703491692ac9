#pragma once
/* How often each name occurs in a list. Pure. Threads: any. */
#include "base/str.h"

struct name_count {
	struct str name;
	uint64_t count;
};

/* Sorts `names` and writes each of them once to `counts_out`, which has room for `count`: the most frequent first, those
 * alike by name. Returns how many there are. */
size_t names_count(struct str *names, size_t count, struct name_count *counts_out);
