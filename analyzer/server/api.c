/* See api.h. */
#include "api.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "json_parts.h"

/* --- answers --- */

void ct_api_say(struct ct_answer *a, unsigned int status, const char *text)
{
	*a = (struct ct_answer){ .status = status, .type = "text/plain; charset=utf-8" };
	ct_put_bytes(&a->body, text, strlen(text));
}

void ct_api_json(struct ct_answer *a, json_t *object)
{
	char *text = ct_json_failed() ? NULL : json_dumps(object, JSON_COMPACT);

	json_decref(object);
	if (!text) {
		ct_api_say(a, 500, "out of memory");
		return;
	}
	*a = (struct ct_answer){ .status = 200, .type = "application/json" };
	ct_put_bytes(&a->body, text, strlen(text));
	free(text);
}

int ct_api_number(const struct ct_request *r, const char *key, uint64_t most, uint64_t fallback, uint64_t *ret)
{
	const char *text = r->value(r, key);
	char *end;

	*ret = fallback;
	if (!text)
		return 0;
	errno = 0;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	unsigned long long n = strtoull(text, &end, 10);

	if (*end || errno || n > most)
		return -EINVAL;
	*ret = n;
	return 0;
}

/* --- the trace --- */

static uint64_t after(const struct ct_model *m, uint64_t ns)
{
	return ns > m->start_ns ? ns - m->start_ns : 0;
}

static json_t *lane_json(const struct ct_model *m, uint32_t thread)
{
	const struct ct_thread_info *t = &m->thread[thread];
	json_t *o = json_object();
	uint64_t from_ns, to_ns;
	char routine[24];

	ct_life_of(m, thread, &from_ns, &to_ns);
	snprintf(routine, sizeof(routine), "%llx", (unsigned long long)t->routine);
	ct_json_number(o, "lane", thread);
	ct_json_number(o, "process", t->process);
	ct_json_number(o, "tid", t->tid);
	ct_json_text(o, "name", t->name);
	ct_json_text(o, "routine", routine);
	ct_json_number(o, "from_ns", after(m, from_ns));
	ct_json_number(o, "to_ns", after(m, to_ns));
	ct_json_number(o, "lifetime_ns", t->lifetime_ns);
	ct_json_number(o, "running_ns", t->running_ns);
	ct_json_number(o, "runnable_ns", t->runnable_ns);
	ct_json_number(o, "blocked_ns", t->blocked_ns);
	ct_json_number(o, "longest_ns", t->longest_ns);
	ct_json_number(o, "events", t->events);
	return o;
}

static json_t *process_json(const struct ct_process_info *p)
{
	json_t *o = json_object();

	ct_json_number(o, "pid", p->pid);
	ct_json_number(o, "parent_pid", p->parent_pid);
	ct_json_text(o, "executable", p->executable);
	ct_json_text(o, "command", p->command);
	return o;
}

static json_t *cause_json(const struct ct_model *m, uint32_t cause)
{
	json_t *o = json_object();

	ct_json_number(o, "id", cause);
	ct_json_text(o, "name", ct_model_cause_name(m, cause));
	ct_json_text(o, "category", ct_model_category(m, cause));
	ct_json_text(o, "text", m->cause[cause].text);
	return o;
}

static void answer_trace(struct ct_served *s, struct ct_answer *ret)
{
	const struct ct_model *m = &s->m;
	json_t *o = json_object(), *lanes = json_array(), *processes = json_array(), *causes = json_array();

	ct_json_begin();
	ct_json_text(o, "file", s->path);
	ct_json_set(o, "trace", ct_json_trace(s->context, m));
	ct_json_set(o, "scheduler", ct_json_scheduler(m));
	for (uint32_t i = 0; i < m->process_count; i++)
		ct_json_append(processes, process_json(&m->process[i]));
	for (uint32_t i = 0; i < m->thread_count; i++)
		ct_json_append(lanes, lane_json(m, i));
	for (uint32_t i = 0; i < CT_CAUSES; i++)
		if (m->cause[i].name)
			ct_json_append(causes, cause_json(m, i));
	ct_json_set(o, "processes", processes);
	ct_json_set(o, "lanes", lanes);
	ct_json_set(o, "causes", causes);
	ct_api_json(ret, o);
}

/* --- a trace that is still being written --- */

static int load(struct ct_served *s)
{
	struct ct_context *c = s->context;
	int error = ct_command_load(c, &s->m, NULL);

	if (!error)
		error = ct_trace_map_open(&s->map, &s->m, &c->reader);
	if (!error)
		error = ct_overview_make(&s->overview, &s->map);
	if (!error)
		error = ct_symbols_open(&s->symbols, &s->m);
	if (!error)
		error = ct_callstacks_open(&s->callstacks, &s->m);
	return error;
}

static void unload(struct ct_served *s)
{
	ct_callstacks_close(&s->callstacks);
	if (s->symbols.model)
		ct_symbols_close(&s->symbols);
	if (s->overview.lane)
		ct_overview_close(&s->overview);
	ct_trace_map_close(&s->map);
	ct_model_free(&s->m);
}

/* Reads it again if it has grown. */
static int follow(struct ct_served *s)
{
	struct ct_reader *r = &s->context->reader;
	struct stat st;

	if (!s->broken && (r->has_trailer || fstat(r->fd, &st) || (uint64_t)st.st_size == r->file_bytes))
		return 0;
	s->broken = true;
	unload(s);
	ct_reader_close(r);
	int error = ct_reader_open(r, s->path);

	if (error) {
		*r = (struct ct_reader){ .fd = -1 };
		return error < 0 ? error : -EIO;
	}
	error = load(s);
	s->broken = error != 0;
	return error;
}

/* --- views --- */

/* Commands whose output is one JSON object, and that take no time worth speaking of but the
 * trace's size. */
static const char *const views[] = {
	"summary", "blocks", "threads", "locks", "io", "malloc", "sched", "wakers", "path", "deadlocks", "latency", "waits", "stats",
	"whatif",
};

static const struct ct_command *find_view(const char *name)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		for (const struct ct_command *c = ct_commands; c->name && !strcmp(views[i], name); c++)
			if (!strcmp(c->name, name))
				return c;
	return NULL;
}

/* Options that choose what is shown; those that say where to or how are not the page's. */
static bool is_free(const struct ct_option *o)
{
	static const char *const ours[] = { "json", "csv", "color", "help", "version", "output", "format", "port", "host",
					    "symbols" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strcmp(o->name, ours[i]))
			return false;
	return true;
}

static void answer_view(struct ct_served *s, const struct ct_request *r, const char *name, struct ct_answer *ret)
{
	const struct ct_command *command = find_view(name);
	char **argv = calloc(64, sizeof(char *));
	int n = 0;

	if (!command || !argv) {
		free(argv);
		ct_api_say(ret, 404, "no such view");
		return;
	}
	argv[n++] = strdup("/proc/self/exe");
	argv[n++] = strdup(command->name);
	argv[n++] = strdup("--json");
	if (s->context->options->symbols && asprintf(&argv[n], "--symbols=%s", s->context->options->symbols) > 0)
		n++;
	for (const struct ct_option *o = ct_options_table; o->name && n < 60; o++) {
		const char *value = is_free(o) && ct_option_is_for(o, command->name) ? r->value(r, o->name) : NULL;

		if (!value || !*value)
			continue;
		if (asprintf(&argv[n], o->value ? "--%s=%s" : "--%s", o->name, value) < 0)
			argv[n] = NULL;
		else
			n++;
	}
	argv[n++] = strdup("--");
	argv[n++] = strdup(s->path);
	*ret = (struct ct_answer){ .argv = argv };
}

void ct_api_answer(void *self, const struct ct_request *r, struct ct_answer *ret)
{
	struct ct_served *s = self;

	if (!strcmp(r->path, "api/trace")) {
		int error = follow(s);

		if (error)
			ct_api_say(ret, 500, strerror(-error));
		else
			answer_trace(s, ret);
	} else if (!strcmp(r->path, "api/words"))
		ct_api_words(ret);
	else if (s->broken && !strncmp(r->path, "api/", 4))
		ct_api_say(ret, 503, "the trace cannot be read now");
	else if (!strcmp(r->path, "api/lanes"))
		ct_api_lanes(s, r, ret);
	else if (!strcmp(r->path, "api/load"))
		ct_api_load(s, r, ret);
	else if (!strcmp(r->path, "api/site"))
		ct_api_site(s, r, ret);
	else if (!strcmp(r->path, "api/wait"))
		ct_api_wait(s, r, ret);
	else if (!strncmp(r->path, "api/view/", 9))
		answer_view(s, r, r->path + 9, ret);
	else if (!ct_page_file(r->path, ret))
		ct_api_say(ret, 404, "nothing here");
}

int ct_served_open(struct ct_served *s, struct ct_context *c)
{
	*s = (struct ct_served){ .context = c, .map.reader.fd = -1 };
	/* Growing is no damage. */
	c->unfinished = true;
	s->path = realpath(c->options->file, NULL);
	return s->path ? load(s) : -errno;
}

void ct_served_close(struct ct_served *s)
{
	unload(s);
	free(s->path);
}
