#pragma once
/* The console's files, which are a part of the program: what a browser loads from /console/.
 *
 * They are the files of web/console/ and the libraries they use under lib/, compressed by scripts/embed-console when
 * the program is built. Nothing of them is secret: what they show they ask the management API for. Threads: any. */
#include "base/str.h"
#include "http/server.h"

struct console_file {
	const char *name; /* below /console/ */
	const char *type; /* for Content-Type */
	const char *etag; /* hexadecimal digits of a hash of the content, without quotes */
	const unsigned char *packed;
	size_t packed_len; /* bytes, as gzip */
	size_t len;	   /* bytes of the content, at most 4 MiB */
};

/* Made by the build; the files by name. */
extern const struct console_file console_files[];
extern const size_t console_file_count;

/* Answers a request for /console or what is below it and returns true; false, with nothing done, for other paths. */
MUST_CHECK bool console_handle(struct http_call *call);

/* Does a request with this header Accept-Encoding take gzip? The empty view: no. */
bool console_takes_gzip(struct str accept_encoding);
/* Does this header If-None-Match name the ETag `etag` (without quotes), plain or "-gzip"? */
bool console_is_known(struct str if_none_match, struct str etag);
