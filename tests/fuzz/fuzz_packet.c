/* hw_alert_parse and hw_packet_command: what was read can be written and read again. */
#include "fuzz.h"

#include <highwater/callback.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char command[64] = "";
	char reason[64] = "";
	char body[HW_ALERT_BYTES_MAX];
	struct hw_alert alert;
	struct hw_alert again;
	int len;

	if (hw_packet_command((const char *)data, size, command, reason, sizeof(reason)) == 0)
		fuzz_hold(strlen(command) > 0 && strlen(command) < sizeof(command));
	else
		fuzz_hold(reason[0]);
	reason[0] = '\0';
	if (hw_alert_parse((const char *)data, size, &alert, reason, sizeof(reason))) {
		fuzz_hold(reason[0]);
		return 0;
	}
	fuzz_hold(strcmp(command, hw_callback_word(HW_CALLBACK_THRESHOLD)) == 0);
	len = hw_alert_build(&alert, body, sizeof(body));
	fuzz_hold(len > 0 && hw_alert_parse(body, (size_t)len, &again, reason, sizeof(reason)) == 0);
	fuzz_hold(strcmp(alert.operator_account, again.operator_account) == 0);
	fuzz_hold(alert.event_time_ms == again.event_time_ms && alert.room_count == again.room_count &&
		  alert.room_count_max == again.room_count_max);
	return 0;
}
