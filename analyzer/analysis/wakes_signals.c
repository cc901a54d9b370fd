/*
 * Signals as enders of waits. What is sent to a process, a thread or a group of processes
 * stands in a channel of its own: see abi/channels.h. See wakes.h.
 */
#include <errno.h>
#include <string.h>

#include "channels.h"
#include "wakes.h"

#define ANCESTORS 16u
#define PLACES    (ANCESTORS + 3u)

static uint64_t channel_of(uint64_t pid, bool group)
{
	return ct_channel(group ? CT_CHANNEL_GROUP_SIGNALS : CT_CHANNEL_SIGNALS, pid, 0);
}

int ct_wakes_take_sent(struct ct_wakes *w, uint32_t process, const struct ct_site *s, uint32_t thread,
		       uint64_t start_ns, uint64_t end_ns)
{
	uint32_t stack = s->stack ? ct_model_stack(w->m, process, s->stack) : CT_NO;
	uint64_t pid = s->object;

	if (s->object_kind == CT_OBJECT_THREAD) {
		uint32_t to = ct_wakes_pthread(w, process, s->object, end_ns);

		if (to == CT_NO)
			return 0;
		pid = w->m->thread[to].tid;
	}
	uint64_t number = channel_of(pid, s->aux & CT_SENT_GROUP);

	if (ct_wakes_add_channel(w, number))
		return -ENOMEM;
	struct ct_wait_object *o = ct_wakes_channel(w, number);
	struct ct_ender *e = CT_APPEND(o, ender);

	if (!e)
		return -ENOMEM;
	*e = (struct ct_ender){ start_ns, end_ns, thread, stack, CT_NO, CT_EVENT_WAKE, 0 };
	w->enders++;
	return ct_wakes_mark(w, thread, start_ns, end_ns, stack);
}

/* Where a signal for the waiter may have been sent: to itself, its process, or a group, of
 * which its process or one that it descends from is the first. */
static uint32_t places_of(const struct ct_wakes *w, uint32_t thread, uint64_t number[PLACES])
{
	const struct ct_model *m = w->m;
	const struct ct_thread_info *t = &m->thread[thread];
	uint64_t pid = m->process[t->process].pid;
	uint32_t n = 0;

	number[n++] = channel_of(t->tid, false);
	if (t->tid != pid)
		number[n++] = channel_of(pid, false);
	number[n++] = channel_of(0, true);
	for (uint32_t at = t->process, i = 0; at != CT_NO && i < ANCESTORS; i++) {
		uint64_t parent = m->process[at].parent_pid;

		number[n++] = channel_of(m->process[at].pid, true);
		if (parent == m->process[at].pid)
			break;
		for (at = m->process_count; at && !(m->process[at - 1].started && m->process[at - 1].pid == parent);)
			at--;
		at = at ? at - 1 : CT_NO;
	}
	return n;
}

bool ct_wakes_is_signalfd(const struct ct_wakes *w, const struct ct_wait *wait, const struct ct_site_info *s)
{
	uint32_t at = wait->via != CT_NO			? wait->via :
		      s->site.object_kind == CT_OBJECT_FD ? ct_model_descriptor(w->m, s->process, s->site.object) : CT_NO;
	const char *label = at != CT_NO ? w->m->descriptor[at].label : NULL;

	return label && !strcmp(label, "anon_inode:[signalfd]");
}

bool ct_wakes_join_signal(struct ct_wakes *w, struct ct_wait *wait)
{
	struct ct_wait_object *best_in = NULL;
	const struct ct_ender *best = NULL;
	uint64_t number[PLACES], best_ns = 0, ns;
	uint32_t n = places_of(w, wait->thread, number);

	for (uint32_t i = 0; i < n && w->wakes && !best; i++) {
		struct ct_wait_object *o = ct_wakes_channel(w, number[i]);

		best = o ? ct_wakes_by_kernel(w, o, wait, &best_ns) : NULL;
		best_in = o;
	}
	for (uint32_t i = 0; i < n && !best_ns; i++) {
		struct ct_wait_object *o = ct_wakes_channel(w, number[i]);
		/* One that ended another thread's wait was taken by that. */
		const struct ct_ender *e = o ? ct_wakes_first_in(w, o, wait, CT_FOUND_DATA, o->used_ns, w->slack_ns) : NULL;

		if (!e || (best && e->moment_ns >= best->moment_ns))
			continue;
		best = e;
		best_in = o;
	}
	if (!best)
		return false;
	ns = best_ns ? best_ns : best->moment_ns;
	if (best->moment_ns > best_in->used_ns)
		best_in->used_ns = best->moment_ns;
	ct_wakes_take(wait, CT_ENDED_WAKE, best->thread, best->stack, ns);
	return true;
}
