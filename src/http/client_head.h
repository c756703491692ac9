#pragma once
/* What the client keeps of a reply's header. Of client.c. Threads: one at a time. */
#include "base/str.h"
#include "http/client.h"

struct client_head {
	bool answered;	      /* a status line was read */
	bool ended;	      /* the empty line too */
	int64_t date_s;	      /* -1 for none */
	int64_t retry_s;      /* Retry-After in seconds; -1 for none */
	int64_t retry_date_s; /* or its date; -1 for none */
	char location[HTTP_LOCATION_BYTES_MAX + 1];
};

void client_head_reset(struct client_head *head);
/* Takes one line as curl gives them, with its end. A status line begins anew: what came before was an interim reply.
 * After the end nothing is taken, for those are trailers. */
void client_head_take(struct client_head *head, struct str line);
/* 0 to HTTP_RETRY_AFTER_S_MAX, or -1; `wall_s` is now, for a reply without a Date. */
int64_t client_head_retry_after_s(const struct client_head *head, int64_t wall_s);
