/*
 * Waits on descriptors: who wrote to the channel, made room in it, closed its other
 * end or ended. See wakes.h.
 *
 * A reader sleeps while its channel is empty: the first WRITE in its wait woke it,
 * unless another reader was quicker. The end of a file is there when the last one
 * of its writers has gone: the last close, or the end of a process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wakes.h"

#define LOOK 64u
#define BEFORE 8u              /* enders that began before the wait */
#define EXIT_NS 20000000u      /* the collector sees the end of a process later */
#define MARKS_KEPT 64u

static uint64_t earlier(uint64_t ns, uint64_t by_ns)
{
	return ns > by_ns ? ns - by_ns : 0;
}

/* --- channels --- */

struct ct_wait_object *ct_wakes_channel(const struct ct_wakes *w, uint64_t number)
{
	uint32_t at = number ? ct_table_get(&w->channel_by_number, number) : 0;

	return at ? &w->channel[at - 1] : NULL;
}

int ct_wakes_add_channel(struct ct_wakes *w, uint64_t number)
{
	if (!number || ct_table_get(&w->channel_by_number, number))
		return 0;
	struct ct_wait_object *o = CT_APPEND(w, channel);

	if (!o)
		return -ENOMEM;
	o->process = CT_NO;
	o->address = number;
	o->next = o->first_stack = CT_NO;
	return ct_table_put(&w->channel_by_number, number, w->channel_count);
}

/* What one end knows of a connection holds for the other. */
static void complete(struct ct_wakes *w, const struct ct_table *by_out)
{
	const struct ct_model *m = w->m;

	for (uint32_t i = 0; i < m->descriptor_count; i++) {
		const struct ct_descriptor_info *d = &m->descriptor[i];
		uint32_t peer = !d->out && d->in && d->kind == CT_FD_SOCKET ? ct_table_get(by_out, d->in) : 0;

		w->out[i] = peer ? m->descriptor[peer - 1].in : d->out;
	}
}

int ct_wakes_channels(struct ct_wakes *w)
{
	const struct ct_model *m = w->m;
	struct ct_table by_out = { 0 };
	int error = 0;

	w->out = calloc(m->descriptor_count + 1u, sizeof(*w->out));
	if (!w->out)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->descriptor_count && !error; i++) {
		const struct ct_descriptor_info *d = &m->descriptor[i];

		error = ct_wakes_add_channel(w, d->in);
		if (!error)
			error = ct_wakes_add_channel(w, d->out);
		if (!error && d->out)
			error = ct_table_put(&by_out, d->out, i + 1);
	}
	complete(w, &by_out);
	ct_table_free(&by_out);
	return error;
}

/* --- enders --- */

int ct_wakes_take_written(struct ct_wakes *w, uint32_t process, const struct ct_site *s, uint32_t thread,
			  uint64_t start_ns, uint64_t end_ns)
{
	uint32_t at = ct_model_descriptor(w->m, process, s->object);
	uint32_t stack = s->stack ? ct_model_stack(w->m, process, s->stack) : CT_NO;
	const char *cause = w->m->cause[s->cause].name;

	if (at == CT_NO)
		return 0;
	const struct ct_descriptor_info *d = &w->m->descriptor[at];
	struct ct_wait_object *o = ct_wakes_channel(w, cause && !strcmp(cause, "connect") ? d->listener :
						 s->flags & CT_EV_ROOM ? d->in : w->out[at]);
	uint8_t flags = s->flags;

	/* The reading end of a pipe was closed: its writers find that. */
	if (!o && s->flags & CT_EV_CLOSED) {
		o = ct_wakes_channel(w, d->in);
		flags |= CT_EV_ROOM;
	}
	struct ct_ender *e = o ? CT_APPEND(o, ender) : NULL;

	if (o && !e)
		return -ENOMEM;
	if (e) {
		*e = (struct ct_ender){ start_ns, end_ns, thread, stack, CT_NO, CT_EVENT_WAKE, flags };
		w->enders++;
	}
	return ct_wakes_mark(w, thread, start_ns, end_ns, stack);
}

int ct_wakes_mark(struct ct_wakes *w, uint32_t thread, uint64_t start_ns, uint64_t end_ns, uint32_t stack)
{
	struct ct_mark *mark = w->wakes ? CT_APPEND(&w->runs[thread], mark) : NULL;

	if (w->wakes && !mark)
		return -ENOMEM;
	if (mark)
		*mark = (struct ct_mark){ start_ns, end_ns, stack };
	return 0;
}

void ct_wakes_drop_marks(struct ct_thread_runs *t, uint64_t ns)
{
	uint32_t n = 0;

	while (n + MARKS_KEPT < t->mark_count && t->mark[n].end_ns < ns)
		n++;
	if (n)
		memmove(t->mark, t->mark + n, (t->mark_count - n) * sizeof(*t->mark));
	t->mark_count -= n;
}

uint32_t ct_wakes_written_in(const struct ct_wakes *w, uint32_t thread, uint64_t ns)
{
	const struct ct_thread_runs *t = &w->runs[thread];
	uint32_t low = 0, high = t->mark_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->mark[middle].start_ns <= ns + w->slack_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low && t->mark[low - 1].end_ns + w->slack_ns >= ns ? t->mark[low - 1].stack : CT_NO;
}

/* --- waits --- */

/* Calls that wait for room. By name: numbers are the trace's. */
static bool writes(const char *name)
{
	static const char *const begins[] = { "write", "send", "vmsplice", "eventfd_write", "fwrite", "fflush", "fput", "puts",
					      "printf", "fprintf", "dprintf", "fclose" };

	for (size_t i = 0; name && i < sizeof(begins) / sizeof(begins[0]); i++)
		if (!strncmp(name, begins[i], strlen(begins[i])))
			return true;
	return false;
}

/* Calls whose result says whether the end was found. */
static bool tells_end(const char *name)
{
	return name && (!strncmp(name, "read", 4) || !strncmp(name, "recv", 4)) && strcmp(name, "readdir");
}

void ct_wakes_prepare_calls(struct ct_wakes *w)
{
	const struct ct_model *m = w->m;

	for (uint32_t i = 0; i < m->call_count; i++)
		if (m->call[i].id < CT_CALLS_MAX && m->call[i].name)
			w->way[m->call[i].id] = writes(m->call[i].name)	   ? CT_WAY_WRITES :
						tells_end(m->call[i].name) ? CT_WAY_READS : CT_WAY_OTHER;
}

static enum ct_way way_of(const struct ct_wakes *w, uint32_t call)
{
	return call < CT_CALLS_MAX ? (enum ct_way)w->way[call] : CT_WAY_OTHER;
}

uint8_t ct_wakes_found(const struct ct_wakes *w, uint32_t call, int64_t result)
{
	enum ct_way way = way_of(w, call);

	if (way == CT_WAY_WRITES)
		return CT_FOUND_ROOM;
	if (way != CT_WAY_READS || result < 0)
		return CT_FOUND_SOMETHING;
	return result ? CT_FOUND_DATA : CT_FOUND_END;
}

static bool fits(const struct ct_ender *e, const struct ct_wait *wait, uint8_t found)
{
	if (e->thread == wait->thread || !(e->flags & CT_EV_ROOM) != (found != CT_FOUND_ROOM))
		return false;
	return found != CT_FOUND_DATA || !(e->flags & CT_EV_CLOSED);
}

/* The first one in the wait that is after the moment; slack_ns: or so little before it. */
const struct ct_ender *ct_wakes_first_in(const struct ct_wakes *w, const struct ct_wait_object *o,
					 const struct ct_wait *wait, uint8_t found, uint64_t after_ns, uint64_t slack_ns)
{
	uint32_t i = ct_enders_after(o, earlier(wait->start_ns, slack_ns));

	i = i > BEFORE ? i - BEFORE : 0;
	for (uint32_t look = 0; i < o->ender_count && look < LOOK; i++, look++) {
		const struct ct_ender *e = &o->ender[i];

		if (e->moment_ns > wait->end_ns + w->slack_ns)
			break;
		if (e->other_ns + slack_ns >= wait->start_ns && e->moment_ns > after_ns && fits(e, wait, found))
			return e;
	}
	return NULL;
}

static const struct ct_ender *last_close(const struct ct_wakes *w, const struct ct_wait_object *o,
					 const struct ct_wait *wait)
{
	uint32_t i = ct_enders_after(o, wait->end_ns + w->slack_ns);

	for (uint32_t look = 0; i-- && look < LOOK; look++) {
		const struct ct_ender *e = &o->ender[i];

		if (e->other_ns + w->slack_ns < wait->start_ns)
			break;
		if (e->flags & CT_EV_CLOSED && fits(e, wait, CT_FOUND_END))
			return e;
	}
	return NULL;
}

static bool holds(const struct ct_wakes *w, uint32_t process, uint64_t channel)
{
	const struct ct_model *m = w->m;

	for (uint32_t i = 0; i < m->descriptor_count; i++)
		if (m->descriptor[i].process == process && w->out[i] == channel)
			return true;
	return false;
}

/* The process whose end was that of the channel: one that was seen to write to it, or else the
 * only relative of the waiter's that ended then. */
static uint32_t exit_in(const struct ct_wakes *w, const struct ct_wait_object *o, const struct ct_wait *wait,
			uint64_t *ret_off_ns)
{
	const struct ct_model *m = w->m;
	const struct ct_process_info *own = &m->process[m->thread[wait->thread].process];
	uint32_t best = CT_NO, relative = CT_NO, relatives = 0;
	uint64_t best_ns = EXIT_NS;

	for (uint32_t i = 0; i < m->process_count; i++) {
		const struct ct_process_info *p = &m->process[i];
		uint64_t off_ns = p->end_ns > wait->end_ns ? p->end_ns - wait->end_ns : wait->end_ns - p->end_ns;

		if (!p->started || !p->ended || p->how != CT_END_EXIT || p == own || off_ns >= EXIT_NS ||
		    p->end_ns + w->slack_ns < wait->start_ns)
			continue;
		if (off_ns < best_ns && holds(w, i, o->address)) {
			best = i;
			best_ns = off_ns;
		}
		if (p->parent_pid == own->pid || p->pid == own->parent_pid || p->parent_pid == own->parent_pid) {
			relative = i;
			relatives++;
		}
	}
	*ret_off_ns = best_ns;
	return best != CT_NO ? best : relatives == 1 ? relative : CT_NO;
}

static bool take_exit(struct ct_wakes *w, struct ct_wait *wait, uint32_t process)
{
	const struct ct_model *m = w->m;

	for (uint32_t i = 0; i < m->thread_count; i++)
		if (m->thread[i].process == process && m->thread[i].tid == m->process[process].pid) {
			ct_wakes_take(wait, CT_ENDED_EXIT, i, CT_NO, m->process[process].end_ns);
			return true;
		}
	return false;
}

static bool join_end(struct ct_wakes *w, struct ct_wait *wait, const struct ct_wait_object *o)
{
	const struct ct_ender *e = last_close(w, o, wait);
	uint64_t off_ns;
	uint32_t process = exit_in(w, o, wait, &off_ns);

	if (process != CT_NO && (!e || off_ns + e->other_ns < wait->end_ns) && take_exit(w, wait, process))
		return true;
	if (e)
		ct_wakes_take(wait, CT_ENDED_WAKE, e->thread, e->stack, e->moment_ns);
	return e != NULL;
}

bool ct_wakes_join_channel(struct ct_wakes *w, struct ct_wait *wait, const struct ct_site_info *s)
{
	const struct ct_model *m = w->m;
	uint32_t at = ct_model_descriptor(m, s->process, s->site.object);
	bool polls = wait->via != CT_NO;

	/* What a poll found is what was used next. */
	if (polls && (at == CT_NO || !(m->descriptor[at].in || w->out[at])))
		at = wait->via;
	if (at == CT_NO)
		return false;
	struct ct_wait_object *o = ct_wakes_channel(w, wait->found == CT_FOUND_ROOM ? w->out[at] : m->descriptor[at].in);
	const struct ct_ender *e = NULL;
	uint64_t ns = 0;

	if (!o)
		return false;
	if (wait->found == CT_FOUND_END)
		return join_end(w, wait, o);
	if (w->wakes)
		e = ct_wakes_by_kernel(w, o, wait, &ns);
	if (!e && !polls)
		e = ct_wakes_first_in(w, o, wait, wait->found, o->used_ns, w->slack_ns);
	if (!e)
		e = ct_wakes_first_in(w, o, wait, wait->found, 0, w->slack_ns);
	/* One that was left out: when it was is not known. */
	if (!e && (e = ct_wakes_first_in(w, o, wait, wait->found, 0, w->slack_ns + CT_WAKE_STANDS_NS)))
		ns = wait->end_ns;
	if (!e)
		return false;
	if (e->moment_ns > o->used_ns && !polls)
		o->used_ns = e->moment_ns;
	ct_wakes_take(wait, CT_ENDED_WAKE, e->thread, e->stack, ns ? ns : e->moment_ns);
	return true;
}
