#pragma once
/* What a room is made of: its properties, and the named items it keeps (metadata, admins, robots, mutes, bans).
 *
 * Properties stand in one table with type, limit and default. A store keeps them as one JSON object, the room's "info",
 * that room_info_write makes; id, owner, visibility and time of creation have columns of their own. Threads: any. */
#include "base/arena.h"
#include "base/buf.h"

/* ---- properties ---- */

enum room_field {
	ROOM_NAME,
	ROOM_SEAT_TEMPLATE,
	ROOM_SEAT_ENABLED,
	ROOM_TAKE_SEAT_MODE,
	ROOM_MAX_SEAT_COUNT,
	ROOM_MAX_MEMBER_COUNT,
	ROOM_MESSAGE_DISABLED,
	ROOM_COVER_URL,
	ROOM_CATEGORY,
	ROOM_ACTIVITY_STATUS,
	ROOM_UNLIMITED,
	ROOM_SEAT_LAYOUT,
	ROOM_KEEP_OWNER_ON_SEAT,
	ROOM_NOTICE,
	ROOM_VISIBLE, /* not in the info: it has a column, because lists look for it */
	ROOM_FIELD_COUNT
};

enum room_field_type {
	ROOM_FIELD_TEXT,   /* up to `limit` bytes */
	ROOM_FIELD_WORD,   /* one of `words` */
	ROOM_FIELD_NUMBER, /* 0 to `limit` */
	ROOM_FIELD_FLAG,
	ROOM_FIELD_LOOSE_FLAG, /* the text "true" or "false" is read too: the vendor's pages type it both ways */
	ROOM_FIELD_TAGS,       /* up to `limit` integers */
};

#define ROOM_TAG_COUNT_MAX 3	 /* vendor document 63401 */
#define ROOM_INFO_BYTES_MAX 4096 /* of the kept object: every text at its limit, escaped, fits */

struct room_field_rule {
	const char *name; /* on the wire and in the info */
	enum room_field_type type;
	uint64_t limit;
	bool optional;	   /* has no default: left out where it was not given */
	bool updatable;	   /* by update_room_info (vendor document 63403) */
	const char *words; /* "|A|B|"; the first is the default of one that is not optional */
};
extern const struct room_field_rule room_fields[ROOM_FIELD_COUNT];

struct room_value {
	struct str text;
	int64_t number; /* also 0 and 1 of a flag */
	unsigned tag_count;
	int64_t tags[ROOM_TAG_COUNT_MAX];
};

struct room_info {
	uint32_t given; /* bit per enum room_field: has a value */
	struct room_value values[ROOM_FIELD_COUNT];
};

/* True when `word` is one of the rule's. */
bool room_word_ok(const struct room_field_rule *rule, struct str word);
/* Gives every field that has a default and no value its default; an empty name becomes the room's id. */
void room_info_complete(struct room_info *info, struct str room_id);
/* Puts the values that `change` gives over those of `info`. */
void room_info_merge(struct room_info *info, const struct room_info *change);
/* The object to keep. */
void room_info_write(const struct room_info *info, struct buf *out);
/* Reads what room_info_write made, of any version of this program: what is missing or makes no sense gets its default.
 * Text is the arena's. */
void room_info_read(struct str text, struct str room_id, struct arena *arena, struct room_info *out);
/* Appends `"Name":value` of the fields that are given, in this order, with commas between. */
void room_info_append(const struct room_info *info, const enum room_field *fields, size_t count, struct buf *out);

/* A room's statistics, as a JSON object: there are no viewers, gifts or likes here, so all is 0 (vendor document 63406).
 */
#define ROOM_STATISTIC_NONE                                                                                            \
	"{\"TotalViewers\":0,\"TotalGiftsSent\":0,\"TotalGiftCoins\":0,\"TotalUniqueGiftSenders\":0,"                  \
	"\"TotalLikesReceived\":0}"

/* ---- items ---- */

/* Kinds of named things that a room keeps. The numbers are stored. */
enum item_kind {
	ITEM_METADATA = 0, /* name: the key, value: its value */
	ITEM_ADMIN,	   /* name: an account, as in all that follow */
	ITEM_ROBOT,
	ITEM_MUTE, /* until until_s */
	ITEM_BAN,  /* until until_s; value: the reason */
	ITEM_KIND_COUNT
};

#define ROOM_METADATA_COUNT_MAX 10 /* vendor document 64375, as the three below */
#define ROOM_METADATA_KEY_BYTES_MAX 50
#define ROOM_METADATA_VALUE_BYTES_MAX 2048
#define ROOM_METADATA_BYTES_MAX 16384 /* all values of a room together */
#define ROOM_ADMIN_COUNT_MAX 5	      /* vendor document 63427 */
#define ROOM_ROBOT_COUNT_MAX 100      /* ours, as the two below: the vendor names none */
#define ROOM_MUTE_COUNT_MAX 1000
#define ROOM_BAN_COUNT_MAX 1000
#define ROOM_BAN_REASON_BYTES_MAX 200 /* vendor document 76878 */
#define ROOM_ITEM_COUNT_MAX 1000      /* of any kind */

/* The most items of this kind that a room may have. */
size_t item_count_max(enum item_kind kind);

/* An item ends when now reaches until_s; 0 is never. */
bool item_is_over(int64_t until_s, int64_t now_ms);
