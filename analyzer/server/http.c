/* See http.h. */
#include "http.h"
#include "hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAMS_MOST 4u          /* at once; others wait for their turn */
#define OUTPUT_MOST   (256u << 20)
#define CONNECTIONS   64u
#define TIMEOUT_S     60u         /* of one that says nothing */
#define POLL_MS       500
#define CROWDED       48u             /* connections: those that do nothing have to go */
#define PATIENCE_MS   2000            /* with one of them, then */

extern char **environ;

/* A request on its way. */
struct pending {
	struct ct_http *http;
	struct MHD_Connection *connection;
	struct ct_answer answer;
	bool asked;              /* answer is there, or being made */
	bool waits;              /* for what ct_http_ready tells of */
	bool counted;            /* in its guest's requests */
	int socket;              /* MHD's */
	pid_t pid;               /* 0: not started yet, or ended */
	int output, errors;      /* -1: none; errors: a file */
	struct pending *next;    /* of those that are suspended */
};

/* Who is connected, in the order of their coming. */
struct guest {
	int socket;              /* MHD's */
	uint64_t since_ms;       /* of the connection, or of its last answer */
	uint32_t requests;       /* that are being answered */
	bool told_to_go;
	struct guest *next;
};

struct ct_http {
	struct ct_http_options options;
	struct MHD_Daemon *daemon;
	uint16_t port;
	char token[CT_HTTP_TOKEN];
	struct ct_hosts hosts;
	struct pending *suspended; /* in the order of their requests */
	struct guest *guest;
	uint32_t guest_count;
};

static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
			     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char *value_of(const struct ct_request *r, const char *key)
{
	return MHD_lookup_connection_value(r->of, MHD_GET_ARGUMENT_KIND, key);
}

/* --- answers --- */

static struct MHD_Response *response_of(struct ct_answer *a)
{
	if (a->fixed)
		return MHD_create_response_from_buffer(a->fixed_bytes, (void *)(uintptr_t)a->fixed, MHD_RESPMEM_PERSISTENT);
	struct MHD_Response *r = MHD_create_response_from_buffer(a->body.size, a->body.data, MHD_RESPMEM_MUST_FREE);

	if (r)
		a->body = (struct ct_buf){ 0 };
	return r;
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct ct_answer *a)
{
	struct MHD_Response *r = response_of(a);

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", a->type);
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(r, "Content-Security-Policy", policy);
	MHD_add_response_header(r, "X-Frame-Options", "DENY");
	MHD_add_response_header(r, "Cross-Origin-Resource-Policy", "same-origin");
	MHD_add_response_header(r, "Cross-Origin-Opener-Policy", "same-origin");
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET");
	if (a->gzip)
		MHD_add_response_header(r, "Content-Encoding", "gzip");
	enum MHD_Result result = MHD_queue_response(connection, a->status, r);

	MHD_destroy_response(r);
	return result;
}

static void free_argv(struct ct_answer *a)
{
	for (char **arg = a->argv; arg && *arg; arg++)
		free(*arg);
	free(a->argv);
	a->argv = NULL;
	if (a->trace)
		close(a->trace);
	a->trace = 0;
}

static void say(struct ct_answer *a, unsigned int status, const char *text)
{
	free_argv(a);
	ct_buf_free(&a->body);
	*a = (struct ct_answer){ .status = status, .type = "text/plain; charset=utf-8" };
	ct_put_bytes(&a->body, text, strlen(text));
	ct_put_bytes(&a->body, "\n", 1);
}

/* --- who may ask --- */

static bool same_token(const struct ct_http *h, const char *text)
{
	unsigned char differs = 0;

	for (size_t i = 0; i + 1 < CT_HTTP_TOKEN; i++) {
		if (!text[i])
			return false;
		differs |= (unsigned char)(text[i] ^ h->token[i]);
	}
	return !differs && text[CT_HTTP_TOKEN - 1] == '/';
}

static int socket_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

/* The path behind the token, or NULL: a says why not. */
static const char *admit(const struct ct_http *h, struct MHD_Connection *c, const char *url, const char *method,
			 struct ct_answer *a)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
	const char *origin = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Origin");

	if (strcmp(method, "GET")) {
		say(a, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET");
		return NULL;
	}
	if (!host || !ct_hosts_name(&h->hosts, host, socket_of(c))) {
		say(a, MHD_HTTP_FORBIDDEN, "the request names another host");
		return NULL;
	}
	/* The page itself: the very host that it was asked for at. */
	if (origin && (strncmp(origin, "http://", 7) || strcmp(host, origin + 7))) {
		say(a, MHD_HTTP_FORBIDDEN, "the request comes from another site");
		return NULL;
	}
	if (url[0] != '/' || !same_token(h, url + 1)) {
		say(a, MHD_HTTP_FORBIDDEN, "the address lacks the token that ctrace-analyze printed");
		return NULL;
	}
	return url + CT_HTTP_TOKEN + 1;
}

/* --- programs --- */

static int start_program(struct pending *p)
{
	posix_spawn_file_actions_t actions;
	int ends[2];

	p->errors = memfd_create("errors", MFD_CLOEXEC);
	if (p->errors < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	/* Its end may block. */
	fcntl(ends[1], F_SETFL, 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_adddup2(&actions, p->errors, 2);
	if (p->answer.trace)
		posix_spawn_file_actions_adddup2(&actions, p->answer.trace, CT_ANSWER_TRACE);
	int error = posix_spawn(&p->pid, p->answer.argv[0], &actions, NULL, p->answer.argv, environ);

	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (error) {
		close(ends[0]);
		p->pid = 0;
		return -error;
	}
	p->output = ends[0];
	return 0;
}

static void suspend(struct pending *p)
{
	struct pending **at = &p->http->suspended;

	while (*at)
		at = &(*at)->next;
	*at = p;
	p->next = NULL;
	MHD_suspend_connection(p->connection);
}

/* Off the list of those that are suspended, and their program is no more. */
static void forget_program(struct pending *p)
{
	struct pending **at = &p->http->suspended;

	while (*at && *at != p)
		at = &(*at)->next;
	if (*at)
		*at = p->next;
	p->waits = false;
	if (p->output >= 0)
		close(p->output);
	if (p->errors >= 0)
		close(p->errors);
	p->output = p->errors = -1;
	if (p->pid) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	p->pid = 0;
	free_argv(&p->answer);
}

/* Its output is complete. Exit status 1 is damage, which the output tells of; with any other
 * the line on stderr is the answer. */
static void program_ended(struct pending *p, bool too_much)
{
	char text[1024] = "";
	int status = 0;

	if (too_much)
		kill(p->pid, SIGKILL);
	waitpid(p->pid, &status, 0);
	p->pid = 0;
	bool failed = !WIFEXITED(status) || WEXITSTATUS(status) > 1;
	ssize_t n = pread(p->errors, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	if (too_much || p->answer.body.failed) {
		say(&p->answer, MHD_HTTP_CONTENT_TOO_LARGE, "the answer is too large: choose less with --top or a filter");
	} else if (failed) {
		say(&p->answer, MHD_HTTP_BAD_REQUEST, *text ? text : "ctrace-analyze failed");
	} else {
		p->answer.status = MHD_HTTP_OK;
		p->answer.type = "application/json";
	}
	forget_program(p);
	MHD_resume_connection(p->connection);
}

/* Takes what there is of a program's output. */
static void read_program(struct pending *p)
{
	for (;;) {
		uint8_t block[65536];
		ssize_t n = read(p->output, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			program_ended(p, false);
			return;
		}
		ct_put_bytes(&p->answer.body, block, (size_t)n);
		if (p->answer.body.size > OUTPUT_MOST || p->answer.body.failed) {
			program_ended(p, true);
			return;
		}
	}
}

static void start_programs(struct ct_http *h)
{
	unsigned int running = 0;

	for (struct pending *p = h->suspended; p; p = p->next)
		running += p->pid != 0;
	for (struct pending *p = h->suspended, *next; p; p = next) {
		next = p->next;
		if (p->waits || p->pid || running >= PROGRAMS_MOST)
			continue;
		if (start_program(p)) {
			say(&p->answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "no process could be started");
			forget_program(p);
			MHD_resume_connection(p->connection);
		} else {
			running++;
		}
	}
}

static bool has_gone(int socket)
{
	struct pollfd fd = { .fd = socket, .events = POLLRDHUP };

	return socket >= 0 && poll(&fd, 1, 0) > 0 && fd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* MHD does not look at those that are suspended: who has gone wants no answer. */
static void drop_gone(struct ct_http *h)
{
	for (struct pending *p = h->suspended, *next; p; p = next) {
		next = p->next;
		if (!has_gone(p->socket))
			continue;
		say(&p->answer, MHD_HTTP_SERVICE_UNAVAILABLE, "gone");
		forget_program(p);
		MHD_resume_connection(p->connection);
	}
}

/* --- guests --- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct guest *guest_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* They come and go. */
static void notify(void *self, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct ct_http *h = self;
	struct guest **at = &h->guest, *g = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		g = calloc(1, sizeof(*g));
		*context = g;
		if (!g)
			return;
		*g = (struct guest){ .socket = socket_of(connection), .since_ms = now_ms() };
		while (*at)
			at = &(*at)->next;
		*at = g;
		h->guest_count++;
	} else if (g) {
		while (*at != g)
			at = &(*at)->next;
		*at = g->next;
		h->guest_count--;
		*context = NULL;
		free(g);
	}
}

static void count(struct pending *p)
{
	struct guest *g = guest_of(p->connection);

	if (!g || p->counted)
		return;
	p->counted = true;
	g->requests++;
}

/* Connections are few: those that say nothing, or say it slowly, must not keep others out. */
static void make_room(struct ct_http *h)
{
	uint64_t now = now_ms();
	uint32_t stay = h->guest_count;

	for (struct guest *g = h->guest; g && stay > CROWDED; g = g->next) {
		if (g->requests || now - g->since_ms < PATIENCE_MS)
			continue;
		if (!g->told_to_go)
			shutdown(g->socket, SHUT_RDWR);
		g->told_to_go = true;
		stay--;
	}
}

/* --- requests --- */

static enum MHD_Result begin(struct ct_http *h, struct MHD_Connection *connection, const char *method, void **state)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return MHD_NO;
	*p = (struct pending){ .http = h, .connection = connection, .socket = socket_of(connection), .output = -1, .errors = -1 };
	*state = p;
	/* Answered now, what it would send is not waited for. */
	if (strcmp(method, "GET")) {
		p->asked = true;
		count(p);
		admit(h, connection, "", method, &p->answer);
		return send_answer(connection, &p->answer);
	}
	return MHD_YES;
}

/* Asks for the answer. False: it takes until later, the connection is suspended. */
static bool ask(struct pending *p, const char *path)
{
	struct ct_http *h = p->http;
	struct ct_request r = { path, value_of, p->connection };

	h->options.answer(h->options.self, &r, &p->answer);
	if (!p->answer.argv && !p->answer.later)
		return true;
	p->waits = p->answer.later;
	p->asked = !p->waits; /* it is asked again then */
	suspend(p);
	return false;
}

static enum MHD_Result handle(void *self, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *data, size_t *data_bytes, void **state)
{
	struct ct_http *h = self;
	struct pending *p = *state;

	(void)version;
	(void)data;
	if (!p)
		return begin(h, connection, method, state);
	/* Nobody has to send us anything. */
	if (*data_bytes) {
		*data_bytes = 0;
		return MHD_YES;
	}
	if (!p->asked) {
		/* A page that moves on asks for the next picture and waits for this one no more. */
		if (has_gone(p->socket))
			return MHD_NO;
		p->asked = true;
		count(p);
		const char *path = admit(h, connection, url, method, &p->answer);

		if (path && !ask(p, path))
			return MHD_YES;
	}
	return send_answer(connection, &p->answer);
}

static void done(void *self, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
	struct pending *p = *state;

	(void)self;
	(void)how;
	if (!p)
		return;
	forget_program(p);
	if (p->counted) {
		struct guest *g = guest_of(connection);

		g->requests--;
		g->since_ms = now_ms();
	}
	ct_buf_free(&p->answer.body);
	free(p);
	*state = NULL;
}

/* --- the server --- */

static int make_token(char token[CT_HTTP_TOKEN])
{
	unsigned char random[(CT_HTTP_TOKEN - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(token + 2 * i, 3, "%02x", random[i]);
	return 0;
}

int ct_http_start(struct ct_http **ret, const struct ct_http_options *o)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(o->port) };
	struct ct_http *h;

	if (inet_pton(AF_INET, o->host, &address.sin_addr) != 1)
		return -EINVAL;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->options = *o;
	ct_hosts_open(&h->hosts, o->host);
	int error = make_token(h->token);

	errno = 0;
	if (!error)
		h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, h,
					     MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_NOTIFY_COMPLETED,
					     done, NULL, MHD_OPTION_NOTIFY_CONNECTION, notify, h, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
					     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536, MHD_OPTION_END);
	if (!h->daemon) {
		error = error ? error : errno ? -errno : -EIO;
		free(h);
		return error;
	}
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);

	h->port = info ? info->port : o->port;
	*ret = h;
	return 0;
}

uint16_t ct_http_port(const struct ct_http *h)
{
	return h->port;
}

const char *ct_http_token(const struct ct_http *h)
{
	return h->token;
}

const char *ct_http_shown(const struct ct_http *h, char *to, size_t bytes)
{
	return ct_hosts_shown(&h->hosts, to, bytes);
}

void ct_http_ready(struct ct_http *h)
{
	for (struct pending *p = h->suspended, *next; p; p = next) {
		next = p->next;
		if (!p->waits)
			continue;
		forget_program(p);
		MHD_resume_connection(p->connection);
	}
}

/* What is waited for: the server, the one who stops it, who wakes it, the output of programs,
 * and that those who are suspended go. */
static nfds_t descriptors(const struct ct_http *h, int stop_fd, struct pollfd *fds)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	nfds_t n = 0;

	fds[n++] = (struct pollfd){ .fd = info ? info->epoll_fd : -1, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = stop_fd, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = h->options.wake_fd, .events = POLLIN };
	for (struct pending *p = h->suspended; p; p = p->next) {
		fds[n++] = (struct pollfd){ .fd = p->socket, .events = POLLRDHUP };
		if (p->output >= 0)
			fds[n++] = (struct pollfd){ .fd = p->output, .events = POLLIN };
	}
	return n;
}

int ct_http_run(struct ct_http *h, int stop_fd)
{
	struct pollfd fds[3 + 2 * CONNECTIONS];

	for (;;) {
		MHD_UNSIGNED_LONG_LONG mhd_ms;
		int timeout = POLL_MS;

		start_programs(h);
		if (MHD_get_timeout(h->daemon, &mhd_ms) == MHD_YES && mhd_ms < POLL_MS)
			timeout = (int)mhd_ms;
		if (poll(fds, descriptors(h, stop_fd, fds), timeout) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			return 0;
		int error = h->options.tick ? h->options.tick(h->options.self) : 0;

		if (error)
			return error < 0 ? error : 0;
		drop_gone(h);
		for (struct pending *p = h->suspended, *next; p; p = next) {
			next = p->next;
			if (p->output >= 0)
				read_program(p);
		}
		make_room(h);
		MHD_run(h->daemon);
	}
}

void ct_http_stop(struct ct_http *h)
{
	/* A server that ends with requests that are suspended is not allowed to. */
	while (h->suspended) {
		struct pending *p = h->suspended;

		say(&p->answer, MHD_HTTP_SERVICE_UNAVAILABLE, "the server ends");
		p->asked = true;
		forget_program(p);
		MHD_resume_connection(p->connection);
	}
	MHD_stop_daemon(h->daemon);
	free(h);
}
