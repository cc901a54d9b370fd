/* The verbs that change what is recorded: start, stop, set. */
#include <string.h>

#include "collector.h"
#include "commands.h"

static const char *const family_names[] = {
#define CT_FAMILY(id, name, causes, text) name,
#include "families.def"
#undef CT_FAMILY
};

static const char *const stacks_names[CT_STACKS_KINDS] = { "auto", "fp", "unwind", "off" };

void ct_json_recording(FILE *to, const struct ct_recording *r)
{
	const char *comma = "";

	fprintf(to, ", \"recording\": \"%s\", \"families\": [",
		!r->off ? "on" : (r->off & CT_FAMILIES_ALL) == CT_FAMILIES_ALL ? "off" : "partly");
	for (unsigned int i = 0; i < CT_FAMILY_COUNT; i++) {
		if (r->off & 1u << i)
			continue;
		fprintf(to, "%s\"%s\"", comma, family_names[i]);
		comma = ", ";
	}
	fprintf(to, "], \"min_ns\": %llu, \"stacks\": \"%s\"",
		(unsigned long long)(r->min_ns < INT64_MAX ? r->min_ns : INT64_MAX), stacks_names[r->stacks]);
}

/* A list with commas between, or "all", "none". */
static int parse_families(const char *list, struct ct_answer *a, uint32_t *ret_off)
{
	uint32_t on = 0;

	if (!strcmp(list, "all") || !strcmp(list, "none")) {
		*ret_off = *list == 'a' ? 0 : CT_FAMILIES_ALL;
		return 0;
	}
	for (const char *at = list, *end; *at; at = *end ? end + 1 : end) {
		unsigned int i = 0;

		end = strchrnul(at, ',');
		while (i < CT_FAMILY_COUNT && (strlen(family_names[i]) != (size_t)(end - at) ||
					       strncmp(family_names[i], at, (size_t)(end - at))))
			i++;
		if (i == CT_FAMILY_COUNT)
			return ct_refuse(a, "there is no family %.*s", (int)(end - at > 50 ? 50 : end - at), at);
		on |= 1u << i;
	}
	*ret_off = CT_FAMILIES_ALL & ~on;
	return 0;
}

static int parse_stacks(const char *word, struct ct_answer *a, uint32_t *ret)
{
	for (uint32_t i = 0; i < CT_STACKS_KINDS; i++)
		if (!strcmp(word, stacks_names[i])) {
			*ret = i;
			return 0;
		}
	return ct_refuse(a, "stacks=%.50s: none of auto, fp, unwind, off", word);
}

/* What a request wants of a process; fields that it does not name stay. */
struct change {
	bool off, stacks, min;
	struct ct_recording to;
};

static int parse_change(const struct ct_request *q, struct ct_answer *a, struct change *ret)
{
	const char *families = ct_request_value(q, "families"), *stacks = ct_request_value(q, "stacks");

	*ret = (struct change){ families != NULL, stacks != NULL, ct_request_value(q, "min_ns") != NULL, { 0 } };
	if ((families && parse_families(families, a, &ret->to.off)) || (stacks && parse_stacks(stacks, a, &ret->to.stacks)))
		return -1;
	return ct_request_number(q, a, "min_ns", &ret->to.min_ns);
}

static struct ct_recording changed(const struct ct_recording *now, const struct change *c)
{
	return (struct ct_recording){
		.off = c->off ? c->to.off : now->off,
		.stacks = c->stacks ? c->to.stacks : now->stacks,
		.min_ns = c->min ? c->to.min_ns : now->min_ns,
	};
}

/* Whether p is of a process's tree. Those whose parent has ended are not found by it. */
static bool descends(struct ct_collector *c, const struct ct_process *p, pid_t from)
{
	/* The chain cannot be longer; parents that name each other would be a circle. */
	for (size_t i = 0; p && i <= c->process_count; i++) {
		if (p->pid == from)
			return true;
		p = ct_collector_find(c, p->parent_pid);
	}
	return false;
}

static int apply(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a, const struct change *change)
{
	uint64_t pid = 0, tree = 0;
	const char *comma = "";

	if (ct_request_number(q, a, "pid", &pid) || ct_request_number(q, a, "tree", &tree))
		return -1;
	if (pid && (pid > INT32_MAX || !ct_collector_find(c, (pid_t)pid)))
		return ct_refuse(a, "process %llu is not traced", (unsigned long long)pid);
	/* Holds for those whose parent is not known, too, if it was for all. */
	if (!pid) {
		struct ct_recording first = c->process_count ? c->process[0]->recording : (struct ct_recording){ 0 };

		c->recording = changed(c->recording_set ? &c->recording : &first, change);
		c->recording_set = c->recording_set || c->process_count;
	}
	fputs(", \"processes\": [", a->to);
	for (size_t i = 0; i < c->process_count; i++) {
		struct ct_process *p = c->process[i];

		if (pid && p->pid != (pid_t)pid && !(tree && descends(c, p, (pid_t)pid)))
			continue;
		struct ct_recording to = changed(&p->recording, change);

		if (memcmp(&to, &p->recording, sizeof(to)))
			ct_recording_set(&c->trace, p, &to);
		fprintf(a->to, "%s{\"pid\": %d", comma, p->pid);
		ct_json_recording(a->to, &p->recording);
		putc('}', a->to);
		comma = ", ";
	}
	putc(']', a->to);
	ct_writer_flush(&c->trace.writer);
	return 0;
}

int ct_command_start(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a)
{
	return apply(c, q, a, &(struct change){ .off = true });
}

int ct_command_stop(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a)
{
	return apply(c, q, a, &(struct change){ .off = true, .to.off = CT_FAMILIES_ALL });
}

int ct_command_set(struct ct_collector *c, const struct ct_request *q, struct ct_answer *a)
{
	struct change change;

	return parse_change(q, a, &change) ? -1 : apply(c, q, a, &change);
}
