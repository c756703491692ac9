/* Recorded events in words; see record_words.h. */
#include "cli/record_words.h"
#include "base/json.h"

#include <inttypes.h>

#define WORDS_COMMON STR("Live.CallbackAfter")

/* The code point at `i`, and how many bytes it has; text that is not UTF-8 goes byte by byte. */
static uint32_t words_code_point(struct str text, size_t i, size_t *len_out)
{
	unsigned char c = (unsigned char)text.ptr[i];
	size_t len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	uint32_t point = len == 1 ? c : c & (0xffu >> (len + 1));

	*len_out = 1;
	if (c >= 0x80 && (len == 1 || i + len > text.len))
		return 0xfffd;
	for (size_t k = 1; k < len; k++) {
		if (((unsigned char)text.ptr[i + k] & 0xc0) != 0x80)
			return 0xfffd;
		point = point << 6 | ((unsigned char)text.ptr[i + k] & 0x3f);
	}
	*len_out = len;
	return point;
}

static bool words_is_safe(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} unsafe[] = {{0, 0x1f},	{0x7f, 0x9f},	  {0x61c, 0x61c},   {0x200b, 0x200f},	{0x2028, 0x202e},
		      {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff0, 0xfffd}, {0xe0000, 0x10ffff}};

	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		if (point >= unsafe[i].first && point <= unsafe[i].last)
			return false;
	return true;
}

void record_append_safe(struct buf *out, struct str text)
{
	size_t len;

	for (size_t i = 0; i < text.len; i += len) {
		if (words_is_safe(words_code_point(text, i, &len)))
			buf_append_str(out, str_slice(text, i, len));
		else
			buf_append_char(out, text.ptr[i] == '\n' || text.ptr[i] == '\t' ? ' ' : '?');
	}
}

static void words_append_room(struct str text, struct buf *out)
{
	struct str room = STR("");
	json_t *info = NULL;
	json_t *body = NULL;
	struct error err;

	if (json_read(text, &body, &err))
		return; /* a damaged record is told elsewhere */
	if (json_field_str(body, "RoomId", &room) != JSON_FOUND &&
	    json_field_object(body, "RoomInfo", &info) == JSON_FOUND)
		(void)json_field_str(info, "RoomId", &room); /* "" when it is not there */
	if (room.len) {
		buf_append_char(out, ' ');
		record_append_safe(out, room);
	}
	json_decref(body);
}

static void words_append_callback(const struct record_row *row, struct buf *out)
{
	struct str command = row->command;
	struct hw_alert alert;

	if (str_eq(command, str_c(hw_callback_word(HW_CALLBACK_THRESHOLD))) &&
	    hw_alert_parse(row->body.ptr, row->body.len, &alert, NULL, 0) == 0) {
		buf_printf(out, "%salert, %" PRIu64 " of %" PRIu64 " rooms", row->is_test ? "test " : "",
			   alert.room_count, alert.room_count_max);
		return;
	}
	if (str_starts_with(command, WORDS_COMMON))
		command = str_slice(command, WORDS_COMMON.len, command.len);
	record_append_safe(out, command);
	words_append_room(row->body, out);
}

void record_describe(const struct record_row *row, struct buf *out)
{
	switch (row->kind) {
	case RECORD_CALLBACK:
		words_append_callback(row, out);
		break;
	case RECORD_SILENT:
		buf_printf(out, "no callback for %" PRId64 " s", record_body_number(row->body, "SilentSeconds"));
		break;
	case RECORD_RESUMED:
		buf_printf(out, "callbacks again, after %" PRId64 " s", record_body_number(row->body, "SilentSeconds"));
		break;
	case RECORD_RESOLVED:
		if (record_body_number(row->body, "Threshold"))
			buf_printf(out, "alert of %" PRId64 " %% resolved by hand",
				   record_body_number(row->body, "Threshold"));
		else
			buf_append_c(out, "alerts resolved by hand");
		break;
	case RECORD_KIND_COUNT:
		break;
	}
}

int record_find_word(struct record_reader *reader, struct arena *arena, const char *word, struct record_row *row_out,
		     struct error *err)
{
	uint64_t number;
	int found = 0;

	if (str_to_u64(str_c(word), INT64_MAX, &number) == 0)
		found = record_read_id(reader, arena, (int64_t)number, row_out, err);
	return found ? found : record_read_webhook_id(reader, arena, str_c(word), row_out, err);
}
