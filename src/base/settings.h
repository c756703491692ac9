#pragma once
/* One table of settings gives the parser, the help and the documentation.
 *
 * A setting is named "group.name" (letters, digits, dots, underscores). Its value comes from, strongest first:
 *   the command line   --group-name VALUE or --group-name=VALUE
 *   the environment    HIGHWATER_GROUP_NAME
 *   a file             group.name = VALUE, one per line, "#" starts a comment line
 *   the table's default.
 * Durations need a unit (ms, s, m, h, d) and sizes too (B, KiB, MiB, GiB). An unknown key, a missing unit or a value
 * out of range is an error that names where it stood. No setting is a secret: secrets stand in files of their own, whose
 * names are settings. Threads: start-up only; what is filled may be looked at by any. */
#include "base/buf.h"
#include "base/error.h"

enum setting_type {
	SETTING_TEXT,	  /* char * owned by the target struct; "" by default, never NULL after settings_init */
	SETTING_BOOL,	  /* bool; true, false, yes, no, on, off */
	SETTING_COUNT,	  /* uint64_t */
	SETTING_DURATION, /* uint64_t milliseconds */
	SETTING_SIZE,	  /* uint64_t bytes */
};

struct setting {
	const char *name;
	enum setting_type type;
	size_t offset;	      /* of the field in the target struct */
	const char *fallback; /* the default, as a user would write it */
	uint64_t min;	      /* for numbers, in base units; for text the least and most bytes */
	uint64_t max;
	const char *help; /* one sentence */
};

struct settings {
	const struct setting *rows;
	size_t count;
	void *target;		 /* the struct that the offsets point into */
	unsigned char *strength; /* per row: which source set it */
};

/* Fills the target with the defaults; a bad default is a bug (asserted). */
void settings_init(struct settings *settings, const struct setting *rows, size_t count, void *target);
/* Frees the table's state and the text fields of the target. */
void settings_fini(struct settings *settings);

/* Each returns 0, or -1 with ERR_INVALID (or ERR_IO for a file that cannot be read). Order of calls does not matter:
 * a weaker source never replaces a stronger one. */
MUST_CHECK int settings_read_file(struct settings *settings, const char *path, struct error *err);
MUST_CHECK int settings_read_environment(struct settings *settings, struct error *err);
/* Offers argv[*index]; when it is one of the table's flags, takes it and its value, moves `index` past them and
 * returns 1. Returns 0 when it is not ours. */
MUST_CHECK int settings_take_flag(struct settings *settings, int argc, char **argv, int *index, struct error *err);

/* The value of that row as a file would have it. */
void settings_append_value(const struct settings *settings, size_t index, struct buf *out);
/* Where it comes from: "default", "file", "environment" or "flag". Static. */
const char *settings_source(const struct settings *settings, size_t index);

/* Text for --help, one setting per entry. */
void settings_help(const struct setting *rows, size_t count, struct buf *out);
/* The same as a Markdown table, for docs/settings.md. */
void settings_markdown(const struct setting *rows, size_t count, struct buf *out);
