/* What a store may hold of a room, and page tokens: room_info_read takes any bytes, and what it makes of them can be kept
 * and read again; page_token_read takes back what was made and nothing else. */
#include "fuzz.h"
#include "api/page.h"
#include "live/room.h"

#define FUZZ_APP_NUMBER 7

static const struct secret fuzz_key = {{"the store's secret", 18}};

static bool fuzz_same_value(const struct room_value *a, const struct room_value *b)
{
	return str_eq(a->text, b->text) && a->number == b->number && a->tag_count == b->tag_count &&
	       memcmp(a->tags, b->tags, sizeof(a->tags)) == 0;
}

/* Bounds of the table, in a value that was read. */
static void fuzz_value(const struct room_field_rule *rule, const struct room_value *value)
{
	switch (rule->type) {
	case ROOM_FIELD_TEXT:
		fuzz_hold(str_is_utf8(value->text) && value->text.len <= rule->limit);
		break;
	case ROOM_FIELD_WORD:
		fuzz_hold(room_word_ok(rule, value->text));
		break;
	case ROOM_FIELD_NUMBER:
		fuzz_hold(value->number >= 0 && (uint64_t)value->number <= rule->limit);
		break;
	case ROOM_FIELD_FLAG:
	case ROOM_FIELD_LOOSE_FLAG:
		fuzz_hold(value->number == 0 || value->number == 1);
		break;
	case ROOM_FIELD_TAGS:
		fuzz_hold(value->tag_count <= rule->limit);
		break;
	}
}

static void fuzz_info(struct str text)
{
	struct str room_id = STR("room \"1\"");
	struct room_info info;
	struct room_info again;
	struct arena arena;
	struct buf kept;

	arena_init(&arena, 4096);
	room_info_read(text, room_id, &arena, &info);
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++)
		if (info.given >> i & 1)
			fuzz_value(&room_fields[i], &info.values[i]);
	buf_init(&kept, ROOM_INFO_BYTES_MAX); /* as much as an update of the room has */
	room_info_write(&info, &kept);
	fuzz_hold(buf_ok(&kept));
	room_info_read(buf_str(&kept), room_id, &arena, &again);
	fuzz_hold(info.given == again.given);
	for (unsigned i = 0; i < ROOM_FIELD_COUNT; i++)
		fuzz_hold((info.given >> i & 1) == 0 || fuzz_same_value(&info.values[i], &again.values[i]));
	buf_fini(&kept);
	arena_fini(&arena);
}

/* The fuzzer cannot know the seal, so what it comes up with is accepted only by a fault. */
static void fuzz_token(struct str token)
{
	uint64_t sequence = 0;

	fuzz_hold(page_token_read(token, fuzz_key, FUZZ_APP_NUMBER, &sequence) == -1 && sequence == 0);
}

/* A token of our own making, with one byte of it changed as the input says. */
static void fuzz_own_token(const uint8_t *data, size_t size)
{
	uint64_t numbers[2] = {0};
	uint64_t sequence = 0;
	struct buf token;
	char *at;

	memcpy(numbers, data, size < sizeof(numbers) ? size : sizeof(numbers));
	numbers[0] &= INT64_MAX;
	numbers[1] &= (UINT64_C(1) << 40) - 1;
	buf_init(&token, PAGE_TOKEN_BYTES_MAX);
	page_token_append(&token, fuzz_key, FUZZ_APP_NUMBER, (int64_t)numbers[0], numbers[1]);
	fuzz_hold(buf_ok(&token));
	fuzz_hold(page_token_read(buf_str(&token), fuzz_key, FUZZ_APP_NUMBER, &sequence) == 0 &&
		  sequence == numbers[1]);
	fuzz_hold(page_token_read(buf_str(&token), fuzz_key, FUZZ_APP_NUMBER + 1, &sequence) == -1);
	at = &token.ptr[size ? data[0] % token.len : 0];
	*at = (char)(*at ^ (size ? data[size - 1] | 1 : 1));
	fuzz_token(buf_str(&token));
	buf_fini(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};

	fuzz_info(text);
	fuzz_token(text);
	fuzz_own_token(data, size);
	return 0;
}
