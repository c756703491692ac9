/* The two ends of a callback, for bench/callback: creates rooms at a pace and receives what is made of it, in one process
 * and by one clock, so that both moments can be compared.
 *
 * usage: alerts BACKEND-PORT CERTIFICATE KEY. Prints the port on which it receives over TLS; then takes commands, a line
 * each, and answers each with a line of JSON, or ends with the reason:
 *
 *   path APP PATH                     where rooms of that app are created
 *   hang APP                          its callbacks are read and never answered
 *   run RATE COUNT CONNECTIONS APP... creates COUNT rooms in these apps in turn, RATE a second, or as fast as
 *                                     CONNECTIONS carry for 0, and waits for the callback of each
 *   make COUNT CONNECTIONS APP...     the same, as fast as they carry, and waits for no callbacks
 *   wait COUNT SECONDS                waits until so many callbacks have come since the last command, and tells how long
 *   rest                              answers what still comes, until there was nothing for a while
 *
 * Which callback belongs to which creation: each connection has an address of its own in 127.1.0.0/16, which the callback
 * gives back as ClientIP, and one call at a time; so of one connection and app the n-th creation made the n-th callback
 * by Highwater-Sequence. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CALLERS_MAX 256
#define APPS_MAX 256
#define EVENTS_MAX 256
#define TEXT_BYTES 8192
#define DEADLINE_NS 60000000000

enum peer_kind { PEER_LISTENER, PEER_CALLER, PEER_RECEIVER };

struct peer {
	enum peer_kind kind;
	int fd;
	SSL *ssl;	     /* a receiver's */
	char in[TEXT_BYTES]; /* of one request or reply */
	size_t in_bytes;
	int64_t first_byte_ns; /* of the request that is being received */
	unsigned number;       /* a caller's, from 0 */
	size_t call;	       /* a caller's: index of its call */
	bool busy;
};

/* What creations and callbacks are sorted by, to lay one beside the other. */
struct key {
	uint32_t app;
	unsigned caller;
	int64_t order; /* when the call was sent, or the sequence of the callback */
};

struct call {
	struct key key;
	int64_t replied_ns;
};

struct arrival {
	struct key key;
	int64_t first_byte_ns;
};

static struct {
	int epoll;
	SSL_CTX *tls;
	struct peer listener;
	struct peer callers[CALLERS_MAX];
	uint16_t backend_port;
	struct {
		uint32_t app;
		char path[2048];
		bool hangs;
	} apps[APPS_MAX];
	unsigned app_count;
	unsigned run;

	struct call *calls; /* of the present command, as all that follows */
	size_t call_count;
	size_t call_next;
	size_t replied;
	struct arrival *arrivals;
	size_t arrival_count;
	size_t arrival_room;
	unsigned accepted;
} bench;

static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)fputs("alerts: ", stderr);
	(void)vfprintf(stderr, format, arguments);
	(void)fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		fail("out of memory");
	return memory;
}

static void watch(struct peer *peer)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};

	if (epoll_ctl(bench.epoll, EPOLL_CTL_ADD, peer->fd, &event))
		fail("epoll: %s", strerror(errno));
}

static unsigned app_find(uint32_t app)
{
	for (unsigned i = 0; i < bench.app_count; i++)
		if (bench.apps[i].app == app)
			return i;
	fail("app %u has no path", app);
	return 0;
}

/* ---- the side that creates ---- */

static void caller_open(unsigned number)
{
	struct peer *peer = &bench.callers[number];
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010001u + number)};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(bench.backend_port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;

	*peer = (struct peer){.kind = PEER_CALLER, .number = number, .fd = socket(AF_INET, SOCK_STREAM, 0)};
	if (peer->fd < 0 || bind(peer->fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(peer->fd, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		fail("connecting: %s", strerror(errno));
	watch(peer);
}

static void caller_send(struct peer *peer)
{
	struct call *call = &bench.calls[bench.call_next];
	char body[256];
	char text[TEXT_BYTES];
	int body_bytes =
		snprintf(body, sizeof(body),
			 "{\"RoomInfo\":{\"RoomId\":\"b%u-%zu\",\"RoomType\":\"Live\",\"RoomName\":\"a live room\"}}",
			 bench.run, bench.call_next);
	int bytes = snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n%s",
			     bench.apps[app_find(call->key.app)].path, body_bytes, body);

	peer->call = bench.call_next++;
	peer->busy = true;
	call->key.caller = peer->number;
	call->key.order = now_ns();
	if (write(peer->fd, text, (size_t)bytes) != bytes)
		fail("sending a call: %s", strerror(errno));
}

/* Returns the bytes of the message that stands whole at the start of the text, or 0. */
static size_t message_bytes(const char *text, size_t bytes)
{
	const char *end = memmem(text, bytes, "\r\n\r\n", 4);
	const char *length;
	size_t whole;

	if (!end)
		return 0;
	length = strcasestr(text, "\r\ncontent-length:");
	if (!length || length > end)
		fail("a message without a length: %.200s", text);
	whole = (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10);
	return bytes >= whole ? whole : 0;
}

static void caller_read(struct peer *peer)
{
	ssize_t bytes = read(peer->fd, peer->in + peer->in_bytes, sizeof(peer->in) - 1 - peer->in_bytes);

	if (bytes <= 0)
		fail("the backend closed a connection");
	peer->in_bytes += (size_t)bytes;
	peer->in[peer->in_bytes] = '\0';
	if (message_bytes(peer->in, peer->in_bytes) == 0)
		return;
	if (!strstr(peer->in, "\"ErrorCode\":0,"))
		fail("a creation was refused: %s", peer->in);
	bench.calls[peer->call].replied_ns = now_ns();
	bench.replied++;
	peer->in_bytes = 0;
	peer->busy = false;
}

/* ---- the side that receives ---- */

static void receiver_accept(void)
{
	int fd = accept4(bench.listener.fd, NULL, NULL, SOCK_NONBLOCK);
	int on = 1;
	struct peer *peer;

	if (fd < 0)
		fail("accept: %s", strerror(errno));
	peer = allocate(1, sizeof(*peer));
	peer->kind = PEER_RECEIVER;
	peer->fd = fd;
	peer->ssl = SSL_new(bench.tls);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* then it is slower */
	if (!peer->ssl || !SSL_set_fd(peer->ssl, fd))
		fail("TLS of a connection");
	SSL_set_accept_state(peer->ssl);
	bench.accepted++;
	watch(peer);
}

static void receiver_close(struct peer *peer)
{
	SSL_free(peer->ssl);
	(void)close(peer->fd); /* it leaves epoll by that */
	free(peer);
	ERR_clear_error();
}

static uint64_t number_behind(const char *text, const char *mark)
{
	const char *found = strcasestr(text, mark);

	if (!found)
		fail("a callback without %s: %.300s", mark, text);
	return strtoull(found + strlen(mark), NULL, 10);
}

static void receiver_note(const struct peer *peer)
{
	const char *address = strstr(peer->in, "ClientIP=");
	struct arrival *arrival;
	struct in_addr from;
	char text[16] = "";

	if (bench.arrival_count == bench.arrival_room) {
		bench.arrival_room = bench.arrival_room ? bench.arrival_room * 2 : 65536;
		bench.arrivals = realloc(bench.arrivals, bench.arrival_room * sizeof(*bench.arrivals));
		if (!bench.arrivals)
			fail("out of memory");
	}
	if (!address)
		fail("a callback without ClientIP: %.300s", peer->in);
	(void)sscanf(address + 9, "%15[0-9.]", text); /* checked by the next */
	if (inet_pton(AF_INET, text, &from) != 1)
		fail("ClientIP is %s", text);
	arrival = &bench.arrivals[bench.arrival_count++];
	arrival->key.app = (uint32_t)number_behind(peer->in, "SdkAppid=");
	arrival->key.caller = ntohl(from.s_addr) - 0x7f010001u;
	arrival->key.order = (int64_t)number_behind(peer->in, "Highwater-Sequence:");
	arrival->first_byte_ns = peer->first_byte_ns;
}

static void receiver_answer(struct peer *peer, size_t bytes)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
				    "{\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\",\"ErrorCode\":0}";
	uint32_t app = (uint32_t)number_behind(peer->in, "SdkAppid=");

	if (!bench.apps[app_find(app)].hangs) {
		receiver_note(peer);
		if (SSL_write(peer->ssl, reply, sizeof(reply) - 1) != sizeof(reply) - 1)
			fail("answering a callback");
	}
	peer->in_bytes -= bytes;
	memmove(peer->in, peer->in + bytes, peer->in_bytes);
	peer->first_byte_ns = 0;
}

static void receiver_read(struct peer *peer, int64_t when_ns)
{
	for (;;) {
		int bytes =
			SSL_read(peer->ssl, peer->in + peer->in_bytes, (int)(sizeof(peer->in) - 1 - peer->in_bytes));
		size_t whole;

		if (bytes <= 0) {
			if (SSL_get_error(peer->ssl, bytes) != SSL_ERROR_WANT_READ)
				receiver_close(peer);
			return;
		}
		if (peer->in_bytes == 0)
			peer->first_byte_ns = when_ns;
		peer->in_bytes += (size_t)bytes;
		peer->in[peer->in_bytes] = '\0';
		whole = message_bytes(peer->in, peer->in_bytes);
		if (whole)
			receiver_answer(peer, whole);
	}
}

static void receiver_listen(const char *certificate, const char *key)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);

	bench.tls = SSL_CTX_new(TLS_server_method());
	if (!bench.tls || SSL_CTX_use_certificate_chain_file(bench.tls, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(bench.tls, key, SSL_FILETYPE_PEM) != 1)
		fail("certificate or key");
	bench.listener.kind = PEER_LISTENER;
	bench.listener.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bench.listener.fd < 0 || bind(bench.listener.fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(bench.listener.fd, 1024) || getsockname(bench.listener.fd, (struct sockaddr *)&address, &bytes))
		fail("listening: %s", strerror(errno));
	watch(&bench.listener);
	printf("{\"port\":%u}\n", ntohs(address.sin_port));
}

/* ---- both ---- */

/* Waits for data for at most this long, and moves it. Returns false when there was none. */
static bool turn(int64_t wait_ns)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
	int count = epoll_pwait2(bench.epoll, events, EVENTS_MAX, &wait, NULL);
	int64_t when_ns = now_ns();

	for (int i = 0; i < count; i++) {
		struct peer *peer = events[i].data.ptr;

		if (peer->kind == PEER_LISTENER)
			receiver_accept();
		else if (peer->kind == PEER_CALLER)
			caller_read(peer);
		else
			receiver_read(peer, when_ns);
	}
	return count > 0;
}

static struct peer *caller_free(unsigned connections)
{
	static unsigned last;

	for (unsigned i = 0; i < connections; i++) {
		struct peer *peer = &bench.callers[++last % connections];

		if (!peer->busy)
			return peer;
	}
	return NULL;
}

/* Sends what is due. Returns when the next call is. */
static int64_t send_due(unsigned rate, unsigned connections, int64_t start_ns)
{
	while (bench.call_next < bench.call_count) {
		int64_t due_ns = rate ? start_ns + (int64_t)(bench.call_next * 1000000000 / rate) : 0;
		int64_t now = now_ns();
		struct peer *peer;

		if (due_ns > now)
			return due_ns - now;
		peer = caller_free(connections);
		if (!peer)
			break;
		caller_send(peer);
	}
	return 100000000;
}

static void forget(void)
{
	bench.arrival_count = 0;
	bench.accepted = 0;
}

static int64_t create(unsigned rate, size_t count, unsigned connections, const uint32_t *apps, unsigned app_count)
{
	int64_t start_ns;
	int64_t taken_ns;

	for (unsigned i = 0; i < connections; i++)
		caller_open(i);
	free(bench.calls);
	bench.calls = allocate(count, sizeof(*bench.calls));
	for (size_t i = 0; i < count; i++)
		bench.calls[i].key.app = apps[i % app_count];
	bench.call_count = count;
	bench.call_next = bench.replied = 0;
	bench.run++;
	start_ns = now_ns();
	while (bench.replied < count) {
		turn(send_due(rate, connections, start_ns));
		if (now_ns() - start_ns > DEADLINE_NS * 10)
			fail("%zu of %zu creations were answered", bench.replied, count);
	}
	taken_ns = now_ns() - start_ns;
	for (unsigned i = 0; i < connections; i++)
		(void)close(bench.callers[i].fd); /* nothing is on its way */
	return taken_ns;
}

/* ---- what came of it ---- */

static int compare_keys(const void *a, const void *b)
{
	const struct key *left = a;
	const struct key *right = b;

	if (left->app != right->app)
		return left->app < right->app ? -1 : 1;
	if (left->caller != right->caller)
		return left->caller < right->caller ? -1 : 1;
	return left->order < right->order ? -1 : left->order > right->order;
}

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static void print_times(const char *name, int64_t *times, size_t count)
{
	if (count == 0)
		return;
	qsort(times, count, sizeof(*times), compare_times);
	printf(",\"%s\":{\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}", name, (double)times[count / 2] / 1000,
	       (double)times[count * 99 / 100] / 1000, (double)times[count - 1] / 1000);
}

static void print_run(int64_t taken_ns, size_t expected)
{
	int64_t *times[3];
	size_t kept = 0;

	for (int i = 0; i < 3; i++)
		times[i] = allocate(bench.call_count, sizeof(int64_t));
	qsort(bench.calls, bench.call_count, sizeof(*bench.calls), compare_keys);
	qsort(bench.arrivals, bench.arrival_count, sizeof(*bench.arrivals), compare_keys);
	for (size_t i = 0; i < bench.call_count; i++) {
		const struct call *call = &bench.calls[i];
		const struct arrival *arrival = &bench.arrivals[kept];

		if (bench.apps[app_find(call->key.app)].hangs)
			continue;
		if (kept == expected || arrival->key.app != call->key.app || arrival->key.caller != call->key.caller)
			fail("callbacks do not match creations: a creation made none, or one came twice");
		times[0][kept] = call->replied_ns - call->key.order;
		times[1][kept] = arrival->first_byte_ns - call->key.order;
		times[2][kept++] = arrival->first_byte_ns - call->replied_ns;
	}
	printf("{\"creations\":%zu,\"seconds\":%.6f,\"callbacks\":%zu,\"connections\":%u", bench.call_count,
	       (double)taken_ns / 1e9, kept, bench.accepted);
	print_times("reply", times[0], kept);
	print_times("callback", times[1], kept);
	print_times("behind", times[2], kept);
	printf("}\n");
	for (int i = 0; i < 3; i++)
		free(times[i]);
}

/* ---- commands ---- */

static unsigned parse_apps(char *words, uint32_t *apps_out)
{
	unsigned count = 0;
	char *state;

	for (char *word = strtok_r(words, " ", &state); word && count < APPS_MAX; word = strtok_r(NULL, " ", &state))
		apps_out[count++] = (uint32_t)strtoul(word, NULL, 10);
	if (count == 0)
		fail("no apps");
	return count;
}

static void command_run(char *words, bool wait)
{
	uint32_t apps[APPS_MAX];
	unsigned rate = wait ? (unsigned)strtoul(words, &words, 10) : 0;
	size_t count = strtoul(words, &words, 10);
	unsigned connections = (unsigned)strtoul(words, &words, 10);
	unsigned app_count = parse_apps(words, apps);
	size_t expected = 0;
	int64_t taken_ns;
	int64_t deadline_ns;

	if (connections == 0 || connections > CALLERS_MAX)
		fail("1 to %d connections", CALLERS_MAX);
	forget();
	taken_ns = create(rate, count, connections, apps, app_count);
	for (size_t i = 0; i < count; i++)
		expected += !bench.apps[app_find(bench.calls[i].key.app)].hangs;
	if (!wait) {
		printf("{\"creations\":%zu,\"seconds\":%.6f}\n", count, (double)taken_ns / 1e9);
		return;
	}
	deadline_ns = now_ns() + DEADLINE_NS;
	while (bench.arrival_count < expected) {
		turn(100000000);
		if (now_ns() > deadline_ns)
			fail("%zu of %zu callbacks came", bench.arrival_count, expected);
	}
	print_run(taken_ns, expected);
}

static void command_wait(const char *words)
{
	char *rest;
	size_t count = strtoul(words, &rest, 10);
	int64_t deadline_ns = now_ns() + (int64_t)strtoul(rest, NULL, 10) * 1000000000;
	int64_t first_ns = INT64_MAX;
	int64_t last_ns = 0;

	while (bench.arrival_count < count && now_ns() < deadline_ns)
		turn(100000000);
	if (bench.arrival_count < count)
		fail("%zu of %zu callbacks came", bench.arrival_count, count);
	for (size_t i = 0; i < bench.arrival_count; i++) {
		int64_t time_ns = bench.arrivals[i].first_byte_ns;

		first_ns = time_ns < first_ns ? time_ns : first_ns;
		last_ns = time_ns > last_ns ? time_ns : last_ns;
	}
	printf("{\"callbacks\":%zu,\"seconds\":%.6f,\"connections\":%u}\n", bench.arrival_count,
	       (double)(last_ns - first_ns) / 1e9, bench.accepted);
	forget();
}

static void command_rest(void)
{
	while (turn(300000000))
		;
	printf("{}\n");
}

static void command_app(char *words, bool hangs)
{
	uint32_t app = (uint32_t)strtoul(words, &words, 10);

	if (hangs) {
		bench.apps[app_find(app)].hangs = true;
	} else if (bench.app_count == APPS_MAX || strlen(words) >= sizeof(bench.apps[0].path)) {
		fail("too many apps, or a path too long");
	} else {
		bench.apps[bench.app_count].app = app;
		(void)strcpy(bench.apps[bench.app_count++].path, words + 1);
	}
	printf("{}\n");
}

static void command(char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, "path ", 5))
		command_app(line + 5, false);
	else if (!strncmp(line, "hang ", 5))
		command_app(line + 5, true);
	else if (!strncmp(line, "run ", 4))
		command_run(line + 4, true);
	else if (!strncmp(line, "make ", 5))
		command_run(line + 5, false);
	else if (!strncmp(line, "wait ", 5))
		command_wait(line + 5);
	else if (!strcmp(line, "rest"))
		command_rest();
	else
		fail("unknown command: %s", line);
}

int main(int argc, char **argv)
{
	char line[TEXT_BYTES];

	if (argc != 4)
		fail("usage: alerts BACKEND-PORT CERTIFICATE KEY");
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail for a signal that exists */
	setlinebuf(stdout);
	bench.epoll = epoll_create1(0);
	bench.backend_port = (uint16_t)strtoul(argv[1], NULL, 10);
	receiver_listen(argv[2], argv[3]);
	while (fgets(line, sizeof(line), stdin))
		command(line);
	return 0;
}
