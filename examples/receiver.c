/* An App backend in 30 lines, as a CGI program: `cc receiver.c $(pkg-config --cflags --libs highwater)`. */
#include <highwater/highwater.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

int main(void)
{
	static char body[HW_PACKET_BYTES_MAX + 1];
	const char *method = variable("REQUEST_METHOD"), *query = variable("QUERY_STRING");
	const char *token = variable("CALLBACK_TOKEN"); /* a secret of the server's environment */
	struct hw_receiver_request request = {.method = method,
					      .method_len = strlen(method),
					      .query = query,
					      .query_len = strlen(query),
					      .body = body,
					      .body_len = fread(body, 1, sizeof(body), stdin)};
	struct hw_receiver *receiver = hw_receiver_new();
	struct hw_receiver_event event;
	char reply[HW_REPLY_BYTES_MAX];

	if (hw_receiver_add_app(receiver, (uint32_t)strtoul(variable("SDKAPPID"), NULL, 10), reply, sizeof(reply)) ||
	    hw_receiver_add_token(receiver, (uint32_t)strtoul(variable("SDKAPPID"), NULL, 10), token, strlen(token),
				  reply, sizeof(reply)))
		return fprintf(stderr, "%s\n", reply), 1;
	if (hw_receiver_check(receiver, &request, time(NULL), &event) == HW_RECEIVER_OK && event.has_alert)
		fprintf(stderr, "%s: app %u has %llu of %llu rooms\n", event.event_key,
			event.query.sdkappid, /* keep it safely here, once by its key */
			(unsigned long long)event.alert.room_count, (unsigned long long)event.alert.room_count_max);
	if (hw_receiver_reply(&event, reply, sizeof(reply)) > 0)
		printf("Status: %d\r\nContent-Type: application/json\r\n\r\n%s", event.http_status, reply);
	hw_receiver_free(receiver);
	return 0;
}
