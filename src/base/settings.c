/* The settings table; see settings.h. */
#include "base/settings.h"
#include "base/mem.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_FILE_LINE_BYTES_MAX 4096

enum settings_strength { SETTINGS_DEFAULT, SETTINGS_FILE, SETTINGS_ENVIRONMENT, SETTINGS_FLAG };

struct settings_unit {
	const char *word;
	uint64_t factor;
};

/* Largest last, so that formatting finds the largest that divides. */
static const struct settings_unit settings_duration_units[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct settings_unit settings_size_units[] = {
	{"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}};

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

static int settings_store(const struct setting *row, void *target, struct str text, struct error *err)
{
	char *field = (char *)target + row->offset;

	switch (row->type) {
	case SETTING_TEXT:
		if (text.len < row->min || text.len > row->max)
			return error_set(err, ERR_INVALID, "must have %llu to %llu bytes", (unsigned long long)row->min,
					 (unsigned long long)row->max);
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

static int settings_set(struct settings *settings, size_t index, struct str text, enum settings_strength strength,
			struct error *err)
{
	if (settings->strength[index] > strength)
		return 0;
	if (settings_store(&settings->rows[index], settings->target, text, err))
		return -1;
	settings->strength[index] = (unsigned char)strength;
	return 0;
}

void settings_init(struct settings *settings, const struct setting *rows, size_t count, void *target)
{
	struct error err;

	*settings = (struct settings){rows, count, target, mem_zalloc(count)};
	for (size_t i = 0; i < count; i++) {
		int rc;

		if (rows[i].type == SETTING_TEXT)
			*(char **)(void *)((char *)target + rows[i].offset) = NULL;
		rc = settings_set(settings, i, str_c(rows[i].fallback), SETTINGS_DEFAULT, &err);
		assert(rc == 0);
	}
}

void settings_fini(struct settings *settings)
{
	for (size_t i = 0; i < settings->count; i++) {
		char **text = (char **)(void *)((char *)settings->target + settings->rows[i].offset);

		if (settings->rows[i].type != SETTING_TEXT)
			continue;
		mem_free(*text);
		*text = NULL;
	}
	mem_free(settings->strength);
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
static int settings_read_line(struct settings *settings, struct str line, struct error *err)
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
	return 0;
}

int settings_read_file(struct settings *settings, const char *path, struct error *err)
{
	char line[SETTINGS_FILE_LINE_BYTES_MAX];
	FILE *file = fopen(path, "re");
	int result = 0;

	if (!file)
		return error_set_errno(err, errno, "reading the settings file %s", path);
	for (unsigned number = 1; result == 0 && fgets(line, sizeof(line), file); number++) {
		struct str text = str_c(line);

		if ((text.len == 0 || text.ptr[text.len - 1] != '\n') && !feof(file)) /* fgets stopped in mid-line */
			result = error_set(err, ERR_INVALID, "line longer than %zu bytes, or with a NUL byte",
					   sizeof(line) - 2);
		else
			result = settings_read_line(settings, text, err);
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

/* ---- what there is ---- */

void settings_append_value(const struct settings *settings, size_t index, struct buf *out)
{
	const struct setting *row = &settings->rows[index];
	const char *field = (const char *)settings->target + row->offset;

	switch (row->type) {
	case SETTING_TEXT:
		buf_append_c(out, *(char *const *)(const void *)field);
		break;
	case SETTING_BOOL:
		buf_append_c(out, *(const bool *)(const void *)field ? "on" : "off");
		break;
	default:
		settings_format_number(row->type, *(const uint64_t *)(const void *)field, out);
	}
}

const char *settings_source(const struct settings *settings, size_t index)
{
	static const char *const words[] = {
		[SETTINGS_DEFAULT] = "default",
		[SETTINGS_FILE] = "file",
		[SETTINGS_ENVIRONMENT] = "environment",
		[SETTINGS_FLAG] = "flag",
	};

	return words[settings->strength[index]];
}

/* ---- help ---- */

static void settings_describe_range(const struct setting *row, struct buf *out)
{
	if (row->type == SETTING_TEXT || row->type == SETTING_BOOL)
		return;
	settings_format_number(row->type, row->min, out);
	buf_append_c(out, " to ");
	settings_format_number(row->type, row->max, out);
}

void settings_help(const struct setting *rows, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		static const char *const words[] = {"TEXT", "BOOL", "N", "DURATION", "SIZE"};

		buf_append_c(out, "  --");
		settings_spell(rows[i].name, '-', false, out);
		buf_printf(out, " %s\n      %s", words[rows[i].type], rows[i].help);
		if (rows[i].fallback[0])
			buf_printf(out, " Default %s", rows[i].fallback);
		if (rows[i].type != SETTING_TEXT && rows[i].type != SETTING_BOOL) {
			buf_append_c(out, "; ");
			settings_describe_range(&rows[i], out);
		}
		buf_append_c(out, rows[i].fallback[0] ? ".\n" : "\n");
	}
}

void settings_markdown(const struct setting *rows, size_t count, struct buf *out)
{
	buf_append_c(out, "| setting | default | range | meaning |\n| --- | --- | --- | --- |\n");
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "| `%s` | %s%s%s | ", rows[i].name, rows[i].fallback[0] ? "`" : "", rows[i].fallback,
			   rows[i].fallback[0] ? "`" : "");
		settings_describe_range(&rows[i], out);
		buf_printf(out, " | %s |\n", rows[i].help);
	}
}
