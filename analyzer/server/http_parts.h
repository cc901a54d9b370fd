/* Between http.c, http_jobs.c, http_programs.c and http_guests.c. */
#ifndef CT_HTTP_PARTS_H
#define CT_HTTP_PARTS_H

#include <microhttpd.h>
#include <sys/types.h>

#include "hosts.h"
#include "http.h"

/* A request on its way. */
struct pending {
	struct ct_http *http;
	struct MHD_Connection *connection;
	struct ct_answer answer;
	bool asked;              /* answer is there, or being made */
	bool waits;              /* for what ct_http_ready tells of */
	struct job *job;         /* that makes the answer; NULL: none */
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
	struct ct_jobs *jobs;
	struct pending *suspended; /* in the order of their requests */
	struct guest *guest;
	uint32_t guest_count;
};

/* The socket of a connection, or -1. */
int ct_http_socket(struct MHD_Connection *c);

/* --- http_programs.c --- */

/* A line of text becomes the answer, whatever it was. */
void ct_pending_say(struct ct_answer *a, unsigned int status, const char *text);
/* The connection sleeps until its program has ended, or ct_http_ready. */
void ct_pending_suspend(struct pending *p);
/* Off the list of those that are suspended, and its program is no more. */
void ct_pending_forget(struct pending *p);
/* Starts those whose turn it is. */
void ct_http_start_programs(struct ct_http *h);
/* Takes what there is of a program's output. */
void ct_http_read_program(struct pending *p);
bool ct_http_has_gone(int socket);
/* MHD does not look at those that are suspended: who has gone wants no answer. */
void ct_http_drop_gone(struct ct_http *h);

/* --- http_jobs.c --- */

#define CT_HTTP_WORKERS 4u

/* 0, -ENOMEM, -errno. */
int ct_jobs_start(struct ct_jobs **ret);
/* Readable when jobs are done. */
int ct_jobs_fd(const struct ct_jobs *j);
/* Takes over what->of in any case. 0 or -ENOMEM. */
int ct_jobs_add(struct ct_jobs *j, struct pending *p, const char *path, const struct ct_work *what);
/* The answer is not wanted any more. */
void ct_jobs_forget(struct ct_jobs *j, struct pending *p);
/* Sends what is done on its way. */
void ct_jobs_take_done(struct ct_jobs *j);
void ct_jobs_stop(struct ct_jobs *j);

/* --- http_guests.c --- */

/* MHD's: they come and go. */
void ct_guest_notify(void *self, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code);
/* A request of it is being answered, is no more. */
void ct_guest_count(struct pending *p);
void ct_guest_uncount(struct pending *p);
/* Connections are few: those that say nothing, or say it slowly, must not keep others out. */
void ct_guests_make_room(struct ct_http *h);

#endif
