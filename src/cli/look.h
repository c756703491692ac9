#pragma once
/* What `serve --check` and `receive --check` look at: files, folders, addresses, as a start would meet them. Nothing is
 * made, written or locked. Findings are printed as they come: "ok" and "warning" lines on standard output, problems on
 * standard error. Threads: the main thread. */
#include "base/error.h"
#include "base/settings.h"

enum look_level { LOOK_OK, LOOK_WARNING };

struct look {
	const char *service;	      /* "serve" */
	unsigned problem_count;	      /* what would keep it from starting, or from working */
	enum error_class first_class; /* of the first problem */
};

void look_init(struct look *look, const char *service);
/* A line about a setting. */
void look_say(struct look *look, enum look_level level, const char *setting, const char *format, ...) PRINTF_LIKE(4, 5);
/* Counts a problem and tells it. */
void look_fail(struct look *look, const char *setting, const struct error *err);

/* Each says one finding about the setting, or says nothing when the text is empty. */

/* An IP address and port that can be bound now. One in use is a warning: the server that is replaced may have it. */
void look_address(struct look *look, const char *setting, const char *listen);
/* A certificate chain and its key: they can be read, belong together, and are valid now. */
void look_certificate(struct look *look, const char *setting, const char *cert_file, const char *key_file);
/* Certificates to trust. */
void look_authorities(struct look *look, const char *setting, const char *ca_file);
/* A file can be made at this path. */
void look_place(struct look *look, const char *setting, const char *path);
/* A folder that can be used, or made. Returns 0 when it is there and can be used, -1 when there is nothing to look at
 * in it. */
int look_folder(struct look *look, const char *setting, const char *path);
/* The database: whether it can be read and is one of this program's, or is still to be made. */
void look_store(struct look *look, const char *setting, const char *path);
/* Warns of environment variables that look like settings of these rows and are none: a slip would pass unseen. `known` is
 * a list, ended by NULL, of variables that are for something else; may be NULL. */
void look_environment(struct look *look, const struct setting *rows, size_t count, const char *const *known);
