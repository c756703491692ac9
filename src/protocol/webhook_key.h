#pragma once
/* What webhook.c asks of keys. Internal to libhighwater. Threads: any. */
#include <highwater/webhook.h>

/* True for a key that came out of hw_webhook_key_parse or hw_webhook_key_make, as far as one can see: above all never
 * for an empty struct, with whose empty secret anybody could sign. */
bool webhook_key_ok(const struct hw_webhook_key *key);

/* The HW_WEBHOOK_PUBLIC_BYTES of a private or a public key. */
const unsigned char *webhook_key_public(const struct hw_webhook_key *key);
