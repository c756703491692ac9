#pragma once
/* One table of settings gives the parser, the help and the documentation.
 *
 * A setting is named "group.name" (letters, digits, dots, underscores). Its value comes from, strongest first:
 *   the command line   --group-name VALUE or --group-name=VALUE
 *   the environment    HIGHWATER_GROUP_NAME
 *   a file             group.name = VALUE, one per line, "#" starts a comment line
 *   the table's default.
 * What is in effect can be written as such a file (settings_dump), each value with its source. Durations need a unit (ms, s, m, h, d) and sizes too (B, KiB, MiB, GiB). An unknown key, a missing unit or a value
 * out of range is an error that names where it stood. Threads: one; while it may adopt others, any may show. */
#include "base/buf.h"
#include "base/error.h"

#include <pthread.h>

enum setting_type {
	SETTING_TEXT,	/* char * owned by the target struct; "" by default, never NULL after settings_init; what a file
			   * cannot hold is refused: control characters, space at an end */
	SETTING_HIDDEN, /* the same, of text that may hold a secret: its value is never shown */
	SETTING_BOOL,	/* bool; true, false, yes, no, on, off */
	SETTING_COUNT,	/* uint64_t */
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
	bool reloads;	  /* a new value is taken while the program runs, see settings_adopt */
};

/* Weakest first. */
enum settings_source { SETTINGS_DEFAULT, SETTINGS_FILE, SETTINGS_ENVIRONMENT, SETTINGS_FLAG };

struct settings {
	const struct setting *rows;
	size_t count;
	void *target;	       /* the struct that the offsets point into */
	unsigned char *source; /* per row: the settings_source that set it */
	unsigned *line;	       /* per row: where it stood in the file, 0 when not there */
	char *file;	       /* the file's path, NULL before settings_read_file */
	pthread_mutex_t lock;  /* values and sources: who shows them, and settings_adopt */
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

/* ---- reading them again ---- */

enum settings_change {
	SETTINGS_SAME,
	SETTINGS_RELOADS, /* another value, which can be taken now */
	SETTINGS_RESTART, /* another value, which a restart takes */
};
/* Compares row `index` with the same table read anew. */
enum settings_change settings_compare(const struct settings *now, const struct settings *fresh, size_t index);
/* Moves the values of rows that reload from `fresh` to `now`, with their sources; `fresh` gets the old ones. */
void settings_adopt(struct settings *now, struct settings *fresh);

/* ---- showing them ---- */

/* "default", "file", "environment", "flag": where the value of row `index` came from. */
const char *settings_source_word(const struct settings *settings, size_t index);
/* The value of row `index` as a settings file has it. One of
 * SETTING_HIDDEN that is not empty is shown as "hidden". */
void settings_append_value(const struct settings *settings, size_t index, struct buf *out);
/* All that is in effect as a settings file: read again it gives the same values. Before each value comments tell its
 * meaning, default, bounds and source. One of SETTING_HIDDEN that is
 * not empty is a comment only. */
void settings_dump(const struct settings *settings, struct buf *out);
/* Text for --help, one setting per entry. */
void settings_help(const struct setting *rows, size_t count, struct buf *out);
