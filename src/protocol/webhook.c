/* Standard Webhooks signatures: the message; see highwater/webhook.h. Keys are in webhook_key.c.
 *
 * Signing puts id, time and body together once and lets each key sign it. Verifying first refuses what needs no
 * cryptography, then does the same and looks for one signature of the header that one key confirms.
 *
 * The signed text must have one reading: with a full stop in an id, part of the id could pass for a timestamp and part
 * of a timestamp for a body. So ids have none, on both sides, and timestamps are digits. The text that is signed is the
 * header's own, never a number written anew. */
#include "base/buf.h"
#include "base/mem.h"
#include "protocol/base64.h"
#include "protocol/digest.h"
#include "protocol/ed25519.h"
#include "protocol/webhook_key.h"
#include "protocol/wire.h"

#define WEBHOOK_TEXT_BYTES_MAX (HW_WEBHOOK_ID_BYTES_MAX + 1 + 20 + 1 + HW_WEBHOOK_BODY_BYTES_MAX)
#define WEBHOOK_V1_CHARS BASE64_CHARS(DIGEST_BYTES)
#define WEBHOOK_V1A_CHARS BASE64_CHARS(ED25519_SIGNATURE_BYTES)

_Static_assert(sizeof("v1a, ") - 1 + WEBHOOK_V1A_CHARS == HW_WEBHOOK_SIGNATURE_SIZE(1), "a space or NUL after each");

/* ---- shared ---- */

static bool webhook_id_ok(struct str id)
{
	return id.ptr && id.len > 0 && id.len <= HW_WEBHOOK_ID_BYTES_MAX && str_is_printable_ascii(id) &&
	       str_find_char(id, ' ') < 0 && str_find_char(id, '.') < 0;
}

static void webhook_text(struct buf *text, struct str id, struct str timestamp, struct str body)
{
	buf_init(text, WEBHOOK_TEXT_BYTES_MAX);
	buf_append_str(text, id);
	buf_append_char(text, '.');
	buf_append_str(text, timestamp);
	buf_append_char(text, '.');
	buf_append_str(text, body);
}

/* The v1 signature of `text` and a NUL. */
static void webhook_v1(const struct hw_webhook_key *key, struct str text, char out[WEBHOOK_V1_CHARS + 1])
{
	unsigned char digest[DIGEST_BYTES];

	digest_hmac(secret_of((struct str){(const char *)key->bytes, key->len}), text, digest);
	(void)base64_encode(BASE64_STANDARD, digest, sizeof(digest), out); /* the length is known */
	mem_wipe(digest, sizeof(digest));
}

/* ---- signing ---- */

static void webhook_append(struct buf *header, const struct hw_webhook_key *key, struct str text)
{
	char v1[WEBHOOK_V1_CHARS + 1];
	char v1a[WEBHOOK_V1A_CHARS + 1];
	unsigned char signature[ED25519_SIGNATURE_BYTES];

	if (header->len)
		buf_append_char(header, ' ');
	if (key->kind == HW_WEBHOOK_SECRET) {
		webhook_v1(key, text, v1);
		buf_append_c(header, "v1,");
		buf_append_c(header, v1);
		return;
	}
	ed25519_sign(key->bytes, text, signature);
	(void)base64_encode(BASE64_STANDARD, signature, sizeof(signature), v1a); /* the length is known */
	buf_append_c(header, "v1a,");
	buf_append_c(header, v1a);
}

static bool webhook_can_sign(const struct hw_webhook_message *message, const struct hw_webhook_key *keys,
			     size_t key_count)
{
	if (!webhook_id_ok((struct str){message->id, message->id_len}) || message->time_s < 0 ||
	    message->body_len > HW_WEBHOOK_BODY_BYTES_MAX || key_count == 0 || key_count > HW_WEBHOOK_KEYS_MAX)
		return false;
	for (size_t i = 0; i < key_count; i++)
		if (!webhook_key_ok(&keys[i]) || keys[i].kind == HW_WEBHOOK_PUBLIC)
			return false;
	return true;
}

int hw_webhook_sign(const struct hw_webhook_message *message, const struct hw_webhook_key *keys, size_t key_count,
		    char *out, size_t out_size)
{
	struct buf header;
	struct buf time;
	struct buf text;

	if (!webhook_can_sign(message, keys, key_count))
		return -1;
	buf_init(&time, 20);
	buf_append_i64(&time, message->time_s);
	webhook_text(&text, (struct str){message->id, message->id_len}, buf_str(&time),
		     (struct str){message->body, message->body_len});
	buf_init(&header, HW_WEBHOOK_SIGNATURE_SIZE(HW_WEBHOOK_KEYS_MAX));
	for (size_t i = 0; i < key_count; i++)
		webhook_append(&header, &keys[i], buf_str(&text));
	buf_fini(&text);
	buf_fini(&time);
	return wire_take(&header, out, out_size);
}

/* ---- verifying ---- */

/* One signature of the header. */
struct webhook_signature {
	enum hw_webhook_kind kind; /* HW_WEBHOOK_SECRET for v1, HW_WEBHOOK_PUBLIC for v1a */
	struct str text;	   /* of v1: in base64, as it is compared */
	unsigned char bytes[ED25519_SIGNATURE_BYTES];
};

struct webhook_signatures {
	struct webhook_signature rows[HW_WEBHOOK_SIGNATURES_MAX];
	size_t count; /* of those that could match */
	size_t seen;  /* of all */
};

/* Keeps a signature that could match; drops one of an unknown version or garbled. */
static void webhook_signature_add(struct webhook_signatures *list, struct str part)
{
	struct webhook_signature *row = &list->rows[list->count];
	ptrdiff_t comma = str_find_char(part, ',');
	struct str version = str_slice(part, 0, comma < 0 ? 0 : (size_t)comma);
	size_t len;

	row->text = str_slice(part, version.len + 1, part.len);
	if (str_eq(version, STR("v1")) && row->text.len == WEBHOOK_V1_CHARS)
		row->kind = HW_WEBHOOK_SECRET;
	else if (str_eq(version, STR("v1a")) && row->text.len == WEBHOOK_V1A_CHARS &&
		 base64_decode(BASE64_STANDARD, row->text, row->bytes, sizeof(row->bytes), &len) == 0 &&
		 len == ED25519_SIGNATURE_BYTES)
		row->kind = HW_WEBHOOK_PUBLIC;
	else
		return;
	list->count++;
}

/* Splits the header. False when it is longer or holds more than it may, or bytes that no header's text holds. */
static bool webhook_signatures_read(struct str header, struct webhook_signatures *out)
{
	out->count = 0;
	out->seen = 0;
	if (header.len > HW_WEBHOOK_SIGNATURE_BYTES_MAX || !str_is_printable_ascii(header))
		return false;
	while (header.len) {
		ptrdiff_t end = str_find_char(header, ' ');
		struct str part = str_slice(header, 0, end < 0 ? header.len : (size_t)end);

		header = str_slice(header, part.len + 1, header.len);
		if (part.len == 0)
			continue;
		if (++out->seen > HW_WEBHOOK_SIGNATURES_MAX)
			return false;
		webhook_signature_add(out, part);
	}
	return true;
}

static bool webhook_trust_ok(const struct hw_webhook_trust *trust)
{
	if (trust->key_count == 0 || trust->key_count > HW_WEBHOOK_KEYS_MAX)
		return false;
	for (size_t i = 0; i < trust->key_count; i++)
		if (!webhook_key_ok(&trust->keys[i]))
			return false;
	return true;
}

/* Digits without a leading zero, at most INT64_MAX. */
static bool webhook_timestamp_read(struct str timestamp, int64_t *out_s)
{
	uint64_t value;

	if ((timestamp.len > 1 && timestamp.ptr[0] == '0') || str_to_u64(timestamp, INT64_MAX, &value))
		return false;
	*out_s = (int64_t)value;
	return true;
}

static int webhook_in_time(int64_t then_s, int64_t now_s, int64_t tolerance_s)
{
	int64_t age_s;

	if (tolerance_s < 0)
		return HW_WEBHOOK_STALE;
	if (__builtin_sub_overflow(now_s, then_s, &age_s)) /* then_s is not negative: now_s is, and far */
		return HW_WEBHOOK_FUTURE;
	if (age_s > tolerance_s)
		return HW_WEBHOOK_STALE;
	return age_s < -tolerance_s ? HW_WEBHOOK_FUTURE : HW_WEBHOOK_OK;
}

/* What needs no key. */
static int webhook_check(const struct hw_webhook_request *request, const struct hw_webhook_trust *trust, int64_t now_s,
			 struct webhook_signatures *list)
{
	int64_t then_s;

	if (!webhook_trust_ok(trust))
		return HW_WEBHOOK_NO_KEY;
	if (request->id_len == 0)
		return HW_WEBHOOK_NO_ID;
	if (request->timestamp_len == 0)
		return HW_WEBHOOK_NO_TIMESTAMP;
	if (request->signature_len == 0)
		return HW_WEBHOOK_NO_SIGNATURE;
	if (!webhook_id_ok((struct str){request->id, request->id_len}))
		return HW_WEBHOOK_BAD_ID;
	if (!webhook_timestamp_read((struct str){request->timestamp, request->timestamp_len}, &then_s))
		return HW_WEBHOOK_BAD_TIMESTAMP;
	if (!webhook_signatures_read((struct str){request->signature, request->signature_len}, list))
		return HW_WEBHOOK_BAD_SIGNATURE;
	if (request->body_len > HW_WEBHOOK_BODY_BYTES_MAX)
		return HW_WEBHOOK_BODY_TOO_LONG;
	return webhook_in_time(then_s, now_s, trust->tolerance_s);
}

/* True when one of the signatures is this key's. `tried` tells that one was of its kind. */
static bool webhook_match(const struct hw_webhook_key *key, const struct webhook_signatures *list, struct str text,
			  bool *tried)
{
	enum hw_webhook_kind kind = key->kind == HW_WEBHOOK_SECRET ? HW_WEBHOOK_SECRET : HW_WEBHOOK_PUBLIC;
	char v1[WEBHOOK_V1_CHARS + 1] = "";
	bool match = false;

	if (kind == HW_WEBHOOK_SECRET)
		webhook_v1(key, text, v1);
	for (size_t i = 0; i < list->count && !match; i++) {
		const struct webhook_signature *row = &list->rows[i];

		if (row->kind != kind)
			continue;
		*tried = true;
		match = kind == HW_WEBHOOK_SECRET ? str_eq_secret((struct str){v1, WEBHOOK_V1_CHARS}, row->text)
						  : ed25519_verify(webhook_key_public(key), text, row->bytes);
	}
	mem_wipe(v1, sizeof(v1)); /* with it anybody could send this text */
	return match;
}

int hw_webhook_verify(const struct hw_webhook_request *request, const struct hw_webhook_trust *trust, int64_t now_s,
		      size_t *key_out)
{
	struct webhook_signatures list;
	int result = webhook_check(request, trust, now_s, &list);
	bool tried = false;
	struct buf text;

	if (result != HW_WEBHOOK_OK)
		return result;
	webhook_text(&text, (struct str){request->id, request->id_len},
		     (struct str){request->timestamp, request->timestamp_len},
		     (struct str){request->body, request->body_len});
	result = HW_WEBHOOK_NO_MATCH;
	for (size_t i = 0; i < trust->key_count && result != HW_WEBHOOK_OK; i++) {
		if (!webhook_match(&trust->keys[i], &list, buf_str(&text), &tried))
			continue;
		result = HW_WEBHOOK_OK;
		if (key_out)
			*key_out = i;
	}
	buf_fini(&text);
	return tried ? result : HW_WEBHOOK_NO_VERSION;
}

const char *hw_webhook_result_text(int result)
{
	static const char *const texts[] = {
#define WEBHOOK_TEXT(name, text) [name] = (text),
		HW_WEBHOOK_RESULTS(WEBHOOK_TEXT)
#undef WEBHOOK_TEXT
	};

	return result >= 0 && (size_t)result < ARRAY_LEN(texts) ? texts[result] : "unknown webhook result";
}
