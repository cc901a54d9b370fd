/* See http.h. */
#include "http_parts.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS   64u
#define TIMEOUT_S     60u         /* of one that says nothing */
#define POLL_MS       500

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

int ct_http_socket(struct MHD_Connection *c)
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
		ct_pending_say(a, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET");
		return NULL;
	}
	if (!host || !ct_hosts_name(&h->hosts, host, ct_http_socket(c))) {
		ct_pending_say(a, MHD_HTTP_FORBIDDEN, "the request names another host");
		return NULL;
	}
	/* The page itself: the very host that it was asked for at. */
	if (origin && (strncmp(origin, "http://", 7) || strcmp(host, origin + 7))) {
		ct_pending_say(a, MHD_HTTP_FORBIDDEN, "the request comes from another site");
		return NULL;
	}
	if (url[0] != '/' || !same_token(h, url + 1)) {
		ct_pending_say(a, MHD_HTTP_FORBIDDEN, "the address lacks the token that ctrace-analyze printed");
		return NULL;
	}
	return url + CT_HTTP_TOKEN + 1;
}

/* --- requests --- */

static enum MHD_Result begin(struct ct_http *h, struct MHD_Connection *connection, const char *method, void **state)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return MHD_NO;
	*p = (struct pending){ .http = h, .connection = connection, .socket = ct_http_socket(connection), .output = -1, .errors = -1 };
	*state = p;
	/* Answered now, what it would send is not waited for. */
	if (strcmp(method, "GET")) {
		p->asked = true;
		ct_guest_count(p);
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
	if (p->answer.work.answer) {
		struct ct_work work = p->answer.work;

		p->answer = (struct ct_answer){ 0 };
		if (ct_jobs_add(h->jobs, p, path, &work)) {
			ct_pending_say(&p->answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
			return true;
		}
		ct_pending_suspend(p);
		return false;
	}
	if (!p->answer.argv && !p->answer.later)
		return true;
	p->waits = p->answer.later;
	p->asked = !p->waits; /* it is asked again then */
	ct_pending_suspend(p);
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
		if (ct_http_has_gone(p->socket))
			return MHD_NO;
		p->asked = true;
		ct_guest_count(p);
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
	(void)connection;
	(void)how;
	if (!p)
		return;
	ct_pending_forget(p);
	ct_guest_uncount(p);
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
	struct ct_http *h = calloc(1, sizeof(*h));
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;

	if (!h)
		return -ENOMEM;
	h->options = *o;
	int error = ct_hosts_open(&h->hosts, o->host, o->port);

	/* All addresses of version 6 are those of 4, too. */
	if (h->hosts.listen.any.sa_family == AF_INET6)
		flags |= ct_hosts_all(&h->hosts) ? MHD_USE_DUAL_STACK : MHD_USE_IPv6;
	if (!error)
		error = make_token(h->token);

	if (!error)
		error = ct_jobs_start(&h->jobs);
	errno = 0;
	if (!error)
		h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, h,
					     MHD_OPTION_SOCK_ADDR, &h->hosts.listen.any, MHD_OPTION_NOTIFY_COMPLETED,
					     done, NULL, MHD_OPTION_NOTIFY_CONNECTION, ct_guest_notify, h, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
					     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536, MHD_OPTION_END);
	if (!h->daemon) {
		error = error ? error : errno ? -errno : -EIO;
		if (h->jobs)
			ct_jobs_stop(h->jobs);
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
		ct_pending_forget(p);
		MHD_resume_connection(p->connection);
	}
}

/* What is waited for: the server, the one who stops it, who wakes it, jobs, the output of programs,
 * and that those who are suspended go. */
static nfds_t descriptors(const struct ct_http *h, int stop_fd, struct pollfd *fds)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	nfds_t n = 0;

	fds[n++] = (struct pollfd){ .fd = info ? info->epoll_fd : -1, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = stop_fd, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = h->options.wake_fd, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = ct_jobs_fd(h->jobs), .events = POLLIN };
	for (struct pending *p = h->suspended; p; p = p->next) {
		fds[n++] = (struct pollfd){ .fd = p->socket, .events = POLLRDHUP };
		if (p->output >= 0)
			fds[n++] = (struct pollfd){ .fd = p->output, .events = POLLIN };
	}
	return n;
}

int ct_http_run(struct ct_http *h, int stop_fd)
{
	struct pollfd fds[4 + 2 * CONNECTIONS];

	for (;;) {
		MHD_UNSIGNED_LONG_LONG mhd_ms;
		int timeout = POLL_MS;

		ct_http_start_programs(h);
		if (MHD_get_timeout(h->daemon, &mhd_ms) == MHD_YES && mhd_ms < POLL_MS)
			timeout = (int)mhd_ms;
		if (poll(fds, descriptors(h, stop_fd, fds), timeout) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			return 0;
		int error = h->options.tick ? h->options.tick(h->options.self) : 0;

		if (error)
			return error < 0 ? error : 0;
		ct_jobs_take_done(h->jobs);
		ct_http_drop_gone(h);
		for (struct pending *p = h->suspended, *next; p; p = next) {
			next = p->next;
			if (p->output >= 0)
				ct_http_read_program(p);
		}
		ct_guests_make_room(h);
		MHD_run(h->daemon);
	}
}

void ct_http_stop(struct ct_http *h)
{
	/* A server that ends with requests that are suspended is not allowed to. */
	while (h->suspended) {
		struct pending *p = h->suspended;

		ct_pending_say(&p->answer, MHD_HTTP_SERVICE_UNAVAILABLE, "the server ends");
		p->asked = true;
		ct_pending_forget(p);
		MHD_resume_connection(p->connection);
	}
	ct_jobs_stop(h->jobs);
	MHD_stop_daemon(h->daemon);
	free(h);
}
