#pragma once
/* Tokens that name the end of a page of rooms, handed out by get_room_list and to be given back unchanged.
 *
 * Form: "seconds-digits", as in the vendor's sample: when the page's last room was created, then its sequence number and
 * twenty digits that only the holder of `key` can make for this app. A token that was altered, or is another app's, is
 * refused; one stays good as long as the store, also when its room is gone. Threads: any. */
#include "base/buf.h"
#include "base/secret.h"

#define PAGE_TOKEN_BYTES_MAX 64

/* `number` is the app's; at most PAGE_TOKEN_BYTES_MAX bytes. */
void page_token_append(struct buf *out, struct secret key, uint32_t number, int64_t create_s, uint64_t sequence);
/* Returns 0, or -1 when it is not a token of this app. */
MUST_CHECK int page_token_read(struct str token, struct secret key, uint32_t number, uint64_t *sequence_out);
