/* Reads the few fields of a reply's header that are kept; see client_head.h.
 *
 * All of it comes from a stranger: what cannot be read is left out, numbers and texts have bounds, a field that comes
 * twice counts as it came last. */
#include "http/client_head.h"

#include <curl/curl.h>
#include <string.h>
#include <time.h>

#define HEAD_DATE_BYTES_MAX 40 /* the longest of the three forms has 33 */

void client_head_reset(struct client_head *head)
{
	head->answered = false;
	head->ended = false;
	head->date_s = -1;
	head->retry_s = -1;
	head->retry_date_s = -1;
	head->location[0] = '\0';
}

/* A number of `len` digits at that place; -1 when there are others. */
static int head_digits(struct str text, size_t at, size_t len)
{
	uint64_t number;

	return str_to_u64(str_slice(text, at, len), UINT64_MAX, &number) ? -1 : (int)number;
}

/* The form that nearly all have, "Sun, 06 Nov 1994 08:49:37 GMT": Date stands in every reply, and the general reader is
 * slow. -1 for others. */
static int64_t head_date_usual(struct str text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm parts = {
		.tm_mday = head_digits(text, 5, 2),
		.tm_year = head_digits(text, 12, 4) - 1900,
		.tm_hour = head_digits(text, 17, 2),
		.tm_min = head_digits(text, 20, 2),
		.tm_sec = head_digits(text, 23, 2),
	};
	int day = parts.tm_mday;
	time_t date;

	if (text.len != 29 || memcmp(text.ptr + 3, ", ", 2) != 0 || memcmp(text.ptr + 25, " GMT", 4) != 0 ||
	    text.ptr[19] != ':' || text.ptr[22] != ':' || parts.tm_year < 70 || parts.tm_hour < 0 ||
	    parts.tm_hour > 23 || parts.tm_min < 0 || parts.tm_min > 59 || parts.tm_sec < 0 || parts.tm_sec > 60)
		return -1;
	while (parts.tm_mon < 12 && memcmp(months + 3 * parts.tm_mon, text.ptr + 8, 3) != 0)
		parts.tm_mon++;
	if (parts.tm_mon == 12)
		return -1;
	date = timegm(&parts);
	return parts.tm_mday == day && day > 0 ? (int64_t)date : -1; /* else it is a day that the month has not */
}

/* An HTTP-date (RFC 9110, 5.6.7) in seconds since 1970; -1 when it is none. */
static int64_t head_date(struct str value)
{
	char text[HEAD_DATE_BYTES_MAX + 1];
	time_t date = (time_t)head_date_usual(value);

	if (date >= 0)
		return (int64_t)date;
	if (!str_copy(text, sizeof(text), value))
		return -1;
	date = curl_getdate(text, NULL);
	return date < 0 ? -1 : (int64_t)date;
}

/* Seconds, of which there may be any number, or a date. */
static void head_take_retry(struct client_head *head, struct str value)
{
	size_t digits = 0;
	uint64_t seconds;

	while (digits < value.len && value.ptr[digits] >= '0' && value.ptr[digits] <= '9')
		digits++;
	head->retry_s = -1;
	head->retry_date_s = -1;
	if (value.len && digits == value.len) {
		if (str_to_u64(value, HTTP_RETRY_AFTER_S_MAX, &seconds))
			seconds = HTTP_RETRY_AFTER_S_MAX; /* they are digits, so it is more */
		head->retry_s = (int64_t)seconds;
	} else {
		head->retry_date_s = head_date(value);
	}
}

/* Without what follows the path: a receiver may send the query of the request back, which is nobody else's business. */
static void head_take_location(struct client_head *head, struct str value)
{
	size_t len = 0;

	while (len < value.len && len < HTTP_LOCATION_BYTES_MAX && value.ptr[len] != '?' && value.ptr[len] != '#') {
		char c = value.ptr[len];

		head->location[len++] = c >= 0x20 && c <= 0x7e ? c : '?';
	}
	head->location[len] = '\0';
}

/* Without spaces and tabs at both ends. */
static struct str head_trim(struct str s)
{
	while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = str_slice(s, 1, s.len);
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t' || s.ptr[s.len - 1] == '\r' ||
			 s.ptr[s.len - 1] == '\n'))
		s.len--;
	return s;
}

void client_head_take(struct client_head *head, struct str line)
{
	struct str value = line;
	struct str name;

	if (str_starts_with(line, STR("HTTP/"))) {
		client_head_reset(head);
		head->answered = true;
		return;
	}
	if (head->ended)
		return;
	if (str_eq(line, STR("\r\n")) || str_eq(line, STR("\n"))) {
		head->ended = true;
		return;
	}
	if (!str_cut(&value, ':', &name))
		return;
	if (str_eq_nocase(name, STR("Date")))
		head->date_s = head_date(head_trim(value));
	else if (str_eq_nocase(name, STR("Retry-After")))
		head_take_retry(head, head_trim(value));
	else if (str_eq_nocase(name, STR("Location")))
		head_take_location(head, head_trim(value));
}

int64_t client_head_retry_after_s(const struct client_head *head, int64_t wall_s)
{
	int64_t left;

	if (head->retry_date_s < 0)
		return head->retry_s;
	left = head->retry_date_s - (head->date_s >= 0 ? head->date_s : wall_s);
	if (left < 0)
		return 0;
	return left < HTTP_RETRY_AFTER_S_MAX ? left : HTTP_RETRY_AFTER_S_MAX;
}
