#pragma once
/* Expected failures inside the program: a class that code can branch on and a text that a person can act on.
 *
 * What a peer is answered (vendor error codes) is a matter of the protocol and lives there. On failure a function
 * returns -1, fills `err` and leaves its outputs untouched. `err` is never NULL. Threads: one struct, one thread. */
#include "base/compiler.h"
#include <stdbool.h>

/* name, word in logs, true when the same call may succeed later */
#define ERROR_CLASSES(X)                                                                                               \
	X(ERR_NONE, "none", false)                                                                                     \
	X(ERR_INVALID, "invalid", false)                                                                               \
	X(ERR_DENIED, "denied", false)                                                                                 \
	X(ERR_NOT_FOUND, "not_found", false)                                                                           \
	X(ERR_EXISTS, "exists", false)                                                                                 \
	X(ERR_BUSY, "busy", true)                                                                                      \
	X(ERR_CLOSED, "closed", false)                                                                                 \
	X(ERR_TIMEOUT, "timeout", true)                                                                                \
	X(ERR_FULL, "full", true) /* disk or quota of the machine */                                                   \
	X(ERR_IO, "io", true)                                                                                          \
	X(ERR_INTERNAL, "internal", false)

enum error_class {
#define ERROR_ENUM(name, word, retryable) name,
	ERROR_CLASSES(ERROR_ENUM)
#undef ERROR_ENUM
};

struct error {
	enum error_class class;
	char text[384]; /* one line, no secret */
};

/* Fills `err` and returns -1, so that `return error_set(...)` ends a function. */
int error_set(struct error *err, enum error_class class, const char *format, ...) PRINTF_LIKE(3, 4);
/* As error_set, with the words for errno value `number` appended; ENOSPC gives ERR_FULL, else ERR_IO. */
int error_set_errno(struct error *err, int number, const char *format, ...) PRINTF_LIKE(3, 4);
/* Puts "context: " in front of the text; returns -1. */
int error_wrap(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

const char *error_class_word(enum error_class class);
bool error_class_retryable(enum error_class class);
