/* Which addresses a request may go to; see guard.h.
 *
 * Everything is judged as 16 bytes, IPv4 in its IPv4-mapped form (::ffff:a.b.c.d). In order: the allow-list; then the
 * table, of which the first row that holds the address decides; what no row holds is public. A row whose addresses
 * carry an IPv4 address refuses them when the table refuses that one. The rows follow IANA's registries of
 * special-purpose addresses; all of IPv6 that is not global unicast (2000::/3) is refused, assigned or not. */
#include "http/guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define GUARD_MAPPED_BITS 96 /* of ::ffff:0:0/96 */

/* Where an IPv4 address is carried. */
enum guard_carries {
	GUARD_CARRIES_NONE,   /* refused as it is */
	GUARD_CARRIES_LAST,   /* bytes 12 to 15 */
	GUARD_CARRIES_6TO4,   /* bytes 2 to 5 */
	GUARD_CARRIES_TEREDO, /* bytes 4 to 7 the server's, and 12 to 15 the client's with all bits turned */
};

struct guard_row {
	struct guard_range range;
	enum guard_carries carries;
	const char *name; /* for people */
};

#define GUARD_V4(a, b, c, d, prefix)                                                                                   \
	{                                                                                                              \
		{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, GUARD_MAPPED_BITS + (prefix)                   \
	}
/* The first 64 bits; the others are 0. */
#define GUARD_V6(a, b, c, d, prefix)                                                                                   \
	{                                                                                                              \
		{(a) >> 8, (a)&0xff, (b) >> 8, (b)&0xff, (c) >> 8, (c)&0xff, (d) >> 8, (d)&0xff}, prefix               \
	}

/* Behind each row: where its range is set aside. */
static const struct guard_row guard_rows[] = {
	{GUARD_V4(0, 0, 0, 0, 8), GUARD_CARRIES_NONE, "unspecified"},	    /* RFC 1122 */
	{GUARD_V4(10, 0, 0, 0, 8), GUARD_CARRIES_NONE, "private"},	    /* RFC 1918 */
	{GUARD_V4(100, 64, 0, 0, 10), GUARD_CARRIES_NONE, "shared"},	    /* RFC 6598 */
	{GUARD_V4(127, 0, 0, 0, 8), GUARD_CARRIES_NONE, "loopback"},	    /* RFC 1122 */
	{GUARD_V4(168, 63, 129, 16, 32), GUARD_CARRIES_NONE, "cloud host"}, /* no RFC; the host's services on Azure */
	{GUARD_V4(169, 254, 0, 0, 16), GUARD_CARRIES_NONE, "link-local"},   /* RFC 3927; cloud metadata */
	{GUARD_V4(172, 16, 0, 0, 12), GUARD_CARRIES_NONE, "private"},	    /* RFC 1918 */
	{GUARD_V4(192, 0, 0, 0, 24), GUARD_CARRIES_NONE, "protocol assignments"}, /* RFC 6890 */
	{GUARD_V4(192, 0, 2, 0, 24), GUARD_CARRIES_NONE, "documentation"},	  /* RFC 5737 */
	{GUARD_V4(192, 88, 99, 0, 24), GUARD_CARRIES_NONE, "6to4 relay"},	  /* RFC 7526 */
	{GUARD_V4(192, 168, 0, 0, 16), GUARD_CARRIES_NONE, "private"},		  /* RFC 1918 */
	{GUARD_V4(198, 18, 0, 0, 15), GUARD_CARRIES_NONE, "benchmarking"},	  /* RFC 2544 */
	{GUARD_V4(198, 51, 100, 0, 24), GUARD_CARRIES_NONE, "documentation"},	  /* RFC 5737 */
	{GUARD_V4(203, 0, 113, 0, 24), GUARD_CARRIES_NONE, "documentation"},	  /* RFC 5737 */
	{GUARD_V4(224, 0, 0, 0, 4), GUARD_CARRIES_NONE, "multicast"},		  /* RFC 5771 */
	{GUARD_V4(255, 255, 255, 255, 32), GUARD_CARRIES_NONE, "broadcast"},	  /* RFC 919 */
	{GUARD_V4(240, 0, 0, 0, 4), GUARD_CARRIES_NONE, "reserved"},		  /* RFC 1112 */

	{{{0}, 128}, GUARD_CARRIES_NONE, "unspecified"},		   /* RFC 4291 */
	{{{[15] = 1}, 128}, GUARD_CARRIES_NONE, "loopback"},		   /* RFC 4291 */
	{GUARD_V6(0, 0, 0, 0, 96), GUARD_CARRIES_LAST, "IPv4-compatible"}, /* RFC 4291 */
	{GUARD_V6(0x64, 0xff9b, 0, 0, 96), GUARD_CARRIES_LAST, "NAT64"},   /* RFC 6052 */
	/* where the IPv4 address is depends on a prefix length that only its operator knows */
	{GUARD_V6(0x64, 0xff9b, 1, 0, 48), GUARD_CARRIES_NONE, "local NAT64"},	     /* RFC 8215 */
	{GUARD_V6(0x2001, 0, 0, 0, 32), GUARD_CARRIES_TEREDO, "Teredo"},	     /* RFC 4380 */
	{GUARD_V6(0x2001, 2, 0, 0, 48), GUARD_CARRIES_NONE, "benchmarking"},	     /* RFC 5180 */
	{GUARD_V6(0x2001, 0, 0, 0, 23), GUARD_CARRIES_NONE, "protocol assignments"}, /* RFC 2928 */
	{GUARD_V6(0x2001, 0xdb8, 0, 0, 32), GUARD_CARRIES_NONE, "documentation"},    /* RFC 3849 */
	{GUARD_V6(0x2002, 0, 0, 0, 16), GUARD_CARRIES_6TO4, "6to4"},		     /* RFC 3056 */
	{GUARD_V6(0x3fff, 0, 0, 0, 20), GUARD_CARRIES_NONE, "documentation"},	     /* RFC 9637 */
	{GUARD_V6(0xfc00, 0, 0, 0, 7), GUARD_CARRIES_NONE, "private"},		     /* RFC 4193 */
	{GUARD_V6(0xfe80, 0, 0, 0, 10), GUARD_CARRIES_NONE, "link-local"},	     /* RFC 4291 */
	{GUARD_V6(0xfec0, 0, 0, 0, 10), GUARD_CARRIES_NONE, "site-local"},	     /* RFC 3879 */
	{GUARD_V6(0xff00, 0, 0, 0, 8), GUARD_CARRIES_NONE, "multicast"},	     /* RFC 4291 */
	/* the rest outside 2000::/3 */
	{GUARD_V6(0, 0, 0, 0, 3), GUARD_CARRIES_NONE, "reserved"},	/* RFC 4291 */
	{GUARD_V6(0x4000, 0, 0, 0, 2), GUARD_CARRIES_NONE, "reserved"}, /* RFC 4291 */
	{GUARD_V6(0x8000, 0, 0, 0, 1), GUARD_CARRIES_NONE, "reserved"}, /* RFC 4291 */
};

static const unsigned char guard_mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool guard_is_mapped(const unsigned char bytes[16])
{
	return memcmp(bytes, guard_mapped, sizeof(guard_mapped)) == 0;
}

static void guard_map(const unsigned char ipv4[4], unsigned char bytes_out[16])
{
	memcpy(bytes_out, guard_mapped, sizeof(guard_mapped));
	memcpy(bytes_out + sizeof(guard_mapped), ipv4, 4);
}

/* ---- the table ---- */

static bool guard_range_holds(const struct guard_range *range, const unsigned char bytes[16])
{
	unsigned whole = range->bits / 8;
	unsigned rest = range->bits % 8;

	if (range->bits < GUARD_MAPPED_BITS && guard_is_mapped(bytes))
		return false; /* a range of IPv6, around all of IPv4 */
	return memcmp(range->bytes, bytes, whole) == 0 &&
	       (rest == 0 || ((range->bytes[whole] ^ bytes[whole]) >> (8 - rest)) == 0);
}

static const struct guard_row *guard_find_row(const unsigned char bytes[16])
{
	for (size_t i = 0; i < ARRAY_LEN(guard_rows); i++)
		if (guard_range_holds(&guard_rows[i].range, bytes))
			return &guard_rows[i];
	return NULL;
}

static const struct guard_row *guard_find_row_ipv4(const unsigned char ipv4[4])
{
	unsigned char bytes[16];

	guard_map(ipv4, bytes);
	return guard_find_row(bytes);
}

/* The row that refuses what an address of `row` carries, or NULL. */
static const struct guard_row *guard_find_carried(const struct guard_row *row, const unsigned char bytes[16])
{
	const struct guard_row *found;
	unsigned char client[4];

	switch (row->carries) {
	case GUARD_CARRIES_NONE:
		return row;
	case GUARD_CARRIES_LAST:
		return guard_find_row_ipv4(bytes + 12);
	case GUARD_CARRIES_6TO4:
		return guard_find_row_ipv4(bytes + 2);
	case GUARD_CARRIES_TEREDO:
		break;
	}
	for (unsigned i = 0; i < sizeof(client); i++)
		client[i] = bytes[12 + i] ^ 0xff;
	found = guard_find_row_ipv4(client);
	return found ? found : guard_find_row_ipv4(bytes + 4);
}

/* ---- judging ---- */

static int guard_read_address(const struct sockaddr *address, socklen_t len, unsigned char bytes_out[16])
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	if (len >= sizeof(ipv4) && address->sa_family == AF_INET) {
		memcpy(&ipv4, address, sizeof(ipv4));
		guard_map((const unsigned char *)&ipv4.sin_addr, bytes_out);
		return 0;
	}
	if (len >= sizeof(ipv6) && address->sa_family == AF_INET6) {
		memcpy(&ipv6, address, sizeof(ipv6));
		memcpy(bytes_out, &ipv6.sin6_addr, 16);
		return 0;
	}
	return -1;
}

static void guard_describe(const struct guard *guard, const unsigned char bytes[16], const struct guard_row *row,
			   const struct guard_row *carried, char text_out[GUARD_TEXT_BYTES_MAX + 1])
{
	char address[INET6_ADDRSTRLEN] = "";

	if (guard_is_mapped(bytes))
		(void)inet_ntop(AF_INET, bytes + 12, address, sizeof(address)); /* fits, as below */
	else
		(void)inet_ntop(AF_INET6, bytes, address, sizeof(address));
	(void)snprintf(text_out, GUARD_TEXT_BYTES_MAX + 1, "%s (%s%s%s) is not in %s", address, row->name,
		       row == carried ? "" : " of ", row == carried ? "" : carried->name, guard->setting); /* cut */
}

bool guard_allows(const struct guard *guard, const struct sockaddr *address, socklen_t len,
		  char text_out[GUARD_TEXT_BYTES_MAX + 1])
{
	const struct guard_row *carried;
	const struct guard_row *row;
	unsigned char bytes[16];

	if (guard_read_address(address, len, bytes)) {
		(void)snprintf(text_out, GUARD_TEXT_BYTES_MAX + 1, "neither IPv4 nor IPv6"); /* fits */
		return false;
	}
	if (guard->all)
		return true;
	for (unsigned i = 0; i < guard->allowed_count; i++)
		if (guard_range_holds(&guard->allowed[i], bytes))
			return true;
	row = guard_find_row(bytes);
	carried = row ? guard_find_carried(row, bytes) : NULL;
	if (!carried)
		return true;
	guard_describe(guard, bytes, row, carried, text_out);
	return false;
}

/* ---- the allow-list ---- */

/* Reads "10.1.2.3" or "fc00::1" as the range of that one address. Returns the bits of such an address, or -1. */
static int guard_parse_address(struct str text, struct guard_range *range_out)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char ipv4[4];

	if (memchr(text.ptr, '\0', text.len) || !str_copy(copy, sizeof(copy), text))
		return -1;
	range_out->bits = 128;
	if (inet_pton(AF_INET6, copy, range_out->bytes) == 1)
		return 128;
	if (inet_pton(AF_INET, copy, ipv4) != 1)
		return -1;
	guard_map(ipv4, range_out->bytes);
	return 32;
}

/* A range with bits after its prefix is nearly always a slip, and one that may open more than was meant. */
static bool guard_range_is_exact(const struct guard_range *range)
{
	for (unsigned bit = range->bits; bit < 128; bit++)
		if (range->bytes[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

static int guard_parse_entry(struct str entry, struct guard_range *range_out, struct error *err)
{
	ptrdiff_t slash = str_find_char(entry, '/');
	struct str address = slash < 0 ? entry : str_slice(entry, 0, (size_t)slash);
	struct str shown = str_slice(entry, 0, 60);
	uint64_t prefix;
	int bits;

	if (entry.len == 0)
		return error_set(err, ERR_INVALID, "an entry is empty");
	bits = address.len ? guard_parse_address(address, range_out) : -1;
	if (bits < 0)
		return error_set(err, ERR_INVALID, "\"%.*s\" is no IPv4 or IPv6 address or range", STR_ARG(shown));
	if (slash < 0)
		return 0;
	if (str_to_u64(str_slice(entry, (size_t)slash + 1, entry.len), (uint64_t)bits, &prefix))
		return error_set(err, ERR_INVALID, "\"%.*s\": after the slash stands a number from 0 to %d",
				 STR_ARG(shown), bits);
	range_out->bits = (unsigned char)(128 - bits + (int)prefix);
	if (!guard_range_is_exact(range_out))
		return error_set(err, ERR_INVALID, "\"%.*s\": the address has bits after its first %d", STR_ARG(shown),
				 (int)prefix);
	return 0;
}

static int guard_parse_list(struct str rest, struct guard *guard, struct error *err)
{
	struct str entry;
	bool more;

	do {
		more = str_cut(&rest, ',', &entry);
		entry = str_trim(entry);
		if (str_eq(entry, STR("*")))
			return error_set(err, ERR_INVALID, "* stands alone");
		if (guard->allowed_count == GUARD_ALLOWED_MAX)
			return error_set(err, ERR_INVALID, "has more than %d entries", GUARD_ALLOWED_MAX);
		if (guard_parse_entry(entry, &guard->allowed[guard->allowed_count], err))
			return -1;
		guard->allowed_count++;
	} while (more);
	return 0;
}

int guard_parse(const char *setting, const char *list, struct guard *guard_out, struct error *err)
{
	struct guard guard = {.setting = setting};
	struct str text = str_trim(str_c(list));

	guard.all = str_eq(text, STR("*"));
	if (text.len && !guard.all && guard_parse_list(text, &guard, err))
		return error_wrap(err, "%s", setting);
	*guard_out = guard;
	return 0;
}
