/* The vendor's callback authentication; see highwater/sign.h. */
#include "base/buf.h"
#include "base/mem.h"
#include "protocol/digest.h"

#include <highwater/sign.h>

void hw_sign(const char *token, size_t token_len, int64_t request_time_s, char out[HW_SIGN_HEX_BYTES + 1])
{
	unsigned char digest[DIGEST_BYTES];
	struct buf text;

	buf_init(&text, HW_SIGN_HEX_BYTES);
	buf_append_i64(&text, request_time_s);
	digest_sha256((struct str){token, token_len}, buf_str(&text), digest);
	buf_reset(&text);
	buf_append_hex(&text, digest, sizeof(digest));
	(void)str_copy(out, HW_SIGN_HEX_BYTES + 1, buf_str(&text)); /* 64 digits fit */
	buf_fini(&text);
}

/* |now - then| <= tolerance, where the difference may not fit. */
static bool sign_in_time(int64_t then_s, int64_t now_s, int64_t tolerance_s)
{
	int64_t difference_s;

	if (tolerance_s < 0 || __builtin_sub_overflow(now_s, then_s, &difference_s))
		return false;
	return difference_s <= tolerance_s && difference_s >= -tolerance_s;
}

bool hw_sign_verify(const char *token, size_t token_len, const char *sign, size_t sign_len, int64_t request_time_s,
		    int64_t now_s, int64_t tolerance_s)
{
	char right[HW_SIGN_HEX_BYTES + 1];
	bool same;

	if (!token || token_len == 0 || token_len > HW_TOKEN_BYTES_MAX)
		return false; /* without a token anybody could sign */
	hw_sign(token, token_len, request_time_s, right);
	same = str_eq_secret((struct str){right, HW_SIGN_HEX_BYTES}, (struct str){sign, sign_len});
	mem_wipe(right, sizeof(right));
	return same && sign_in_time(request_time_s, now_s, tolerance_s);
}
