/* A row of the record as text; see record.h. */
#include "base/json.h"
#include "receive/record.h"

#include <string.h>

const char *record_kind_word(enum record_kind kind)
{
	static const char *const words[] = {
#define RECORD_WORD(name, word) [name] = (word),
		RECORD_KINDS(RECORD_WORD)
#undef RECORD_WORD
	};

	return words[kind];
}

int64_t record_body_number(struct str body, const char *key)
{
	int64_t value = 0;
	struct error err;
	json_t *root;

	if (json_read(body, &root, &err))
		return 0;
	(void)json_field_i64(root, key, 0, INT64_MAX, &value); /* 0 when it is not there */
	json_decref(root);
	return value;
}

/* ---- JSON ---- */

static void text_append_key(struct buf *out, const char *key)
{
	buf_append_c(out, ",\"");
	buf_append_c(out, key);
	buf_append_c(out, "\":");
}

static void text_append_text(struct buf *out, const char *key, struct str value)
{
	text_append_key(out, key);
	buf_append_json_string(out, value);
}

static void text_append_number(struct buf *out, const char *key, int64_t value)
{
	text_append_key(out, key);
	buf_append_i64(out, value);
}

/* What the sender did not say is left out. */
static void text_append_said(struct buf *out, const char *key, int64_t value)
{
	if (value >= 0)
		text_append_number(out, key, value);
}

static void text_append_bool(struct buf *out, const char *key, bool value)
{
	text_append_key(out, key);
	buf_append_c(out, value ? "true" : "false");
}

/* Copies valid JSON without the white space between its tokens: numbers and strings stay as the sender wrote them, and
 * what is left has no line break, because strings may not hold a raw one. */
static void text_append_json(struct buf *out, struct str json)
{
	bool in_string = false;
	size_t start = 0; /* first byte not yet copied */

	for (size_t i = 0; i < json.len; i++) {
		char c = json.ptr[i];

		if (in_string) {
			if (c == '\\')
				i++; /* the escaped byte opens and closes nothing */
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			buf_append_str(out, str_slice(json, start, i - start));
			start = i + 1;
		}
	}
	buf_append_str(out, str_slice(json, start, json.len));
}

/* What the signature that was verified is called in webhook-signature. */
static struct str text_webhook_word(enum hw_webhook_kind kind)
{
	if (kind == HW_WEBHOOK_NONE)
		return STR("");
	return kind == HW_WEBHOOK_SECRET ? STR("v1") : STR("v1a");
}

void record_append_json(const struct record_row *row, struct buf *out)
{
	size_t start = out->len;

	buf_append_c(out, "{\"Id\":");
	buf_append_i64(out, row->id);
	text_append_text(out, "Kind", str_c(record_kind_word(row->kind)));
	text_append_number(out, "ReceivedTime", row->receive_ms);
	text_append_number(out, "SdkAppid", row->sdkappid);
	text_append_text(out, "CallbackCommand", row->command);
	text_append_text(out, "ClientIP", row->client_ip);
	text_append_text(out, "OptPlatform", row->platform);
	text_append_bool(out, "Signed", row->is_signed);
	if (row->webhook_id.len)
		text_append_text(out, "WebhookId", row->webhook_id);
	text_append_said(out, "Attempt", row->attempt);
	text_append_said(out, "Sequence", row->sequence);
	text_append_said(out, "Threshold", row->threshold);
	text_append_text(out, "Peer", row->peer);
	text_append_key(out, "Body");
	text_append_json(out, row->body);
	text_append_text(out, "Signature", text_webhook_word(row->webhook_kind));
	if (row->is_test)
		text_append_bool(out, "Test", true);
	text_append_said(out, "Replay", row->replay);
	text_append_number(out, "Times", (int64_t)row->times);
	text_append_number(out, "LastTime", row->last_ms);
	buf_append_char(out, '}');
	json_escape_unsafe(out, start);
}

/* ---- CSV ---- */

/* A cell in quotes. One that a spreadsheet would take for a formula, which whoever sends callbacks could want to be run
 * there, gets an apostrophe in front. */
static void text_append_cell(struct buf *out, struct str value)
{
	buf_append_char(out, '"');
	if (value.len && memchr("=+-@\t\r", value.ptr[0], 6))
		buf_append_char(out, '\'');
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '"')
			buf_append_char(out, '"');
		buf_append_char(out, value.ptr[i]);
	}
	buf_append_char(out, '"');
}

static void text_append_cell_number(struct buf *out, int64_t value)
{
	if (value >= 0)
		buf_append_i64(out, value);
}

void record_append_csv_head(struct buf *out)
{
	buf_append_c(out, "Id,Kind,ReceivedTime,SdkAppid,CallbackCommand,ClientIP,OptPlatform,Signed,WebhookId,Attempt,"
			  "Sequence,Threshold,Peer,Body,Signature,Test,Replay,Times,LastTime\r\n");
}

void record_append_csv(const struct record_row *row, struct buf *out)
{
	const struct {
		struct str text; /* ptr NULL for a number */
		int64_t number;
	} cells[] = {
		{{0}, row->id},
		{str_c(record_kind_word(row->kind)), 0},
		{{0}, row->receive_ms},
		{{0}, row->sdkappid},
		{row->command, 0},
		{row->client_ip, 0},
		{row->platform, 0},
		{row->is_signed ? STR("true") : STR("false"), 0},
		{row->webhook_id, 0},
		{{0}, row->attempt},
		{{0}, row->sequence},
		{{0}, row->threshold},
		{row->peer, 0},
		{row->body, 0},
		{text_webhook_word(row->webhook_kind), 0},
		{row->is_test ? STR("true") : STR("false"), 0},
		{{0}, row->replay},
		{{0}, (int64_t)row->times},
		{{0}, row->last_ms},
	};
	struct buf body;

	buf_init(&body, RECORD_LINE_BYTES_MAX);
	text_append_json(&body, row->body);
	json_escape_unsafe(&body, 0);
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		if (i)
			buf_append_char(out, ',');
		if (cells[i].text.ptr == row->body.ptr && cells[i].text.ptr)
			text_append_cell(out, buf_str(&body));
		else if (cells[i].text.ptr)
			text_append_cell(out, cells[i].text);
		else
			text_append_cell_number(out, cells[i].number);
	}
	buf_append_c(out, "\r\n");
	buf_fini(&body);
}
