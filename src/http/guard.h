#pragma once
/* Which addresses a request may go to. Whoever sets a URL may name any host, and its name may lead anywhere, so without
 * a rule he could make this program speak to what only the operator's own machines can reach.
 *
 * Refused is all that is no public unicast address: the ranges of the table in guard.c, unless an allow-list holds
 * them. An IPv4-mapped IPv6 address is the IPv4 address it holds. Other IPv6 forms that carry an IPv4 address are
 * refused when that one is; only their own IPv6 form, not what they carry, can be in the allow-list, since some
 * translator's 127.0.0.1 or 10.0.0.1 is not ours. Pure. Threads: any. */
#include "base/error.h"
#include "base/str.h"

#include <stdint.h>
#include <sys/socket.h>

#define GUARD_ALLOWED_MAX 64
#define GUARD_TEXT_BYTES_MAX 111

/* All addresses whose first `bits` bits are those of `bytes`; IPv4 in its IPv4-mapped form. */
struct guard_range {
	unsigned char bytes[16];
	unsigned char bits;
};

struct guard {
	const char *setting; /* name of the setting that the list comes from, for texts; static */
	bool all;	     /* nothing is refused */
	unsigned allowed_count;
	struct guard_range allowed[GUARD_ALLOWED_MAX];
};

/* Reads an allow-list: IPv4 and IPv6 addresses and CIDR ranges with commas between ("127.0.0.0/8, ::1, 10.1.2.3"), ""
 * for none, "*" for all. A range of IPv6 holds no IPv4 address, so "::/0" is all of IPv6. ERR_INVALID names the setting
 * and what is wrong with which entry. */
MUST_CHECK int guard_parse(const char *setting, const char *list, struct guard *guard_out, struct error *err);

/* True when a connection may be made to the address, of `len` bytes. Else `text_out` says which address, what it is and
 * which setting decides, such as "10.0.0.1 (private) is not in callback.allowed_addresses". Refuses what is neither
 * IPv4 nor IPv6. */
MUST_CHECK bool guard_allows(const struct guard *guard, const struct sockaddr *address, socklen_t len,
			     char text_out[GUARD_TEXT_BYTES_MAX + 1]);
