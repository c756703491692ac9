/* logfmt lines; see log.h. */
#include "base/log.h"
#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_BYTES_MAX 4096

static struct {
	int fd;
	_Atomic int level;
} log_state = {STDERR_FILENO, LOG_LEVEL_INFO};

static const char *const log_level_words[] = {"debug", "info", "warn", "error", "off"};

void log_setup(int fd, enum log_level level)
{
	log_state.fd = fd;
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

static void log_append_field(struct buf *line, const struct log_field *field)
{
	buf_append_char(line, ' ');
	buf_append_c(line, field->key);
	buf_append_char(line, '=');
	switch (field->type) {
	case LOG_FIELD_I64:
		buf_append_i64(line, field->value.i64);
		break;
	case LOG_FIELD_U64:
		buf_append_u64(line, field->value.u64);
		break;
	case LOG_FIELD_STR:
		if (log_is_bare(field->value.str))
			buf_append_str(line, field->value.str);
		else if (str_is_utf8(field->value.str))
			buf_append_json_string(line, field->value.str);
		else
			buf_append_c(line, "\"(not UTF-8)\"");
		break;
	}
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	char time_text[CLOCK_TEXT_BYTES];
	struct buf line;
	size_t whole = 0; /* bytes before the last field */
	ssize_t wrote;

	if (!log_enabled(level) || level >= LOG_LEVEL_OFF)
		return;
	clock_format(clock_wall_ms(), time_text);
	buf_init(&line, LOG_LINE_BYTES_MAX);
	buf_printf(&line, "time=%s level=%s event=%s", time_text, log_level_words[level], event);
	for (size_t i = 0; i < count && buf_ok(&line); i++) {
		whole = line.len;
		log_append_field(&line, &fields[i]);
	}
	if (!buf_ok(&line)) { /* the field that did not fit goes: half a value may leave a quote open; say so */
		line.overflow = false;
		line.len = whole;
		line.bytes_max += sizeof(" cut=true");
		buf_append_c(&line, " cut=true");
	}
	line.bytes_max += 1;
	buf_append_char(&line, '\n');
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
