#pragma once
/* For cmocka tests whose state is an arena. Included after cmocka. */
#include "base/arena.h"

#include <stdlib.h>

static inline int arena_setup(void **state)
{
	struct arena *arena = malloc(sizeof(*arena));

	assert_non_null(arena);
	arena_init(arena, 4096);
	*state = arena;
	return 0;
}

static inline int arena_teardown(void **state)
{
	arena_fini(*state);
	free(*state);
	return 0;
}
