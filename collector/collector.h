/* The collector as a whole: who is attached, what is waited for, when it ends. */
#ifndef CT_COLLECTOR_H
#define CT_COLLECTOR_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "commands.h"
#include "flight.h"
#include "process.h"
#include "slices.h"

/* What an epoll event is about: kind << 56 | id. Ids, not pointers: what an
 * event names may have ended by the time it is looked at. */
enum ct_source {
	CT_SOURCE_LISTENER,
	CT_SOURCE_SIGNAL,
	CT_SOURCE_CONTROL,
	CT_SOURCE_PEER,    /* id: descriptor of a connection that has not said hello */
	CT_SOURCE_PROCESS, /* id: ct_process.id */
	CT_SOURCE_SCHED,   /* a ring of context switches fills */
	CT_SOURCE_COMMANDS, /* somebody connects to command us */
	CT_SOURCE_ASKER,   /* id: descriptor of such a connection */
	CT_SOURCE_FLIGHT,  /* a snapshot has been written */
};

struct ct_options {
	const char *socket_name; /* see socket.h */
	const char *out;
	bool daemon;
	int control;             /* descriptor, -1: none */
	pid_t program;           /* whose context switches are wanted; 0: not said */
	const char *sched;       /* auto, on, off; NULL: not said */
	uint64_t watchdog_ns;    /* 0: none */
	const char *program_name; /* for the names of snapshots; NULL: not said */
};

struct ct_watchdog {
	uint64_t mark;           /* says whether anybody ran */
	uint64_t since_ns;       /* since when nobody has */
	uint64_t next_ns;
	bool told;
};

/* A connection that asks: see commands.h. */
struct ct_asker {
	bool used;
	int fd;
	char *text;              /* the answer; NULL: not asked yet; owned */
	size_t bytes, sent;
};

/* Connections that have not said hello yet. More than that never are there for long: each says it at
 * once. Whoever only connects takes the place of the one that came first. */
#define CT_PEERS_MAX 256u

struct ct_collector {
	struct ct_trace trace;
	struct ct_options options;
	struct ct_sched sched;
	struct ct_watchdog watchdog;
	struct ct_flight flight;  /* if its options say so */
	char sched_refused[CT_PERF_WRONG + 32];  /* why there are no context switches */
	bool sched_off;           /* they are not wanted */
	const char *wakes;        /* META's: whose wake-ups are recorded; NULL: there are no context switches */
	struct ct_process **process; /* owned, as is each of them */
	size_t process_count, process_room;
	int epoll, listener, signals, spare;
	int control;              /* -1: nobody listens any more */
	bool ended;               /* the program has ended, or nobody will tell when */
	bool terminated;          /* SIGTERM, and nothing more is waited for */
	uint64_t terminated_ns;   /* when it came; 0: it did not */
	bool announced;           /* told to be ready */
	uint64_t idle_since_ns;   /* since when nothing is attached */
	uint64_t ended_ns;
	uint64_t clock_ns;        /* when the next CLOCK record is due */
	uint64_t pass_ns;         /* when the last pass was */
	unsigned int period_ms;
	int commands;             /* listens; -1: it does not */
	struct sockaddr_un commands_at;
	struct ct_asker asker[CT_ASKERS_MAX];
	unsigned int next_asker;
	int peer[CT_PEERS_MAX];  /* descriptor + 1; 0: free */
	unsigned int next_peer;
	char out_path[PATH_MAX];  /* the output's, whole where it is known */
	struct ct_recording recording; /* what was wanted of all processes */
	bool recording_set;       /* it was */
	uint32_t refused;
	char refused_text[128];
};

/* --- listen.c --- */

/* Listens at the socket of that name: see socket.h. -EADDRINUSE: another collector does; -errno. */
int ct_attach_listen(const char *name, int *ret_fd);

/* --- attach.c --- */

void ct_attach_accept(struct ct_collector *c);
/* A connection that has something to say, or has ended. */
void ct_attach_peer(struct ct_collector *c, int fd);

/* --- loop.c --- */

int ct_collector_watch(struct ct_collector *c, int fd, enum ct_source source, uint64_t id);
/* Takes over p; -ENOMEM: then it is finished at once. */
int ct_collector_add(struct ct_collector *c, struct ct_process *p);
struct ct_process *ct_collector_find(struct ct_collector *c, pid_t pid);
/* Finishes p and forgets it. */
void ct_collector_end(struct ct_collector *c, struct ct_process *p, int how, uint64_t end_ns);
/* Collects until there is nothing more to come. */
void ct_collector_loop(struct ct_collector *c);

/* --- meta.c --- */

/* What a trace begins with: META, CAUSE and CALL records. */
void ct_meta_write(struct ct_collector *c, struct ct_writer *w);
/* What a snapshot is, and why it was taken. begin_ns 0: it has all since the program's begin. */
void ct_meta_snapshot(const struct ct_flight *f, struct ct_writer *w, uint64_t begin_ns, uint64_t now_ns,
		      const struct ct_reason *reason);

/* --- watchdog.c --- */

void ct_watchdog_pass(struct ct_collector *c, uint64_t now_ns);

/* --- slices-open.c --- */

/* Opens the context-switch records, if they are wanted. 0: they are open, or
 * c says why not; -errno: they must be, and sched_refused says why they are not. */
int ct_collector_sched(struct ct_collector *c);

/* --- daemon.c --- */

/* CPU time that we used. */
uint64_t ct_cpu_ns(void);

/* Frees the process from what it inherited: descriptors except keep (-1: none),
 * signal mask and dispositions. Descriptors 0 to 2 are open afterwards. */
void ct_daemon_clean(int keep);
/* Lets go of standard input and output, and of a standard error that somebody
 * may read to its end. */
void ct_daemon_detach(void);

#endif
