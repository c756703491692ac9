/* The alert's packet, both directions; see highwater/callback.h.
 *
 * The vendor's table types CurRoomCount as String and MaxRoomCount as Array, its sample shows integers. Written are
 * integers; read are integers and strings of digits. */
#include "protocol/wire.h"

#include <highwater/callback.h>

int hw_alert_build(const struct hw_alert *alert, char *out, size_t out_size)
{
	struct buf text;

	buf_init(&text, HW_ALERT_BYTES_MAX);
	buf_append_c(&text, "{\"CallbackCommand\":\"");
	buf_append_c(&text, hw_callback_word(HW_CALLBACK_THRESHOLD));
	buf_append_c(&text, "\",\"Operator_Account\":");
	wire_append_text(&text, alert->operator_account, sizeof(alert->operator_account));
	buf_append_c(&text, ",\"EventTime\":");
	buf_append_i64(&text, alert->event_time_ms);
	buf_append_c(&text, ",\"CurRoomCount\":");
	buf_append_u64(&text, alert->room_count);
	buf_append_c(&text, ",\"MaxRoomCount\":");
	buf_append_u64(&text, alert->room_count_max);
	buf_append_char(&text, '}');
	return wire_take(&text, out, out_size);
}

/* The command of the packet, borrowed from the tree. */
static int packet_command(const json_t *root, struct str *out, char *reason, size_t reason_size)
{
	switch (json_field_str(root, "CallbackCommand", out)) {
	case JSON_ABSENT:
		return wire_refuse(reason, reason_size, "CallbackCommand is missing in the body");
	case JSON_WRONG:
		return wire_refuse(reason, reason_size, "CallbackCommand in the body is not a string");
	case JSON_FOUND:
		break;
	}
	return 0;
}

static int packet_number(const json_t *root, const char *key, uint64_t *out, char *reason, size_t reason_size)
{
	switch (json_field_loose_u64(root, key, INT64_MAX, out)) {
	case JSON_ABSENT:
		return wire_refuse(reason, reason_size, "%s is missing in the body", key);
	case JSON_WRONG:
		return wire_refuse(reason, reason_size, "%s in the body is not a number", key);
	case JSON_FOUND:
		break;
	}
	return 0;
}

static int packet_alert(const json_t *root, struct hw_alert *out, char *reason, size_t reason_size)
{
	struct str command;
	struct str account;
	uint64_t time_ms;

	if (packet_command(root, &command, reason, reason_size))
		return -1;
	if (!str_eq(command, str_c(hw_callback_word(HW_CALLBACK_THRESHOLD))))
		return wire_refuse(reason, reason_size, "CallbackCommand in the body is not that of the alert");
	if (json_field_str(root, "Operator_Account", &account) != JSON_FOUND)
		return wire_refuse(reason, reason_size, "Operator_Account is missing in the body or not a string");
	if (!str_copy(out->operator_account, sizeof(out->operator_account), account))
		return wire_refuse(reason, reason_size, "Operator_Account is longer than %d bytes",
				   HW_IDENTIFIER_BYTES_MAX);
	if (packet_number(root, "EventTime", &time_ms, reason, reason_size) ||
	    packet_number(root, "CurRoomCount", &out->room_count, reason, reason_size) ||
	    packet_number(root, "MaxRoomCount", &out->room_count_max, reason, reason_size))
		return -1;
	out->event_time_ms = (int64_t)time_ms;
	return 0;
}

int hw_alert_parse(const char *body, size_t len, struct hw_alert *out, char *reason, size_t reason_size)
{
	json_t *root = wire_read_object((struct str){body, len}, reason, reason_size);
	struct hw_alert read = {0};
	int rc;

	if (!root)
		return -1;
	rc = packet_alert(root, &read, reason, reason_size);
	if (rc == 0)
		*out = read;
	json_decref(root);
	return rc;
}

int hw_packet_command(const char *body, size_t len, char out[64], char *reason, size_t reason_size)
{
	json_t *root = wire_read_object((struct str){body, len}, reason, reason_size);
	struct str command;
	int rc;

	if (!root)
		return -1;
	rc = packet_command(root, &command, reason, reason_size);
	if (rc == 0 && (command.len == 0 || command.len > 63))
		rc = wire_refuse(reason, reason_size, "CallbackCommand in the body has not 1 to 63 bytes");
	if (rc == 0)
		(void)str_copy(out, 64, command); /* measured just above */
	json_decref(root);
	return rc;
}
