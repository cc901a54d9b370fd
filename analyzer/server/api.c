/* See api.h. */
#include "api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "growth.h"
#include "json_parts.h"

#define ARGUMENTS_MOST 64

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
	ct_json_number(o, "lost", t->dropped);
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
	ct_json_text(o, "file", s->path ? s->path : s->context->options->file);
	ct_json_number(o, "generation", s->generation);
	pthread_mutex_lock(&s->lock);
	ct_json_text(o, "stale", *s->stale ? s->stale : NULL);
	pthread_mutex_unlock(&s->lock);
	/* Whether there is something to draw beside states, and what the program said of itself. */
	ct_json_set(o, "notes", json_boolean(s->notes.lane || m->gaps.gap_count));
	ct_json_set(o, "annotated", json_boolean(m->name_count));
	ct_json_set(o, "blanks", json_boolean(s->notes.blanks || m->gaps.gap_count));
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

/* --- the file --- */

/* Views are made by other processes, of the file that the timeline is made of. */
#define TRACE_PATH "/proc/self/fd/3"
_Static_assert(CT_ANSWER_TRACE == 3, "TRACE_PATH");

static bool has_changed(const struct stat *a, const struct stat *b)
{
	return a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

enum ct_fate ct_served_fate(const struct ct_served *s)
{
	const struct ct_reader *r = &s->context->reader;
	struct stat now;

	if (s->path && !stat(s->path, &now) && (now.st_dev != s->file.st_dev || now.st_ino != s->file.st_ino))
		return CT_FATE_REPLACED;
	if (fstat(r->fd, &now))
		return CT_FATE_SAME;
	if (r->has_trailer)
		return has_changed(&now, &s->file) ? CT_FATE_REPLACED : CT_FATE_SAME;
	if ((uint64_t)now.st_size == r->file_bytes)
		return CT_FATE_SAME;
	return (uint64_t)now.st_size > r->file_bytes ? CT_FATE_GROWN : CT_FATE_REPLACED;
}

void ct_served_stale(struct ct_served *s, const char *why)
{
	pthread_mutex_lock(&s->lock);
	snprintf(s->stale, sizeof(s->stale), "%s", why);
	pthread_mutex_unlock(&s->lock);
}

/* --- views --- */

/* Commands whose output is one JSON object, and that take no time worth speaking of but the
 * trace's size. */
static const char *const views[] = {
	"summary", "blocks", "threads", "locks", "io", "malloc", "sched", "wakers", "path", "deadlocks", "latency", "waits", "stats",
	"whatif", "regions", "tasks",
};

static const struct ct_command *find_view(const char *name)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		for (const struct ct_command *c = ct_commands; c->name && !strcmp(views[i], name); c++)
			if (!strcmp(c->name, name))
				return c;
	return NULL;
}

/* False: there is no memory. */
__attribute__((format(printf, 3, 4))) static bool add(char **argv, int *n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int length = vasprintf(&argv[*n], format, args);

	va_end(args);
	if (length < 0)
		argv[*n] = NULL;
	else
		++*n;
	return length >= 0;
}

static bool make_argv(const struct ct_served *s, const struct ct_request *r, const char *command, char **argv)
{
	const char *symbols = s->context->options->symbols;
	int n = 0;
	bool ok = add(argv, &n, "/proc/self/exe") && add(argv, &n, "%s", command) && add(argv, &n, "--json");

	if (symbols)
		ok = ok && add(argv, &n, "--symbols=%s", symbols);
	for (const struct ct_option *o = ct_options_table; o->name && n < ARGUMENTS_MOST - 4 && ok; o++) {
		const char *value = o->chooses && ct_option_is_for(o, command) ? r->value(r, o->name) : NULL;

		if (value && *value)
			ok = o->value ? add(argv, &n, "--%s=%s", o->name, value) : add(argv, &n, "--%s", o->name);
	}
	return ok && add(argv, &n, "--") && add(argv, &n, TRACE_PATH);
}

static void answer_view(struct ct_served *s, const struct ct_request *r, const char *name, struct ct_answer *ret)
{
	const struct ct_command *command = find_view(name);

	if (!command) {
		ct_api_say(ret, 404, "no such view");
		return;
	}
	if (ct_served_fate(s) == CT_FATE_REPLACED) {
		ct_api_say(ret, 409, "the trace is another one by now: it is read again");
		return;
	}
	int fd = fcntl(s->context->reader.fd, F_DUPFD_CLOEXEC, 10);

	*ret = (struct ct_answer){ .argv = calloc(ARGUMENTS_MOST, sizeof(char *)), .trace = fd < 0 ? 0 : fd };
	if (fd < 0 || !ret->argv || !make_argv(s, r, command->name, ret->argv)) {
		ct_answer_free(ret);
		ct_api_say(ret, 500, "out of memory");
	}
}

/* Whether a request's numbers are of this reading. */
static bool is_ours(const struct ct_served *s, const struct ct_request *r, struct ct_answer *ret)
{
	uint64_t generation;

	if (ct_api_number(r, "generation", UINT32_MAX, s->generation, &generation)) {
		ct_api_say(ret, 400, "generation makes no sense");
		return false;
	}
	bool ours = generation >= s->since && generation <= s->generation;

	if (!ours)
		ct_api_say(ret, 409, "the trace has been read again since: ask for api/trace");
	return ours;
}

void ct_api_answer(void *self, const struct ct_request *r, struct ct_answer *ret)
{
	struct ct_served *s = self;

	if (!strcmp(r->path, "api/trace"))
		answer_trace(s, ret);
	else if (!strcmp(r->path, "api/words"))
		ct_api_words(ret);
	else if (!strncmp(r->path, "api/", 4) && !is_ours(s, r, ret))
		return;
	else if (!strcmp(r->path, "api/lanes"))
		ct_api_lanes(s, r, ret);
	else if (!strcmp(r->path, "api/load"))
		ct_api_load(s, r, ret);
	else if (!strcmp(r->path, "api/notes"))
		ct_api_notes(s, r, ret);
	else if (!strcmp(r->path, "api/lines"))
		ct_api_lines(s, r, ret);
	else if (!strcmp(r->path, "api/site"))
		ct_api_site(s, r, ret);
	else if (!strcmp(r->path, "api/known"))
		ct_api_known(s, r, ret);
	else if (!strcmp(r->path, "api/wait"))
		ct_api_wait(s, r, ret);
	else if (!strcmp(r->path, "api/before"))
		ct_api_before(s, r, ret);
	else if (!strncmp(r->path, "api/view/", 9))
		answer_view(s, r, r->path + 9, ret);
	else if (!ct_page_file(r->path, ret))
		ct_api_say(ret, 404, "nothing here");
}

int ct_served_notes(struct ct_served *s)
{
	const struct ct_overview *o = &s->overview;

	return ct_notes_make(&s->notes, &s->map, 2 * (o->to_ns - o->from_ns) / o->buckets, s->context->reader.damaged);
}

int ct_served_open(struct ct_served *s, struct ct_context *c)
{
	s->context = c;
	pthread_mutex_init(&s->lock, NULL);
	ct_shared_windows_open(&s->windows);
	/* Growing is no damage. */
	c->unfinished = true;
	s->path = realpath(c->options->file, NULL);
	if (fstat(c->reader.fd, &s->file))
		return -errno;
	int error = ct_command_load(c, &s->m, NULL);

	atomic_store(&s->drawing, true);
	if (!error)
		error = ct_trace_map_open(&s->map, &s->m, &c->reader);
	if (!error)
		error = ct_overview_make(&s->overview, &s->map);
	if (!error)
		error = ct_served_notes(s);
	s->names = error ? NULL : ct_names_open(&s->m);
	s->since = s->generation;
	return error || s->names ? error : -ENOMEM;
}

void ct_served_close(struct ct_served *s)
{
	if (!s->context)
		return;
	ct_shared_windows_close(&s->windows);
	pthread_mutex_destroy(&s->lock);
	ct_names_let_go(s->names);
	if (s->notes.map)
		ct_notes_close(&s->notes);
	if (s->overview.lane)
		ct_overview_close(&s->overview);
	ct_trace_map_close(&s->map);
	ct_model_free(&s->m);
	/* The model has its texts. */
	ct_growth_let_go(s->growth);
	free(s->path);
	s->context = NULL;
	s->names = NULL;
	s->growth = NULL;
	s->path = NULL;
}
