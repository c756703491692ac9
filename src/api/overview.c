/* Choosing and counting apps; see overview.h. Ten thousand of them are sorted in some milliseconds. */
#include "api/overview.h"
#include "base/mem.h"
#include "live/alert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define OVERVIEW_FIRST_CAPACITY 64

#define OVERVIEW_WORD(name, word) [name] = (word),
static const char *const overview_filters[] = {OVERVIEW_FILTERS(OVERVIEW_WORD)};
static const char *const overview_sorts[] = {OVERVIEW_SORTS(OVERVIEW_WORD)};
#undef OVERVIEW_WORD

/* The word's place, or `count`. */
static unsigned overview_find(const char *const *words, unsigned count, struct str word)
{
	unsigned i = 0;

	while (i < count && !str_eq(word, str_c(words[i])))
		i++;
	return i;
}

int overview_parse_filter(struct str word, enum overview_filter *out)
{
	unsigned i = overview_find(overview_filters, OVERVIEW_FILTER_COUNT, word);

	*out = (enum overview_filter)i;
	return i < OVERVIEW_FILTER_COUNT ? 0 : -1;
}

int overview_parse_sort(struct str word, enum overview_sort *out)
{
	unsigned i = overview_find(overview_sorts, OVERVIEW_SORT_COUNT, word);

	*out = (enum overview_sort)i;
	return i < OVERVIEW_SORT_COUNT ? 0 : -1;
}

bool overview_passes(enum overview_filter filter, const struct store_app_line *line)
{
	switch (filter) {
	case OVERVIEW_NEAR:
		return alert_reached(line->room_count, line->room_count_max, line->threshold_lowest);
	case OVERVIEW_FULL:
		return line->room_count >= line->room_count_max;
	case OVERVIEW_WAITING:
		return line->callback_pending > 0;
	case OVERVIEW_FAILING:
		return line->failures > 0;
	case OVERVIEW_PAUSED:
		return line->pause != PAUSE_NONE;
	default:
		return true;
	}
}

static bool overview_is_found(const struct overview *overview, uint32_t sdkappid)
{
	char digits[16];

	(void)snprintf(digits, sizeof(digits), "%" PRIu32, sdkappid); /* fits */
	return str_starts_with(str_c(digits), overview->search);
}

static void overview_keep(struct overview *overview, const struct store_app_line *line)
{
	if (overview->line_count == overview->capacity) {
		overview->capacity = overview->capacity ? overview->capacity * 2 : OVERVIEW_FIRST_CAPACITY;
		overview->lines = mem_realloc(overview->lines, overview->capacity * sizeof(*overview->lines));
	}
	overview->lines[overview->line_count++] = *line;
}

void overview_add(void *context, const struct store_app_line *line)
{
	struct overview *overview = context;

	overview->total++;
	overview->callback_pending += line->callback_pending;
	for (unsigned i = 0; i < OVERVIEW_FILTER_COUNT; i++)
		overview->counts[i] += overview_passes((enum overview_filter)i, line);
	if (overview_passes(overview->filter, line) &&
	    (overview->search.len == 0 || overview_is_found(overview, line->sdkappid)))
		overview_keep(overview, line);
}

/* ---- order ---- */

static int overview_by_sdkappid(const void *a, const void *b)
{
	uint32_t left = ((const struct store_app_line *)a)->sdkappid;
	uint32_t right = ((const struct store_app_line *)b)->sdkappid;

	return left < right ? -1 : left > right;
}

/* Two fractions by a common denominator. No part is above 2^30, since rooms are at most the largest maximum. */
static int overview_by_usage(const void *a, const void *b)
{
	const struct store_app_line *left = a;
	const struct store_app_line *right = b;
	uint64_t left_max = left->room_count_max;
	uint64_t right_max = right->room_count_max;
	uint64_t left_usage = (left->room_count + !left_max) * (right_max ? right_max : 1);
	uint64_t right_usage = (right->room_count + !right_max) * (left_max ? left_max : 1);

	if (left_usage != right_usage)
		return left_usage > right_usage ? -1 : 1;
	return overview_by_sdkappid(a, b);
}

static int overview_by_waiting(const void *a, const void *b)
{
	uint64_t left = ((const struct store_app_line *)a)->callback_pending;
	uint64_t right = ((const struct store_app_line *)b)->callback_pending;

	if (left != right)
		return left > right ? -1 : 1;
	return overview_by_sdkappid(a, b);
}

void overview_sort(struct overview *overview)
{
	static int (*const orders[])(const void *, const void *) = {
		[OVERVIEW_BY_USAGE] = overview_by_usage,
		[OVERVIEW_BY_SDKAPPID] = overview_by_sdkappid,
		[OVERVIEW_BY_WAITING] = overview_by_waiting,
	};

	if (overview->line_count)
		qsort(overview->lines, overview->line_count, sizeof(*overview->lines), orders[overview->sort]);
}

void overview_fini(struct overview *overview)
{
	mem_free(overview->lines);
	overview->lines = NULL;
	overview->line_count = overview->capacity = 0;
}
