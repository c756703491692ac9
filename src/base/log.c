/* Log lines; see log.h. The two formats differ in what stands around names and values, and in when a text is quoted. */
#include "base/log.h"
#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_BYTES_MAX 4096
#define LOG_TAIL_BYTES_MAX 16 /* that the line was cut, and its end */

static struct {
	int fd;
	_Atomic int level;
	enum log_format format;
} log_state = {STDERR_FILENO, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT};

static const char *const log_level_words[] = {"debug", "info", "warn", "error", "off"};

void log_setup(int fd, enum log_level level)
{
	log_state.fd = fd;
	atomic_store(&log_state.level, (int)level);
}

void log_set_level(enum log_level level)
{
	atomic_store(&log_state.level, (int)level);
}

int log_level_parse(struct str word, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(log_level_words); i++) {
		if (str_eq(word, str_c(log_level_words[i]))) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

void log_set_format(enum log_format format)
{
	log_state.format = format;
}

int log_format_parse(struct str word, enum log_format *out)
{
	static const char *const words[] = {[LOG_FORMAT_LOGFMT] = "logfmt", [LOG_FORMAT_JSON] = "json"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq(word, str_c(words[i]))) {
			*out = (enum log_format)i;
			return 0;
		}
	}
	return -1;
}

bool log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

static bool log_is_bare(struct str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] <= ' ' || value.ptr[i] > '~' || value.ptr[i] == '"' || value.ptr[i] == '=' ||
		    value.ptr[i] == '\\')
			return false;
	return value.len > 0;
}

static void log_append_text(struct buf *line, struct str text)
{
	if (log_state.format == LOG_FORMAT_LOGFMT && log_is_bare(text))
		buf_append_str(line, text);
	else if (str_is_utf8(text))
		buf_append_json_string(line, text);
	else
		buf_append_c(line, "\"(not UTF-8)\"");
}

/* What stands before a value. */
static void log_append_key(struct buf *line, const char *key)
{
	if (log_state.format == LOG_FORMAT_LOGFMT)
		buf_printf(line, "%s%s=", line->len ? " " : "", key);
	else
		buf_printf(line, "%s\"%s\":", line->len ? "," : "{", key);
}

static void log_append_field(struct buf *line, const struct log_field *field)
{
	log_append_key(line, field->key);
	switch (field->type) {
	case LOG_FIELD_I64:
		buf_append_i64(line, field->value.i64);
		break;
	case LOG_FIELD_U64:
		buf_append_u64(line, field->value.u64);
		break;
	case LOG_FIELD_STR:
		log_append_text(line, field->value.str);
		break;
	}
}

static void log_append_head(struct buf *line, enum log_level level, const char *event)
{
	char time_text[CLOCK_TEXT_BYTES];

	clock_format(clock_wall_ms(), time_text);
	log_append_field(line, &LOG_C("time", time_text));
	log_append_field(line, &LOG_C("level", log_level_words[level]));
	log_append_field(line, &LOG_C("event", event));
}

/* The field that did not fit goes, since half a value may leave a quote open; the line says so. */
static void log_cut(struct buf *line, size_t whole)
{
	line->overflow = false;
	line->len = whole;
	line->bytes_max += LOG_TAIL_BYTES_MAX;
	log_append_key(line, "cut");
	buf_append_c(line, "true");
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	struct buf line;
	size_t whole = 0; /* bytes before the last field */
	ssize_t wrote;

	if (!log_enabled(level) || level >= LOG_LEVEL_OFF)
		return;
	buf_init(&line, LOG_LINE_BYTES_MAX);
	log_append_head(&line, level, event);
	for (size_t i = 0; i < count && buf_ok(&line); i++) {
		whole = line.len;
		log_append_field(&line, &fields[i]);
	}
	if (!buf_ok(&line))
		log_cut(&line, whole);
	line.bytes_max += LOG_TAIL_BYTES_MAX;
	buf_append_c(&line, log_state.format == LOG_FORMAT_JSON ? "}\n" : "\n");
	do
		wrote = write(log_state.fd, line.ptr, line.len);
	while (wrote < 0 && errno == EINTR);
	buf_fini(&line); /* a log that cannot be written has nobody to tell */
}

bool log_limit_pass(struct log_limit *limit, int64_t now_mono_ms, uint64_t *held_back_out)
{
	if (limit->last_mono_ms && now_mono_ms - limit->last_mono_ms < limit->interval_ms) {
		limit->held_back++;
		return false;
	}
	*held_back_out = limit->held_back;
	limit->held_back = 0;
	limit->last_mono_ms = now_mono_ms;
	return true;
}
