/* ctrace-ctl: sees and controls programs that are traced. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "commands.h"
#include "ctl.h"

#define FAILED 1
#define USAGE  2

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list ap;

	fputs("ctrace-ctl: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* All processes of all collectors, each with its collector's pid and output. *ret_status
 * becomes FAILED where one did not answer. */
static json_t *all_processes(int *ret_status)
{
	json_t *all = json_array(), *p;
	struct ct_found found;
	char wrong[CT_ASK_WRONG] = "";
	size_t k;

	if (ct_ask_find(&found, wrong)) {
		say("%s", wrong);
		*ret_status = FAILED;
	}
	for (size_t i = 0; i < found.count; i++) {
		json_t *answer = ct_ask(found.collector[i], "list", wrong);
		json_t *collector = json_object_get(answer, "collector");

		if (!answer && *wrong) {
			say("%s", wrong);
			*ret_status = FAILED;
		}
		json_array_foreach(json_object_get(answer, "processes"), k, p) {
			json_object_set(p, "collector", json_object_get(collector, "pid"));
			json_object_set(p, "output", json_object_get(collector, "output"));
			json_array_append(all, p);
		}
		json_decref(answer);
	}
	free(found.collector);
	return all;
}

/* The collector of a process; 0: none. */
static pid_t collector_of(const json_t *all, pid_t pid)
{
	const json_t *p;
	size_t i;

	json_array_foreach(all, i, p)
		if (json_integer_value(json_object_get(p, "pid")) == pid)
			return (pid_t)json_integer_value(json_object_get(p, "collector"));
	return 0;
}

/* One that has any process, after another; 0: no more. */
static pid_t next_collector(const json_t *all, pid_t after)
{
	pid_t next = 0;
	const json_t *p;
	size_t i;

	json_array_foreach(all, i, p) {
		pid_t c = (pid_t)json_integer_value(json_object_get(p, "collector"));

		if (c > after && (!next || c < next))
			next = c;
	}
	return next;
}

static int dump(json_t *o)
{
	return json_dumpf(o, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER) || putchar('\n') == EOF ? FAILED : 0;
}

static int list(const struct ct_ctl_options *o, const json_t *all)
{
	if (!o->json) {
		ct_ctl_print_list(all);
		return 0;
	}
	json_t *object = json_pack("{sO}", "processes", all);
	int status = dump(object);

	json_decref(object);
	return status;
}

static int status_of(const struct ct_ctl_options *o, pid_t collector)
{
	char request[64], wrong[CT_ASK_WRONG];

	snprintf(request, sizeof(request), "status\npid=%d\n", o->pid[0]);
	json_t *answer = ct_ask(collector, request, wrong);
	int status = answer ? 0 : FAILED;

	if (!answer)
		say("%s", *wrong ? wrong : "it has ended");
	else if (o->json)
		status = dump(answer);
	else
		ct_ctl_print_status(answer);
	json_decref(answer);
	return status;
}

/* start, stop, set: of one process, or of all of a collector (pid 0). */
static int change(const struct ct_ctl_options *o, pid_t collector, pid_t pid, json_t *done)
{
	char request[1024], wrong[CT_ASK_WRONG];
	int n = snprintf(request, sizeof(request), "%s\n", o->command->name);

	if (pid)
		n += snprintf(request + n, sizeof(request) - (size_t)n, "pid=%d\ntree=%d\n", pid, o->tree);
	if (o->min_given)
		n += snprintf(request + n, sizeof(request) - (size_t)n, "min_ns=%llu\n", (unsigned long long)o->min_ns);
	if (o->families)
		n += snprintf(request + n, sizeof(request) - (size_t)n, "families=%.200s\n", o->families);
	if (o->stacks)
		snprintf(request + n, sizeof(request) - (size_t)n, "stacks=%.50s\n", o->stacks);
	json_t *answer = ct_ask(collector, request, wrong);

	if (answer)
		json_array_extend(done, json_object_get(answer, "processes"));
	else
		say("%s", *wrong ? wrong : "the collector has ended");
	json_decref(answer);
	return answer ? 0 : FAILED;
}

static int change_all(const struct ct_ctl_options *o, const json_t *all)
{
	pid_t first = next_collector(all, 0);
	json_t *done = json_array();
	int status = 0;

	if (!o->pid_count && !first) {
		say("no process of yours is traced");
		status = FAILED;
	} else if (!o->pid_count && !o->all && next_collector(all, first)) {
		say("several programs are traced: name a process, or --all (ctrace-ctl list shows them)");
		status = USAGE;
	} else if (!o->pid_count) {
		for (pid_t c = first; c; c = next_collector(all, c))
			status |= change(o, c, 0, done);
	}
	for (unsigned int i = 0; i < o->pid_count; i++) {
		pid_t c = collector_of(all, o->pid[i]);

		if (!c)
			say("process %d is not traced", o->pid[i]);
		status |= c ? change(o, c, o->pid[i], done) : FAILED;
	}
	if (o->json && status != USAGE) {
		json_t *object = json_pack("{sO}", "processes", done);

		status |= dump(object);
		json_decref(object);
	} else {
		ct_ctl_print_recording(done);
	}
	json_decref(done);
	return status;
}

/* The collector writes FILE.part, and then calls it FILE; a full disk leaves neither. */
static bool wait_for_file(const char *path)
{
	char part[4096 + 8];

	snprintf(part, sizeof(part), "%s.part", path);
	while (!access(part, F_OK))
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	return !access(path, F_OK);
}

static int snapshot(const struct ct_ctl_options *o, const json_t *all)
{
	pid_t c = o->pid_count ? collector_of(all, o->pid[0]) : next_collector(all, 0);
	char request[CT_REQUEST_BYTES], wrong[CT_ASK_WRONG], here[4096] = "";

	if (!o->pid_count && c && next_collector(all, c)) {
		say("several programs are traced: name a process (ctrace-ctl list shows them)");
		return USAGE;
	}
	/* The collector has another working directory. */
	if (o->out && *o->out != '/' && !getcwd(here, sizeof(here))) {
		say("-o %s: where we are is not known", o->out);
		return FAILED;
	}
	int n = snprintf(request, sizeof(request), "snapshot\n");

	if (o->pid_count)
		n += snprintf(request + n, sizeof(request) - (size_t)n, "pid=%d\n", o->pid[0]);
	if (o->out)
		snprintf(request + n, sizeof(request) - (size_t)n, "path=%s%s%.3000s\n", here, *here ? "/" : "", o->out);
	json_t *answer = ct_ask(c, request, wrong);

	const char *path = json_string_value(json_object_get(answer, "path"));
	bool there = path && wait_for_file(path);

	if (!answer)
		say("%s", *wrong ? wrong : "the collector has ended");
	else if (!there)
		say("%s could not be written", path ? path : "the snapshot");
	else if (o->json)
		dump(answer);
	else
		printf("%s\n", path);
	int status = there ? 0 : FAILED;

	json_decref(answer);
	return status;
}

int main(int argc, char **argv)
{
	struct ct_ctl_options o;
	char wrong[256];
	int status = 0;

	if (ct_ctl_parse(argc, argv, &o, wrong)) {
		say("%s", wrong);
		return USAGE;
	}
	json_t *all = all_processes(&status);
	const char *name = o.command->name;
	bool one = !strcmp(name, "status") || !strcmp(name, "snapshot");

	if (!strcmp(name, "list")) {
		status |= list(&o, all);
	} else if (one && !(o.pid_count ? collector_of(all, o.pid[0]) : next_collector(all, 0))) {
		if (o.pid_count)
			say("process %d is not traced", o.pid[0]);
		else
			say("no process of yours is traced");
		status = FAILED;
	} else if (!strcmp(name, "status")) {
		status = status_of(&o, collector_of(all, o.pid[0]));
	} else if (!strcmp(name, "snapshot")) {
		status = snapshot(&o, all);
	} else {
		status = change_all(&o, all);
	}
	json_decref(all);
	return fflush(stdout) ? FAILED : status;
}
