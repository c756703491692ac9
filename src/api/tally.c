/* Counting by sorting; see tally.h. */
#include "api/tally.h"

#include <stdlib.h>

static int tally_compare_names(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static int tally_compare(const void *a, const void *b)
{
	const struct tally *left = a;
	const struct tally *right = b;

	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return str_compare(left->name, right->name);
}

size_t tally_names(struct str *names, size_t count, struct tally *tallies_out)
{
	size_t found = 0;

	if (count == 0)
		return 0;
	qsort(names, count, sizeof(*names), tally_compare_names);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || !str_eq(names[i], names[i - 1]))
			tallies_out[found++] = (struct tally){names[i], 0};
		tallies_out[found - 1].count++;
	}
	qsort(tallies_out, found, sizeof(*tallies_out), tally_compare);
	return found;
}
