/* What all reports begin and end with. See commands.h. */
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "report_sched.h"
#include "wrap.h"

int ct_command_usage(struct ct_context *c, const struct ct_model *m, int error)
{
	if (error == -EINVAL && *m->complaint)
		snprintf(c->usage, sizeof(c->usage), "%s", m->complaint);
	return error;
}

int ct_command_load(struct ct_context *c, struct ct_model *m, struct ct_report *r)
{
	int error = 0;

	if (c->loaded && !ct_options_select(c->options)) {
		*m = *c->loaded;
		m->options = c->options;
		m->lent = true;
		m->together = c->together;
	} else {
		error = ct_command_usage(c, m, ct_model_load(m, &c->reader, c->options));
	}
	if (r)
		*r = (struct ct_report){ 0 };
	if (!error && r)
		error = ct_report_make(r, m, c->options->top);
	return error;
}

bool ct_command_stop(const struct ct_context *c)
{
	return ferror(c->out.file) != 0;
}

const char *ct_sched_name(const struct ct_model *m)
{
	static const char *const names[] = {
		[CT_SCHED_NONE] = "none", [CT_SCHED_STAT] = "schedstat", [CT_SCHED_SWITCHES] = "switches"
	};

	return names[m->sched];
}

bool ct_is_complete(const struct ct_context *c, const struct ct_model *m)
{
	return c->reader.has_trailer && m->has_end && !c->reader.damaged;
}

enum ct_style ct_style_of(const struct ct_model *m, uint32_t cause)
{
	const char *category = ct_model_category(m, cause);

	if (!strcmp(category, "contention"))
		return CT_BAD;
	if (!strcmp(category, "idle"))
		return CT_FAINT;
	return strcmp(category, "io") ? CT_PLAIN : CT_WARN;
}

static const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void print_loss(const struct ct_context *c, const struct ct_model *m)
{
	static const struct {
		enum ct_loss what;
		const char *text;
	} losses[] = {
		{ CT_LOSS_EVENTS, "events were lost: threads made them faster than they were written" },
		{ CT_LOSS_DAMAGED, "events in shared memory made no sense" },
		{ CT_LOSS_STACKS, "call stacks found no room" },
		{ CT_LOSS_THREADS, "threads are not in the trace: too many at once" },
		{ CT_LOSS_MODULES, "mapped files found no room: their frames have no names" },
		{ CT_LOSS_SWITCHES, "context switches were lost: what threads did then is not known" },
	};
	char n[CT_FORMAT];

	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		if (m->lost[losses[i].what])
			ct_print(&c->out, CT_BAD, "  LOST      %s %s\n",
				 ct_format_count(n, m->lost[losses[i].what]), losses[i].text);
	if (m->bad_events)
		ct_print(&c->out, CT_BAD, "  DAMAGED   %s events end before they begin\n",
			 ct_format_count(n, m->bad_events));
	if (m->bad_slices)
		ct_print(&c->out, CT_BAD, "  DAMAGED   %s slices end before they begin\n",
			 ct_format_count(n, m->bad_slices));
}

void ct_print_header(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_out *o = &c->out;
	char a[CT_FORMAT], b[CT_FORMAT];
	const char *command = "";

	for (uint32_t i = 0; i < m->process_count && !*command; i++)
		command = *m->process[i].command ? m->process[i].command : m->process[i].executable;
	ct_print(o, CT_PLAIN, "  command   ");
	ct_last_text(o, CT_TITLE, o->width - 12, *command ? command : "not known");
	ct_print(o, CT_PLAIN, "\n  covers    %s, ", ct_format_ns(a, m->end_ns - m->start_ns));
	ct_print(o, CT_PLAIN, "%u %s, ", m->process_count, plural(m->process_count, "process", "processes"));
	ct_print(o, CT_PLAIN, "%u %s, ", m->thread_count, plural(m->thread_count, "thread", "threads"));
	ct_print(o, CT_PLAIN, "%s %s, ", ct_format_count(b, m->events), plural(m->events, "event", "events"));
	if (ct_is_complete(c, m))
		ct_print(o, CT_PLAIN, "complete\n");
	else
		ct_print(o, CT_BAD, "%s\n", c->reader.damaged ? "DAMAGED" : "CUT OFF");
	print_loss(c, m);
	ct_print_snapshot(o, m);
	ct_print(o, CT_PLAIN, "  scheduler ");
	ct_print(o, m->sched == CT_SCHED_SWITCHES ? CT_PLAIN : CT_FAINT, "%s\n", ct_sched_text(m));
	if (!m->has_sched)
		ct_print(o, CT_FAINT, "  note      %s\n", m->window ?
			 "running and runnable times are known for whole lives only" :
			 "no data of the scheduler: running and runnable count as unexplained");
	ct_print_filters(c, m);
}

void ct_print_odd(const struct ct_out *o, uint64_t unknown, uint64_t open)
{
	if (!unknown && !open)
		return;
	fputs("      of these", o->file);
	if (unknown)
		fprintf(o->file, "  %llu of unknown duration", (unsigned long long)unknown);
	if (open)
		fprintf(o->file, "%s %llu not over when the trace ended", unknown ? "," : " ", (unsigned long long)open);
	fputc('\n', o->file);
}

void ct_print_notes(const struct ct_context *c, const struct ct_report *r)
{
	for (uint32_t i = 0; i < r->symbols.note_count; i++) {
		ct_print(&c->out, CT_FAINT, "%s  note: ", i ? "" : "\n");
		ct_print_wrapped(&c->out, CT_FAINT, 8, 8, r->symbols.note[i]);
	}
}
