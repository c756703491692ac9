/* Reads the few fields of a reply's header that are kept; see client_head.h.
 *
 * All of it comes from a stranger: what cannot be read is left out, numbers and texts have bounds, a field that comes
 * twice counts as it came last. */
#include "http/client_head.h"

#include <curl/curl.h>

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

/* An HTTP-date (RFC 9110, 5.6.7) in seconds since 1970; -1 when it is none. */
static int64_t head_date(struct str value)
{
	char text[HEAD_DATE_BYTES_MAX + 1];
	time_t date;

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
