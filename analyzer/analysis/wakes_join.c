/* Who ended a wait, of all that can have. See wakes.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wakes.h"

/* So many enders of an object are looked at for one wait. */
#define LOOK_BACK 64u
/* From a release to its time in the record. */
#define RELEASE_NS 20000u

/* What ends waits of a cause. By name: numbers are the trace's. What is not in the
 * table the kernel alone knows of. */
static const struct {
	const char *cause;
	enum ct_ended ended;
} enders[] = {
	{ "mutex", CT_ENDED_RELEASE },  { "rwlock", CT_ENDED_RELEASE },	  { "spin", CT_ENDED_RELEASE },
	{ "cond", CT_ENDED_WAKE },	{ "semaphore", CT_ENDED_WAKE },	  { "futex", CT_ENDED_WAKE },
	{ "once", CT_ENDED_WAKE },	{ "barrier", CT_ENDED_ARRIVAL },  { "join", CT_ENDED_EXIT },
	{ "child", CT_ENDED_EXIT },	{ "sleep", CT_ENDED_TIME },
};

/* Causes for which a software interrupt's waker is the one that sent: loopback. */
static const char *const sent[] = { "socket", "connect", "accept", "poll", "dns" };

void ct_wakes_prepare(struct ct_wakes *w)
{
	const struct ct_model *m = w->m;

	for (uint32_t c = 0; c < CT_CAUSES; c++)
		for (size_t i = 0; i < sizeof(enders) / sizeof(enders[0]); i++)
			if (m->cause[c].name && !strcmp(m->cause[c].name, enders[i].cause))
				w->cause[c] = (uint8_t)enders[i].ended;
	for (uint32_t c = 0; c < CT_CAUSES; c++) {
		w->polls[c] = m->cause[c].name && !strcmp(m->cause[c].name, "poll");
		w->signals[c] = m->cause[c].name && !strcmp(m->cause[c].name, "signal");
	}
	for (uint32_t i = 0; i < m->call_count; i++)
		if (m->call[i].id < CT_CALLS_MAX && m->call[i].name && strstr(m->call[i].name, "rdlock"))
			w->reads[m->call[i].id] = true;
	ct_wakes_prepare_calls(w);
}

uint32_t ct_enders_after(const struct ct_wait_object *o, uint64_t ns)
{
	uint32_t low = 0, high = o->ender_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (o->ender[middle].moment_ns <= ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The number of runs of a thread that began up to a moment. */
static uint32_t runs_until(const struct ct_thread_runs *t, uint64_t ns)
{
	uint32_t low = 0, high = t->run_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->run[middle].start_ns <= ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct ct_run *ct_run_woken(const struct ct_wakes *w, uint32_t thread, uint64_t from_ns, uint64_t to_ns)
{
	const struct ct_thread_runs *t = &w->runs[thread];

	for (uint32_t i = runs_until(t, to_ns); i-- && t->run[i].start_ns >= from_ns;)
		if (t->run[i].woken_ns >= from_ns && t->run[i].woken_ns)
			return &t->run[i];
	return NULL;
}

const struct ct_run *ct_run_slept(const struct ct_wakes *w, uint32_t thread, uint64_t from_ns, uint64_t to_ns)
{
	const struct ct_thread_runs *t = &w->runs[thread];

	for (uint32_t i = runs_until(t, to_ns); i-- && t->run[i].start_ns >= from_ns;)
		if (t->run[i].slept_ns || t->run[i].woken_ns)
			return &t->run[i];
	return NULL;
}

uint32_t ct_kernel_waker(const struct ct_wakes *w, const struct ct_run *run, uint32_t cause)
{
	const char *name = cause < CT_CAUSES ? w->m->cause[cause].name : NULL;

	if (run->flags & CT_SL_HARDIRQ)
		return CT_NO;
	if (!(run->flags & CT_SL_SOFTIRQ))
		return run->waker;
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		if (name && !strcmp(name, sent[i]) && run->waker < CT_OUTSIDE)
			return run->waker;
	return CT_NO;
}

static uint64_t earlier(uint64_t ns, uint64_t slack_ns)
{
	return ns > slack_ns ? ns - slack_ns : 0;
}

void ct_wakes_take(struct ct_wait *wait, enum ct_ended how, uint32_t waker, uint32_t stack, uint64_t release_ns)
{
	wait->ended = (uint8_t)how;
	wait->waker = waker;
	wait->waker_stack = stack;
	if (release_ns < wait->start_ns)
		release_ns = wait->start_ns;
	wait->release_ns = release_ns < wait->end_ns ? release_ns : wait->end_ns;
}

/* --- locks --- */

/* Readers' holds have no start. They keep writers waiting, not each other. */
static bool keeps_waiting(const struct ct_ender *e, const struct ct_wait *wait, bool reads)
{
	return e->kind == CT_EVENT_HOLD && e->thread != wait->thread && !(reads && e->flags & CT_EV_NO_START);
}

/* The holds after it were those of threads that came between: the lock was free when the
 * waiter was woken, and taken when it ran. Which one woke it the kernel says. */
static uint32_t releases_until(const struct ct_wakes *w, const struct ct_wait *wait, const struct ct_wait_object *o,
			       bool reads)
{
	uint32_t all = o ? ct_enders_after(o, wait->end_ns) : 0;
	const struct ct_run *run = all && w->wakes ? ct_run_woken(w, wait->thread, earlier(wait->start_ns, w->slack_ns),
								  wait->end_ns + w->slack_ns) : NULL;

	if (!run)
		return all;
	for (uint32_t i = all, look = 0; i-- && look < LOOK_BACK; look++) {
		const struct ct_ender *e = &o->ender[i];

		if (e->moment_ns < wait->start_ns)
			break;
		if (e->thread == run->waker && keeps_waiting(e, wait, reads) &&
		    e->moment_ns <= run->woken_ns + w->slack_ns + RELEASE_NS)
			return i + 1;
	}
	return all;
}

static uint32_t join_release(struct ct_wakes *w, struct ct_wait *wait, const struct ct_wait_object *o, bool reads,
			     struct ct_share *shares)
{
	uint32_t n = 0, i = releases_until(w, wait, o, reads);
	const struct ct_ender *last = NULL;
	uint64_t until_ns = 0;
	const char *cause = w->m->cause[w->site[wait->site].site.cause].name;
	bool alone = cause && !strcmp(cause, "mutex"); /* has no readers */

	for (uint32_t look = 0; i-- && look < LOOK_BACK; look++) {
		const struct ct_ender *e = &o->ender[i];

		if (e->moment_ns < wait->start_ns)
			break;
		if (!keeps_waiting(e, wait, reads))
			continue;
		if (!last) {
			last = e;
			ct_wakes_take(wait, CT_ENDED_RELEASE, e->thread, e->stack, e->moment_ns);
			until_ns = wait->release_ns;
		}
		/* What no hold covers goes to the next one: the lock was on its way. One that
		 * nobody timed began after the release before it. */
		uint64_t from_ns = e->flags & CT_EV_NO_START ? (i ? o->ender[i - 1].moment_ns : 0) : e->other_ns;

		if (from_ns < wait->start_ns)
			from_ns = wait->start_ns;
		if ((e->flags & CT_EV_NO_START && !alone) || from_ns > until_ns)
			continue;
		shares[n++] = (struct ct_share){ e->thread, e->stack, until_ns - from_ns };
		until_ns = from_ns;
		if (n == CT_SHARES)
			break;
	}
	if (!last)
		return 0;
	if (!n)
		shares[n++] = (struct ct_share){ last->thread, last->stack, 0 };
	shares[n - 1].ns += until_ns - wait->start_ns;
	return n;
}

/* --- conditions, semaphores, futexes, once --- */

static const struct ct_ender *wake_by(const struct ct_wakes *w, const struct ct_wait_object *o, uint32_t first,
				      const struct ct_wait *wait, uint32_t thread, uint64_t woken_ns)
{
	for (uint32_t i = first, look = 0; i-- && look < LOOK_BACK; look++) {
		const struct ct_ender *e = &o->ender[i];

		if (e->other_ns + w->slack_ns < wait->start_ns && e->moment_ns < wait->start_ns)
			break;
		if (e->kind == CT_EVENT_WAKE && e->thread == thread && e->moment_ns <= woken_ns + w->slack_ns &&
		    e->other_ns + w->slack_ns >= woken_ns)
			return e;
	}
	return NULL;
}

/* The wake-ups in the wait say which of the object's WAKEs it was. */
static const struct ct_ender *wake_by_kernel(const struct ct_wakes *w, const struct ct_wait_object *o,
					     uint32_t first, const struct ct_wait *wait, uint64_t *ret_ns)
{
	uint64_t until_ns = wait->end_ns + w->slack_ns, from_ns = earlier(wait->start_ns, w->slack_ns);
	const struct ct_run *run;

	for (uint32_t look = 0; look < 8 && (run = ct_run_woken(w, wait->thread, from_ns, until_ns)); look++) {
		const struct ct_ender *e =
			run->waker < CT_OUTSIDE ? wake_by(w, o, first, wait, run->waker, run->woken_ns) : NULL;

		*ret_ns = run->woken_ns;
		if (e)
			return e;
		until_ns = run->start_ns - 1;
	}
	return NULL;
}

const struct ct_ender *ct_wakes_by_kernel(const struct ct_wakes *w, const struct ct_wait_object *o,
					  const struct ct_wait *wait, uint64_t *ret_ns)
{
	const struct ct_ender *e = wake_by_kernel(w, o, ct_enders_after(o, wait->end_ns + w->slack_ns), wait, ret_ns);

	*ret_ns = e ? *ret_ns : 0;
	return e;
}

static bool join_wake(struct ct_wakes *w, struct ct_wait *wait, const struct ct_wait_object *o)
{
	uint32_t first = o ? ct_enders_after(o, wait->end_ns) : 0;
	const struct ct_ender *e = NULL;
	uint64_t ns = 0;

	if (!first)
		return false;
	if (w->wakes)
		e = wake_by_kernel(w, o, first, wait, &ns);
	for (uint32_t i = first, look = 0; !e && i-- && look < LOOK_BACK; look++) {
		e = &o->ender[i];
		if (e->kind != CT_EVENT_WAKE || e->thread == wait->thread || e->other_ns < wait->start_ns)
			e = NULL;
		else
			ns = e->moment_ns;
	}
	if (e)
		ct_wakes_take(wait, CT_ENDED_WAKE, e->thread, e->stack, ns);
	return e != NULL;
}

/* --- barriers, threads, processes --- */

static bool join_arrival(struct ct_wait *wait, const struct ct_wait_object *o)
{
	for (uint32_t i = o ? ct_enders_after(o, wait->end_ns) : 0; i--;) {
		const struct ct_ender *e = &o->ender[i];

		if (e->moment_ns < wait->start_ns)
			break;
		if (e->kind != CT_EVENT_INTERVAL || e->thread == wait->thread)
			continue;
		ct_wakes_take(wait, CT_ENDED_ARRIVAL, e->thread, e->stack, e->moment_ns);
		return true;
	}
	return false;
}

/* pthread_t are used again: the last thread that had it then. */
uint32_t ct_wakes_pthread(const struct ct_wakes *w, uint32_t process, uint64_t pthread, uint64_t ns)
{
	const struct ct_model *m = w->m;
	uint32_t low = 0, high = w->runs_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct ct_thread_info *t = &m->thread[w->by_pthread[middle]];

		if (t->process < process || (t->process == process && t->pthread < pthread))
			low = middle + 1;
		else
			high = middle;
	}
	uint32_t found = CT_NO;

	for (; low < w->runs_count; low++) {
		const struct ct_thread_info *t = &m->thread[w->by_pthread[low]];

		if (t->process != process || t->pthread != pthread || (found != CT_NO && t->start_ns > ns))
			break;
		found = w->by_pthread[low];
	}
	return found;
}

static bool join_thread(struct ct_wakes *w, struct ct_wait *wait, const struct ct_site_info *s)
{
	uint32_t thread = ct_wakes_pthread(w, s->process, s->site.object, wait->end_ns);

	if (thread == CT_NO || thread == wait->thread)
		return false;
	const struct ct_thread_info *t = &w->m->thread[thread];

	ct_wakes_take(wait, CT_ENDED_EXIT, thread, CT_NO, t->ended ? t->end_ns : wait->end_ns);
	return true;
}

/* Children end a little before the collector sees it: the one whose end is next to
 * the wait's. */
static bool join_child(struct ct_wakes *w, struct ct_wait *wait, const struct ct_site_info *s)
{
	const struct ct_model *m = w->m;
	uint64_t pid = m->process[s->process].pid, best_ns = UINT64_MAX;
	uint32_t best = CT_NO;

	for (uint32_t i = 0; i < m->process_count; i++) {
		const struct ct_process_info *p = &m->process[i];
		uint64_t off_ns = p->end_ns > wait->end_ns ? p->end_ns - wait->end_ns : wait->end_ns - p->end_ns;

		if (!p->started || !p->ended || p->how != CT_END_EXIT || p->end_ns + w->slack_ns < wait->start_ns ||
		    (s->site.object ? p->pid != s->site.object : p->parent_pid != pid) || off_ns >= best_ns)
			continue;
		best_ns = off_ns;
		best = i;
	}
	for (uint32_t i = 0; best != CT_NO && i < m->thread_count; i++)
		if (m->thread[i].process == best && m->thread[i].tid == m->process[best].pid) {
			ct_wakes_take(wait, CT_ENDED_EXIT, i, CT_NO, m->process[best].end_ns);
			return true;
		}
	return false;
}

/* --- other processes --- */

/* So many processes are looked through for one wait. */
#define FAMILY_MOST 256u

/* The object of another process, shared by fork: where the kernel's waker is, or else that
 * with the last ender. */
static const struct ct_wait_object *shared_object(const struct ct_wakes *w, const struct ct_wait *wait,
						  const struct ct_site_info *s)
{
	uint32_t at = ct_table_get(&w->object_by_address, s->site.object) - 1;
	const struct ct_wait_object *best = NULL;
	uint64_t best_ns = 0, woken_ns;

	for (uint32_t look = 0; at != CT_NO && look < FAMILY_MOST; at = w->object[at].next, look++) {
		const struct ct_wait_object *o = &w->object[at];
		uint32_t i = o->process != s->process && w->family[o->process] == w->family[s->process] ?
				     ct_enders_after(o, wait->end_ns) : 0;

		if (!i || o->ender[i - 1].moment_ns + w->slack_ns < wait->start_ns)
			continue;
		if (w->wakes && wake_by_kernel(w, o, i, wait, &woken_ns))
			return o;
		if (best && o->ender[i - 1].moment_ns < best_ns)
			continue;
		best = o;
		best_ns = o->ender[i - 1].moment_ns;
	}
	return best;
}

/* --- all --- */

static uint32_t join_object(struct ct_wakes *w, struct ct_wait *wait, const struct ct_site_info *s,
			    const struct ct_wait_object *o, struct ct_share *shares, bool *ret_found)
{
	uint32_t n = 0;

	switch (w->cause[s->site.cause]) {
	case CT_ENDED_RELEASE:
		n = join_release(w, wait, o, s->site.call < CT_CALLS_MAX && w->reads[s->site.call], shares);
		*ret_found = n != 0;
		break;
	case CT_ENDED_WAKE:
		*ret_found = join_wake(w, wait, o);
		break;
	case CT_ENDED_ARRIVAL:
		*ret_found = join_arrival(wait, o);
		break;
	}
	return n;
}

/* What the kernel knows of it. A condition's waiter may have been woken twice: by
 * the signal, and when it got the mutex back. */
static void compare(const struct ct_wakes *w, struct ct_wait *wait, uint32_t cause)
{
	uint64_t until_ns = wait->end_ns + w->slack_ns, from_ns = earlier(wait->start_ns, w->slack_ns);
	const struct ct_run *run;

	for (uint32_t look = 0; look < 8 && (run = ct_run_woken(w, wait->thread, from_ns, until_ns)); look++) {
		uint32_t by = ct_kernel_waker(w, run, cause);

		if (by != CT_NO)
			wait->agrees = by == wait->waker ? CT_AGREES : CT_AGREES_NOT;
		if (wait->agrees == CT_AGREES) {
			/* More exact than the events' word. */
			if (run->woken_ns >= wait->release_ns && run->woken_ns <= wait->end_ns)
				wait->release_ns = run->woken_ns;
			return;
		}
		until_ns = run->start_ns - 1;
	}
}

static void ask_kernel(struct ct_wakes *w, struct ct_wait *wait, uint32_t cause)
{
	const struct ct_run *run = ct_run_woken(w, wait->thread, earlier(wait->start_ns, w->slack_ns),
						wait->end_ns + w->slack_ns);

	if (!run)
		return;
	uint32_t waker = ct_kernel_waker(w, run, cause);

	if (waker == CT_NO || waker == wait->thread)
		ct_wakes_take(wait, CT_ENDED_TIME, CT_NO, CT_NO, run->woken_ns);
	else
		ct_wakes_take(wait, CT_ENDED_KERNEL, waker,
			      waker < CT_OUTSIDE ? ct_wakes_written_in(w, waker, run->woken_ns) : CT_NO, run->woken_ns);
}

uint32_t ct_wakes_join(struct ct_wakes *w, struct ct_wait *wait, struct ct_share *shares)
{
	const struct ct_site_info *s = &w->site[wait->site];
	uint32_t n = 0, cause = s->site.cause;
	bool found = false;

	if (wait->ended == CT_ENDED_NOT)
		return 0;
	/* By a signal; sleep() answers how much was left. */
	bool cut = wait->result == -EINTR || (w->cause[cause] == CT_ENDED_TIME && wait->result > 0);

	if (wait->timed_out || (w->cause[cause] == CT_ENDED_TIME && !cut)) {
		ask_kernel(w, wait, cause);
		wait->ended = CT_ENDED_TIME;
		wait->waker = CT_NO;
		return 0;
	}
	if (w->cause[cause] == CT_ENDED_EXIT)
		found = s->site.object_kind == CT_OBJECT_THREAD ? join_thread(w, wait, s) : join_child(w, wait, s);
	if (!cut && (s->site.object_kind == CT_OBJECT_FD || wait->via != CT_NO))
		found = found || ct_wakes_join_channel(w, wait, s);
	if (cut || w->signals[cause] || ct_wakes_is_signalfd(w, wait, s))
		found = found || ct_wakes_join_signal(w, wait);
	if (s->site.object_kind == CT_OBJECT_ADDRESS) {
		n = join_object(w, wait, s, ct_wakes_object(w, s->process, s->site.object), shares, &found);
		if (!found)
			n = join_object(w, wait, s, shared_object(w, wait, s), shares, &found);
	}
	uint64_t release_ns = wait->release_ns;

	if (found)
		compare(w, wait, cause);
	else
		ask_kernel(w, wait, cause);
	if (n)
		shares[0].ns += wait->release_ns - release_ns;
	if (!n && wait->waker != CT_NO)
		shares[n++] = (struct ct_share){ wait->waker, wait->waker_stack, wait->release_ns - wait->start_ns };
	return n;
}
