/* The settings table; see settings.h. */
#include "base/settings.h"
#include "base/mem.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_FILE_LINE_BYTES_MAX (20000 + 2) /* more than the longest text; line end and NUL */

struct settings_unit {
	const char *word;
	uint64_t factor;
};

/* Largest last, so that formatting finds the largest that divides. */
static const struct settings_unit settings_duration_units[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct settings_unit settings_size_units[] = {
	{"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}};

static bool settings_is_text(const struct setting *row)
{
	return row->type == SETTING_TEXT || row->type == SETTING_HIDDEN;
}

static size_t settings_units(enum setting_type type, const struct settings_unit **out)
{
	if (type == SETTING_DURATION) {
		*out = settings_duration_units;
		return ARRAY_LEN(settings_duration_units);
	}
	if (type == SETTING_SIZE) {
		*out = settings_size_units;
		return ARRAY_LEN(settings_size_units);
	}
	return 0;
}

static void settings_format_number(enum setting_type type, uint64_t value, struct buf *out)
{
	const struct settings_unit *units = NULL;
	size_t count = settings_units(type, &units);
	size_t best = 0;

	for (size_t i = 1; i < count; i++)
		if (value && value % units[i].factor == 0)
			best = i;
	buf_append_u64(out, count ? value / units[best].factor : value);
	if (count)
		buf_append_c(out, units[best].word);
}

static int settings_range_error(const struct setting *row, struct error *err)
{
	struct buf text;

	buf_init(&text, 128);
	settings_format_number(row->type, row->min, &text);
	buf_append_c(&text, " to ");
	settings_format_number(row->type, row->max, &text);
	(void)error_set(err, ERR_INVALID, "must be %s", buf_c(&text)); /* returned below */
	buf_fini(&text);
	return -1;
}

static int settings_parse_number(const struct setting *row, struct str text, uint64_t *out, struct error *err)
{
	const struct settings_unit *units = NULL;
	size_t count = settings_units(row->type, &units);
	size_t digits = 0;
	uint64_t value;
	struct str unit;

	while (digits < text.len && isdigit((unsigned char)text.ptr[digits]))
		digits++;
	unit = str_slice(text, digits, text.len);
	if (str_to_u64(str_slice(text, 0, digits), UINT64_MAX, &value))
		return error_set(err, ERR_INVALID, "\"%.*s\" is not a number", STR_ARG(str_slice(text, 0, 40)));
	if (count == 0 && unit.len)
		return error_set(err, ERR_INVALID, "\"%.*s\" is not a whole number", STR_ARG(str_slice(text, 0, 40)));
	for (size_t i = 0; i < count; i++) {
		if (!str_eq(unit, str_c(units[i].word)))
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, &value))
			return settings_range_error(row, err);
		count = 0; /* unit found */
	}
	if (count && (unit.len || value)) /* 0 is the same in all units */
		return error_set(err, ERR_INVALID, "\"%.*s\" needs a unit: %s", STR_ARG(str_slice(text, 0, 40)),
				 row->type == SETTING_DURATION ? "ms, s, m, h or d" : "B, KiB, MiB or GiB");
	if (value < row->min || value > row->max)
		return settings_range_error(row, err);
	*out = value;
	return 0;
}

static int settings_parse_bool(struct str text, bool *out, struct error *err)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"true", true}, {"yes", true}, {"on", true}, {"false", false}, {"no", false}, {"off", false}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq(text, str_c(words[i].word))) {
			*out = words[i].value;
			return 0;
		}
	}
	return error_set(err, ERR_INVALID, "\"%.*s\" is not true or false", STR_ARG(str_slice(text, 0, 40)));
}

/* A file can hold it: one line, and space around a value does not count there. */
static int settings_check_text(const struct setting *row, struct str text, struct error *err)
{
	if (text.len < row->min || text.len > row->max)
		return error_set(err, ERR_INVALID, "must have %llu to %llu bytes", (unsigned long long)row->min,
				 (unsigned long long)row->max);
	for (size_t i = 0; i < text.len; i++)
		if (iscntrl((unsigned char)text.ptr[i]))
			return error_set(err, ERR_INVALID, "must be one line without control characters");
	if (text.len && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' '))
		return error_set(err, ERR_INVALID, "must not begin or end with a space");
	return 0;
}

static int settings_store(const struct setting *row, void *target, struct str text, struct error *err)
{
	char *field = (char *)target + row->offset;

	switch (row->type) {
	case SETTING_TEXT:
	case SETTING_HIDDEN:
		if (settings_check_text(row, text, err))
			return -1;
		mem_free(*(char **)(void *)field);
		*(char **)(void *)field = mem_dup(text.ptr, text.len);
		return 0;
	case SETTING_BOOL:
		return settings_parse_bool(text, (bool *)(void *)field, err);
	case SETTING_COUNT:
	case SETTING_DURATION:
	case SETTING_SIZE:
		return settings_parse_number(row, text, (uint64_t *)(void *)field, err);
	}
	return error_set(err, ERR_INTERNAL, "setting %s has no type", row->name);
}

static int settings_set(struct settings *settings, size_t index, struct str text, enum settings_source source,
			struct error *err)
{
	if (settings->source[index] > source)
		return 0;
	if (settings_store(&settings->rows[index], settings->target, text, err))
		return -1;
	settings->source[index] = (unsigned char)source;
	return 0;
}

static void settings_lock_init(struct settings *settings)
{
	int rc = pthread_mutex_init(&settings->lock, NULL);

	assert(rc == 0);
}

void settings_init(struct settings *settings, const struct setting *rows, size_t count, void *target)
{
	struct error err;

	*settings = (struct settings){.rows = rows, .count = count, .target = target};
	settings->source = mem_zalloc(count);
	settings->line = mem_zalloc(count * sizeof(*settings->line));
	settings_lock_init(settings);
	for (size_t i = 0; i < count; i++) {
		int rc;

		if (settings_is_text(&rows[i]))
			*(char **)(void *)((char *)target + rows[i].offset) = NULL;
		rc = settings_set(settings, i, str_c(rows[i].fallback), SETTINGS_DEFAULT, &err);
		assert(rc == 0);
	}
}

void settings_fini(struct settings *settings)
{
	for (size_t i = 0; i < settings->count; i++) {
		char **text = (char **)(void *)((char *)settings->target + settings->rows[i].offset);

		if (!settings_is_text(&settings->rows[i]))
			continue;
		mem_free(*text);
		*text = NULL;
	}
	mem_free(settings->source);
	mem_free(settings->line);
	mem_free(settings->file);
	(void)pthread_mutex_destroy(&settings->lock); /* unlocked */
	*settings = (struct settings){0};
}

static int settings_find(const struct settings *settings, struct str name, size_t *index_out)
{
	for (size_t i = 0; i < settings->count; i++) {
		if (str_eq(str_c(settings->rows[i].name), name)) {
			*index_out = i;
			return 0;
		}
	}
	return -1;
}

static struct str settings_trim(struct str s)
{
	while (s.len && isspace((unsigned char)s.ptr[s.len - 1]))
		s.len--;
	while (s.len && isspace((unsigned char)s.ptr[0]))
		s = str_slice(s, 1, s.len);
	return s;
}

/* One "name = value" line; empty and comment lines are fine. */
static int settings_read_line(struct settings *settings, struct str line, unsigned number, struct error *err)
{
	ptrdiff_t equals;
	struct str name;
	size_t index;

	line = settings_trim(line);
	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	equals = str_find_char(line, '=');
	if (equals < 0)
		return error_set(err, ERR_INVALID, "expected \"name = value\"");
	name = settings_trim(str_slice(line, 0, (size_t)equals));
	if (settings_find(settings, name, &index))
		return error_set(err, ERR_INVALID, "unknown setting \"%.*s\"", STR_ARG(str_slice(name, 0, 60)));
	if (settings_set(settings, index, settings_trim(str_slice(line, (size_t)equals + 1, line.len)), SETTINGS_FILE,
			 err))
		return error_wrap(err, "%s", settings->rows[index].name);
	settings->line[index] = number;
	return 0;
}

int settings_read_file(struct settings *settings, const char *path, struct error *err)
{
	char line[SETTINGS_FILE_LINE_BYTES_MAX];
	FILE *file = fopen(path, "re");
	int result = 0;

	if (!file)
		return error_set_errno(err, errno, "reading the settings file %s", path);
	mem_free(settings->file);
	settings->file = mem_dup(path, strlen(path));
	for (unsigned number = 1; result == 0 && fgets(line, sizeof(line), file); number++) {
		struct str text = str_c(line);

		if ((text.len == 0 || text.ptr[text.len - 1] != '\n') && !feof(file)) /* fgets stopped in mid-line */
			result = error_set(err, ERR_INVALID, "line longer than %zu bytes, or with a NUL byte",
					   sizeof(line) - 2);
		else
			result = settings_read_line(settings, text, number, err);
		if (result)
			(void)error_wrap(err, "%s:%u", path, number); /* result already says -1 */
	}
	if (result == 0 && ferror(file))
		result = error_set_errno(err, errno, "reading the settings file %s", path);
	(void)fclose(file); /* only read from */
	return result;
}

/* "http.listen" with '.' and '_' replaced: separator '-' for flags, '_' and upper case for the environment. */
static void settings_spell(const char *name, char separator, bool upper, struct buf *out)
{
	for (; *name; name++) {
		if (*name == '.' || *name == '_')
			buf_append_char(out, separator);
		else
			buf_append_char(out, upper ? (char)toupper((unsigned char)*name) : *name);
	}
}

int settings_read_environment(struct settings *settings, struct error *err)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < settings->count; i++) {
		struct buf name;
		const char *value;

		buf_init(&name, 128);
		buf_append_c(&name, "HIGHWATER_");
		settings_spell(settings->rows[i].name, '_', true, &name);
		value = getenv(buf_c(&name));
		if (value && settings_set(settings, i, str_c(value), SETTINGS_ENVIRONMENT, err))
			result = error_wrap(err, "environment variable %s", buf_c(&name));
		buf_fini(&name);
	}
	return result;
}

static bool settings_flag_is(const struct setting *row, struct str flag)
{
	struct buf name;
	bool same;

	buf_init(&name, 128);
	settings_spell(row->name, '-', false, &name);
	same = str_eq(buf_str(&name), flag);
	buf_fini(&name);
	return same;
}

int settings_take_flag(struct settings *settings, int argc, char **argv, int *index, struct error *err)
{
	struct str flag = str_c(argv[*index]);
	struct str value = {0};
	ptrdiff_t equals;

	if (!str_starts_with(flag, STR("--")))
		return 0;
	flag = str_slice(flag, 2, flag.len);
	equals = str_find_char(flag, '=');
	if (equals >= 0) {
		value = str_slice(flag, (size_t)equals + 1, flag.len);
		flag = str_slice(flag, 0, (size_t)equals);
	}
	for (size_t i = 0; i < settings->count; i++) {
		if (!settings_flag_is(&settings->rows[i], flag))
			continue;
		if (equals < 0) {
			if (*index + 1 >= argc)
				return error_set(err, ERR_INVALID, "--%.*s needs a value", STR_ARG(flag));
			value = str_c(argv[++*index]);
		}
		++*index;
		if (settings_set(settings, i, value, SETTINGS_FLAG, err))
			return error_wrap(err, "--%.*s", STR_ARG(flag));
		return 1;
	}
	return 0;
}

static void settings_describe_range(const struct setting *row, struct buf *out)
{
	if (settings_is_text(row) || row->type == SETTING_BOOL)
		return;
	settings_format_number(row->type, row->min, out);
	buf_append_c(out, " to ");
	settings_format_number(row->type, row->max, out);
}

static void settings_append_meaning(const struct setting *row, struct buf *out)
{
	buf_append_c(out, row->help);
	if (row->reloads)
		buf_append_c(out, " Can be reloaded.");
}

void settings_help(const struct setting *rows, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		static const char *const words[] = {"TEXT", "TEXT", "BOOL", "N", "DURATION", "SIZE"};

		buf_append_c(out, "  --");
		settings_spell(rows[i].name, '-', false, out);
		buf_printf(out, " %s\n      ", words[rows[i].type]);
		settings_append_meaning(&rows[i], out);
		if (rows[i].fallback[0])
			buf_printf(out, " Default %s", rows[i].fallback);
		if (!settings_is_text(&rows[i]) && rows[i].type != SETTING_BOOL) {
			buf_append_c(out, "; ");
			settings_describe_range(&rows[i], out);
		}
		buf_append_c(out, rows[i].fallback[0] ? ".\n" : "\n");
	}
}

/* ---- reading again ---- */

enum settings_change settings_compare(const struct settings *now, const struct settings *fresh, size_t index)
{
	const struct setting *row = &now->rows[index];
	const char *left = (const char *)now->target + row->offset;
	const char *right = (const char *)fresh->target + row->offset;
	bool same;

	if (settings_is_text(row))
		same = strcmp(*(char *const *)(const void *)left, *(char *const *)(const void *)right) == 0;
	else
		same = memcmp(left, right, row->type == SETTING_BOOL ? sizeof(bool) : sizeof(uint64_t)) == 0;
	return same ? SETTINGS_SAME : row->reloads ? SETTINGS_RELOADS : SETTINGS_RESTART;
}

/* Exchanges the fields of that size. */
static void settings_exchange(void *left, void *right, size_t size)
{
	unsigned char kept[sizeof(uint64_t)];

	assert(size <= sizeof(kept));
	memcpy(kept, left, size);
	memcpy(left, right, size);
	memcpy(right, kept, size);
}

void settings_adopt(struct settings *now, struct settings *fresh)
{
	pthread_mutex_lock(&now->lock);
	for (size_t i = 0; i < now->count; i++) {
		const struct setting *row = &now->rows[i];
		size_t size = settings_is_text(row)	  ? sizeof(char *)
			      : row->type == SETTING_BOOL ? sizeof(bool)
							  : sizeof(uint64_t);

		if (!row->reloads)
			continue;
		settings_exchange((char *)now->target + row->offset, (char *)fresh->target + row->offset, size);
		settings_exchange(&now->source[i], &fresh->source[i], sizeof(now->source[i]));
		settings_exchange(&now->line[i], &fresh->line[i], sizeof(now->line[i]));
	}
	pthread_mutex_unlock(&now->lock);
}

/* ---- what is in effect ---- */

/* Showing changes nothing but the lock. */
static void settings_lock(const struct settings *settings)
{
	pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&settings->lock);
}

static void settings_unlock(const struct settings *settings)
{
	pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&settings->lock);
}

const char *settings_source_word(const struct settings *settings, size_t index)
{
	static const char *const words[] = {"default", "file", "environment", "flag"};

	enum settings_source source;

	settings_lock(settings);
	source = (enum settings_source)settings->source[index];
	settings_unlock(settings);
	return words[source];
}

static bool settings_is_withheld(const struct settings *settings, size_t index)
{
	const struct setting *row = &settings->rows[index];

	return row->type == SETTING_HIDDEN &&
	       **(char *const *)(const void *)((const char *)settings->target + row->offset) != '\0';
}

void settings_append_value(const struct settings *settings, size_t index, struct buf *out)
{
	const struct setting *row = &settings->rows[index];
	const char *field = (const char *)settings->target + row->offset;

	settings_lock(settings);
	switch (row->type) {
	case SETTING_TEXT:
	case SETTING_HIDDEN:
		if (settings_is_withheld(settings, index))
			buf_append_c(out, "hidden");
		else
			buf_append_c(out, *(char *const *)(const void *)field);
		break;
	case SETTING_BOOL:
		buf_append_c(out, *(const bool *)(const void *)field ? "on" : "off");
		break;
	case SETTING_COUNT:
	case SETTING_DURATION:
	case SETTING_SIZE:
		settings_format_number(row->type, *(const uint64_t *)(const void *)field, out);
		break;
	}
	settings_unlock(settings);
}

/* "file /etc/highwater/serve.conf:3", "environment HIGHWATER_LOG_LEVEL", "flag --log-level", "default". */
static void settings_append_source(const struct settings *settings, size_t index, struct buf *out)
{
	buf_append_c(out, settings_source_word(settings, index));
	if (settings->source[index] == SETTINGS_FILE) {
		buf_printf(out, " %s:%u", settings->file, settings->line[index]);
	} else if (settings->source[index] == SETTINGS_ENVIRONMENT) {
		buf_append_c(out, " HIGHWATER_");
		settings_spell(settings->rows[index].name, '_', true, out);
	} else if (settings->source[index] == SETTINGS_FLAG) {
		buf_append_c(out, " --");
		settings_spell(settings->rows[index].name, '-', false, out);
	}
}

static void settings_dump_row(const struct settings *settings, size_t index, struct buf *out)
{
	const struct setting *row = &settings->rows[index];

	buf_append_c(out, "# ");
	settings_append_meaning(row, out);
	buf_printf(out, "\n# Default: %s", row->fallback[0] ? row->fallback : "empty");
	if (!settings_is_text(row) && row->type != SETTING_BOOL) {
		buf_append_c(out, ". Range: ");
		settings_describe_range(row, out);
	}
	buf_append_c(out, ". Source: ");
	settings_append_source(settings, index, out);
	if (settings_is_withheld(settings, index)) {
		buf_printf(out, "\n# %s is set, and not shown here, since it may hold a secret.\n\n", row->name);
		return;
	}
	buf_printf(out, "\n%s = ", row->name);
	settings_append_value(settings, index, out);
	buf_append_c(out, "\n\n");
}

void settings_dump(const struct settings *settings, struct buf *out)
{
	for (size_t i = 0; i < settings->count; i++)
		settings_dump_row(settings, i, out);
}
