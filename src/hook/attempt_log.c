/* The log of attempts; see attempt_log.h. Entries are joined by a comma and a line feed, which no entry holds, since
 * JSON writes the line feeds of a text as \n: so the oldest can be cut off without a parser. */
#include "hook/attempt_log.h"
#include "base/json.h"

#include <assert.h>
#include <inttypes.h>

#define ATTEMPT_LOG_JOINT ",\n"

static size_t attempt_log_find_joint(struct str log)
{
	for (size_t i = 0; i + 1 < log.len; i++)
		if (log.ptr[i] == ',' && log.ptr[i + 1] == '\n')
			return i;
	return log.len;
}

static size_t attempt_log_count(struct str entries)
{
	size_t count = 0;

	while (entries.len) {
		size_t joint = attempt_log_find_joint(entries);

		count++;
		entries = str_slice(entries, joint < entries.len ? joint + 2 : entries.len, entries.len);
	}
	return count;
}

/* What is inside the brackets of the log, without the oldest entries that have no place any more. */
static struct str attempt_log_kept(struct str log)
{
	struct str entries = log.len > 2 ? str_slice(log, 1, log.len - 2) : STR("");
	size_t count = attempt_log_count(entries);

	for (; count >= ATTEMPT_LOG_COUNT_MAX; count--)
		entries = str_slice(entries, attempt_log_find_joint(entries) + 2, entries.len);
	return entries;
}

static void attempt_log_append_excerpt(struct buf *out, struct str body)
{
	char text[ATTEMPT_LOG_REPLY_BYTES];
	size_t len = body.len < sizeof(text) ? body.len : sizeof(text);

	for (size_t i = 0; i < len; i++)
		text[i] = body.ptr[i];
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			text[i] = text[i] == '\n' || text[i] == '\r' || text[i] == '\t' ? ' ' : '?';
	buf_append_json_string(out, (struct str){text, len});
}

static void attempt_log_append_result(struct buf *out, const struct http_result *result)
{
	buf_append_c(out, ",\"Address\":");
	buf_append_json_string(out, str_c(result->address));
	buf_append_c(out, ",\"Tls\":");
	buf_append_json_string(out, str_c(result->tls));
	buf_printf(out,
		   ",\"Outcome\":\"%s\",\"HttpStatus\":%d,\"DnsTime\":%" PRId64 ",\"ConnectTime\":%" PRId64
		   ",\"TlsTime\":%" PRId64 ",\"FirstByteTime\":%" PRId64 ",\"TotalTime\":%" PRId64 ",\"Reply\":",
		   http_outcome_word(result->outcome), result->status, result->dns_us, result->connect_us,
		   result->tls_us, result->first_byte_us, result->duration_us);
	attempt_log_append_excerpt(out, result->body);
}

static void attempt_log_write(struct buf *out, struct str kept, const struct attempt_entry *entry)
{
	buf_append_char(out, '[');
	buf_append_str(out, kept);
	if (kept.len)
		buf_append_c(out, ATTEMPT_LOG_JOINT);
	buf_printf(out, "{\"Attempt\":%" PRIu32 ",\"Time\":%" PRId64, entry->number, entry->time_ms);
	if (entry->result)
		attempt_log_append_result(out, entry->result);
	else
		buf_append_c(out, ",\"Outcome\":\"not_sent\"");
	buf_append_c(out, ",\"Error\":");
	buf_append_json_string(out, str_c(entry->error));
	buf_append_c(out, "}]");
}

static bool attempt_log_is_json(const struct buf *log)
{
	struct error err;
	json_t *root;

	if (!buf_ok(log) || json_read(buf_str(log), &root, &err))
		return false;
	json_decref(root);
	return true;
}

/* What was stored is read before it is given on: a file that was tampered with must not make rubbish of the API's
 * replies. Ten of our entries always fit. */
void attempt_log_append(struct buf *out, struct str log, const struct attempt_entry *entry)
{
	attempt_log_write(out, attempt_log_kept(log), entry);
	if (log.len == 0 || attempt_log_is_json(out))
		return;
	buf_reset(out);
	attempt_log_write(out, STR(""), entry);
	assert(buf_ok(out));
}
