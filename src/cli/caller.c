/* Callbacks for tools that try a receiver; see caller.h. The URL and the signatures are made by the functions the backend
 * uses; packets are the samples below. Faults are put in where they belong: before or after signing. */
#include "cli/caller.h"
#include "base/random.h"
#include "base/mem.h"

#include <highwater/sign.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CALLER_OVERSIZED_BYTES (300 * 1024)
#define CALLER_SIGN_OFF_S 600
#define CALLER_SIGNATURE_OFF_S 3600
#define CALLER_UNKNOWN_COMMAND "Live.CallbackAfterSomethingNew"

/* ---- faults ---- */

static const struct {
	const char *word;
	const char *text;
} caller_faults[] = {[CALLER_FAULT_NONE] = {"", "nothing"},
#define CALLER_ROW(name, fault_word, fault_text) [name] = {(fault_word), (fault_text)},
		     CALLER_FAULTS(CALLER_ROW)
#undef CALLER_ROW
};

const char *caller_fault_word(enum caller_fault fault)
{
	return caller_faults[fault].word;
}

const char *caller_fault_text(enum caller_fault fault)
{
	return caller_faults[fault].text;
}

int caller_fault_parse(const char *word, enum caller_fault *out)
{
	for (size_t i = 0; i < ARRAY_LEN(caller_faults); i++) {
		if (strcmp(word, caller_faults[i].word) != 0)
			continue;
		*out = (enum caller_fault)i;
		return 0;
	}
	return -1;
}

bool caller_fault_is_fine(enum caller_fault fault)
{
	return fault < CALLER_FAULT_APP;
}

bool caller_fault_needs_token(enum caller_fault fault)
{
	return fault >= CALLER_FAULT_NO_SIGN && fault <= CALLER_FAULT_FUTURE_SIGN;
}

bool caller_fault_needs_key(enum caller_fault fault)
{
	return fault >= CALLER_FAULT_NO_SIGNATURE && fault <= CALLER_FAULT_CHANGED_BODY;
}

/* ---- packets ---- */

/* What is between the braces behind CallbackCommand. $O operator and $R room as JSON strings, $T time in milliseconds, $S in
 * seconds, $N and $M the counts. Fields and their order are the vendor's (documents 64422 to 72554). */
static const struct {
	enum hw_callback command;
	const char *fields;
} caller_packets[] = {
	{HW_CALLBACK_THRESHOLD, "\"Operator_Account\":$O,\"EventTime\":$T,\"CurRoomCount\":$N,\"MaxRoomCount\":$M"},
	{HW_CALLBACK_ROOM_CREATED,
	 "\"Operator_Account\":$O,\"RoomInfo\":{\"RoomId\":$R,\"RoomName\":$R,\"RoomType\":\"Live\",\"Owner_Account\":$"
	 "O,"
	 "\"MaxMemberCount\":300,\"IsMessageDisabled\":false,\"CustomInfo\":\"\",\"IsSeatEnabled\":false,"
	 "\"TakeSeatMode\":\"FreeToTake\",\"MaxSeatCount\":8,\"CreateTime\":$S,\"IsPublicVisible\":true,\"CoverURL\":"
	 "\"\","
	 "\"Category\":[]},\"EventTime\":$T"},
	{HW_CALLBACK_ROOM_DESTROYED,
	 "\"Operator_Account\":$O,\"RoomId\":$R,\"EventType\":\"DestroyByUser\",\"EventTime\":$T,\"RoomInfo\":{"
	 "\"RoomName\":$R,\"RoomType\":\"Live\",\"Owner_Account\":$O,\"MaxMemberCount\":300,\"IsMessageDisabled\":"
	 "false},"
	 "\"Statistic\":{\"TotalViewers\":0,\"TotalGiftsSent\":0,\"TotalGiftCoins\":0,\"TotalUniqueGiftSenders\":0,"
	 "\"TotalLikesReceived\":0}"},
	{HW_CALLBACK_ROOM_UPDATED,
	 "\"Operator_Account\":$O,\"RoomInfo\":{\"RoomId\":$R,\"RoomName\":\"another name\"},\"EventTime\":$T"},
	{HW_CALLBACK_METADATA_SET,
	 "\"Operator_Account\":$O,\"RoomId\":$R,\"Metadata\":[{\"Key\":\"key\",\"Value\":\"value\"}],\"EventTime\":$T"},
	{HW_CALLBACK_METADATA_DELETED, "\"Operator_Account\":$O,\"RoomId\":$R,\"Keys\":[\"key\"],\"EventTime\":$T"},
	{HW_CALLBACK_MEMBER_STATE,
	 "\"RoomId\":$R,\"EventType\":\"Online\",\"EventCause\":\"Enter\",\"MemberList\":[{\"Member_Account\":$O}],"
	 "\"EventTime\":$T"},
	{HW_CALLBACK_OWNER_CHANGED,
	 "\"RoomId\":$R,\"EventTime\":$T,\"Operator_Account\":$O,\"CurrentOwner_Account\":\"bob\","
	 "\"OriginalOwner_Account\":$O"},
	{HW_CALLBACK_ADMIN_MODIFIED,
	 "\"RoomId\":$R,\"EventTime\":$T,\"Operator_Account\":$O,\"Admin_Account\":[\"bob\"],\"opType\":\"add\""},
	{HW_CALLBACK_SEAT_CHANGED,
	 "\"RoomId\":$R,\"SeatList\":[{\"Index\":0,\"Member_Account\":$O,\"IsTakenDisabled\":false,"
	 "\"IsVideoDisabled\":false,\"IsAudioDisabled\":false}],\"EventTime\":$T"},
	{HW_CALLBACK_BEFORE_GIFT, "\"Operator_Account\":$O,\"RoomId\":$R,\"GiftWater\":{\"From_Account\":$O,\"To_"
				  "Account\":[\"bob\"],\"Time\":$S,"
				  "\"GiftId\":\"rose\",\"Count\":1,\"Coins\":1}"},
};

struct packet_values {
	const struct caller *caller;
	int64_t event_ms;
};

static void packet_append_number(const struct packet_values *values, uint64_t number, struct buf *out)
{
	bool as_text = values->caller->fault == CALLER_FAULT_STRINGS;

	buf_printf(out, as_text ? "\"%" PRIu64 "\"" : "%" PRIu64, number);
}

static void packet_append_value(const struct packet_values *values, char what, struct buf *out)
{
	switch (what) {
	case 'O':
		buf_append_json_string(out, str_c(values->caller->operator_account));
		break;
	case 'R':
		buf_append_json_string(out, str_c(values->caller->room_id));
		break;
	case 'T':
		packet_append_number(values, (uint64_t)values->event_ms, out);
		break;
	case 'S':
		packet_append_number(values, (uint64_t)values->event_ms / 1000, out);
		break;
	case 'N':
		packet_append_number(values, values->caller->room_count, out);
		break;
	default:
		packet_append_number(values, values->caller->room_count_max, out);
		break;
	}
}

static void packet_fill(const struct packet_values *values, const char *fields, struct buf *out)
{
	for (const char *at = fields; *at; at++) {
		if (*at == '$')
			packet_append_value(values, *++at, out);
		else
			buf_append_char(out, *at);
	}
}

static const char *packet_fields(const char *command)
{
	enum hw_callback which;

	if (hw_callback_parse(command, strlen(command), &which))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(caller_packets); i++)
		if (caller_packets[i].command == which)
			return caller_packets[i].fields;
	return NULL;
}

/* The command of URL and packet. */
static const char *caller_command(const struct caller *caller)
{
	if (caller->fault == CALLER_FAULT_UNKNOWN_COMMAND)
		return CALLER_UNKNOWN_COMMAND;
	return caller->command ? caller->command : hw_callback_word(HW_CALLBACK_THRESHOLD);
}

static void caller_pad(struct buf *out)
{
	buf_append_c(out, ",\"Padding\":\"");
	for (size_t i = 0; i < CALLER_OVERSIZED_BYTES; i++)
		buf_append_char(out, 'x');
	buf_append_char(out, '"');
}

/* The packet before it is signed. */
static int caller_build_body(const struct caller *caller, int64_t event_ms, struct buf *out, struct error *err)
{
	const struct packet_values values = {caller, event_ms};
	const char *command = caller_command(caller);
	const char *fields = packet_fields(
		caller->fault == CALLER_FAULT_UNKNOWN_COMMAND ? hw_callback_word(HW_CALLBACK_ROOM_UPDATED) : command);

	if (caller->body.len || caller->fault == CALLER_FAULT_EMPTY || caller->fault == CALLER_FAULT_NO_JSON) {
		if (caller->fault == CALLER_FAULT_NO_JSON)
			buf_append_c(out, "{\"CallbackCommand\":");
		else if (caller->fault != CALLER_FAULT_EMPTY)
			buf_append_str(out, caller->body);
		return 0;
	}
	if (!fields)
		return error_set(err, ERR_INVALID,
				 "there is no sample of the packet of %.80s: give one with --body-file", command);
	if (caller->fault == CALLER_FAULT_MISSING_FIELD)
		fields = "\"Operator_Account\":$O,\"EventTime\":$T,\"MaxRoomCount\":$M";
	buf_append_c(out, "{\"CallbackCommand\":");
	buf_append_json_string(out, str_c(command));
	buf_append_char(out, ',');
	if (caller->fault == CALLER_FAULT_UNKNOWN_FIELDS)
		buf_append_c(out, "\n  \"Unknown\" : {\"Deep\":[1,2,{\"null\":null}]},\n");
	packet_fill(&values, fields, out);
	if (caller->fault == CALLER_FAULT_OVERSIZED)
		caller_pad(out);
	buf_append_char(out, '}');
	return 0;
}

/* ---- the URL ---- */

/* RequestTime, and the token of Sign, of this fault. */
static int64_t caller_sign_time(const struct caller *caller, int64_t now_s)
{
	return caller->fault == CALLER_FAULT_STALE_SIGN	   ? now_s - CALLER_SIGN_OFF_S
	       : caller->fault == CALLER_FAULT_FUTURE_SIGN ? now_s + CALLER_SIGN_OFF_S
							   : now_s;
}

/* A command as a query may hold it: one from a record is whatever a sender once made of it. */
static void caller_append_command(struct buf *out, const char *command)
{
	for (; *command; command++) {
		unsigned char c = (unsigned char)*command;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~", c))
			buf_append_char(out, *command);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* The library makes URLs of commands that it knows, in the backend's order; any other word takes the place of one. It
 * stands behind the URL that was given, in which the same words may stand, too. */
static int caller_replace_command(const struct caller *caller, const char *url, struct caller_request *out,
				  struct error *err)
{
	static const char parameter[] = "&CallbackCommand=";
	const char *known = hw_callback_word(HW_CALLBACK_THRESHOLD);
	const char *command = caller->fault == CALLER_FAULT_COMMAND ? hw_callback_word(HW_CALLBACK_ROOM_DESTROYED)
								    : caller_command(caller);
	const char *at = strstr(url + strlen(caller->url), parameter);
	struct buf text;
	bool fits;

	if (caller->fault == CALLER_FAULT_COMMAND && strcmp(command, caller_command(caller)) == 0)
		command = known;
	if (!at)
		return error_set(err, ERR_INTERNAL, "the URL of the callback cannot be made");
	at += sizeof(parameter) - 1;
	buf_init(&text, sizeof(out->url));
	buf_append(&text, url, (size_t)(at - url));
	caller_append_command(&text, command);
	buf_append_c(&text, at + strlen(known));
	fits = buf_ok(&text) && str_copy(out->url, sizeof(out->url), buf_str(&text));
	buf_fini(&text);
	return fits ? 0 : error_set(err, ERR_INVALID, "the callback's URL is too long");
}

/* Turns the order of the parameters round. */
static void caller_reverse_query(char *url, size_t size)
{
	char *query = strchr(url, '?');
	struct str rest = str_c(query ? query + 1 : "");
	struct buf turned;
	struct str item;
	size_t items = 0;
	struct str list[32];

	while (items < ARRAY_LEN(list) && rest.len) {
		(void)str_cut(&rest, '&', &item); /* the loop looks at the rest */
		list[items++] = item;
	}
	buf_init(&turned, size);
	if (query)
		buf_append(&turned, url, (size_t)(query - url) + 1);
	while (items-- > 0) {
		buf_append_str(&turned, list[items]);
		if (items)
			buf_append_char(&turned, '&');
	}
	if (query)
		(void)str_copy(url, size, buf_str(&turned)); /* of one length */
	buf_fini(&turned);
}

static int caller_build_url(const struct caller *caller, int64_t now_ms, struct caller_request *out, struct error *err)
{
	static const char other_token[] = "not the token";
	struct str token = secret_reveal(caller->token);
	bool with_sign = token.len && caller->fault != CALLER_FAULT_NO_SIGN;
	const char *wrong = hw_callback_url_check(caller->url, strlen(caller->url));
	struct hw_callback_url url = {
		.base = caller->url,
		.sdkappid = caller->fault == CALLER_FAULT_APP ? caller->foreign_sdkappid : caller->sdkappid,
		.command = HW_CALLBACK_THRESHOLD,
		.client_ip = caller->client_ip,
		.platform = caller->platform,
		.token = caller->fault == CALLER_FAULT_BAD_SIGN ? other_token : token.ptr,
		.token_len = !with_sign				      ? 0
			     : caller->fault == CALLER_FAULT_BAD_SIGN ? sizeof(other_token) - 1
								      : token.len,
		.request_time_s = caller_sign_time(caller, now_ms / 1000),
	};
	char text[HW_CALLBACK_REQUEST_URL_BYTES_MAX + 1];

	if (wrong)
		return error_set(err, ERR_INVALID, "%s", wrong);
	if (!with_sign)
		url.token = NULL;
	if (hw_callback_url_build(&url, text, sizeof(text)) < 0)
		return error_set(err, ERR_INVALID, "the callback's URL is too long");
	if (caller_replace_command(caller, text, out, err))
		return -1;
	if (caller->fault == CALLER_FAULT_ORDER)
		caller_reverse_query(out->url, sizeof(out->url));
	return 0;
}

/* ---- headers ---- */

static void caller_add_header(struct caller_request *out, const char *name, const char *value)
{
	char *text = out->header_text[out->header_count];

	(void)snprintf(text, CALLER_HEADER_BYTES_MAX + 1, "%s: %s", name, value); /* sized for all of them */
	out->headers[out->header_count++] = text;
}

static void caller_add_number(struct caller_request *out, const char *name, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value); /* fits */
	caller_add_header(out, name, text);
}

static int64_t caller_signature_time(const struct caller *caller, int64_t now_s)
{
	return caller->fault == CALLER_FAULT_STALE_SIGNATURE	? now_s - CALLER_SIGNATURE_OFF_S
	       : caller->fault == CALLER_FAULT_FUTURE_SIGNATURE ? now_s + CALLER_SIGNATURE_OFF_S
								: now_s;
}

static int caller_sign(const struct caller *caller, int64_t time_s, struct caller_request *out, struct error *err)
{
	const struct hw_webhook_message message = {.id = out->event_id,
						   .id_len = strlen(out->event_id),
						   .time_s = time_s,
						   .body = buf_c(&out->body),
						   .body_len = out->body.len};
	struct hw_webhook_key key = *caller->key;
	char signature[HW_WEBHOOK_SIGNATURE_SIZE(1)];
	unsigned char other[HW_WEBHOOK_SEED_BYTES];
	int len;

	random_bytes(other, sizeof(other));
	if (caller->fault == CALLER_FAULT_BAD_SIGNATURE && hw_webhook_key_make(key.kind, other, sizeof(other), &key))
		return error_set(err, ERR_INTERNAL, "another key cannot be made");
	len = hw_webhook_sign(&message, &key, 1, signature, sizeof(signature));
	hw_webhook_key_wipe(&key);
	if (len < 0)
		return error_set(err, ERR_INVALID, "the callback cannot be signed: its id or its body is too long");
	caller_add_header(out, "webhook-signature", signature);
	return 0;
}

static int caller_build_headers(const struct caller *caller, int64_t now_ms, struct caller_request *out,
				struct error *err)
{
	int64_t time_s = caller_signature_time(caller, now_ms / 1000);

	caller_add_header(out, "Content-Type", "application/json");
	caller_add_header(out, "User-Agent", "Highwater/" HW_VERSION);
	if (caller->fault == CALLER_FAULT_METHOD) /* many servers leave the body of a GET unread */
		caller_add_header(out, "Connection", "close");
	if (caller->fault == CALLER_FAULT_NO_ID)
		return 0;
	caller_add_header(out, "webhook-id", out->event_id);
	caller_add_number(out, "webhook-timestamp", time_s);
	caller_add_number(out, "Highwater-Attempt", caller->attempt ? caller->attempt : 1);
	if (caller->sequence)
		caller_add_number(out, "Highwater-Sequence", caller->sequence);
	if (caller->threshold)
		caller_add_number(out, "Highwater-Threshold", caller->threshold);
	if (caller->is_test)
		caller_add_header(out, "Highwater-Test", "1");
	if (caller->replay)
		caller_add_number(out, "Highwater-Replay", caller->replay);
	if (!caller->key || caller->fault == CALLER_FAULT_NO_SIGNATURE)
		return 0;
	return caller_sign(caller, time_s, out, err);
}

/* ---- all of it ---- */

void caller_event_id(char out[CALLER_EVENT_ID_BYTES + 1])
{
	(void)snprintf(out, CALLER_EVENT_ID_BYTES + 1, "evt_%016" PRIx64 "%016" PRIx64, random_u64(),
		       random_u64()); /* fits */
}

static int caller_choose_id(const struct caller *caller, struct caller_request *out, struct error *err)
{
	struct str id = str_c(caller->event_id ? caller->event_id : "");

	if (id.len == 0) {
		caller_event_id(out->event_id);
		return 0;
	}
	if (id.len > HW_WEBHOOK_ID_BYTES_MAX || !str_is_printable_ascii(id) || str_find_char(id, ' ') >= 0 ||
	    str_find_char(id, '.') >= 0)
		return error_set(
			err, ERR_INVALID,
			"an event's id has 1 to %d characters of printable ASCII, none of them a space or a full "
			"stop",
			HW_WEBHOOK_ID_BYTES_MAX);
	(void)str_copy(out->event_id, sizeof(out->event_id), id); /* fits */
	return 0;
}

int caller_build(const struct caller *caller, int64_t now_ms, struct caller_request *out, struct error *err)
{
	int64_t there_ms = now_ms + caller->skew_ms;

	*out = (struct caller_request){.header_count = 0};
	buf_init(&out->body, CALLER_BODY_BYTES_MAX);
	if (caller_choose_id(caller, out, err) || caller_build_url(caller, there_ms, out, err) ||
	    caller_build_body(caller, caller->event_ms ? caller->event_ms : there_ms, &out->body, err))
		return -1;
	if (!buf_ok(&out->body))
		return error_set(err, ERR_INVALID, "the packet has more than %d bytes", CALLER_BODY_BYTES_MAX);
	if (caller_build_headers(caller, there_ms, out, err))
		return -1;
	if (caller->fault == CALLER_FAULT_CHANGED_BODY && out->body.len)
		out->body.ptr[out->body.len - 1] = ' '; /* and the brace comes after it */
	if (caller->fault == CALLER_FAULT_CHANGED_BODY)
		buf_append_char(&out->body, '}');
	out->http = (struct http_request){.method = caller->fault == CALLER_FAULT_METHOD ? "GET" : "POST",
					  .url = out->url,
					  .headers = out->headers,
					  .header_count = out->header_count,
					  .body = buf_str(&out->body)};
	return 0;
}

void caller_request_free(struct caller_request *request)
{
	buf_fini(&request->body);
}
