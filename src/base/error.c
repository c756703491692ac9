/* Error classes and texts; see error.h. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	bool retryable;
} error_table[] = {
#define ERROR_ROW(name, word, retryable) [name] = {word, retryable},
	ERROR_CLASSES(ERROR_ROW)
#undef ERROR_ROW
};

int error_set(struct error *err, enum error_class class, const char *format, ...)
{
	va_list args;

	err->class = class;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, args); /* a text too long is cut */
	va_end(args);
	return -1;
}

int error_set_errno(struct error *err, int number, const char *format, ...)
{
	char reason[96];
	char text[sizeof(err->text)];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* a text too long is cut */
	va_end(args);
	return error_set(err, number == ENOSPC || number == EDQUOT ? ERR_FULL : ERR_IO, "%.250s: %s", text,
			 strerror_r(number, reason, sizeof(reason)));
}

int error_wrap(struct error *err, const char *format, ...)
{
	char inner[sizeof(err->text)];
	char outer[128];
	va_list args;

	memcpy(inner, err->text, sizeof(inner));
	va_start(args, format);
	(void)vsnprintf(outer, sizeof(outer), format, args); /* a text too long is cut */
	va_end(args);
	return error_set(err, err->class, "%s: %.250s", outer, inner);
}

const char *error_class_word(enum error_class class)
{
	return error_table[class].word;
}

bool error_class_retryable(enum error_class class)
{
	return error_table[class].retryable;
}
