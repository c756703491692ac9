#pragma once
/* The vendor's callback authentication (64412): Sign = lower-case hex SHA-256 of Token followed by RequestTime, the
 * Unix time in seconds in decimal. It covers neither body nor address; it only shows that the sender knows the token.
 */
#include <highwater/common.h>

HW_BEGIN

#define HW_SIGN_HEX_BYTES 64
#define HW_SIGN_TOLERANCE_S 60 /* a receiver refuses |now - RequestTime| above this */
#define HW_TOKEN_BYTES_MAX 128

/* Writes 64 hex digits and a NUL. token: 1 to HW_TOKEN_BYTES_MAX bytes. */
HW_API void hw_sign(const char *token, size_t token_len, int64_t request_time_s, char out[HW_SIGN_HEX_BYTES + 1]);

/* Returns true when `sign` is right for token and time and the time is within `tolerance_s` of `now_s`. Constant time
 * in the digits; upper-case digits are refused, as the vendor documents lower case. */
HW_API HW_CHECK bool hw_sign_verify(const char *token, size_t token_len, const char *sign, size_t sign_len,
				    int64_t request_time_s, int64_t now_s, int64_t tolerance_s);

HW_END
