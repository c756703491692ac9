#pragma once
/* The keys that webhook signatures are verified with, read from text. No I/O, no log. Threads: one at a time. */
#include "base/error.h"
#include "base/str.h"

#include <highwater/webhook.h>

/* Only what verifies: of a private key its public one. */
struct keyring {
	struct hw_webhook_key keys[HW_WEBHOOK_KEYS_MAX];
	bool was_private[HW_WEBHOOK_KEYS_MAX]; /* given as a private key, which a receiver should not have */
	size_t count;
};

/* One key per line; empty lines and those that begin with "#" do not count. Errors ERR_INVALID, with the line's number
 * and nothing of a key: no key, too many, or none that hw_webhook_key_parse takes; `out` then holds nothing. The caller
 * wipes `out`. */
MUST_CHECK int keyring_read_lines(struct str text, struct keyring *out, struct error *err);
/* The same for keys with spaces or commas between; errors have the key's number. */
MUST_CHECK int keyring_read_words(struct str text, struct keyring *out, struct error *err);
/* Overwrites the keys and leaves none. */
void keyring_wipe(struct keyring *keyring);
