/* Heap memory that is there or ends the process; see mem.h. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void mem_exhausted(size_t size)
{
	/* The logger may allocate; this line must not. */
	(void)fprintf(stderr, "level=fatal event=out_of_memory bytes=%zu\n", size);
	abort();
}

void *mem_zalloc(size_t size)
{
	void *ptr = calloc(1, size ? size : 1);

	if (!ptr)
		mem_exhausted(size);
	return ptr;
}

void *mem_realloc(void *ptr, size_t size)
{
	void *grown = realloc(ptr, size ? size : 1);

	if (!grown)
		mem_exhausted(size);
	return grown;
}

char *mem_dup(const void *bytes, size_t len)
{
	char *copy = mem_realloc(NULL, len + 1);

	if (len)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

void mem_free(void *ptr)
{
	free(ptr);
}

void mem_wipe(void *ptr, size_t len)
{
	explicit_bzero(ptr, len);
}
