/* What the page of `serve` asks for. */
#ifndef CT_API_H
#define CT_API_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "callstacks.h"
#include "commands.h"
#include "http.h"
#include "known.h"
#include "notes.h"
#include "overview.h"
#include "shared_windows.h"

struct ct_growth;

/* Symbols, which are looked up once for all readings of a trace that grows. names.c */
struct ct_names {
	atomic_uint users;
	pthread_mutex_t lock;
	struct ct_symbols symbols;
	struct ct_callstacks callstacks;
};

/* Of a model and those that go on from it. NULL without memory. */
struct ct_names *ct_names_open(const struct ct_model *m);
void ct_names_let_go(struct ct_names *n);
/* Locks them for a reading's model. 0 or -ENOMEM; ct_names_done in either case. */
int ct_names_use(struct ct_names *n, const struct ct_model *m);
void ct_names_done(struct ct_names *n);

/* A trace as it was when it was read. Requests are answered by several threads at once: what they
 * change has a lock. */
struct ct_served {
	struct ct_context *context;
	char *path;               /* of the trace, absolute; owned; NULL: it came without one */
	uint32_t generation;      /* 0 where it is read once */
	uint32_t since;           /* lanes' and sites' numbers are those of all generations from this one on */
	struct stat file;
	pthread_mutex_t lock;     /* of stale */
	char stale[160];          /* why what is shown is not what is in the file now; "" */
	atomic_bool drawing;      /* the model is there; for another thread, while it is opened */
	struct ct_model m;        /* of the whole trace */
	struct ct_trace_map map;
	struct ct_overview overview;
	struct ct_notes notes;
	struct ct_shared_windows windows;
	struct ct_names *names;
	struct ct_growth *growth; /* what it is a snapshot of; NULL: it was read as a whole */
};

/* Loads the trace that the context has opened. 0, -EINVAL, -ENOMEM, -errno. Close in either case. */
int ct_served_open(struct ct_served *s, struct ct_context *c);
void ct_served_close(struct ct_served *s);
/* Makes notes, once the overview is there. 0, -ENOMEM, -errno. */
int ct_served_notes(struct ct_served *s);

/* What has become of the file since it was read. */
enum ct_fate {
	CT_FATE_SAME,
	CT_FATE_GROWN,            /* it was not complete then */
	CT_FATE_REPLACED,         /* or changed */
};
enum ct_fate ct_served_fate(const struct ct_served *s);
void ct_served_stale(struct ct_served *s, const char *why);

/*
 * GET api/trace             the trace, its threads and causes
 *     api/words             what states, causes, categories and columns mean
 *     api/lanes?from=&to=&pieces=&lanes=   a picture: see lanes.c
 *     api/load?from=&to=&pieces=   all threads together
 *     api/notes?from=&to=&pieces=&lanes=   what is drawn beside: see notes_answer.c
 *     api/lines?lane=&from=&to=   what the program said: likewise
 *     api/site?id=          the object, the call and the stack of a wait's site
 *     api/known?ids=        of sites, what is known of such places: {"ID": {"what", "contention"}}
 *     api/wait?lane=&start=&end=   who ended it, and when
 *     api/before?lane=&time=   the last wait of a thread before a time that another thread ended, or the last one:
 *                       {"lane", "start", "length", "site", "of": {"cause", "call", "object"}}
 *     api/view/NAME?...     the JSON of a command, with its options as keys
 *     anything else         a file of the page
 *
 * Views and files are answered at once; the rest takes a while, and any thread may do it.
 *
 * Numbers of lanes and sites are of a generation, which api/trace tells, and of those that went on
 * from it; a request that has generation= gets 409 where it is none of them.
 */
ct_answerer ct_api_answer;

/* --- lanes.c, notes_answer.c, wait.c, words.c, page.c --- */

void ct_api_words(struct ct_answer *ret);
void ct_api_lanes(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret);
void ct_api_load(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret);
void ct_api_notes(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret);
void ct_api_lines(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret);
void ct_api_site(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret);
/* known_answer.c: what is known of a place, or NULL. */
const struct ct_known *ct_api_known_of(struct ct_served *s, const struct ct_site_info *info);
json_t *ct_api_known_json(const struct ct_known *known);
void ct_api_known(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret);
void ct_api_wait(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret);
void ct_api_before(struct ct_served *s, const struct ct_request *r, struct ct_answer *ret);
/* A file of the page, or false. */
bool ct_page_file(const char *path, struct ct_answer *ret);

void ct_api_say(struct ct_answer *a, unsigned int status, const char *text);
/* Takes over the object, and the state of json_parts.h. */
void ct_api_json(struct ct_answer *a, json_t *object);
/* A number of a request; fallback where there is none. -EINVAL: it is none, or too large. */
int ct_api_number(const struct ct_request *r, const char *key, uint64_t most, uint64_t fallback, uint64_t *ret);

#endif
