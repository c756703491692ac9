#pragma once
/* Log lines on one descriptor, in logfmt or as JSON objects: time, level, event, then fields. One write per line, so
 * lines of several threads never mix. A line longer than 4 KiB is cut before a field. Threads: any. */
#include "base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };

enum log_field_type { LOG_FIELD_STR, LOG_FIELD_I64, LOG_FIELD_U64 };

struct log_field {
	const char *key; /* lower case, digits, underscore */
	enum log_field_type type;
	union {
		struct str str;
		int64_t i64;
		uint64_t u64;
	} value;
};

#define LOG_STR(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_STR, .value.str = (v)})
#define LOG_C(k, v) LOG_STR((k), str_c(v))
#define LOG_I64(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_I64, .value.i64 = (v)})
#define LOG_U64(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_U64, .value.u64 = (v)})

/* Where lines go and which are written; before any thread starts. Default: descriptor 2, info. */
void log_setup(int fd, enum log_level level);
/* Threads: any. */
void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error", "off". Returns 0, or -1 for another word. */
MUST_CHECK int log_level_parse(struct str word, enum log_level *out);
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
/* Before any thread starts. Default: logfmt. */
void log_set_format(enum log_format format);
/* "logfmt", "json". Returns 0, or -1 for another word. */
MUST_CHECK int log_format_parse(struct str word, enum log_format *out);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* log_event(LOG_LEVEL_INFO, "room_created", LOG_U64("app", id), LOG_STR("room", name)); at least one field. */
#define log_event(level, event, ...)                                                                                   \
	do {                                                                                                           \
		if (log_enabled(level)) {                                                                              \
			const struct log_field log_fields_[] = {__VA_ARGS__};                                          \
			log_write((level), (event), log_fields_, ARRAY_LEN(log_fields_));                              \
		}                                                                                                      \
	} while (0)

/* Holds back repeats of one failure. One per place that may repeat; one thread at a time. */
struct log_limit {
	int64_t interval_ms;  /* at most one line per interval */
	int64_t last_mono_ms; /* 0: none yet */
	uint64_t held_back;
};
/* True when a line may be written now; `held_back_out` is how many were not since the last one. */
bool log_limit_pass(struct log_limit *limit, int64_t now_mono_ms, uint64_t *held_back_out);
