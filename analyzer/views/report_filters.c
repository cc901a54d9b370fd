/* Which filters were applied, for people and for JSON; whether they leave anything. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "json_parts.h"

static uint64_t from_ns(const struct ct_model *m)
{
	return m->from_ns > m->start_ns ? m->from_ns - m->start_ns : 0;
}

static uint64_t to_ns(const struct ct_model *m)
{
	uint64_t to = m->to_ns < m->end_ns ? m->to_ns : m->end_ns;

	return to > m->start_ns ? to - m->start_ns : 0;
}

/* For whatif some of them say what is changed, and leave nothing out. */
static struct ct_options filters_of(const struct ct_context *c)
{
	struct ct_options o = *c->options;

	if (o.command && !strcmp(o.command, "whatif")) {
		o.thread = o.site = NULL;
		o.cause_count = 0;
	}
	return o;
}

void ct_print_filters(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_options filters = filters_of(c), *o = &filters;
	const struct ct_out *out = &c->out;
	char a[CT_FORMAT], b[CT_FORMAT];

	if (!ct_options_select(o))
		return;
	const struct {
		const char *what, *text;
	} texts[] = {
		{ "processes", o->process }, { "threads", o->thread }, { "objects", o->object }, { "sites", o->site },
		{ "regions", o->region }, { "tasks", o->task },
	};
	const char *begin = "  showing   ";

	if (m->window) {
		ct_print(out, CT_PLAIN, "%sfrom %s to %s\n", begin, ct_format_ns(a, from_ns(m)), ct_format_ns(b, to_ns(m)));
		begin = "            ";
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!texts[i].text)
			continue;
		ct_print(out, CT_PLAIN, "%s%s ", begin, texts[i].what);
		ct_last_text(out, CT_PLAIN, out->width - 24, texts[i].text);
		fputc('\n', out->file);
		begin = "            ";
	}
	if (o->cause_count || o->min_ns || o->max_ns) {
		ct_print(out, CT_PLAIN, "%swaits", begin);
		for (uint32_t i = 0; i < o->cause_count && i < 4; i++)
			ct_print(out, CT_PLAIN, "%s%.16s", i ? ", " : " for ", o->cause[i]);
		if (o->cause_count > 4)
			ct_print(out, CT_PLAIN, ", ...");
		if (o->min_ns)
			ct_print(out, CT_PLAIN, " of at least %s", ct_format_ns(a, o->min_ns));
		if (o->max_ns)
			ct_print(out, CT_PLAIN, " %s %s", o->min_ns ? "and less than" : "of less than", ct_format_ns(a, o->max_ns));
		fputc('\n', out->file);
	}
}

json_t *ct_json_filters(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_options filters = filters_of(c), *o = &filters;
	json_t *f = json_object(), *causes = json_array();

	if (m->window) {
		ct_json_number(f, "from_ns", from_ns(m));
		ct_json_number(f, "to_ns", to_ns(m));
	}
	if (o->process)
		ct_json_text(f, "process", o->process);
	if (o->thread)
		ct_json_text(f, "thread", o->thread);
	for (uint32_t i = 0; i < o->cause_count; i++)
		ct_json_append(causes, json_string(o->cause[i]));
	if (o->cause_count)
		ct_json_set(f, "cause", causes);
	else
		json_decref(causes);
	if (o->object)
		ct_json_text(f, "object", o->object);
	if (o->site)
		ct_json_text(f, "site", o->site);
	if (o->region)
		ct_json_text(f, "region", o->region);
	if (o->task)
		ct_json_text(f, "task", o->task);
	if (o->min_ns)
		ct_json_number(f, "min_ns", o->min_ns);
	if (o->max_ns)
		ct_json_number(f, "max_ns", o->max_ns);
	return f;
}

static bool has_threads(const struct ct_model *m)
{
	for (uint32_t i = 0; i < m->thread_count; i++)
		if (m->thread[i].selected)
			return true;
	return false;
}

static bool has_waits(const struct ct_model *m)
{
	for (uint32_t i = 0; i < m->cell_count; i++)
		if (m->cell[i].count && m->site[m->cell[i].site].site.kind == CT_EVENT_INTERVAL)
			return true;
	return false;
}

bool ct_print_nothing(const struct ct_context *c, const struct ct_model *m)
{
	const struct ct_options *o = c->options;
	bool chooses_waits = o->cause_count || o->object || o->site || o->min_ns || o->region || o->task;

	if (!has_threads(m)) {
		if (ct_options_select(o))
			ct_print(&c->out, CT_WARN, "\nNothing in the trace is selected: no thread matches.\n");
		else
			ct_print(&c->out, CT_WARN, "\nThe trace has no threads.\n");
		return true;
	}
	if (!chooses_waits || has_waits(m))
		return false;
	ct_print(&c->out, CT_WARN, "\nNothing in the trace is selected: no wait matches.\n");
	return true;
}
