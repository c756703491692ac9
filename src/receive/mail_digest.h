#pragma once
/* What the next mail will tell: events folded into one line per app. Pure: no clock, no I/O. Threads: one at a time. */
#include "base/buf.h"
#include "base/error.h"
#include "receive/record.h"

#define DIGEST_APPS_MAX 2000 /* more than a receiver has; what is over is counted only */
#define DIGEST_TEXT_BYTES_MAX (DIGEST_APPS_MAX * 512 + 4096)

struct digest_app {
	uint32_t sdkappid;
	int64_t alerts; /* real ones, since the last mail; the next five are the newest's */
	int64_t count;
	int64_t count_max;
	int64_t threshold; /* -1: not told */
	int64_t alert_ms;
	int64_t first_ms; /* of the first since the last mail */
	int64_t tests;
	int64_t others;	   /* other callbacks */
	int64_t silent_s;  /* RECORD_SILENT; -1: none */
	int64_t resumed_s; /* RECORD_RESUMED; -1: none */
	bool is_resolved;  /* RECORD_RESOLVED */
};

struct mail_digest {
	int64_t sent_ms; /* when the last mail was sent; 0: never */
	struct digest_app *list;
	size_t count;
	size_t capacity;
	int64_t left_out; /* events of apps that found no place */
};

void mail_digest_init(struct mail_digest *digest);
void mail_digest_fini(struct mail_digest *digest);
void mail_digest_take(struct mail_digest *digest, const struct record_row *row);
/* There is nothing to tell. */
bool mail_digest_is_empty(const struct mail_digest *digest);
/* The subject, in one line of ASCII; the text, in lines. */
void mail_digest_subject(const struct mail_digest *digest, struct buf *out);
void mail_digest_text(const struct mail_digest *digest, struct buf *out);
/* It was told, at `now_ms`. */
void mail_digest_clear(struct mail_digest *digest, int64_t now_ms);
/* What must survive a restart, as JSON, and back. Errors ERR_INVALID. */
void mail_digest_save(const struct mail_digest *digest, struct buf *out);
MUST_CHECK int mail_digest_restore(struct mail_digest *digest, struct str text, struct error *err);
