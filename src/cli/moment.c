/* Reading moments; see moment.h. */
#include "cli/moment.h"
#include "base/str.h"

#include <string.h>
#include <time.h>

static int64_t moment_unit_ms(char unit)
{
	switch (unit) {
	case 's':
		return 1000;
	case 'm':
		return 60000;
	case 'h':
		return 3600000;
	case 'd':
		return 86400000;
	default:
		return 0;
	}
}

/* "2h". */
static int moment_parse_ago(struct str text, int64_t now_ms, int64_t *out_ms)
{
	int64_t unit_ms = text.len ? moment_unit_ms(text.ptr[text.len - 1]) : 0;
	uint64_t count;

	if (!unit_ms || str_to_u64(str_slice(text, 0, text.len - 1), (uint64_t)(MOMENT_MAX_MS / unit_ms), &count))
		return -1;
	*out_ms = now_ms - (int64_t)count * unit_ms;
	return 0;
}

/* Cuts two or four digits and, unless it is NUL, the character after them off the text. */
static int moment_cut(struct str *text, size_t digits, char after, int *out)
{
	size_t len = digits + (after ? 1 : 0);
	uint64_t number;

	if (text->len < len || str_to_u64(str_slice(*text, 0, digits), 9999, &number) ||
	    (after && text->ptr[digits] != after))
		return -1;
	*out = (int)number;
	*text = str_slice(*text, len, text->len);
	return 0;
}

/* ".123", of which three digits count. */
static int moment_cut_fraction(struct str *text, int *ms_out)
{
	size_t len = 1;
	int scale = 100;

	*ms_out = 0;
	if (!text->len || text->ptr[0] != '.')
		return 0;
	for (; len < text->len && text->ptr[len] >= '0' && text->ptr[len] <= '9'; len++, scale /= 10)
		*ms_out += scale * (text->ptr[len] - '0');
	*text = str_slice(*text, len, text->len);
	return len > 1 ? 0 : -1;
}

/* "Z" or "+01:00", and nothing after it. */
static int moment_read_offset(struct str text, int *minutes_out)
{
	int sign = text.len && text.ptr[0] == '-' ? -1 : 1;
	int hours;
	int minutes;

	*minutes_out = 0;
	if (text.len == 1 && (text.ptr[0] == 'Z' || text.ptr[0] == 'z'))
		return 0;
	if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-'))
		return -1;
	text = str_slice(text, 1, text.len);
	if (moment_cut(&text, 2, ':', &hours) || moment_cut(&text, 2, '\0', &minutes) || hours > 23 || minutes > 59)
		return -1;
	*minutes_out = sign * (hours * 60 + minutes);
	return 0;
}

static int moment_parse_date(struct str text, int64_t *out_ms)
{
	struct tm parts = {0};
	struct tm normal;
	char between = text.len > 10 && (text.ptr[10] == ' ' || text.ptr[10] == 't') ? text.ptr[10] : 'T';
	int ms;
	int offset;
	time_t seconds;

	if (moment_cut(&text, 4, '-', &parts.tm_year) || moment_cut(&text, 2, '-', &parts.tm_mon) ||
	    moment_cut(&text, 2, between, &parts.tm_mday) || moment_cut(&text, 2, ':', &parts.tm_hour) ||
	    moment_cut(&text, 2, ':', &parts.tm_min) || moment_cut(&text, 2, '\0', &parts.tm_sec) ||
	    moment_cut_fraction(&text, &ms) || moment_read_offset(text, &offset))
		return -1;
	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	normal = parts;
	seconds = timegm(&normal); /* which moves a day that is none to the month after */
	if (normal.tm_mon != parts.tm_mon || normal.tm_mday != parts.tm_mday || normal.tm_hour != parts.tm_hour ||
	    normal.tm_min != parts.tm_min || normal.tm_sec != parts.tm_sec)
		return -1;
	*out_ms = ((int64_t)seconds - (int64_t)offset * 60) * 1000 + ms;
	return 0;
}

int moment_parse(const char *text, int64_t now_ms, int64_t *out_ms, struct error *err)
{
	struct str whole = str_c(text);
	int64_t found;
	uint64_t number;

	if (str_to_u64(whole, (uint64_t)MOMENT_MAX_MS, &number) == 0)
		found = (int64_t)number;
	else if (moment_parse_ago(whole, now_ms, &found) && moment_parse_date(whole, &found))
		found = -1;
	if (found < 0 || found > MOMENT_MAX_MS)
		return error_set(
			err, ERR_INVALID,
			"\"%.40s\" is no time such as 2h (ago), 2026-11-25T03:00:00Z, or milliseconds since 1970",
			text);
	*out_ms = found;
	return 0;
}
