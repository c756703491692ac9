#pragma once
/* Standard Webhooks signatures, both directions: HMAC-SHA256 ("v1") and Ed25519 ("v1a").
 *
 * Source: the Standard Webhooks specification 1.0.0. A sender signs the bytes `webhook-id` "." `webhook-timestamp` "."
 * body, the timestamp in whole seconds since 1970, and sends the signatures in `webhook-signature`: a list, separated
 * by spaces, of "v1," or "v1a," and the signature in base64. There are several while a key is being replaced: the
 * sender signs with the new and the old one, and a receiver is content with one that matches. Keys are written as
 *
 *   whsec_...  a shared secret of 24 to 64 bytes, for v1: who can verify can sign
 *   whsk_...   a private key, for v1a
 *   whpk_...   its public key, which only verifies
 *
 * in padded base64. The specification does not say what the bytes of a private key are; the seed of 32 bytes and the
 * seed followed by the public key, as Svix writes it, are both in use. Both are read, the longer one is written.
 *
 * Unlike the vendor's Sign these signatures cover the body. The id is the same at every attempt: a receiver that keeps
 * the ids of the last minutes refuses what is sent again within the tolerance. */
#include <highwater/common.h>

HW_BEGIN

/* ---- keys ---- */

#define HW_WEBHOOK_SECRET_BYTES_MIN 24
#define HW_WEBHOOK_SECRET_BYTES_MAX 64
#define HW_WEBHOOK_SEED_BYTES 32	 /* of a private key */
#define HW_WEBHOOK_PUBLIC_BYTES 32	 /* of a public key */
#define HW_WEBHOOK_KEY_TEXT_BYTES_MAX 94 /* longest key as text */
#define HW_WEBHOOK_KEYS_MAX 8		 /* most keys of one call */

enum hw_webhook_kind {
	HW_WEBHOOK_NONE,    /* an empty struct: neither signs nor verifies */
	HW_WEBHOOK_SECRET,  /* whsec_ */
	HW_WEBHOOK_PRIVATE, /* whsk_ */
	HW_WEBHOOK_PUBLIC,  /* whpk_ */
};

/* Made by hw_webhook_key_parse and hw_webhook_key_make; a plain value that may be copied. */
struct hw_webhook_key {
	enum hw_webhook_kind kind;
	size_t len;
	unsigned char bytes[HW_WEBHOOK_SECRET_BYTES_MAX]; /* of a private key: seed, then public key */
};

/* Reads a key's text. Refused are: no known prefix, base64 that is not the standard alphabet in its one padded form, a
 * wrong length, a private key whose second half is not its public key, and a public key of small order, for which
 * anybody could sign (all zero is one). Returns 0, or -1 with a sentence in `reason` (`reason_size` bytes, 0 for none;
 * it repeats nothing of the text) and `out` untouched. */
HW_API HW_CHECK int hw_webhook_key_parse(const char *text, size_t len, struct hw_webhook_key *out, char *reason,
					 size_t reason_size);

/* Makes a key of bytes, for a new one from a good random source: HW_WEBHOOK_SECRET of 24 to 64 bytes (32 are usual),
 * HW_WEBHOOK_PRIVATE of the 32 of its seed, or HW_WEBHOOK_PUBLIC of 32. Returns 0, or -1 with `out` untouched. */
HW_API HW_CHECK int hw_webhook_key_make(enum hw_webhook_kind kind, const void *bytes, size_t len,
					struct hw_webhook_key *out);

/* The public key of a private one, to be given to receivers; a public key gives itself. Returns 0, or -1 with `out`
 * untouched for a secret, which has none. `out` may be `key`. */
HW_API HW_CHECK int hw_webhook_key_public(const struct hw_webhook_key *key, struct hw_webhook_key *out);

/* Writes the key's text and a NUL. Returns its length, or -1 when `out_size` is too small
 * (HW_WEBHOOK_KEY_TEXT_BYTES_MAX + 1 always suffices) or the key is none. */
HW_API HW_CHECK int hw_webhook_key_text(const struct hw_webhook_key *key, char *out, size_t out_size);

/* Overwrites the key in a way that the compiler keeps. */
HW_API void hw_webhook_key_wipe(struct hw_webhook_key *key);

/* ---- the signature ---- */

#define HW_WEBHOOK_ID_BYTES_MAX 256
#define HW_WEBHOOK_BODY_BYTES_MAX 1048576
#define HW_WEBHOOK_SIGNATURE_BYTES_MAX 4096 /* longest header that is read */
#define HW_WEBHOOK_SIGNATURES_MAX 16	    /* most signatures in a header that is read */
#define HW_WEBHOOK_TOLERANCE_S 300	    /* what the specification's own libraries allow */

/* A buffer for the signatures of `count` keys, the NUL included. */
#define HW_WEBHOOK_SIGNATURE_SIZE(count) ((count)*93)

struct hw_webhook_message {
	const char *id; /* 1 to HW_WEBHOOK_ID_BYTES_MAX bytes of printable ASCII without space and "." */
	size_t id_len;
	int64_t time_s;	  /* of this attempt; 0 or later */
	const void *body; /* at most HW_WEBHOOK_BODY_BYTES_MAX; exactly the bytes that are sent */
	size_t body_len;
};

/* Writes the value of `webhook-signature`, one signature for each key in their order, and a NUL. `keys`: 1 to
 * HW_WEBHOOK_KEYS_MAX, secrets and private keys. Returns its length, or -1 with `out` untouched when something is out
 * of bounds, a key cannot sign, or `out_size` is too small (HW_WEBHOOK_SIGNATURE_SIZE(key_count) always suffices). */
HW_API HW_CHECK int hw_webhook_sign(const struct hw_webhook_message *message, const struct hw_webhook_key *keys,
				    size_t key_count, char *out, size_t out_size);

/* What a request can be refused for, in the order looked at: name, sentence */
#define HW_WEBHOOK_RESULTS(X)                                                                                          \
	X(HW_WEBHOOK_OK, "the signature is right")                                                                     \
	X(HW_WEBHOOK_NO_KEY, "no usable key to verify with is given")                                                  \
	X(HW_WEBHOOK_NO_ID, "webhook-id is missing")                                                                   \
	X(HW_WEBHOOK_NO_TIMESTAMP, "webhook-timestamp is missing")                                                     \
	X(HW_WEBHOOK_NO_SIGNATURE, "webhook-signature is missing")                                                     \
	X(HW_WEBHOOK_BAD_ID, "webhook-id must be 1 to 256 printable ASCII characters without space and full stop")     \
	X(HW_WEBHOOK_BAD_TIMESTAMP, "webhook-timestamp must be a whole number of seconds since 1970")                  \
	X(HW_WEBHOOK_BAD_SIGNATURE, "webhook-signature must be at most 16 signatures in at most 4096 bytes of text")   \
	X(HW_WEBHOOK_BODY_TOO_LONG, "the body is longer than 1048576 bytes")                                           \
	X(HW_WEBHOOK_STALE, "webhook-timestamp is too long ago")                                                       \
	X(HW_WEBHOOK_FUTURE, "webhook-timestamp is too far in the future")                                             \
	X(HW_WEBHOOK_NO_VERSION, "webhook-signature has no signature of a kind that the keys can verify")              \
	X(HW_WEBHOOK_NO_MATCH, "no signature in webhook-signature matches")

enum hw_webhook_result {
#define HW_WEBHOOK_ENUM(name, text) name,
	HW_WEBHOOK_RESULTS(HW_WEBHOOK_ENUM)
#undef HW_WEBHOOK_ENUM
};

/* The sentence. Static. */
HW_API const char *hw_webhook_result_text(int result);

/* A request as received. A header of length 0 is absent; its pointer may then be NULL, as that of an empty body. */
struct hw_webhook_request {
	const char *id; /* webhook-id */
	size_t id_len;
	const char *timestamp; /* webhook-timestamp */
	size_t timestamp_len;
	const char *signature; /* webhook-signature */
	size_t signature_len;
	const void *body; /* the raw bytes, before any parser or re-encoding */
	size_t body_len;
};

/* What a receiver accepts. */
struct hw_webhook_trust {
	const struct hw_webhook_key *keys; /* 1 to HW_WEBHOOK_KEYS_MAX of any kind; a private key verifies like its
					      public one */
	size_t key_count;
	int64_t tolerance_s; /* most that the timestamp may differ from now, either way; below 0 refuses all */
};

/* Returns an enum hw_webhook_result, the first that applies. HW_WEBHOOK_OK: the timestamp is within the tolerance and at
 * least one signature was made with one of the keys over exactly this id, timestamp and body. A signature of a version
 * not known here, or garbled, neither matches nor keeps another from matching; an unknown version alone is
 * HW_WEBHOOK_NO_VERSION. Secrets are compared in constant time. The timestamp must have no sign and no leading zero.
 *
 * `key_out` (may be NULL) receives, on HW_WEBHOOK_OK, the index of the first key that matched: a receiver sees by it
 * that an old key is still in use. The work is bounded by keys times signatures: give the keys of the app in question,
 * not those of all. */
HW_API HW_CHECK int hw_webhook_verify(const struct hw_webhook_request *request, const struct hw_webhook_trust *trust,
				      int64_t now_s, size_t *key_out);

HW_END
