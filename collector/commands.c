/* Commands: the socket, requests, answers, the table of verbs. See commands.h. */
#include "commands.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector.h"
#include "proc.h"
#include "runtime.h"

#define MESSAGE   32768u
#define SWEEP     64u

const struct ct_verb ct_verbs[] = {
	{ "list", ct_command_list },
	{ "status", ct_command_status },
	{ "start", ct_command_start },
	{ "stop", ct_command_stop },
	{ "set", ct_command_set },
	{ "snapshot", ct_command_snapshot },
	{ "live", ct_command_live },
	{ "frames", ct_command_frames },
	{ NULL, NULL },
};

/* --- texts --- */

/* Bytes of the UTF-8 character at s; 0: it is none. */
static unsigned int character(const unsigned char *s)
{
	unsigned int n = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : *s >= 0xe0 && *s < 0xf0 ? 3 : *s >= 0xf0 && *s < 0xf5 ? 4 : 0;

	for (unsigned int i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong ones, surrogates, beyond the last. */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) ||
	    (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void ct_json_text(FILE *to, const char *text)
{
	putc('"', to);
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		unsigned int n = character(s);

		if (!n) {
			putc('?', to);
			n = 1;
		} else if (*s < 0x20 || *s == 0x7f) {
			fprintf(to, "\\u%04x", *s);
		} else {
			if (*s == '"' || *s == '\\')
				putc('\\', to);
			fwrite(s, 1, n, to);
		}
		s += n;
	}
	putc('"', to);
}

int ct_refuse(struct ct_answer *a, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(a->wrong, sizeof(a->wrong), format, ap);
	va_end(ap);
	return -1;
}

/* --- requests --- */

const char *ct_request_value(const struct ct_request *q, const char *key)
{
	for (unsigned int i = 0; i < q->count; i++)
		if (!strcmp(q->argument[i].key, key))
			return q->argument[i].value;
	return NULL;
}

int ct_request_number(const struct ct_request *q, struct ct_answer *a, const char *key, uint64_t *ret)
{
	const char *value = ct_request_value(q, key);
	char *end;

	if (!value)
		return 0;
	errno = 0;
	unsigned long long n = strtoull(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || errno)
		return ct_refuse(a, "%s=%.100s: not a number", key, value);
	*ret = n;
	return 0;
}

/* Cuts the text of n bytes into verb and arguments. */
static int parse(struct ct_request *q, size_t n, struct ct_answer *a)
{
	q->text[n] = 0;
	if (strlen(q->text) != n)
		return ct_refuse(a, "a request has no NUL");
	char *rest = q->text;

	q->count = 0;
	q->verb = strsep(&rest, "\n");
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (!*line)
			continue;
		char *value = strchr(line, '=');

		if (!value || q->count == CT_REQUEST_ARGUMENTS)
			return ct_refuse(a, value ? "too many arguments" : "an argument is KEY=VALUE");
		*value = 0;
		q->argument[q->count].key = line;
		q->argument[q->count++].value = value + 1;
	}
	return 0;
}

static int serve(struct ct_collector *c, struct ct_request *q, size_t bytes, struct ct_answer *a)
{
	if (bytes > CT_REQUEST_BYTES)
		return ct_refuse(a, "the request is too long");
	if (parse(q, bytes, a))
		return -1;
	for (const struct ct_verb *v = ct_verbs; v->name; v++)
		if (!strcmp(v->name, q->verb))
			return v->answer(c, q, a);
	return ct_refuse(a, "this collector (ctrace " CTRACE_VERSION ") knows no %.50s", q->verb);
}

/* --- connections --- */

static struct ct_asker *find(struct ct_collector *c, int fd)
{
	for (unsigned int i = 0; i < CT_ASKERS_MAX; i++)
		if (c->asker[i].used && c->asker[i].fd == fd)
			return &c->asker[i];
	return NULL;
}

static void drop(struct ct_asker *k)
{
	close(k->fd);
	free(k->text);
	*k = (struct ct_asker){ 0 };
}

/* The whole answer as text. -1 without memory. */
static int compose(struct ct_collector *c, struct ct_asker *k, struct ct_request *q, size_t bytes)
{
	struct ct_answer a = { 0 };
	char *members = NULL;
	size_t n = 0;

	a.to = open_memstream(&members, &n);
	if (!a.to)
		return -1;
	int wrong = serve(c, q, bytes, &a);
	FILE *all = fclose(a.to) ? NULL : open_memstream(&k->text, &k->bytes);

	if (!all) {
		free(members);
		return -1;
	}
	fprintf(all, "{\"ok\": %s", wrong ? "false, \"error\": " : "true");
	if (wrong)
		ct_json_text(all, a.wrong);
	else
		fwrite(members, 1, n, all);
	fputs("}\n", all);
	free(members);
	return fclose(all) ? -1 : 0;
}

/* Sends what there is room for. Returns whether all of it is sent, or cannot be. */
static bool send_some(struct ct_asker *k)
{
	while (k->sent < k->bytes) {
		size_t left = k->bytes - k->sent;
		ssize_t n = send(k->fd, k->text + k->sent, left < MESSAGE ? left : MESSAGE, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno != EAGAIN && errno != EINTR;
		k->sent += (size_t)n;
	}
	return true;
}

void ct_commands_asker(struct ct_collector *c, int fd)
{
	static struct ct_request q;
	struct ct_asker *k = find(c, fd);

	if (!k)
		return;
	if (!k->text) {
		ssize_t n = recv(fd, q.text, sizeof(q.text), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0 || compose(c, k, &q, (size_t)n)) {
			drop(k);
			return;
		}
		struct epoll_event e = { .events = EPOLLOUT, .data.u64 = (uint64_t)CT_SOURCE_ASKER << 56 | (uint64_t)fd };

		epoll_ctl(c->epoll, EPOLL_CTL_MOD, fd, &e);
	}
	if (send_some(k))
		drop(k);
}

static bool may_ask(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) && (!peer.uid || peer.uid == geteuid());
}

void ct_commands_accept(struct ct_collector *c)
{
	for (;;) {
		int fd = accept4(c->commands, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		/* The one that came first may be one that says nothing. */
		struct ct_asker *k = &c->asker[c->next_asker % CT_ASKERS_MAX];

		if (!may_ask(fd) || ct_collector_watch(c, fd, CT_SOURCE_ASKER, (uint64_t)fd)) {
			close(fd);
			continue;
		}
		c->next_asker++;
		if (k->used)
			drop(k);
		*k = (struct ct_asker){ .used = true, .fd = fd };
		ct_commands_asker(c, fd);
	}
}

/* --- the socket --- */

static int listen_at(struct ct_collector *c, const struct ct_runtime *r)
{
	int error = ct_runtime_address(r, getpid(), &c->commands_at);

	if (error)
		return error;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* One that had our pid may have left it. */
	unlink(c->commands_at.sun_path);
	if (bind(fd, (struct sockaddr *)&c->commands_at, sizeof(c->commands_at))) {
		error = -errno;
		close(fd);
		return error;
	}
	if (listen(fd, CT_ASKERS_MAX) || ct_collector_watch(c, fd, CT_SOURCE_COMMANDS, 0)) {
		error = -errno;
		close(fd);
		unlink(c->commands_at.sun_path);
		return error;
	}
	c->commands = fd;
	return 0;
}

void ct_commands_open(struct ct_collector *c)
{
	struct ct_runtime r;
	char dir[PATH_MAX];

	/* The preloaded library hands us no environment: the program's says it. */
	if (c->options.daemon && c->options.program && !getenv("XDG_RUNTIME_DIR") &&
	    !ct_proc_environment(c->options.program, "XDG_RUNTIME_DIR", dir, sizeof(dir)))
		setenv("XDG_RUNTIME_DIR", dir, 1);
	int error = ct_runtime_open(&r, true);

	c->commands = -1;
	if (error == -EPERM)
		fprintf(stderr, "ctrace: %s: ctrace-ctl will not find this program\n", r.wrong);
	if (error || listen_at(c, &r))
		return;
	ct_runtime_sweep(&r, SWEEP);
}

void ct_commands_close(struct ct_collector *c)
{
	for (unsigned int i = 0; i < CT_ASKERS_MAX; i++)
		if (c->asker[i].used)
			drop(&c->asker[i]);
	if (c->commands < 0)
		return;
	unlink(c->commands_at.sun_path);
	close(c->commands);
	c->commands = -1;
}
