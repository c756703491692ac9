#pragma once
/* Sending mail: libcurl's SMTP behind one function. TLS is verified always; a password travels only over TLS, or to this
 * machine itself. */
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"

#include <stdatomic.h>
#include <stddef.h>

enum mail_tls {
	MAIL_TLS_REQUIRED, /* smtps, or STARTTLS that must succeed */
	MAIL_TLS_OFF,	   /* plain text, for a server on this machine */
};

struct mail_options {
	const char *url;     /* smtp://host:port or smtps://host:port */
	const char *ca_file; /* PEM bundle used instead of the system's; "" for the system's */
	enum mail_tls tls;
	const char *user;	/* "" for none */
	struct secret password; /* at most MAIL_PASSWORD_BYTES_MAX */
	uint64_t timeout_ms;	/* of the whole dialogue */
};
#define MAIL_PASSWORD_BYTES_MAX 256

/* NULL when the URL is one of those, else a static sentence that says what is wrong. */
const char *mail_url_check(const char *url);

/* Appends a header line, folded as RFC 5322 wants; what is not printable ASCII, in UTF-8, becomes an encoded word of RFC
 * 2047. Control characters become spaces: a value cannot begin another header. */
void mail_append_header(struct buf *out, const char *name, struct str value);
/* Appends a text body of UTF-8 in base64, with the headers that say so and the empty line before it. */
void mail_append_text(struct buf *out, struct str text);

/* Sends one message (headers and body with CR LF) from `from` to all of `to`, bare addresses. Returns 0 when the server
 * has taken it for all of them, else -1 with err: one line, without secrets. `stop` ends it early with ERR_BUSY. */
MUST_CHECK int mail_send(const struct mail_options *options, const char *from, const char *const *to, size_t to_count,
			 struct str message, const atomic_bool *stop, struct error *err);
