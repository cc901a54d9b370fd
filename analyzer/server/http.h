/*
 * A small web server for one user: on the loopback interface, behind a token that is part
 * of every path, for requests that name this host. One thread speaks with browsers, and asks
 * for answers; what takes a while is done by a few threads beside it, what takes long by a
 * process of its own (ctrace-analyze itself), whose output is the answer.
 */
#ifndef CT_HTTP_H
#define CT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec.h"

#define CT_HTTP_TOKEN 33 /* characters, with the NUL */

struct ct_http;

/* A request, as far as an answer may depend on it. */
struct ct_request {
	const char *path;        /* behind the token's slash */
	/* The value of a key in the address, or NULL. */
	const char *(*value)(const struct ct_request *r, const char *key);
	void *of;                /* value's */
};

struct ct_answer;

/* Makes an answer in another thread. */
struct ct_work {
	void (*answer)(void *of, const struct ct_request *request, struct ct_answer *ret); /* a body */
	void (*let_go)(void *of);  /* in the server's thread, once, when of is not needed any more */
	void *of;
};

struct ct_answer {
	unsigned int status;     /* of HTTP */
	const char *type;        /* static */
	struct ct_buf body;      /* owned: it is freed when it is sent */
	const void *fixed;       /* instead of body: static */
	size_t fixed_bytes;
	bool gzip;               /* the body is compressed */
	char **argv;             /* instead of a body: a program whose output is the body, JSON; owned, as each text is */
	int trace;               /* a descriptor that the program has as CT_ANSWER_TRACE; owned; 0: none */
	struct ct_work work;     /* instead of a body; answer NULL: none */
	bool later;              /* there is no answer yet: ask again after ct_http_ready */
};

#define CT_ANSWER_TRACE 3

/* Answers a GET. */
typedef void ct_answerer(void *self, const struct ct_request *request, struct ct_answer *ret);

struct ct_http_options {
	const char *host;        /* numeric address, of version 4 or 6 */
	uint16_t port;           /* 0: any that is free */
	ct_answerer *answer;
	/* Called twice a second, and when wake_fd is readable, which it has to empty. 0; or it ends
	 * the server, with what is below 0 as the error; may be NULL. */
	int (*tick)(void *self);
	int wake_fd;             /* -1: none */
	void *self;
};

/* -errno: the address cannot be had. */
int ct_http_start(struct ct_http **ret, const struct ct_http_options *o);
uint16_t ct_http_port(const struct ct_http *h);
const char *ct_http_token(const struct ct_http *h);
/* The host that a browser can reach it by. */
const char *ct_http_shown(const struct ct_http *h, char *to, size_t bytes);
/* Serves until stop_fd is readable. 0 or -errno. */
int ct_http_run(struct ct_http *h, int stop_fd);
/* What had to wait for its answer is asked for again. Of tick only. */
void ct_http_ready(struct ct_http *h);
void ct_http_stop(struct ct_http *h);

/* --- answer.c: without a server --- */

/* Runs an answer's program to its end: its output becomes the body. 0 or -errno. */
int ct_answer_finish(struct ct_answer *a);
void ct_answer_free(struct ct_answer *a);

#endif
