/* deadlocks: who waits for whom in a program that hangs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "stuck_print.h"

/* --- what both outputs need --- */

const char *ct_stuck_word(enum ct_stuck_why why)
{
	static const char *const words[] = {
		[CT_STUCK_NOT] = "open",      [CT_STUCK_CYCLE] = "cycle",   [CT_STUCK_ENDED] = "ended",
		[CT_STUCK_BEHIND] = "behind", [CT_STUCK_NOBODY] = "nobody", [CT_STUCK_HOLDER] = "holder",
	};

	return words[why];
}

const char *ct_edge_word(enum ct_edge_kind kind)
{
	static const char *const words[] = {
		[CT_EDGE_HOLDER] = "holder", [CT_EDGE_READER] = "reader", [CT_EDGE_WRITER] = "writer",
		[CT_EDGE_MUTEX] = "mutex",   [CT_EDGE_END] = "end",
	};

	return words[kind];
}

bool ct_stuck_stalls(const struct ct_pending *p)
{
	return p->why != CT_STUCK_NOT && p->why != CT_STUCK_CYCLE;
}

bool ct_deadlocks_shows(const struct ct_deadlocks *d, const struct ct_pending *p)
{
	return d->model.thread[p->thread].selected && ct_pending_ns(p) >= d->c->options->min_ns &&
	       ct_model_selects(&d->model, p->info.process, &p->info.site) > 0;
}

bool ct_deadlocks_shows_cycle(const struct ct_deadlocks *d, const struct ct_cycle *cycle)
{
	for (uint32_t i = 0; i < cycle->count; i++)
		if (ct_deadlocks_shows(d, &d->stuck.pending[d->stuck.member[cycle->first + i]]))
			return true;
	return false;
}

/* --- text --- */

static void print_what(const struct ct_deadlocks *d)
{
	const struct ct_out *o = &d->c->out;
	const struct ct_model *m = &d->model;
	const char *command = "";
	char a[CT_FORMAT];

	for (uint32_t i = 0; i < m->process_count && !*command; i++)
		command = *m->process[i].command ? m->process[i].command : m->process[i].executable;
	ct_print(o, CT_PLAIN, "  command   ");
	ct_last_text(o, CT_TITLE, o->width - 12, *command ? command : "not known");
	ct_print(o, CT_PLAIN, "\n  covers    %s, %u process%s, %u thread%s, ", ct_format_ns(a, m->end_ns - m->start_ns),
		 m->process_count, m->process_count == 1 ? "" : "es", m->thread_count, m->thread_count == 1 ? "" : "s");
	if (d->c->reader.damaged)
		ct_print(o, CT_BAD, "DAMAGED\n");
	else
		ct_print(o, CT_PLAIN, "%s\n", ct_is_complete(d->c, m) ? "complete" : "still being written, or cut off");
	if (m->lost[CT_LOSS_THREADS])
		ct_print(o, CT_BAD, "  LOST      %llu threads are not in the trace: too many at once\n",
			 (unsigned long long)m->lost[CT_LOSS_THREADS]);
	ct_print_filters(d->c, m);
}

static const char *edge_text(enum ct_edge_kind kind)
{
	static const char *const texts[] = {
		[CT_EDGE_HOLDER] = "held by", [CT_EDGE_READER] = "read by", [CT_EDGE_WRITER] = "behind",
		[CT_EDGE_MUTEX] = "needs",    [CT_EDGE_END] = "ends if",
	};

	return texts[kind];
}

static char *label_of(const struct ct_model *m, uint32_t thread)
{
	return ct_thread_label(m, m->thread[thread].process, m->thread[thread].tid);
}

/* What a thread does that another one waits for, as the end of a line. */
static int print_doing(struct ct_deadlocks *d, uint32_t thread)
{
	const struct ct_stuck *s = &d->stuck;
	const struct ct_out *o = &d->c->out;

	if (!ct_stuck_is_there(s, thread)) {
		ct_print(o, CT_BAD, ", which has ended\n");
		return 0;
	}
	if (!s->pending_of[thread]) {
		ct_print(o, CT_FAINT, ", which runs\n");
		return 0;
	}
	const struct ct_pending *p = &s->pending[s->pending_of[thread] - 1];
	const char *cause = ct_model_cause_name(&d->model, p->info.site.cause);
	char *object = ct_object_label(&d->report.symbols, &d->model, &p->info);

	if (!object)
		return -ENOMEM;
	ct_print(o, CT_FAINT, ", which waits for ");
	ct_last_text(o, CT_FAINT, 30, *object ? object : cause);
	fputc('\n', o->file);
	free(object);
	return 0;
}

/* Where whom the wait is for took the lock. */
static int print_taken(struct ct_deadlocks *d, const struct ct_edge *e)
{
	const struct ct_out *o = &d->c->out;
	uint32_t callstack;
	int error = ct_callstack_of(&d->report.callstacks, e->stack, &callstack);

	if (error || callstack == CT_NO)
		return error;
	char *place = ct_callstack_text(&d->report.callstacks, &d->report.symbols, callstack, false);

	if (!place)
		return -ENOMEM;
	ct_print(o, CT_FAINT, "      taken in  ");
	ct_last_text(o, CT_PLAIN, o->width - 16, *place ? place : "?");
	fputc('\n', o->file);
	free(place);
	return 0;
}

static int print_edges(struct ct_deadlocks *d, const struct ct_pending *p)
{
	const struct ct_out *o = &d->c->out;
	uint32_t top = d->c->options->top, shown = 0;
	int error;

	for (uint32_t i = 0; i < p->edge_count && (!top || shown < top); i++, shown++) {
		const struct ct_edge *e = &d->stuck.edge[p->edge + i];
		char *who = label_of(&d->model, e->to);

		if (!who)
			return -ENOMEM;
		ct_print(o, CT_FAINT, "      %-9s ", edge_text(e->kind));
		if (e->kind == CT_EDGE_MUTEX) {
			char *mutex = ct_lock_label(&d->report.symbols, &d->model, p->info.process, CT_CAUSE_MUTEX,
						    p->info.site.aux, CT_NO);

			ct_print(o, CT_FAINT, "the mutex %s, held by ", mutex ? mutex : "");
			free(mutex);
		}
		ct_print(o, CT_PLAIN, "%s", e->to == p->thread ? "itself" : who);
		free(who);
		if (e->kind == CT_EDGE_END)
			ct_print(o, CT_FAINT, " does");
		if (e->to == p->thread || (p->why == CT_STUCK_CYCLE && ct_stuck_is_there(&d->stuck, e->to)))
			fputc('\n', o->file);
		else if (print_doing(d, e->to))
			return -ENOMEM;
		error = print_taken(d, e);
		if (error)
			return error;
	}
	if (p->edge_count > shown)
		ct_print(o, CT_FAINT, "                and %u more\n", p->edge_count - shown);
	return 0;
}

static void print_why(const struct ct_deadlocks *d, const struct ct_pending *p)
{
	static const char *const texts[] = {
		[CT_STUCK_NOT] = NULL,
		[CT_STUCK_CYCLE] = NULL,
		[CT_STUCK_ENDED] = "its holder has ended and can't release it",
		[CT_STUCK_BEHIND] = "that thread is stuck itself",
		[CT_STUCK_NOBODY] = "no thread is left that could end it: all others wait, too",
		[CT_STUCK_HOLDER] = "its holder waits for something else",
	};
	const struct ct_out *o = &d->c->out;
	char a[CT_FORMAT];

	if (texts[p->why])
		ct_print(o, CT_FAINT, "      why       %s\n", texts[p->why]);
	if (p->why == CT_STUCK_NOBODY && p->hedged)
		ct_print(o, CT_FAINT, "                (but for a signal handler, or a time limit that is not known)\n");
	if (p->how != CT_HOW_ANYBODY || p->info.site.object_kind != CT_OBJECT_ADDRESS || p->why == CT_STUCK_NOT)
		return;
	if (p->wakes)
		ct_print(o, CT_FAINT, "      woken     %s times since, but this thread has not come back\n",
			 ct_format_count(a, p->wakes));
	else if (!strcmp(ct_model_cause_name(&d->model, p->info.site.cause), "cond"))
		ct_print(o, CT_FAINT, "      woken     nobody has signalled it since\n");
}

static int print_pending(struct ct_deadlocks *d, const struct ct_pending *p, uint32_t rank)
{
	const struct ct_out *o = &d->c->out;
	const struct ct_model *m = &d->model;
	const struct ct_site *site = &p->info.site;
	const char *cause = ct_model_cause_name(m, site->cause);
	char *who = label_of(m, p->thread), *object = ct_object_label(&d->report.symbols, m, &p->info);
	int error = who && object ? 0 : -ENOMEM;
	uint32_t callstack;
	char a[CT_FORMAT];

	if (!error) {
		fprintf(o->file, "\n%4u. ", rank);
		ct_print(o, CT_TITLE, "%s", who);
		if (m->process_count > 1)
			ct_print(o, CT_FAINT, " of process %llu",
				 (unsigned long long)m->process[p->info.process].pid);
		ct_print(o, CT_PLAIN, "\n      waits     %s in ", ct_format_ns(a, ct_pending_ns(p)));
		ct_print(o, ct_style_of(m, site->cause), "%s", ct_model_call_name(m, site->call));
		ct_print(o, CT_PLAIN, "\n      for       ");
		/* A lock without a name says already of which kind it is. */
		if (strncmp(object, cause, strlen(cause)))
			ct_print(o, CT_PLAIN, "%s ", cause);
		ct_last_text(o, CT_TITLE, o->width - 32, object);
		fputc('\n', o->file);
		error = print_edges(d, p);
	}
	free(who);
	free(object);
	if (error)
		return error;
	print_why(d, p);
	error = ct_callstack_of(&d->report.callstacks, ct_model_stack(m, p->info.process, site->stack), &callstack);
	if (error)
		return error;
	return ct_print_stack(d->c, &d->report, callstack);
}

static int print_cycles(struct ct_deadlocks *d, uint32_t *ret_shown)
{
	const struct ct_out *o = &d->c->out;
	const struct ct_stuck *s = &d->stuck;
	int error = 0;

	for (uint32_t i = 0; i < s->cycle_count && !error; i++) {
		const struct ct_cycle *cycle = &s->cycle[i];

		if (!ct_deadlocks_shows_cycle(d, cycle))
			continue;
		ct_print(o, CT_BAD, "\nDeadlock %u", ++*ret_shown);
		if (cycle->count == 1)
			ct_print(o, CT_TITLE, ": a thread waits for itself\n");
		else
			ct_print(o, CT_TITLE, ": %u threads wait for each other\n", cycle->count);
		for (uint32_t k = 0; k < cycle->count && !error; k++)
			error = print_pending(d, &s->pending[s->member[cycle->first + k]], k + 1);
	}
	return error;
}

static int print_stalls(struct ct_deadlocks *d, uint32_t *ret_all)
{
	uint32_t top = d->c->options->top;
	int error = 0;

	for (uint32_t i = 0; i < d->stuck.pending_count && !error; i++) {
		const struct ct_pending *p = &d->stuck.pending[i];

		if (!ct_stuck_stalls(p) || !ct_deadlocks_shows(d, p))
			continue;
		if (!(*ret_all)++)
			ct_print(&d->c->out, CT_TITLE, "\nStalled, in no cycle\n");
		if (!top || *ret_all <= top)
			error = print_pending(d, p, *ret_all);
	}
	if (top && *ret_all > top)
		ct_print(&d->c->out, CT_FAINT, "\n      %u more: --top 0 shows all\n", *ret_all - top);
	return error;
}

static int print_line(struct ct_deadlocks *d, const struct ct_pending *p)
{
	const struct ct_out *o = &d->c->out;
	const struct ct_model *m = &d->model;
	char *who = label_of(m, p->thread), *object = ct_object_label(&d->report.symbols, m, &p->info);
	int error = who && object ? 0 : -ENOMEM;

	if (!error) {
		fputs("  ", o->file);
		ct_column_text(o, CT_PLAIN, 24, who);
		fputc(' ', o->file);
		ct_column_ns(o, CT_PLAIN, -8, ct_pending_ns(p));
		fputs("  ", o->file);
		ct_column_text(o, ct_style_of(m, p->info.site.cause), 10, ct_model_cause_name(m, p->info.site.cause));
		fputc(' ', o->file);
		ct_last_text(o, CT_PLAIN, o->width - 48, object);
		fputc('\n', o->file);
	}
	free(who);
	free(object);
	return error;
}

static int print_others(struct ct_deadlocks *d)
{
	uint32_t top = d->c->options->top, all = 0;
	int error = 0;

	for (uint32_t i = 0; i < d->stuck.pending_count && !error; i++) {
		const struct ct_pending *p = &d->stuck.pending[i];

		if (p->why != CT_STUCK_NOT || !ct_deadlocks_shows(d, p))
			continue;
		if (!all++) {
			ct_print(&d->c->out, CT_TITLE, "\nWaits that were not over, but can end");
			ct_print(&d->c->out, CT_FAINT, " (often as it should be)\n");
		}
		if (!top || all <= top)
			error = print_line(d, p);
	}
	if (top && all > top)
		ct_print(&d->c->out, CT_FAINT, "  and %u more: --top 0 shows all\n", all - top);
	return error;
}

static bool shows_any(const struct ct_deadlocks *d)
{
	for (uint32_t i = 0; i < d->stuck.pending_count; i++)
		if (ct_deadlocks_shows(d, &d->stuck.pending[i]))
			return true;
	return false;
}

static int print_all(struct ct_deadlocks *d)
{
	uint32_t cycles = 0, stalls = 0;

	print_what(d);
	if (ct_options_select(d->c->options) && !shows_any(d)) {
		ct_print(&d->c->out, CT_WARN, "\nNothing in the trace is selected: no wait matches.\n");
		return 0;
	}
	int error = print_cycles(d, &cycles);

	if (!error)
		error = print_stalls(d, &stalls);
	if (!error && !cycles)
		ct_print(&d->c->out, stalls ? CT_PLAIN : CT_GOOD, "\nNo deadlock: no threads wait for each other.\n");
	if (!error)
		error = print_others(d);
	ct_print_notes(d->c, &d->report);
	return error;
}

int ct_cmd_deadlocks(struct ct_context *c)
{
	struct ct_deadlocks d = { .c = c };
	struct ct_model *m = &d.model;
	int error = ct_command_usage(c, m, ct_model_load_records(m, &c->reader, c->options));

	c->unfinished = true;
	d.report.model = m;
	if (!error)
		error = ct_symbols_open(&d.report.symbols, m);
	if (!error)
		error = ct_callstacks_open(&d.report.callstacks, m);
	if (!error)
		error = ct_stuck_find(&d.stuck, m, &c->reader);
	m->events = d.stuck.events;
	if (!error)
		error = c->options->json ? ct_deadlocks_json(&d) : c->options->csv ? ct_deadlocks_csv(&d) : print_all(&d);
	ct_stuck_close(&d.stuck);
	ct_report_close(&d.report);
	ct_model_free(m);
	return error;
}
