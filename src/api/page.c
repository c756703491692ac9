/* Page tokens; see page.h. A token is read by making it anew from what it says and comparing the two. */
#include "api/page.h"
#include "live/app.h"
#include "protocol/digest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PAGE_SEAL_DIGITS 20 /* of 64 bits in decimal */

/* Of a text that says what the token stands for; no two kinds of tokens have one in common. */
static uint64_t page_seal(struct secret key, const char *format, ...) PRINTF_LIKE(2, 3);

static uint64_t page_seal(struct secret key, const char *format, ...)
{
	unsigned char digest[DIGEST_BYTES];
	char text[96];
	uint64_t seal;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args); /* fits: three numbers and a few words */
	va_end(args);
	digest_hmac(key, (struct str){text, (size_t)len}, digest);
	memcpy(&seal, digest, sizeof(seal));
	return seal;
}

static bool page_is_same(struct buf *again, struct str token)
{
	bool same = buf_ok(again) && str_eq_secret(buf_str(again), token);

	buf_fini(again);
	return same;
}

void page_token_append(struct buf *out, struct secret key, uint32_t number, int64_t create_s, uint64_t sequence)
{
	buf_printf(out, "%" PRId64 "-%" PRIu64 "%0*" PRIu64, create_s, sequence, PAGE_SEAL_DIGITS,
		   page_seal(key, "page of rooms %" PRIu32 " %" PRId64 " %" PRIu64, number, create_s, sequence));
}

int page_token_read(struct str token, struct secret key, uint32_t number, uint64_t *sequence_out)
{
	ptrdiff_t dash = str_find_char(token, '-');
	struct buf again;
	uint64_t create_s;
	uint64_t sequence;

	if (dash < 0 || token.len > PAGE_TOKEN_BYTES_MAX || token.len < (size_t)dash + 1 + PAGE_SEAL_DIGITS + 1)
		return -1;
	if (str_to_u64(str_slice(token, 0, (size_t)dash), INT64_MAX, &create_s) ||
	    str_to_u64(str_slice(token, (size_t)dash + 1, token.len - (size_t)dash - 1 - PAGE_SEAL_DIGITS),
		       (UINT64_C(1) << APP_ID_SEQUENCE_BITS) - 1, &sequence))
		return -1;
	buf_init(&again, PAGE_TOKEN_BYTES_MAX);
	page_token_append(&again, key, number, (int64_t)create_s, sequence);
	if (!page_is_same(&again, token))
		return -1;
	*sequence_out = sequence;
	return 0;
}

void page_callbacks_append(struct buf *out, struct secret key, uint32_t number, int64_t before_id)
{
	buf_printf(out, "%" PRId64 "%0*" PRIu64, before_id, PAGE_SEAL_DIGITS,
		   page_seal(key, "page of callbacks %" PRIu32 " %" PRId64, number, before_id));
}

int page_callbacks_read(struct str token, struct secret key, uint32_t number, int64_t *before_id_out)
{
	struct buf again;
	uint64_t before_id;

	if (token.len > PAGE_TOKEN_BYTES_MAX || token.len <= PAGE_SEAL_DIGITS ||
	    str_to_u64(str_slice(token, 0, token.len - PAGE_SEAL_DIGITS), INT64_MAX, &before_id))
		return -1;
	buf_init(&again, PAGE_TOKEN_BYTES_MAX);
	page_callbacks_append(&again, key, number, (int64_t)before_id);
	if (!page_is_same(&again, token))
		return -1;
	*before_id_out = (int64_t)before_id;
	return 0;
}
