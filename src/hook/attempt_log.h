#pragma once
/* The log of a callback's attempts, kept with its row: a JSON array, the oldest first, of objects that the management
 * API gives out as they are. Pure. */
#include "base/buf.h"
#include "http/client.h"

#define ATTEMPT_LOG_COUNT_MAX 10    /* attempts kept; the oldest go */
#define ATTEMPT_LOG_REPLY_BYTES 256 /* of a reply; what is no printable ASCII becomes '?' */
#define ATTEMPT_LOG_BYTES_MAX (16 * 1024)

struct attempt_entry {
	uint32_t number;		  /* of the attempt, from 1 */
	int64_t time_ms;		  /* wall clock, when it ended */
	const char *error;		  /* "" or what was wrong */
	const struct http_result *result; /* NULL when nothing was sent */
};

/* Writes `log` ("" for none yet) with the entry to `out`, an empty buffer of ATTEMPT_LOG_BYTES_MAX. */
void attempt_log_append(struct buf *out, struct str log, const struct attempt_entry *entry);
