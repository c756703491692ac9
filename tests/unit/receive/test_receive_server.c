/* The receiver behind the real HTTP server, over loopback: what a sender sees on the wire. */
#include "base/log.h"
#include "base/mem.h"
#include "receive/receive.h"
#include "unit/protocol/webhook_vectors.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ALERT "Live.CallbackAfterCreateRoomReachingThreshold"
#define QUERY "SdkAppid=1400000001&CallbackCommand=" ALERT "&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI"
#define FIELDS                                                                                                         \
	"\"Operator_Account\":\"brennanli\",\"EventTime\":1739966441121,\"CurRoomCount\":400,\"MaxRoomCount\":500"
#define BODY "{\"CallbackCommand\":\"" ALERT "\"," FIELDS "}"
#define TOKEN "xxxxyyyy"

struct fixture {
	char folder[64];
	char path[96];
	struct receive *receive;
	struct http_server *server;
	const char *headers; /* further ones to send, each with its line end; NULL for none */
	char reply[8192];    /* the whole of the last one */
};

static int setup_with_keys(void **state, const struct hw_webhook_trust *trust)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));
	struct receive_options options = {.sdkappids = {1400000001},
					  .sdkappid_count = 1,
					  .path = "/callback",
					  .token = secret_of(STR(TOKEN)),
					  .trust = *trust,
					  .record_path = fixture->path};
	struct http_server_options http = {.listen = "127.0.0.1:0",
					   .thread_count = 2,
					   .body_bytes_max = 65536,
					   .header_bytes_max = 16384,
					   .connection_count_max = 64,
					   .request_timeout_ms = 10000,
					   .idle_timeout_ms = 10000,
					   .handler = receive_handle,
					   .refuse = receive_refuse};
	struct error err;

	(void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/highwater-receive-XXXXXX"); /* fits, as below */
	assert_non_null(mkdtemp(fixture->folder));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/record", fixture->folder);
	if (receive_open(&options, &fixture->receive, &err))
		fail_msg("%s", err.text);
	http.context = fixture->receive;
	if (http_server_open(&http, &fixture->server, &err) || http_server_start(fixture->server, &err))
		fail_msg("%s", err.text);
	*state = fixture;
	return 0;
}

static int setup(void **state)
{
	static const struct hw_webhook_trust none;

	return setup_with_keys(state, &none);
}

static struct hw_webhook_key webhook_key(const char *text)
{
	struct hw_webhook_key key;

	assert_int_equal(hw_webhook_key_parse(text, strlen(text), &key, NULL, 0), 0);
	return key;
}

/* The receiver keeps copies of the keys: these are gone when it is asked. */
static int setup_webhook(void **state)
{
	struct hw_webhook_key keys[2] = {webhook_key(VECTOR_SECRET), webhook_key(VECTOR_PUBLIC)};
	const struct hw_webhook_trust trust = {keys, ARRAY_LEN(keys), 300};
	int result = setup_with_keys(state, &trust);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		hw_webhook_key_wipe(&keys[i]);
	return result;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	http_server_drain(fixture->server, 10000);
	http_server_close(&fixture->server);
	receive_close(&fixture->receive);
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(rmdir(fixture->folder), 0);
	mem_free(fixture);
	return 0;
}

static int connect_to(const struct fixture *fixture)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)http_server_port(fixture->server)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_text(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

		assert_true(sent > 0);
		text += sent;
		len -= (size_t)sent;
	}
}

/* Reads until the server closes, which the requests here ask for. Returns the status. */
static int read_reply(struct fixture *fixture, int fd)
{
	size_t len = 0;
	ssize_t got;
	int status = 0;

	while ((got = recv(fd, fixture->reply + len, sizeof(fixture->reply) - 1 - len, 0)) > 0)
		len += (size_t)got;
	fixture->reply[len] = '\0';
	assert_int_equal(close(fd), 0);
	assert_int_equal(sscanf(fixture->reply, "HTTP/1.1 %3d", &status), 1);
	return status;
}

static int exchange(struct fixture *fixture, const char *method, const char *target, const char *body)
{
	const char *headers = fixture->headers ? fixture->headers : "";
	char *request = mem_zalloc(strlen(target) + strlen(headers) + strlen(body) + 512);
	int fd = connect_to(fixture);

	(void)sprintf(request,
		      "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
		      "webhook-id: evt_1\r\nHighwater-Attempt: 3\r\n%sContent-Length: %zu\r\n\r\n%s",
		      method, target, headers, strlen(body), body); /* sized above */
	send_text(fd, request);
	mem_free(request);
	return read_reply(fixture, fd);
}

static const char *reply_body(const struct fixture *fixture)
{
	const char *body = strstr(fixture->reply, "\r\n\r\n");

	assert_non_null(body);
	return body + 4;
}

static void signed_target(char *out, size_t size, int64_t time_s)
{
	char sign[HW_SIGN_HEX_BYTES + 1];

	hw_sign(TOKEN, strlen(TOKEN), time_s, sign);
	(void)snprintf(out, size, "/callback?" QUERY "&Sign=%s&RequestTime=%lld", sign, (long long)time_s); /* fits */
}

static size_t record_read(const struct fixture *fixture, char *out, size_t size)
{
	FILE *file = fopen(fixture->path, "rb");
	size_t len;

	assert_non_null(file);
	len = fread(out, 1, size - 1, file);
	out[len] = '\0';
	assert_int_equal(fclose(file), 0);
	return len;
}

static void test_receive_server_answers_exactly_ok(void **state)
{
	struct fixture *fixture = *state;
	char target[512];
	char record[2048];
	size_t len;

	signed_target(target, sizeof(target), time(NULL));
	assert_int_equal(exchange(fixture, "POST", target, BODY), 200);
	assert_string_equal(reply_body(fixture), HW_REPLY_OK);
	assert_non_null(strcasestr(fixture->reply, "\r\ncontent-type: application/json\r\n"));
	len = record_read(fixture, record, sizeof(record));
	assert_true(len > 0 && record[len - 1] == '\n');
	assert_non_null(strstr(record, "\"Signed\":true,\"WebhookId\":\"evt_1\",\"Attempt\":3,\"Peer\":\"127.0.0.1\""));
	assert_non_null(strstr(record, "\"Body\":" BODY ",\"Signature\":\"\"}\n"));
}

static void test_receive_server_refuses_in_the_same_form(void **state)
{
	static const struct {
		const char *method;
		const char *target; /* NULL for a signed one */
		const char *body;
		int status;
	} cases[] = {
		{"GET", NULL, "", 405},
		{"POST", "/other?" QUERY, BODY, 404},
		{"POST", "/callback", BODY, 400},
		{"POST", "/callback?SdkAppid=7&CallbackCommand=" ALERT, BODY, 403},
		{"POST", "/callback?" QUERY, BODY, 401},
		{"POST", NULL, "{", 400},
		{"POST", NULL, "{\"CallbackCommand\":\"Live.CallbackAfterCreateRoom\"}", 400},
	};
	struct fixture *fixture = *state;
	char record[16];
	char target[512];

	signed_target(target, sizeof(target), time(NULL));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *to = cases[i].target ? cases[i].target : target;

		assert_int_equal(exchange(fixture, cases[i].method, to, cases[i].body), cases[i].status);
		assert_int_equal(strncmp(reply_body(fixture), "{\"ActionStatus\":\"FAIL\",\"ErrorInfo\":\"", 36), 0);
		assert_non_null(strcasestr(fixture->reply, "\r\ncontent-type: application/json\r\n"));
		assert_int_equal(strcasestr(fixture->reply, "\r\nallow: POST\r\n") != NULL, cases[i].status == 405);
	}
	assert_int_equal(record_read(fixture, record, sizeof(record)), 0);
}

static void test_receive_server_refuses_a_body_over_its_limit(void **state)
{
	struct fixture *fixture = *state;
	char *body = mem_zalloc(65538);

	memset(body, 'x', 65537);
	assert_int_equal(exchange(fixture, "POST", "/callback?" QUERY, body), 413);
	assert_int_equal(strncmp(reply_body(fixture), "{\"ActionStatus\":\"FAIL\",", 23), 0);
	mem_free(body);
}

/* Many at once: each is answered, and each is one line. */
static void test_receive_server_records_each_of_many(void **state)
{
	struct fixture *fixture = *state;
	struct receive_stats stats;
	char target[512];
	char request[2048];
	int fds[40];

	signed_target(target, sizeof(target), time(NULL));
	(void)snprintf(request, sizeof(request),
		       "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n" BODY,
		       target, strlen(BODY)); /* fits */
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = connect_to(fixture);
		send_text(fds[i], request);
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		assert_int_equal(read_reply(fixture, fds[i]), 200);
		assert_string_equal(reply_body(fixture), HW_REPLY_OK);
	}
	receive_stats(fixture->receive, &stats);
	assert_int_equal(stats.verified_total, ARRAY_LEN(fds));
}

/* Sends a callback with the headers `first`, then the webhook headers of one signed with the key. Returns the status. */
static int exchange_webhook(struct fixture *fixture, const char *key_text, const char *first)
{
	const struct hw_webhook_key key = webhook_key(key_text);
	const struct hw_webhook_message message = {"evt_1", 5, time(NULL), BODY, strlen(BODY)};
	char signature[HW_WEBHOOK_SIGNATURE_SIZE(1)];
	char headers[512];
	char target[512];
	int status;

	assert_true(hw_webhook_sign(&message, &key, 1, signature, sizeof(signature)) > 0);
	(void)snprintf(headers, sizeof(headers), "%sWebhook-Timestamp: %lld\r\nWebhook-Signature: %s\r\n", first,
		       (long long)message.time_s, signature); /* fits */
	signed_target(target, sizeof(target), message.time_s);
	fixture->headers = headers;
	status = exchange(fixture, "POST", target, BODY);
	fixture->headers = NULL;
	return status;
}

static void test_receive_server_verifies_webhook_signatures(void **state)
{
	struct fixture *fixture = *state;
	char target[512];
	char record[4096];

	signed_target(target, sizeof(target), time(NULL));
	assert_int_equal(exchange(fixture, "POST", target, BODY), 401);
	assert_non_null(strstr(reply_body(fixture), "webhook-timestamp is missing"));
	assert_int_equal(exchange_webhook(fixture, VECTOR_SEED, ""), 401);
	assert_non_null(strstr(reply_body(fixture), "no signature in webhook-signature matches"));
	assert_int_equal(record_read(fixture, record, sizeof(record)), 0);
	assert_int_equal(exchange_webhook(fixture, VECTOR_SECRET, ""), 200);
	assert_int_equal(exchange_webhook(fixture, VECTOR_PRIVATE, "Highwater-Test: 1\r\nHighwater-Replay: 2\r\n"),
			 200);
	assert_string_equal(reply_body(fixture), HW_REPLY_OK);
	assert_true(record_read(fixture, record, sizeof(record)) > 0);
	assert_non_null(strstr(record, ",\"Signature\":\"v1\"}\n"));
	assert_non_null(strstr(record, ",\"Signature\":\"v1a\",\"Test\":true,\"Replay\":2}\n"));
}

/* Of a header that is there twice the first counts, for the check and for the record alike. */
static void test_receive_server_takes_the_first_of_each_webhook_header(void **state)
{
	static const char *const wrong[] = {"webhook-signature: " VECTOR_V1 "\r\n", "webhook-timestamp: 1\r\n"};
	struct fixture *fixture = *state;
	char record[4096];

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(exchange_webhook(fixture, VECTOR_SECRET, wrong[i]), 401);
	assert_int_equal(record_read(fixture, record, sizeof(record)), 0);
	assert_int_equal(exchange_webhook(fixture, VECTOR_SECRET, "webhook-id: evt_2\r\n"), 200);
	assert_true(record_read(fixture, record, sizeof(record)) > 0);
	assert_non_null(strstr(record, "\"WebhookId\":\"evt_1\""));
	assert_null(strstr(record, "evt_2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_receive_server_answers_exactly_ok, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_server_refuses_in_the_same_form, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_server_refuses_a_body_over_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_server_records_each_of_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_server_verifies_webhook_signatures, setup_webhook,
						teardown),
		cmocka_unit_test_setup_teardown(test_receive_server_takes_the_first_of_each_webhook_header,
						setup_webhook, teardown),
	};

	log_setup(2, LOG_LEVEL_OFF);
	return cmocka_run_group_tests_name("receive_server", tests, NULL, NULL);
}
