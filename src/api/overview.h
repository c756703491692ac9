#pragma once
/* Which of many apps an overview shows, in what order, and what it counts. Pure.
 *
 * An app's usage is its rooms divided by its maximum; with maximum 0 it counts as full, and as fuller with each room.
 * Threads: one at a time. */
#include "store/store.h"

/* What is shown: name, word */
#define OVERVIEW_FILTERS(X)                                                                                            \
	X(OVERVIEW_ALL, "all")                                                                                         \
	X(OVERVIEW_NEAR, "near")       /* at or above its lowest threshold */                                          \
	X(OVERVIEW_FULL, "full")       /* admits no further room */                                                    \
	X(OVERVIEW_WAITING, "waiting") /* callbacks wait */                                                            \
	X(OVERVIEW_FAILING, "failing") /* its endpoint's last attempt failed */                                        \
	X(OVERVIEW_PAUSED, "paused")   /* its callbacks are held back */

#define OVERVIEW_SORTS(X)                                                                                              \
	X(OVERVIEW_BY_USAGE, "usage")	    /* highest first; those alike by SDKAppID */                               \
	X(OVERVIEW_BY_SDKAPPID, "sdkappid") /* rising */                                                               \
	X(OVERVIEW_BY_WAITING, "waiting")   /* most first, as of usage */

#define OVERVIEW_ENUM(name, word) name,
enum overview_filter { OVERVIEW_FILTERS(OVERVIEW_ENUM) OVERVIEW_FILTER_COUNT };
enum overview_sort { OVERVIEW_SORTS(OVERVIEW_ENUM) OVERVIEW_SORT_COUNT };
#undef OVERVIEW_ENUM

/* Each returns 0, or -1 for a word that is none. */
MUST_CHECK int overview_parse_filter(struct str word, enum overview_filter *out);
MUST_CHECK int overview_parse_sort(struct str word, enum overview_sort *out);

struct overview {
	enum overview_filter filter;
	enum overview_sort sort;
	struct str search; /* digits that the SDKAppID begins with; empty: all */
	/* over all apps */
	uint64_t total;
	uint64_t counts[OVERVIEW_FILTER_COUNT]; /* that each filter lets through */
	uint64_t callback_pending;
	/* those that filter and search let through; owned */
	struct store_app_line *lines;
	size_t line_count;
	size_t capacity;
};

bool overview_passes(enum overview_filter filter, const struct store_app_line *line);
/* `context` is the overview; for store_app_line_each. The rest of a fresh one is zero but for filter, sort, search. */
void overview_add(void *context, const struct store_app_line *line);
/* Puts the lines into their order. */
void overview_sort(struct overview *overview);
void overview_fini(struct overview *overview);
