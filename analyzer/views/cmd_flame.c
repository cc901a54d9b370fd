/* flame: blocked time as an SVG flame graph. */
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "flame_svg.h"

static const char *subject(const struct ct_options *o)
{
	if (o->by && !strcmp(o->by, "off-cpu"))
		return "Time off the CPU";
	if (o->by && !strcmp(o->by, "waker"))
		return "Waits, and who ended them";
	return "Blocked time";
}

static void print_flame(const struct ct_export *e, const struct ct_model *m, const struct ct_flame_tree *tree)
{
	const struct ct_context *c = e->context;
	uint32_t selected = 0;
	const char *command = "";
	char title[256], note[256], more[48] = "", time[CT_FORMAT];

	for (uint32_t i = m->process_count; i-- > 0;) {
		selected += m->process[i].selected;
		if (m->process[i].selected)
			command = m->process[i].command;
	}
	if (selected > 1)
		snprintf(more, sizeof(more), " and %u more process%s", selected - 1, selected == 2 ? "" : "es");
	snprintf(title, sizeof(title), "%s of %.100s%s", subject(c->options), *command ? command : "a trace", more);
	snprintf(note, sizeof(note), "%s, added up over all threads%s%s", ct_format_ns(time, tree->node[0].ns),
		 ct_model_lost_events(m) ? "; some events were lost" : "",
		 c->reader.damaged || !c->reader.has_trailer ? "; the trace is not complete" : "");
	ct_flame_svg(e->file, tree, title, note);
}

static int write_flame(struct ct_export *e)
{
	struct ct_model m;
	struct ct_flame_tree tree;
	int error = ct_flame_open(&tree);

	if (!error) {
		error = ct_folds(e->context, &m, e->context->options->by, ct_flame_take, &tree);
		if (!error)
			error = ct_flame_order(&tree);
		if (!error)
			print_flame(e, &m, &tree);
		ct_model_free(&m);
	}
	ct_flame_close(&tree);
	return error;
}

int ct_cmd_flame(struct ct_context *c)
{
	struct ct_export e = { .context = c, .path = c->options->output };

	return ct_export_run(&e, write_flame, false);
}
