/* Pictures: one question to the collector, one look at /proc, and differences. See top.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "clean.h"
#include "top.h"

#define THREADS_MAX 4000u /* of a picture */
#define KEEP_NS     UINT64_C(60000000000) /* somebody may stop to read */

static uint64_t number(const json_t *o, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(o, name));
}

static uint64_t hex(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? strtoull(s, NULL, 16) : 0;
}

/* A clean copy. */
static char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return ct_clean(s ? s : "", s ? strlen(s) : 0);
}

struct ct_top_what ct_top_what_of(const json_t *o)
{
	return (struct ct_top_what){
		.call = json_string_value(json_object_get(o, "call")),
		.cause = (uint8_t)number(o, "cause"),
		.object_kind = (uint8_t)number(o, "object_kind"),
		.object = hex(o, "object"),
		.ip = hex(o, "ip"),
		.stack = (uint32_t)number(o, "stack"),
		.label = json_string_value(json_object_get(o, "label")),
		.fd_kind = (uint32_t)number(o, "fd_kind"),
	};
}

/* --- /proc --- */

static bool read_task(pid_t pid, pid_t tid, const char *name, char *to, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, size - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	to[n] = 0;
	return true;
}

/* 'R', 'S', ...; 0: not known. */
static char kernel_state(pid_t pid, pid_t tid)
{
	char stat[512];

	if (!read_task(pid, tid, "stat", stat, sizeof(stat)))
		return 0;
	const char *end = strrchr(stat, ')');

	return end && end[1] == ' ' ? end[2] : 0;
}

/* One without a CPU is known to be ready if the scheduler's records say so. */
static enum ct_top_state state_of(const struct ct_top *t, const struct ct_top_thread *th, const json_t *o)
{
	const json_t *on_cpu = json_object_get(o, "on_cpu");
	char state = kernel_state(t->pid, th->tid);

	if (state == 'R')
		return json_is_false(on_cpu) ? CT_TOP_READY : CT_TOP_RUNS;
	if (state)
		return CT_TOP_BLOCKED;
	if (json_is_true(on_cpu))
		return CT_TOP_RUNS;
	return th->wait.call ? CT_TOP_BLOCKED : CT_TOP_UNKNOWN;
}

static void read_times(const struct ct_top *t, struct ct_top_thread *th)
{
	char stat[128];

	th->read = read_task(t->pid, th->tid, "schedstat", stat, sizeof(stat)) &&
		    sscanf(stat, "%" SCNu64 " %" SCNu64, &th->run_ns, &th->ready_ns) == 2;
}

/* --- threads --- */

static double part(uint64_t now, uint64_t before, uint64_t whole)
{
	double p = whole && now > before ? (double)(now - before) / (double)whole : 0;

	return p > 1 ? 1 : p;
}

static void divide_time(struct ct_picture *p, const struct ct_picture *before, struct ct_top_thread *th)
{
	uint32_t at = ct_table_get(&before->by_tid, (uint64_t)th->tid);
	const struct ct_top_thread *old = at ? &before->thread[at - 1] : NULL;
	uint64_t whole = p->interval_ns;

	if (old && (old->start_ns != th->start_ns || !old->read))
		old = NULL;
	/* What began before then, and was not seen then, has no difference. */
	th->timed = th->read && !p->first && (old || th->start_ns > before->now_ns);
	if (!th->timed)
		return;
	if (!old && p->now_ns > th->start_ns)
		whole = p->now_ns - th->start_ns;
	th->running = part(th->run_ns, old ? old->run_ns : 0, whole);
	th->ready = part(th->ready_ns, old ? old->ready_ns : 0, whole);
	if (th->running + th->ready > 1)
		th->ready = 1 - th->running;
	th->blocked = 1 - th->running - th->ready;
	/* A thread is there for a part of the interval alone. */
	double weight = p->interval_ns ? (double)whole / (double)p->interval_ns : 1;

	p->running += th->running * weight;
	p->ready += th->ready * weight;
	p->blocked += th->blocked * weight;
}

static int take_thread(const struct ct_top *t, struct ct_picture *p, const json_t *o)
{
	struct ct_top_thread *th = CT_APPEND(p, thread);
	const json_t *wait = json_object_get(o, "wait");

	if (!th)
		return -ENOMEM;
	th->tid = (pid_t)number(o, "tid");
	th->name = text(o, "name");
	th->start_ns = number(o, "start_ns");
	th->pthread = hex(o, "pthread");
	if (wait) {
		th->wait = ct_top_what_of(wait);
		th->wait_start_ns = number(wait, "start_ns");
		th->age_ns = number(wait, "age_ns");
		th->owner = (pid_t)number(wait, "owner_tid");
	}
	if (!th->name || ct_table_put(&p->by_tid, (uint64_t)th->tid, p->thread_count))
		return -ENOMEM;
	read_times(t, th);
	th->state = state_of(t, th, o);
	return 0;
}

static void take_recording(struct ct_picture *p, const json_t *answer)
{
	const char *state = json_string_value(json_object_get(answer, "recording"));
	const json_t *family;
	size_t i, n = 0;

	snprintf(p->recording, sizeof(p->recording), "%s", state ? state : "on");
	if (state && strcmp(state, "partly"))
		return;
	*p->recording = 0;
	json_array_foreach(json_object_get(answer, "families"), i, family) {
		n += (size_t)snprintf(p->recording + n, sizeof(p->recording) - n, "%s%s", i ? "," : "",
				      json_string_value(family));
		if (n >= sizeof(p->recording))
			return;
	}
}

/* --- a picture --- */

void ct_picture_free(struct ct_picture *p)
{
	for (uint32_t i = 0; i < p->thread_count; i++)
		free(p->thread[i].name);
	free(p->thread);
	free(p->cause);
	free(p->site);
	free(p->lock);
	free(p->sum);
	free(p->executable);
	ct_table_free(&p->total_by_key);
	ct_table_free(&p->by_tid);
	json_decref(p->answer);
	*p = (struct ct_picture){ 0 };
}

static int take(struct ct_top *t, struct ct_picture *p, json_t *answer)
{
	const struct ct_picture *before = &t->now;
	const json_t *o;
	size_t i;

	p->answer = answer;
	p->now_ns = number(answer, "now_ns");
	p->begun_ns = number(answer, "begun_ns");
	p->start_ns = number(answer, "start_ns");
	p->events = number(answer, "events");
	p->lost = number(answer, "lost");
	p->threads = number(answer, "thread_count");
	p->flight = json_is_true(json_object_get(answer, "flight"));
	p->sched = json_is_true(json_object_get(answer, "sched"));
	p->executable = text(answer, "executable");
	take_recording(p, answer);
	/* Another program in the process, by exec(); or its sums begin anew. */
	p->first = !before->now_ns || before->start_ns != p->start_ns || before->now_ns >= p->now_ns;
	p->interval_ns = p->now_ns - (p->first ? p->begun_ns : before->now_ns);
	if (!p->first) {
		p->new_events = p->events - before->events;
		p->new_lost = p->lost - before->lost;
	}
	json_array_foreach(json_object_get(answer, "threads"), i, o)
		if (take_thread(t, p, o))
			return -ENOMEM;
	for (uint32_t k = 0; k < p->thread_count; k++)
		divide_time(p, before, &p->thread[k]);
	return p->executable ? 0 : -ENOMEM;
}

static bool fail(struct ct_top *t, const char *wrong)
{
	bool gone = !*wrong || strstr(wrong, "is not traced");

	t->ended = gone;
	if (gone)
		snprintf(t->why, sizeof(t->why), "%s (%d) has ended%s", t->name, t->pid,
			 !kill(t->pid, 0) || errno != ESRCH ? ", or is not traced any more" : "");
	else
		snprintf(t->why, sizeof(t->why), "%s", wrong);
	return false;
}

bool ct_top_look(struct ct_top *t)
{
	char request[128], wrong[CT_ASK_WRONG];
	struct ct_picture p = { 0 };

	snprintf(request, sizeof(request), "live\npid=%d\nthreads=%u\nthread=%d\nkeep_ns=%" PRIu64 "\n", t->pid, THREADS_MAX,
		 t->whole, KEEP_NS + 2 * t->delay_ns);
	json_t *answer = ct_ask(t->collector, request, wrong);

	if (!answer)
		return fail(t, wrong);
	if (take(t, &p, answer)) {
		ct_picture_free(&p);
		snprintf(t->why, sizeof(t->why), "no memory");
		return false;
	}
	if (t->now.now_ns && t->now.start_ns != p.start_ns) {
		ct_names_close(&t->names);
		ct_names_open(&t->names, t->pid, t->collector, t->options->symbols);
	}
	ct_top_group(t, &p, &t->now);
	ct_picture_free(&t->now);
	t->now = p;
	*t->why = 0;
	return true;
}

void ct_top_open(struct ct_top *t, const struct ct_top_options *o, json_t *row)
{
	*t = (struct ct_top){ .options = o, .delay_ns = o->delay_ns };
	t->row = json_incref(row);
	t->pid = (pid_t)number(row, "pid");
	t->collector = (pid_t)number(row, "collector");
	t->name = text(row, "name");
	t->output = text(row, "output");
	ct_names_open(&t->names, t->pid, t->collector, o->symbols);
}

void ct_top_close(struct ct_top *t)
{
	ct_picture_free(&t->now);
	if (t->row)
		ct_names_close(&t->names);
	json_decref(t->row);
	free(t->name);
	free(t->output);
	*t = (struct ct_top){ 0 };
}
