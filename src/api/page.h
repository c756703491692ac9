#pragma once
/* Tokens that name the end of a page, handed out and to be given back unchanged. Whoever alters one could turn pages
 * in circles, so each ends in twenty digits that only the holder of `key` can make for this app. A token that was
 * altered, or is another app's, is refused; one stays good as long as the store, also when what it names is gone.
 *
 * Of rooms: "seconds-digits", as in the vendor's sample: when the page's last room was created, then its sequence number.
 * Of callbacks: digits, the id before which the next page starts. Threads: any. */
#include "base/buf.h"
#include "base/secret.h"

#define PAGE_TOKEN_BYTES_MAX 64

/* `number` is the app's; at most PAGE_TOKEN_BYTES_MAX bytes. */
void page_token_append(struct buf *out, struct secret key, uint32_t number, int64_t create_s, uint64_t sequence);
/* Returns 0, or -1 when it is not a token of this app. */
MUST_CHECK int page_token_read(struct str token, struct secret key, uint32_t number, uint64_t *sequence_out);

/* The same for callbacks of the app with this number, or 0 of all apps; `before_id` is above 0. */
void page_callbacks_append(struct buf *out, struct secret key, uint32_t number, int64_t before_id);
MUST_CHECK int page_callbacks_read(struct str token, struct secret key, uint32_t number, int64_t *before_id_out);
