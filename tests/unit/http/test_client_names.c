/* The client and name servers: getaddrinfo is ours here, so that names are answered, denied or kept waiting as told. */
#include "http/client.h"
#include "unit/http/script.h"
#include "unit/http/web.h"

#include <netdb.h>

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_changed = PTHREAD_COND_INITIALIZER;
static bool names_open;	       /* under the lock: slow.invalid may be answered */
static unsigned names_waiting; /* under the lock */

/* What libcurl calls, instead of the system's: the program's own definition comes first. */
__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node, const char *restrict service,
						       const struct addrinfo *restrict hints,
						       struct addrinfo **restrict result)
{
	(void)service; /* a port that does not matter: every name ends without an address */
	(void)hints;
	*result = NULL;
	pthread_mutex_lock(&names_lock);
	if (node && strcmp(node, "slow.invalid") == 0) {
		names_waiting++;
		pthread_cond_broadcast(&names_changed);
		while (!names_open)
			pthread_cond_wait(&names_changed, &names_lock);
		names_waiting--;
		pthread_cond_broadcast(&names_changed);
	}
	pthread_mutex_unlock(&names_lock);
	return EAI_NONAME;
}

static void wait_waiting(unsigned count)
{
	pthread_mutex_lock(&names_lock);
	while (names_waiting != count) /* ctest's limit ends it */
		pthread_cond_wait(&names_changed, &names_lock);
	pthread_mutex_unlock(&names_lock);
}

static void open_names(void)
{
	pthread_mutex_lock(&names_lock);
	names_open = true;
	pthread_cond_broadcast(&names_changed);
	pthread_mutex_unlock(&names_lock);
	wait_waiting(0);
}

static void note(void *context, const struct http_result *result)
{
	*(int *)context = (int)result->outcome;
}

static struct http_client *open_client(uint64_t connect_timeout_ms)
{
	const struct http_client_options options = {
		.connect_timeout_ms = connect_timeout_ms,
		.total_timeout_ms = WEB_PATIENCE_MS,
		.reply_bytes_max = 100,
		.in_flight_max = 4,
	};
	struct http_client *client = NULL;
	struct error err;

	names_open = false;
	if (http_client_open(&options, &client, &err))
		fail_msg("%s", err.text);
	return client;
}

static void submit(struct http_client *client, const char *url, int *outcome)
{
	const struct http_request request = {.method = "POST", .url = url};

	*outcome = -1;
	http_client_submit(client, &request, note, outcome);
}

static void poll_until(struct http_client *client, const int *outcome)
{
	while (*outcome < 0) /* ctest's limit ends it */
		http_client_poll(client, 1000);
}

static void test_client_tells_an_unknown_name(void **state)
{
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	int outcome;

	(void)state; /* none */
	submit(client, "http://unknown.invalid/", &outcome);
	poll_until(client, &outcome);
	assert_int_equal(outcome, HTTP_OUTCOME_DNS);
	http_client_close(&client);
}

/* One app's dead name server must not hold up the callbacks of all. */
static void test_client_is_not_held_up_by_a_name_server_that_is_silent(void **state)
{
	struct http_client *client = open_client(300);
	int64_t start_ms = clock_mono_ms();
	struct script script;
	char url[64];
	int slow;
	int other;

	(void)state; /* none */
	script_start(&script, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", script.port); /* fits */
	submit(client, "http://slow.invalid/", &slow);
	submit(client, url, &other);
	poll_until(client, &other);
	assert_int_equal(other, HTTP_OUTCOME_REPLIED);
	assert_int_equal(slow, -1);
	wait_waiting(1);
	poll_until(client, &slow);
	assert_int_equal(slow, HTTP_OUTCOME_DNS);
	assert_true(clock_mono_ms() - start_ms < WEB_PATIENCE_MS / 2);
	wait_waiting(1); /* it still waits, and nobody for it */
	open_names();
	http_client_close(&client);
	script_stop(&script);
}

static void test_client_close_does_not_wait_for_a_name(void **state)
{
	struct http_client *client = open_client(WEB_PATIENCE_MS);
	int outcome;

	(void)state; /* none */
	submit(client, "http://slow.invalid/", &outcome);
	http_client_poll(client, 10);
	wait_waiting(1);
	http_client_close(&client);
	wait_waiting(1);
	open_names();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_tells_an_unknown_name),
		cmocka_unit_test(test_client_is_not_held_up_by_a_name_server_that_is_silent),
		cmocka_unit_test(test_client_close_does_not_wait_for_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
