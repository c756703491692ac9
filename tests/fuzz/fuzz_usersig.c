/* hw_usersig_verify. The input is taken three ways: as the signature itself; as bytes that are written in base64, so
 * that the inflater is reached; and as a JSON that is deflated and written in base64, so that the reader is. */
#include "fuzz.h"
#include "protocol/base64.h"

#include <highwater/code.h>
#include <highwater/usersig.h>
#include <zlib.h>

#define FUZZ_PACKED_BYTES_MAX (HW_USERSIG_BYTES_MAX / 4 * 3)

/* One valid signature must be the only thing that passes: none of the corpus is made with this key. */
static void fuzz_verify(const char *sig, size_t len)
{
	struct hw_usersig_facts facts = {-1, -1};
	char *exact = malloc(len ? len : 1);
	int code;

	memcpy(exact, sig, len);
	code = hw_usersig_verify(exact, len, 1400000001, "administrator", "a key of nobody", 15, 1700000000, &facts);
	free(exact);
	fuzz_hold(code == HW_SIG_ILLEGAL || code == HW_SIG_WRONG_SDKAPPID || code == HW_SIG_WRONG_IDENTIFIER ||
		  code == HW_SIG_WRONG_KEY);
	fuzz_hold(facts.time_s == -1 && facts.expire_s == -1);
}

static void fuzz_encoded(const uint8_t *packed, size_t len)
{
	static char sig[BASE64_CHARS(FUZZ_PACKED_BYTES_MAX) + 1];
	static unsigned char back[FUZZ_PACKED_BYTES_MAX];
	size_t sig_len = base64_encode(BASE64_WIRE, packed, len, sig);
	size_t back_len;

	fuzz_hold(base64_decode(BASE64_WIRE, (struct str){sig, sig_len}, back, len, &back_len) == 0);
	fuzz_hold(back_len == len && memcmp(back, packed, len) == 0);
	fuzz_verify(sig, sig_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char packed[FUZZ_PACKED_BYTES_MAX];
	uLongf packed_len = sizeof(packed);

	fuzz_verify((const char *)data, size);
	if (size <= FUZZ_PACKED_BYTES_MAX)
		fuzz_encoded(data, size);
	if (compress2(packed, &packed_len, data, size, 1) == Z_OK)
		fuzz_encoded(packed, packed_len);
	return 0;
}
