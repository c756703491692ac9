/* Page tokens; see page.h. A token is read by making it anew from what it says and comparing the two. */
#include "api/page.h"
#include "live/app.h"
#include "protocol/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE_SEAL_DIGITS 20 /* of 64 bits in decimal */

static uint64_t page_seal(struct secret key, uint32_t number, int64_t create_s, uint64_t sequence)
{
	unsigned char digest[DIGEST_BYTES];
	char text[96];
	uint64_t seal;
	int len = snprintf(text, sizeof(text), "page of rooms %" PRIu32 " %" PRId64 " %" PRIu64, number, create_s,
			   sequence); /* fits */

	digest_hmac(key, (struct str){text, (size_t)len}, digest);
	memcpy(&seal, digest, sizeof(seal));
	return seal;
}

void page_token_append(struct buf *out, struct secret key, uint32_t number, int64_t create_s, uint64_t sequence)
{
	buf_printf(out, "%" PRId64 "-%" PRIu64 "%0*" PRIu64, create_s, sequence, PAGE_SEAL_DIGITS,
		   page_seal(key, number, create_s, sequence));
}

int page_token_read(struct str token, struct secret key, uint32_t number, uint64_t *sequence_out)
{
	ptrdiff_t dash = str_find_char(token, '-');
	struct buf again;
	uint64_t create_s;
	uint64_t sequence;
	bool same;

	if (dash < 0 || token.len > PAGE_TOKEN_BYTES_MAX || token.len < (size_t)dash + 1 + PAGE_SEAL_DIGITS + 1)
		return -1;
	if (str_to_u64(str_slice(token, 0, (size_t)dash), INT64_MAX, &create_s) ||
	    str_to_u64(str_slice(token, (size_t)dash + 1, token.len - (size_t)dash - 1 - PAGE_SEAL_DIGITS),
		       (UINT64_C(1) << APP_ID_SEQUENCE_BITS) - 1, &sequence))
		return -1;
	buf_init(&again, PAGE_TOKEN_BYTES_MAX);
	page_token_append(&again, key, number, (int64_t)create_s, sequence);
	same = buf_ok(&again) && str_eq_secret(buf_str(&again), token);
	buf_fini(&again);
	if (!same)
		return -1;
	*sequence_out = sequence;
	return 0;
}
