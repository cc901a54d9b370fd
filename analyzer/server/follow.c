/* See follow.h. */
#include "follow.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "growth.h"
#include "json_parts.h"
#include "progress.h"

/* Of the time that it takes to read the trace, so much is let pass before it is read again:
 * what it costs stays a part of one CPU, however large the trace becomes. */
#define PAUSE_TIMES 2
#define PAUSE_MS    1000u
#define GROWN_MS    500u    /* where it is read on */

/* Nobody has to be shown what is new so long after the last request. */
#define LOOKS_MS    10000u
/* One without an end that nobody has written to for so long grows no more: it was cut. */
#define LIVE_S      60

struct reading {
	struct ct_context context;
	struct ct_served served;
	int error;
	uint64_t began_ms;
	uint32_t users;              /* that it is in use, and requests that are answered from it */
};

struct ct_follow {
	struct ct_context *context;  /* of the command */
	struct ct_http *http;
	struct reading *now;         /* what is shown; NULL: nothing yet */
	struct reading *next;        /* what the thread makes */
	pthread_t thread;
	bool running;
	struct ct_progress_watch watch;
	int wake_fd;                 /* eventfd: the thread is done */
	uint32_t generation;
	uint64_t not_before_ms, asked_ms;
	struct ct_growth *growth;    /* the thread's, while it runs; NULL: the trace does not grow */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void let_go(void *reading)
{
	struct reading *r = reading;

	if (!r || --r->users)
		return;
	ct_served_close(&r->served);
	if (r->context.reader.fd >= 0)
		ct_reader_close(&r->context.reader);
	free(r);
}

/* --- the thread --- */

static void forget(struct ct_follow *f, struct reading *r)
{
	ct_served_close(&r->served);
	if (r->context.reader.fd >= 0)
		ct_reader_close(&r->context.reader);
	ct_growth_let_go(f->growth);
	f->growth = NULL;
}

static bool is_live(const struct reading *r)
{
	struct stat st;

	return !r->context.reader.has_trailer && !ct_options_select(r->context.options) && !fstat(r->context.reader.fd, &st) &&
	       time(NULL) - st.st_mtime < LIVE_S;
}

/* 0; -EAGAIN: it cannot be read on; -errno. */
static int read_on(struct ct_follow *f, struct reading *r)
{
	uint64_t bytes;
	enum ct_growth_state state = ct_growth_look(f->growth, &bytes);

	if (state == CT_GROWTH_ANOTHER || (state == CT_GROWTH_FINISHED && ct_growth_is_done(f->growth, bytes)))
		return -EAGAIN;
	return ct_growth_read(f->growth, bytes, &r->served, &r->context);
}

static int open_anew(struct reading *r)
{
	/* The first time it is open already. */
	return r->context.reader.fd < 0 ? ct_command_open(&r->context, r->context.options->file) : 0;
}

static int read_somehow(struct ct_follow *f, struct reading *r)
{
	int error = f->growth ? read_on(f, r) : -EAGAIN;

	if (f->growth && error == -EAGAIN)
		forget(f, r);
	if (error == -EAGAIN)
		error = open_anew(r);
	else
		return error;
	if (!error && is_live(r)) {
		error = ct_growth_begin(&f->growth, &r->context.reader, r->context.options, r->served.generation);
		ct_reader_close(&r->context.reader);
		error = error ? error : read_on(f, r);
		if (error != -EAGAIN)
			return error;
		/* It was finished just now. */
		forget(f, r);
		error = open_anew(r);
	}
	return error ? error : ct_served_open(&r->served, &r->context);
}

static void *read_trace(void *self)
{
	struct ct_follow *f = self;
	struct reading *r = f->next;
	uint64_t one = 1;

	ct_progress_watch(&f->watch);
	r->error = read_somehow(f, r);
	if (write(f->wake_fd, &one, sizeof(one)) != sizeof(one))
		abort(); /* an eventfd takes one */
	return NULL;
}

static int start(struct ct_follow *f)
{
	struct reading *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->context = (struct ct_context){ .options = f->context->options, .out = f->context->out, .reader.fd = -1 };
	r->users = 1;
	r->served.generation = ++f->generation;
	r->began_ms = now_ms();
	int error = f->now ? 0 : ct_reader_dup(&r->context.reader, &f->context->reader);

	f->next = r;
	if (!error)
		error = -pthread_create(&f->thread, NULL, read_trace, f);
	f->running = !error;
	if (error) {
		let_go(r);
		f->next = NULL;
	}
	return error;
}

/* --- beside it --- */

static void take_over(struct ct_follow *f)
{
	struct reading *r = f->next;
	uint64_t ms = now_ms();
	char text[160];

	f->next = NULL;
	/* What is read on is as much as has come meanwhile. */
	f->not_before_ms = ms + (f->growth ? GROWN_MS : (ms - r->began_ms) * PAUSE_TIMES + PAUSE_MS);
	if (!r->error) {
		let_go(f->now);
		f->now = r;
		/* It is large, and not of this thread's heap. */
		malloc_trim(0);
		return;
	}
	snprintf(text, sizeof(text), "the file is another one, which cannot be read: %.100s",
		 *r->context.usage ? r->context.usage : strerror(-r->error));
	ct_served_stale(&f->now->served, text);
	let_go(r);
	ct_growth_let_go(f->growth);
	f->growth = NULL;
}

static void say_progress(struct ct_follow *f, bool clear)
{
	if (!isatty(STDERR_FILENO) || (f->now && !clear))
		return;
	fputs("\r\033[K", stderr);
	if (!clear && f->next && now_ms() - f->next->began_ms > 1000) {
		uint64_t whole = f->watch.whole;

		fprintf(stderr, "%s: %u %%", atomic_load(&f->next->served.drawing) ? "drawing the picture" : "reading the trace",
			(unsigned)(whole ? 100.0 * (double)f->watch.done / (double)whole : 0));
	}
	fflush(stderr);
}

/* Reads it again if there is reason to. */
static void look(struct ct_follow *f)
{
	if (!f->now || f->next || now_ms() < f->not_before_ms)
		return;
	enum ct_fate fate = ct_served_fate(&f->now->served);

	if (fate == CT_FATE_SAME && !(f->growth && ct_growth_is_due(f->growth))) {
		ct_served_stale(&f->now->served, "");
		return;
	}
	if (fate == CT_FATE_REPLACED) {
		ct_growth_let_go(f->growth);
		f->growth = NULL;
	}
	start(f); /* if it cannot, then the next time */
}

int ct_follow_tick(void *self)
{
	struct ct_follow *f = self;
	uint64_t count;
	int error;

	if (read(f->wake_fd, &count, sizeof(count)) != sizeof(count)) {
		say_progress(f, false);
		if (!f->next && f->growth && now_ms() - f->asked_ms < LOOKS_MS)
			look(f);
		return 0;
	}
	pthread_join(f->thread, NULL);
	f->running = false;
	error = f->next->error;
	if (error && !f->now) {
		memcpy(f->context->usage, f->next->context.usage, sizeof(f->context->usage));
		return error;
	}
	say_progress(f, true);
	take_over(f);
	ct_http_ready(f->http);
	return 0;
}

static void answer_progress(struct ct_follow *f, struct ct_answer *ret)
{
	json_t *o = json_object();
	uint64_t whole = f->watch.whole;

	ct_json_begin();
	ct_json_set(o, "ready", json_boolean(f->now));
	ct_json_text(o, "doing", f->now ? NULL : atomic_load(&f->next->served.drawing) ? "drawing the picture" : "reading the trace");
	ct_json_number(o, "percent", f->now ? 100 : whole ? (uint64_t)(100.0 * (double)f->watch.done / (double)whole) : 0);
	ct_api_json(ret, o);
}

static void answer_beside(void *of, const struct ct_request *r, struct ct_answer *ret)
{
	struct reading *reading = of;

	ct_api_answer(&reading->served, r, ret);
}

void ct_follow_answer(void *self, const struct ct_request *r, struct ct_answer *ret)
{
	struct ct_follow *f = self;

	if (!strcmp(r->path, "api/progress")) {
		answer_progress(f, ret);
	} else if (strncmp(r->path, "api/", 4)) {
		if (!ct_page_file(r->path, ret))
			ct_api_say(ret, 404, "nothing here");
	} else if (!f->now) {
		*ret = (struct ct_answer){ .later = true };
	} else {
		bool is_view = !strncmp(r->path, "api/view/", 9);

		f->asked_ms = now_ms();

		if (is_view || !strcmp(r->path, "api/trace"))
			look(f);
		if (is_view) {
			ct_api_answer(&f->now->served, r, ret);
			return;
		}
		f->now->users++;
		*ret = (struct ct_answer){ .work = { answer_beside, let_go, f->now } };
	}
}

int ct_follow_wake_fd(const struct ct_follow *f)
{
	return f->wake_fd;
}

void ct_follow_tell(struct ct_follow *f, struct ct_http *http)
{
	f->http = http;
}

int ct_follow_start(struct ct_follow **ret, struct ct_context *c)
{
	struct ct_follow *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->context = c;
	f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error = f->wake_fd < 0 ? -errno : start(f);

	if (error) {
		if (f->wake_fd >= 0)
			close(f->wake_fd);
		free(f);
		return error;
	}
	*ret = f;
	return 0;
}

void ct_follow_stop(struct ct_follow *f)
{
	if (f->running) {
		atomic_store(&f->watch.stop, true);
		pthread_join(f->thread, NULL);
	}
	say_progress(f, true);
	if (f->now) {
		f->context->reader.damaged = f->now->context.reader.damaged;
		f->context->reader.damage = f->now->context.reader.damage;
		f->context->reader.damage_offset = f->now->context.reader.damage_offset;
	}
	let_go(f->next);
	let_go(f->now);
	ct_growth_let_go(f->growth);
	close(f->wake_fd);
	free(f);
}
