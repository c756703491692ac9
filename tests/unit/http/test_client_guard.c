/* The client with a guard: whatever name or spelling leads to an address, the address decides. getaddrinfo is ours
 * here, so that names lead where the tests say. */
#include "http/client.h"
#include "http/guard.h"
#include "unit/http/script.h"
#include "unit/http/web.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"

struct name {
	const char *name;
	const char *addresses[2];
};

static const struct name names[] = {
	{"here.test", {"127.0.0.1", NULL}},
	{"two.test", {"127.0.0.2", "127.0.0.1"}},
	{"inside.test", {"10.0.0.1", "169.254.169.254"}},
	{"inside6.test", {"fd00::1", "::1"}},
};

/* ---- what libcurl calls, instead of the system's: the program's own definition comes first ---- */

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

static struct addrinfo *make_addrinfo(const char *text, const char *service)
{
	struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));
	in_port_t port = htons((uint16_t)atoi(service));
	struct sockaddr_in6 *ipv6;
	struct sockaddr_in *ipv4;

	assert_non_null(info);
	info->ai_socktype = SOCK_STREAM;
	info->ai_protocol = IPPROTO_TCP;
	info->ai_addr = (struct sockaddr *)(info + 1);
	if (strchr(text, ':')) {
		ipv6 = (struct sockaddr_in6 *)(void *)info->ai_addr;
		*ipv6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		info->ai_family = AF_INET6;
		info->ai_addrlen = sizeof(*ipv6);
		assert_int_equal(inet_pton(AF_INET6, text, &ipv6->sin6_addr), 1);
	} else {
		ipv4 = (struct sockaddr_in *)(void *)info->ai_addr;
		*ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		info->ai_family = AF_INET;
		info->ai_addrlen = sizeof(*ipv4);
		assert_int_equal(inet_pton(AF_INET, text, &ipv4->sin_addr), 1);
	}
	return info;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node, const char *restrict service,
						       const struct addrinfo *restrict hints,
						       struct addrinfo **restrict result)
{
	struct addrinfo **end = result;

	(void)hints; /* the names' addresses are of the right kind */
	*result = NULL;
	for (size_t i = 0; node && i < ARRAY_LEN(names); i++) {
		if (strcmp(node, names[i].name) != 0)
			continue;
		for (size_t j = 0; j < ARRAY_LEN(names[i].addresses) && names[i].addresses[j]; j++) {
			*end = make_addrinfo(names[i].addresses[j], service ? service : "0");
			end = &(*end)->ai_next;
		}
		return 0;
	}
	return EAI_NONAME;
}

/* ---- requests ---- */

struct seen {
	unsigned count;
	enum http_outcome outcome;
	char text[256];
};

static void note(void *context, const struct http_result *result)
{
	struct seen *seen = context;

	seen->count++;
	seen->outcome = result->outcome;
	(void)snprintf(seen->text, sizeof(seen->text), "%s", result->text); /* a long one is cut */
}

static struct http_client *open_client(const char *allowed)
{
	struct guard guard;
	const struct http_client_options options = {
		.connect_timeout_ms = WEB_PATIENCE_MS,
		.total_timeout_ms = WEB_PATIENCE_MS,
		.reply_bytes_max = 100,
		.in_flight_max = 1,
		.guard = &guard,
	};
	struct http_client *client = NULL;
	struct error err;

	if (guard_parse("test.allowed", allowed, &guard, &err) || http_client_open(&options, &client, &err))
		fail_msg("%s", err.text);
	memset(&guard, 0xff, sizeof(guard)); /* it was copied */
	return client;
}

static struct seen request(struct http_client *client, const char *host, unsigned port)
{
	struct http_request request = {.method = "POST"};
	struct seen seen = {0};
	char url[128];

	(void)snprintf(url, sizeof(url), "http://%s:%u/?token=secret", host, port); /* fits */
	request.url = url;
	http_client_submit(client, &request, note, &seen);
	while (!seen.count) /* ctest's limit ends it */
		http_client_poll(client, 1000);
	assert_int_equal(seen.count, 1);
	return seen;
}

static void expect(struct http_client *client, const char *host, unsigned port, enum http_outcome outcome,
		   const char *text)
{
	struct seen seen = request(client, host, port);

	if (seen.outcome != outcome || (text && strcmp(seen.text, text) != 0))
		fail_msg("%s: %s, \"%s\"", host, http_outcome_word(seen.outcome), seen.text);
}

/* A listening socket on which no connection may arrive. */
static int open_trap(unsigned *port_out)
{
	int fd = script_bind(port_out);

	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static void close_trap(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(accept(fd, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(fd);
}

/* ---- tests ---- */

static void test_client_refuses_every_spelling_of_an_address(void **state)
{
	static const struct {
		const char *host;
		const char *text;
	} cases[] = {
#define REFUSED(address) address " is not in test.allowed"
		{"127.0.0.1", REFUSED("127.0.0.1 (loopback)")},
		{"127.1", REFUSED("127.0.0.1 (loopback)")},
		{"0x7f.1", REFUSED("127.0.0.1 (loopback)")},
		{"0X7F000001", REFUSED("127.0.0.1 (loopback)")},
		{"2130706433", REFUSED("127.0.0.1 (loopback)")},
		{"0177.0.0.1", REFUSED("127.0.0.1 (loopback)")},
		{"017700000001", REFUSED("127.0.0.1 (loopback)")},
		{"%31%32%37.0.0.1", REFUSED("127.0.0.1 (loopback)")},
		{"user@127.0.0.1", REFUSED("127.0.0.1 (loopback)")},
		{"127.255.255.254", REFUSED("127.255.255.254 (loopback)")},
		{"0.0.0.0", REFUSED("0.0.0.0 (unspecified)")},
		{"0", REFUSED("0.0.0.0 (unspecified)")},
		{"169.254.169.254", REFUSED("169.254.169.254 (link-local)")},
		{"10.0.0.1", REFUSED("10.0.0.1 (private)")},
		{"[::1]", REFUSED("::1 (loopback)")},
		{"[0:0:0:0:0:0:0:1]", REFUSED("::1 (loopback)")},
		{"[::]", REFUSED(":: (unspecified)")},
		{"[::ffff:127.0.0.1]", REFUSED("127.0.0.1 (loopback)")},
		{"[::ffff:7f00:1]", REFUSED("127.0.0.1 (loopback)")},
		{"[0:0:0:0:0:ffff:127.0.0.1]", REFUSED("127.0.0.1 (loopback)")},
		{"[::127.0.0.1]", REFUSED("::127.0.0.1 (IPv4-compatible of loopback)")},
		{"[64:ff9b::127.0.0.1]", REFUSED("64:ff9b::7f00:1 (NAT64 of loopback)")},
		{"[2002:7f00:1::1]", REFUSED("2002:7f00:1::1 (6to4 of loopback)")},
		{"[fe80::1%25lo]", REFUSED("fe80::1 (link-local)")},
		{"localhost", NULL}, /* of IPv4 or IPv6 */
		{"LocalHost", NULL},
		{"here.test", REFUSED("127.0.0.1 (loopback)")},
		{"inside.test", REFUSED("10.0.0.1 (private)")},
		{"inside6.test", REFUSED("fd00::1 (private)")},
#undef REFUSED
	};
	struct http_client *client = open_client("");
	unsigned port;
	int trap = open_trap(&port);

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(client, cases[i].host, port, HTTP_OUTCOME_NOT_ALLOWED, cases[i].text);
	http_client_close(&client);
	close_trap(trap);
}

static void test_client_connects_to_what_is_allowed(void **state)
{
	static const struct {
		const char *allowed;
		const char *host;
	} cases[] = {
		{"127.0.0.1", "127.0.0.1"}, {"127.0.0.1", "0x7f.1"},	{"127.0.0.0/8", "here.test"},
		{"*", "127.0.0.1"},	    {"127.0.0.1", "localhost"}, {"127.0.0.1", "[::ffff:127.0.0.1]"},
	};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_client *client = open_client(cases[i].allowed);
		struct script script;

		script_start(&script, OK_REPLY, SCRIPT_CLOSE);
		expect(client, cases[i].host, script.port, HTTP_OUTCOME_REPLIED, "");
		http_client_close(&client);
		script_stop(&script);
		assert_int_equal(script.connections, 1);
	}
}

/* Of a name with several addresses. */
static void test_client_leaves_out_addresses_that_are_refused(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct http_client *client = open_client("127.0.0.1");
	struct script script;
	int trap;

	(void)state; /* none */
	script_start(&script, OK_REPLY, SCRIPT_CLOSE);
	trap = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_port = htons((uint16_t)script.port);
	address.sin_addr.s_addr = htonl(0x7f000002);
	assert_int_equal(bind(trap, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(trap, 64), 0);
	expect(client, "two.test", script.port, HTTP_OUTCOME_REPLIED, "");
	http_client_close(&client);
	script_stop(&script);
	assert_int_equal(script.connections, 1);
	close_trap(trap);
}

static void test_client_tells_refused_from_unreachable(void **state)
{
	struct http_client *client = open_client("127.0.0.1");
	unsigned port;
	int fd = script_bind(&port); /* nobody listens */

	(void)state; /* none */
	expect(client, "127.0.0.1", port, HTTP_OUTCOME_CONNECT, NULL);
	expect(client, "127.0.0.2", port, HTTP_OUTCOME_NOT_ALLOWED, "127.0.0.2 (loopback) is not in test.allowed");
	expect(client, "two.test", port, HTTP_OUTCOME_CONNECT, NULL);
	expect(client, "unknown.test", port, HTTP_OUTCOME_DNS, NULL);
	http_client_close(&client);
	(void)close(fd);
}

static void test_client_does_not_follow_a_redirect_to_where_it_may_not_go(void **state)
{
	struct http_client *client = open_client("127.0.0.1");
	struct script script;
	char reply[128];
	unsigned port;
	int trap = open_trap(&port);

	(void)state; /* none */
	(void)snprintf(reply, sizeof(reply),
		       "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n",
		       port); /* fits */
	script_start(&script, reply, SCRIPT_CLOSE);
	expect(client, "127.0.0.1", script.port, HTTP_OUTCOME_REPLIED, "");
	http_client_close(&client);
	script_stop(&script);
	close_trap(trap);
}

/* Through one the address connected to would be the proxy's. */
static void test_client_with_a_guard_ignores_the_proxies_of_the_environment(void **state)
{
	static const char *const variables[] = {"http_proxy", "ALL_PROXY", "all_proxy"};
	struct http_client *client = open_client("127.0.0.1");
	char proxy[64];
	unsigned port;
	int trap = open_trap(&port);

	(void)state;							   /* none */
	(void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", port); /* fits */
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		assert_int_equal(setenv(variables[i], proxy, 1), 0);
	expect(client, "10.0.0.1", port, HTTP_OUTCOME_NOT_ALLOWED, "10.0.0.1 (private) is not in test.allowed");
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		assert_int_equal(unsetenv(variables[i]), 0);
	http_client_close(&client);
	close_trap(trap);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_refuses_every_spelling_of_an_address),
		cmocka_unit_test(test_client_connects_to_what_is_allowed),
		cmocka_unit_test(test_client_leaves_out_addresses_that_are_refused),
		cmocka_unit_test(test_client_tells_refused_from_unreachable),
		cmocka_unit_test(test_client_does_not_follow_a_redirect_to_where_it_may_not_go),
		cmocka_unit_test(test_client_with_a_guard_ignores_the_proxies_of_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
