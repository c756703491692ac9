/* UserSig; see highwater/usersig.h.
 *
 * Making one: the facts become the signed text, one per line; its HMAC goes into a small JSON, which is deflated and
 * written in base64. Checking one goes the other way: decode, inflate into a fixed buffer, read strictly, build the
 * text again from what it claims, compare HMACs.
 *
 * Refused as illegal: anything that does not have exactly one reading. An identifier or userbuf with a line break could
 * make two different sets of facts have one signed text, so control characters are refused on both sides.
 *
 * The claimed app and identifier are compared before the HMAC, as the vendor's verifiers do: the caller then learns
 * "another app's signature" instead of "wrong key". That trusts nothing, since every such answer is a refusal of what
 * the caller itself sent; only the HMAC leads on. A start in the future is not refused, as the vendor does not either:
 * clocks of app servers differ. */
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "protocol/base64.h"
#include "protocol/digest.h"

#include <highwater/code.h>
#include <highwater/usersig.h>
#include <string.h>
#include <zlib.h>

#define USERSIG_JSON_BYTES_MAX 4096 /* inflated; the longest honest one has about 1200 */
#define USERSIG_TEXT_BYTES_MAX 2048
#define USERSIG_PACKED_BYTES_MAX (HW_USERSIG_BYTES_MAX / 4 * 3)
#define USERSIG_MAC_CHARS BASE64_CHARS(DIGEST_BYTES)

/* What a signature says, or shall say. */
struct usersig_claims {
	struct str identifier;
	uint32_t sdkappid;
	int64_t time_s;
	int64_t expire_s;
	bool has_userbuf;
	struct str userbuf; /* in base64 */
};

/* ---- shared ---- */

static bool usersig_has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

static bool usersig_identifier_ok(struct str identifier)
{
	return identifier.len > 0 && identifier.len <= HW_IDENTIFIER_BYTES_MAX && !usersig_has_control(identifier) &&
	       str_is_utf8(identifier);
}

static bool usersig_key_ok(struct secret key)
{
	struct str bytes = secret_reveal(key);

	return bytes.ptr && bytes.len > 0 && bytes.len <= HW_USERSIG_KEY_BYTES_MAX;
}

/* The HMAC of the claims in standard base64 with a NUL. */
static void usersig_mac(const struct usersig_claims *claims, struct secret key, char out[USERSIG_MAC_CHARS + 1])
{
	unsigned char digest[DIGEST_BYTES];
	struct buf text;

	buf_init(&text, USERSIG_TEXT_BYTES_MAX);
	buf_append_str(&text, STR("TLS.identifier:"));
	buf_append_str(&text, claims->identifier);
	buf_append_str(&text, STR("\nTLS.sdkappid:"));
	buf_append_u64(&text, claims->sdkappid);
	buf_append_str(&text, STR("\nTLS.time:"));
	buf_append_i64(&text, claims->time_s);
	buf_append_str(&text, STR("\nTLS.expire:"));
	buf_append_i64(&text, claims->expire_s);
	buf_append_char(&text, '\n');
	if (claims->has_userbuf) {
		buf_append_str(&text, STR("TLS.userbuf:"));
		buf_append_str(&text, claims->userbuf);
		buf_append_char(&text, '\n');
	}
	digest_hmac(key, buf_str(&text), digest);
	buf_fini(&text);
	(void)base64_encode(BASE64_STANDARD, digest, sizeof(digest), out); /* the length is known */
}

/* ---- making ---- */

static bool usersig_params_ok(const struct hw_usersig_params *params, struct secret key)
{
	return params->sdkappid && usersig_identifier_ok(str_c(params->identifier)) && usersig_key_ok(key) &&
	       params->time_s >= 0 && params->expire_s >= 1 && params->expire_s <= HW_USERSIG_EXPIRE_MAX_S &&
	       (!params->userbuf || params->userbuf_len <= HW_USERSIG_USERBUF_BYTES_MAX);
}

static void usersig_append_json(struct buf *json, const struct usersig_claims *claims, const char *mac)
{
	buf_append_c(json, "{\"TLS.ver\":\"2.0\",\"TLS.identifier\":");
	buf_append_json_string(json, claims->identifier);
	buf_append_c(json, ",\"TLS.sdkappid\":");
	buf_append_u64(json, claims->sdkappid);
	buf_append_c(json, ",\"TLS.time\":");
	buf_append_i64(json, claims->time_s);
	buf_append_c(json, ",\"TLS.expire\":");
	buf_append_i64(json, claims->expire_s);
	if (claims->has_userbuf) {
		buf_append_c(json, ",\"TLS.userbuf\":");
		buf_append_json_string(json, claims->userbuf);
	}
	buf_append_c(json, ",\"TLS.sig\":\"");
	buf_append_c(json, mac);
	buf_append_c(json, "\"}");
}

int hw_usersig_generate(const struct hw_usersig_params *params, char *out, size_t out_size)
{
	const struct secret key = secret_of((struct str){params->key, params->key_len});
	char userbuf[BASE64_CHARS(HW_USERSIG_USERBUF_BYTES_MAX) + 1];
	unsigned char packed[USERSIG_PACKED_BYTES_MAX];
	uLongf packed_len = sizeof(packed);
	char mac[USERSIG_MAC_CHARS + 1];
	struct usersig_claims claims;
	struct buf json;
	int rc;

	if (!usersig_params_ok(params, key))
		return -1;
	claims = (struct usersig_claims){.identifier = str_c(params->identifier),
					 .sdkappid = params->sdkappid,
					 .time_s = params->time_s,
					 .expire_s = params->expire_s,
					 .has_userbuf = params->userbuf != NULL};
	if (claims.has_userbuf)
		claims.userbuf = (struct str){
			userbuf, base64_encode(BASE64_STANDARD, params->userbuf, params->userbuf_len, userbuf)};
	usersig_mac(&claims, key, mac);
	buf_init(&json, USERSIG_JSON_BYTES_MAX);
	usersig_append_json(&json, &claims, mac);
	rc = compress2(packed, &packed_len, (const Bytef *)buf_c(&json), json.len, Z_DEFAULT_COMPRESSION);
	buf_fini(&json);
	if (rc != Z_OK || BASE64_CHARS(packed_len) >= out_size)
		return -1;
	return (int)base64_encode(BASE64_WIRE, packed, packed_len, out);
}

/* ---- checking ---- */

static void *usersig_zlib_alloc(void *opaque, uInt items, uInt size)
{
	(void)opaque; /* one heap for all */
	return mem_realloc(NULL, (size_t)items * size);
}

static void usersig_zlib_free(void *opaque, void *ptr)
{
	(void)opaque; /* as above */
	mem_free(ptr);
}

/* Inflates one whole zlib stream with nothing behind it into `out`. Returns 0, or -1 for a bad stream or one that
 * inflates to more than `out_size` bytes. */
static int usersig_inflate(unsigned char *packed, size_t packed_len, char *out, size_t out_size, size_t *len_out)
{
	z_stream stream = {.zalloc = usersig_zlib_alloc,
			   .zfree = usersig_zlib_free,
			   .next_in = packed,
			   .avail_in = (uInt)packed_len,
			   .next_out = (Bytef *)out,
			   .avail_out = (uInt)out_size};
	int rc;

	if (inflateInit(&stream) != Z_OK)
		return -1;
	rc = inflate(&stream, Z_FINISH);
	(void)inflateEnd(&stream); /* cannot fail on a stream that was set up */
	if (rc != Z_STREAM_END || stream.avail_in)
		return -1;
	*len_out = out_size - stream.avail_out;
	return 0;
}

/* Decodes and reads `sig`. Returns the tree, owned by the caller, or NULL. */
static json_t *usersig_open(struct str sig)
{
	unsigned char packed[USERSIG_PACKED_BYTES_MAX];
	char text[USERSIG_JSON_BYTES_MAX];
	struct error err;
	size_t len;
	json_t *root;

	if (base64_decode(BASE64_WIRE, sig, packed, sizeof(packed), &len))
		return NULL;
	if (usersig_inflate(packed, len, text, sizeof(text), &len))
		return NULL;
	if (json_read((struct str){text, len}, &root, &err))
		return NULL;
	return root;
}

/* Views of the tree. Returns false when a field is missing, of another type or out of bounds. */
static bool usersig_read(const json_t *root, struct usersig_claims *claims, struct str *mac)
{
	struct str version;
	int64_t sdkappid;
	enum json_found userbuf;

	if (json_field_str(root, "TLS.ver", &version) != JSON_FOUND || !str_eq(version, STR("2.0")) ||
	    json_field_str(root, "TLS.identifier", &claims->identifier) != JSON_FOUND ||
	    !usersig_identifier_ok(claims->identifier) ||
	    json_field_i64(root, "TLS.sdkappid", 1, HW_SDKAPPID_MAX, &sdkappid) != JSON_FOUND ||
	    json_field_i64(root, "TLS.time", 0, INT64_MAX, &claims->time_s) != JSON_FOUND ||
	    json_field_i64(root, "TLS.expire", 0, INT64_MAX, &claims->expire_s) != JSON_FOUND ||
	    json_field_str(root, "TLS.sig", mac) != JSON_FOUND || mac->len != USERSIG_MAC_CHARS)
		return false;
	claims->sdkappid = (uint32_t)sdkappid;
	userbuf = json_field_str(root, "TLS.userbuf", &claims->userbuf);
	claims->has_userbuf = userbuf == JSON_FOUND;
	if (userbuf == JSON_FOUND)
		return claims->userbuf.len <= BASE64_CHARS(HW_USERSIG_USERBUF_BYTES_MAX) &&
		       str_is_printable_ascii(claims->userbuf);
	return userbuf == JSON_ABSENT;
}

/* Without computing the end, which may not fit. `now` may lie before `time`. */
static bool usersig_expired(const struct usersig_claims *claims, int64_t now_s)
{
	return now_s > claims->time_s && now_s - claims->time_s > claims->expire_s;
}

/* Whom and when the caller expects. */
struct usersig_expected {
	uint32_t sdkappid;
	struct str identifier;
	struct secret key;
	int64_t now_s;
};

static int usersig_judge(const struct usersig_claims *claims, struct str mac, const struct usersig_expected *expected)
{
	char right[USERSIG_MAC_CHARS + 1];
	bool same;

	if (claims->sdkappid != expected->sdkappid)
		return HW_SIG_WRONG_SDKAPPID;
	if (!str_eq(claims->identifier, expected->identifier))
		return HW_SIG_WRONG_IDENTIFIER;
	if (!usersig_key_ok(expected->key))
		return HW_SIG_WRONG_KEY; /* an empty key is one that anybody has */
	usersig_mac(claims, expected->key, right);
	same = str_eq_secret(mac, (struct str){right, USERSIG_MAC_CHARS});
	mem_wipe(right, sizeof(right));
	if (!same)
		return HW_SIG_WRONG_KEY;
	return usersig_expired(claims, expected->now_s) ? HW_SIG_EXPIRED : HW_OK;
}

int hw_usersig_verify(const char *sig, size_t len, uint32_t sdkappid, const char *identifier, const char *key,
		      size_t key_len, int64_t now_s, struct hw_usersig_facts *facts_out)
{
	const struct usersig_expected expected = {sdkappid, str_c(identifier), secret_of((struct str){key, key_len}),
						  now_s};
	struct usersig_claims claims = {0};
	int code = HW_SIG_ILLEGAL;
	struct str mac;
	json_t *root;

	if (len == 0 || len > HW_USERSIG_BYTES_MAX)
		return HW_SIG_ILLEGAL;
	root = usersig_open((struct str){sig, len});
	if (!root)
		return HW_SIG_ILLEGAL;
	if (usersig_read(root, &claims, &mac))
		code = usersig_judge(&claims, mac, &expected);
	if (facts_out && (code == HW_OK || code == HW_SIG_EXPIRED))
		*facts_out = (struct hw_usersig_facts){claims.time_s, claims.expire_s};
	json_decref(root);
	return code;
}
