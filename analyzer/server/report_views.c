/* See report_views.h. */
#include "report_views.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"

/* A path is of the last part of a long trace: about ten million events and slices. */
#define PATH_BYTES (1000ull << 20)

static const struct {
	const char *name, *top;      /* the page asks for so many rows */
	bool waits;                  /* it wants to know who ended them, once */
} kinds[CT_REPORT_VIEWS] = {
	{ "locks", "100", true }, { "wakers", "200", true }, { "malloc", "100", true }, { "summary", NULL, false },
	{ "blocks", "200", false }, { "threads", "0", false }, { "io", "100", false }, { "sched", "100", false },
	{ "deadlocks", "0", false }, { "latency", NULL, false }, { "stats", NULL, false }, { "path", "0", false },
	{ "regions", "200", false }, { "tasks", "200", false },
};

/* The last ones are of programs that say what they are doing. */
#define OF_NAMES 2u

static void make(struct ct_report_view *v)
{
	FILE *f = open_memstream(&v->text, &v->bytes);

	v->error = f ? 0 : -ENOMEM;
	v->context.out.file = f;
	if (!v->error)
		v->error = ct_command_find(v->name)->run(&v->context);
	if (v->member)
		ct_wakes_together_leave(v->member);
	if (f && fclose(f) && !v->error)
		v->error = -ENOMEM;
	ct_reader_close(&v->context.reader);
}

static void *run(void *self)
{
	make(self);
	return NULL;
}

static int set_options(struct ct_report_view *v, const struct ct_served *s, const char *top)
{
	const char *argv[] = { "ctrace-analyze", v->name, "--json", top ? "--top" : "--json", top ? top : "--json", "--", "t.bin", NULL };
	char error[256];
	int found = ct_options_parse(&v->options, 7, (char **)(uintptr_t)argv, error, sizeof(error));

	if (!found)
		found = ct_command_check(ct_command_find(v->name), &v->options, error, sizeof(error));
	v->options.symbols = s->context->options->symbols;
	v->options.file = s->context->options->file;
	v->options.lives_bytes = PATH_BYTES;
	return found;
}

static int prepare(struct ct_report_views *v, struct ct_served *s, uint32_t i)
{
	struct ct_report_view *view = &v->view[i];
	const struct ct_reader *r = &s->context->reader;

	*view = (struct ct_report_view){ .name = kinds[i].name };
	int error = set_options(view, s, kinds[i].top);

	view->context = (struct ct_context){ .options = &view->options, .out = s->context->out, .unfinished = true };
	if (!ct_options_select(s->context->options))
		view->context.loaded = &s->m;
	if (!error && (error = ct_reader_dup(&view->context.reader, r)))
		view->context.reader.fd = -1;
	/* As it is behind the model's passes: nothing is counted twice. */
	view->context.reader.damaged = r->damaged;
	view->context.reader.damage = r->damage;
	view->context.reader.damage_offset = r->damage_offset;
	view->context.reader.walked = r->walked;
	return error;
}

/* Those that wait for each other are threads, where there can be any. */
static void start_members(struct ct_report_views *v)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < v->count; i++)
		count += kinds[i].waits && v->view[i].context.loaded;
	ct_wakes_together_open(&v->together, count);
	for (uint32_t i = 0, k = 0; i < v->count; i++) {
		struct ct_report_view *view = &v->view[i];

		if (!kinds[i].waits || !view->context.loaded)
			continue;
		view->member = view->context.together = &v->together.member[k++];
		view->running = !pthread_create(&view->thread, NULL, run, view);
		if (view->running)
			continue;
		ct_wakes_together_leave(view->member);
		view->member = view->context.together = NULL;
	}
}

/* It changes the environment, which others read: ct_symbols_source. */
static bool is_alone(const struct ct_report_view *v)
{
	return !strcmp(v->name, "stats");
}

int ct_report_views_make(struct ct_report_views *v, struct ct_served *s)
{
	uint32_t wanted = CT_REPORT_VIEWS - (s->m.name_count ? 0 : OF_NAMES);
	int error = 0;

	*v = (struct ct_report_views){ .count = 0 };
	while (v->count < wanted && !error)
		error = prepare(v, s, v->count++);
	if (error) {
		ct_wakes_together_open(&v->together, 0);
		return error;
	}
	/* Its line is of one thread alone. */
	ct_progress_end();
	start_members(v);
	for (uint32_t i = 0; i < v->count; i++)
		if (!v->view[i].member && !is_alone(&v->view[i]))
			make(&v->view[i]);
	for (uint32_t i = 0; i < v->count; i++) {
		if (v->view[i].running)
			pthread_join(v->view[i].thread, NULL);
		v->view[i].running = false;
	}
	for (uint32_t i = 0; i < v->count; i++)
		if (is_alone(&v->view[i]))
			make(&v->view[i]);
	return 0;
}

void ct_report_views_close(struct ct_report_views *v)
{
	for (uint32_t i = 0; i < v->count; i++) {
		struct ct_report_view *view = &v->view[i];

		if (view->running)
			pthread_join(view->thread, NULL);
		if (view->context.reader.fd >= 0)
			ct_reader_close(&view->context.reader);
		ct_options_free(&view->options);
		free(view->text);
	}
	ct_wakes_together_close(&v->together);
}
