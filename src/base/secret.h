#pragma once
/* Keys and tokens. The type has no formatter and no log field, so that a secret reaches an output only by an explicit
 * secret_reveal, which reviews can look for. */
#include "base/str.h"

struct secret {
	struct str hidden; /* borrowed, like any str */
};

static inline struct secret secret_of(struct str s)
{
	return (struct secret){s};
}

static inline struct str secret_reveal(struct secret secret)
{
	return secret.hidden;
}
