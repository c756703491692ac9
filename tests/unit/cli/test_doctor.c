/* The doctor and hosts of several addresses: getaddrinfo is ours here, so that a name has those that a test wants. */
#include "base/clock.h"
#include "cli/doctor.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const *resolver_hosts; /* what every name has, NULL at the end */
static int resolver_result;		  /* or what the look-up ends with */

static struct addrinfo *resolver_make(const char *host, const char *port)
{
	struct addrinfo *info = calloc(1, sizeof(*info));
	struct sockaddr_storage *address = calloc(1, sizeof(*address));
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	assert_true(info && address);
	info->ai_family = strchr(host, ':') ? AF_INET6 : AF_INET;
	info->ai_socktype = SOCK_STREAM;
	info->ai_addr = (struct sockaddr *)address;
	info->ai_addrlen = info->ai_family == AF_INET6 ? sizeof(*v6) : sizeof(*v4);
	address->ss_family = (sa_family_t)info->ai_family;
	if (info->ai_family == AF_INET6) {
		v6->sin6_port = htons((uint16_t)atoi(port));
		assert_int_equal(inet_pton(AF_INET6, host, &v6->sin6_addr), 1);
	} else {
		v4->sin_port = htons((uint16_t)atoi(port));
		assert_int_equal(inet_pton(AF_INET, host, &v4->sin_addr), 1);
	}
	return info;
}

/* What the program calls, instead of the system's: the program's own definition comes first. So does the next. */
__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node, const char *restrict service,
						       const struct addrinfo *restrict hints,
						       struct addrinfo **restrict result)
{
	struct addrinfo **last = result;

	assert_non_null(node);
	assert_non_null(hints);
	*result = NULL;
	for (size_t i = 0; resolver_result == 0 && resolver_hosts[i]; i++) {
		*last = resolver_make(resolver_hosts[i], service);
		last = &(*last)->ai_next;
	}
	return resolver_result;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list->ai_addr);
		free(list);
		list = next;
	}
}

/* ---- fixture ---- */

static const char *const both[] = {"::1", "127.0.0.1", NULL};

/* A socket that listens there, or -1 where this machine has no such address. */
static int listen_on(const char *host, unsigned *port_out)
{
	struct addrinfo *info = resolver_make(host, "0");
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} bound;
	socklen_t len = sizeof(bound);

	if (fd >= 0 && bind(fd, info->ai_addr, info->ai_addrlen)) {
		(void)close(fd); /* nothing was written */
		fd = -1;
	}
	freeaddrinfo(info);
	if (fd < 0)
		return -1;
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, &bound.any, &len), 0);
	*port_out = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
	return fd;
}

/* Looks at the URL and returns whether a callback can be sent; what was found is in the doctor. */
static bool reach(struct doctor *doctor, const char *allowed, unsigned port)
{
	static char url[64];
	bool reached = false;
	struct error err;

	(void)signal(SIGPIPE, SIG_IGN);					       /* as the command does */
	(void)snprintf(url, sizeof(url), "http://receiver.example:%u/", port); /* fits */
	*doctor = (struct doctor){.url = url, .ca_file = "", .json = true, .findings = json_array()};
	assert_int_equal(guard_parse("callback.allowed_addresses", allowed, &doctor->guard, &err), 0);
	assert_int_equal(doctor_reach(doctor, &reached, &err), 0);
	return reached;
}

static void expect(const struct doctor *doctor, const char *level, const char *check, const char *part)
{
	size_t i;
	json_t *finding;

	json_array_foreach(doctor->findings, i,
			   finding) if (strcmp(json_string_value(json_object_get(finding, "Level")), level) == 0 &&
					strcmp(json_string_value(json_object_get(finding, "Check")), check) == 0 &&
					strstr(json_string_value(json_object_get(finding, "Text")), part)) return;
	fail_msg("no %s of %s with \"%s\": %s", level, check, part, json_dumps(doctor->findings, 0));
}

static void forget(struct doctor *doctor)
{
	json_decref(doctor->findings);
	resolver_result = 0;
}

/* ---- tests ---- */

static void test_doctor_warns_of_the_address_that_is_broken(void **state)
{
	static const struct {
		const char *host;
		const char *good;
		const char *broken;
	} cases[] = {{"127.0.0.1", "127.0.0.1:", "[::1]:"}, {"::1", "[::1]:", "127.0.0.1:"}};

	(void)state; /* none */
	resolver_hosts = both;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doctor doctor;
		unsigned port;
		int fd = listen_on(cases[i].host, &port);

		if (fd < 0)
			skip(); /* no IPv6 here */
		assert_true(reach(&doctor, "127.0.0.1, ::1", port));
		expect(&doctor, "ok", "connection", cases[i].good);
		expect(&doctor, "warning", "connection", cases[i].broken);
		assert_int_equal(doctor.problems, 0);
		assert_int_equal(doctor.warnings, 2); /* the other one: plain http */
		forget(&doctor);
		(void)close(fd); /* nothing was written */
	}
}

static void test_doctor_has_a_problem_when_no_address_is_good(void **state)
{
	struct doctor doctor;
	unsigned port;
	int fd = listen_on("127.0.0.1", &port);

	(void)state;	 /* none */
	(void)close(fd); /* and now nobody does */
	resolver_hosts = both;
	assert_false(reach(&doctor, "127.0.0.1, ::1", port));
	expect(&doctor, "problem", "connection", "127.0.0.1:");
	expect(&doctor, "problem", "connection", "[::1]:");
	forget(&doctor);
}

/* A name of which some addresses are not allowed: those are not connected to. */
static void test_doctor_warns_of_the_address_that_is_not_allowed(void **state)
{
	static const char *const hosts[] = {"10.0.0.1", "127.0.0.1", NULL};
	struct doctor doctor;
	unsigned port;
	int fd = listen_on("127.0.0.1", &port);

	(void)state; /* none */
	resolver_hosts = hosts;
	assert_true(reach(&doctor, "127.0.0.0/8", port));
	expect(&doctor, "warning", "address", "10.0.0.1 (private) is not in callback.allowed_addresses");
	expect(&doctor, "ok", "address", "127.0.0.1:");
	assert_int_equal(doctor.problems, 0);
	forget(&doctor);
	assert_false(reach(&doctor, "192.0.2.1", port));
	expect(&doctor, "problem", "address", "10.0.0.1");
	expect(&doctor, "problem", "address", "127.0.0.1");
	assert_int_equal(doctor.problems, 2);
	forget(&doctor);
	(void)close(fd); /* nothing was written */
}

static void test_doctor_tells_a_name_that_is_unknown_from_a_resolver_that_is_ill(void **state)
{
	static const struct {
		int result;
		const char *part;
	} cases[] = {{EAI_NONAME, "receiver.example has no address"},
		     {EAI_AGAIN, "receiver.example cannot be looked up"},
		     {EAI_FAIL, "receiver.example cannot be looked up"}};

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doctor doctor;

		resolver_result = cases[i].result;
		assert_false(reach(&doctor, "*", 1));
		expect(&doctor, "problem", "name", cases[i].part);
		forget(&doctor);
	}
}

static void test_doctor_lists_as_many_addresses_as_it_looks_at(void **state)
{
	static const char *hosts[20];
	struct doctor doctor;

	(void)state; /* none */
	for (size_t i = 0; i < ARRAY_LEN(hosts) - 1; i++)
		hosts[i] = "10.0.0.1";
	resolver_hosts = hosts;
	assert_false(reach(&doctor, "", 1));
	expect(&doctor, "ok", "name", " and more");
	assert_int_equal(doctor.problems, 16);
	forget(&doctor);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doctor_warns_of_the_address_that_is_broken),
		cmocka_unit_test(test_doctor_has_a_problem_when_no_address_is_good),
		cmocka_unit_test(test_doctor_warns_of_the_address_that_is_not_allowed),
		cmocka_unit_test(test_doctor_tells_a_name_that_is_unknown_from_a_resolver_that_is_ill),
		cmocka_unit_test(test_doctor_lists_as_many_addresses_as_it_looks_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
