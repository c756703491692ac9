/* Keys of Standard Webhooks: text to bytes and back; see highwater/webhook.h.
 *
 * A key is refused with a reason that says what to correct and repeats nothing of it: the texts of keys come from
 * people and their settings, and reasons go to logs and answers. */
#include "protocol/webhook_key.h"
#include "base/mem.h"
#include "protocol/base64.h"
#include "protocol/ed25519.h"
#include "protocol/wire.h"

#include <string.h>

_Static_assert(HW_WEBHOOK_SEED_BYTES == ED25519_KEY_BYTES && HW_WEBHOOK_PUBLIC_BYTES == ED25519_KEY_BYTES, "one curve");
_Static_assert(2 * ED25519_KEY_BYTES <= HW_WEBHOOK_SECRET_BYTES_MAX, "a private key fits");
_Static_assert(sizeof("whsec_") - 1 + BASE64_CHARS(HW_WEBHOOK_SECRET_BYTES_MAX) == HW_WEBHOOK_KEY_TEXT_BYTES_MAX,
	       "longest text");

static const char *const webhook_prefixes[] = {
	[HW_WEBHOOK_SECRET] = "whsec_", [HW_WEBHOOK_PRIVATE] = "whsk_", [HW_WEBHOOK_PUBLIC] = "whpk_"};

bool webhook_key_ok(const struct hw_webhook_key *key)
{
	switch (key->kind) {
	case HW_WEBHOOK_SECRET:
		return key->len >= HW_WEBHOOK_SECRET_BYTES_MIN && key->len <= HW_WEBHOOK_SECRET_BYTES_MAX;
	case HW_WEBHOOK_PRIVATE:
		return key->len == HW_WEBHOOK_SEED_BYTES + HW_WEBHOOK_PUBLIC_BYTES;
	case HW_WEBHOOK_PUBLIC:
		return key->len == HW_WEBHOOK_PUBLIC_BYTES;
	default:
		return false;
	}
}

const unsigned char *webhook_key_public(const struct hw_webhook_key *key)
{
	return key->kind == HW_WEBHOOK_PRIVATE ? key->bytes + HW_WEBHOOK_SEED_BYTES : key->bytes;
}

/* ---- bytes to key; `key` is written before it is known to be good ---- */

/* NULL when the bytes are such a key, else what is wrong. */
static const char *webhook_key_fill(enum hw_webhook_kind kind, const unsigned char *bytes, size_t len,
				    struct hw_webhook_key *key)
{
	*key = (struct hw_webhook_key){.kind = kind, .len = len};
	if (len && len <= sizeof(key->bytes))
		memcpy(key->bytes, bytes, len);
	if (kind == HW_WEBHOOK_PRIVATE && (len == HW_WEBHOOK_SEED_BYTES || webhook_key_ok(key))) {
		ed25519_public_key(bytes, key->bytes + HW_WEBHOOK_SEED_BYTES);
		key->len = HW_WEBHOOK_SEED_BYTES + HW_WEBHOOK_PUBLIC_BYTES;
		if (memcmp(key->bytes, bytes, len) != 0)
			return "the second half of the private key (whsk_) is not the public key of its first";
	}
	if (kind == HW_WEBHOOK_PUBLIC && webhook_key_ok(key) && ed25519_is_weak(key->bytes))
		return "with this public key (whpk_) anybody could sign";
	if (webhook_key_ok(key))
		return NULL;
	switch (kind) {
	case HW_WEBHOOK_SECRET:
		return "a secret (whsec_) must have 24 to 64 bytes";
	case HW_WEBHOOK_PRIVATE:
		return "a private key (whsk_) must have 32 bytes, or 64 with its public key";
	case HW_WEBHOOK_PUBLIC:
		return "a public key (whpk_) must have 32 bytes";
	default:
		return "no kind of key";
	}
}

static const char *webhook_key_read(struct str text, struct hw_webhook_key *key)
{
	unsigned char bytes[HW_WEBHOOK_KEY_TEXT_BYTES_MAX / 4 * 3]; /* so that a key too long is told from rubbish */
	const char *fault = "a key must begin with whsec_, whsk_ or whpk_";
	size_t len;

	if (text.len > HW_WEBHOOK_KEY_TEXT_BYTES_MAX)
		return "a key is at most 94 characters long";
	for (size_t kind = HW_WEBHOOK_SECRET; kind < ARRAY_LEN(webhook_prefixes); kind++) {
		struct str prefix = str_c(webhook_prefixes[kind]);

		if (!str_starts_with(text, prefix))
			continue;
		fault = "what follows the prefix of the key is not base64 (A to Z, a to z, 0 to 9, + and /, with its "
			"=)";
		if (base64_decode(BASE64_STANDARD, str_slice(text, prefix.len, text.len), bytes, sizeof(bytes), &len))
			break;
		fault = webhook_key_fill((enum hw_webhook_kind)kind, bytes, len, key);
		break;
	}
	mem_wipe(bytes, sizeof(bytes));
	return fault;
}

int hw_webhook_key_parse(const char *text, size_t len, struct hw_webhook_key *out, char *reason, size_t reason_size)
{
	struct hw_webhook_key key;
	const char *fault = webhook_key_read((struct str){text, len}, &key);

	if (fault)
		(void)wire_refuse(reason, reason_size, "%s", fault); /* below */
	else
		*out = key;
	mem_wipe(&key, sizeof(key));
	return fault ? -1 : 0;
}

int hw_webhook_key_make(enum hw_webhook_kind kind, const void *bytes, size_t len, struct hw_webhook_key *out)
{
	struct hw_webhook_key key;
	bool good = webhook_key_fill(kind, bytes, len, &key) == NULL;

	if (good)
		*out = key;
	mem_wipe(&key, sizeof(key));
	return good ? 0 : -1;
}

/* ---- key to text ---- */

int hw_webhook_key_public(const struct hw_webhook_key *key, struct hw_webhook_key *out)
{
	struct hw_webhook_key public_key = {.kind = HW_WEBHOOK_PUBLIC, .len = HW_WEBHOOK_PUBLIC_BYTES};

	if (!webhook_key_ok(key) || key->kind == HW_WEBHOOK_SECRET)
		return -1;
	memcpy(public_key.bytes, webhook_key_public(key), HW_WEBHOOK_PUBLIC_BYTES);
	*out = public_key;
	return 0;
}

int hw_webhook_key_text(const struct hw_webhook_key *key, char *out, size_t out_size)
{
	size_t prefix_len;

	if (!webhook_key_ok(key))
		return -1;
	prefix_len = strlen(webhook_prefixes[key->kind]);
	if (prefix_len + BASE64_CHARS(key->len) >= out_size)
		return -1;
	memcpy(out, webhook_prefixes[key->kind], prefix_len);
	return (int)(prefix_len + base64_encode(BASE64_STANDARD, key->bytes, key->len, out + prefix_len));
}

void hw_webhook_key_wipe(struct hw_webhook_key *key)
{
	mem_wipe(key, sizeof(*key));
}
