/* Counting by sorting; see names.h. */
#include "api/names.h"

#include <stdlib.h>

static int names_compare_text(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static int names_compare(const void *a, const void *b)
{
	const struct name_count *left = a;
	const struct name_count *right = b;

	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return str_compare(left->name, right->name);
}

size_t names_count(struct str *names, size_t count, struct name_count *counts_out)
{
	size_t found = 0;

	if (count == 0)
		return 0;
	qsort(names, count, sizeof(*names), names_compare_text);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || !str_eq(names[i], names[i - 1]))
			counts_out[found++] = (struct name_count){names[i], 0};
		counts_out[found - 1].count++;
	}
	qsort(counts_out, found, sizeof(*counts_out), names_compare);
	return found;
}
