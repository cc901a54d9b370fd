/* See names.h. */
#include "names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "clean.h"
#include "codec.h"
#include "model_parts.h"
#include "objects.h"
#include "trace.h"

#define PROCESS    1u
#define FIRST_IP   0x80000000u /* ids of stacks that are an address: no word is that large */
#define AT_ONCE    500u        /* stacks of one request */
#define CT_NAMES_REQUEST 8000u /* CT_REQUEST_BYTES is a little more */
#define STACKS_MAX 200000u     /* that are kept; then no more are learnt */

static const char *const cause_names[] = {
#define CT_CAUSE(id, name, category, text) name,
#include "causes.def"
#undef CT_CAUSE
};
static const char *const categories[] = {
#define CT_CAUSE(id, name, category, text) category,
#include "causes.def"
#undef CT_CAUSE
};

const char *ct_names_cause(const struct ct_names *n, uint32_t cause)
{
	(void)n;
	return cause < CT_CAUSE_COUNT ? cause_names[cause] : "other";
}

const char *ct_names_category(const struct ct_names *n, uint32_t cause)
{
	(void)n;
	return cause < CT_CAUSE_COUNT ? categories[cause] : "";
}

static void take(struct ct_names *n, const struct ct_record *r)
{
	struct ct_buf b = { 0 };

	ct_put_record(&b, r);
	if (!b.failed)
		ct_model_records(&n->model, (struct ct_span){ b.data, b.data + b.size });
	ct_buf_free(&b);
}

void ct_names_open(struct ct_names *n, pid_t pid, pid_t collector, const char *symbols)
{
	*n = (struct ct_names){ .pid = pid, .collector = collector, .options = { .symbols = symbols } };
	ct_model_init(&n->model, &n->options);
	for (uint32_t i = 0; i < CT_CAUSE_COUNT; i++)
		take(n, &(struct ct_record){ .type = CT_RECORD_CAUSE, .cause = {
			.id = i, .name = ct_text_of(cause_names[i]), .category = ct_text_of(categories[i]) } });
	take(n, &(struct ct_record){ .type = CT_RECORD_PROCESS_START,
				     .process_start = { .process = PROCESS, .pid = (uint64_t)pid } });
}

static void close_symbols(struct ct_names *n)
{
	if (n->open) {
		ct_callstacks_close(&n->stacks);
		ct_symbols_close(&n->symbols);
	}
	n->open = false;
}

void ct_names_close(struct ct_names *n)
{
	close_symbols(n);
	ct_model_free(&n->model);
	for (uint32_t i = 0; i < n->text_count; i++)
		free(n->text[i]);
	free(n->text);
	ct_table_free(&n->ip_ids);
	ct_table_free(&n->place_of);
	*n = (struct ct_names){ 0 };
}

/* --- learning --- */

static uint64_t hex(const json_t *o, const char *name)
{
	const char *s = json_string_value(name ? json_object_get(o, name) : o);

	return s ? strtoull(s, NULL, 16) : 0;
}

static uint64_t number(const json_t *o, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(o, name));
}

static void take_stack(struct ct_names *n, uint32_t id, uint64_t epoch, const uint64_t *frames, size_t depth)
{
	take(n, &(struct ct_record){ .type = CT_RECORD_STACK, .stack = {
		.stack = id, .process = PROCESS, .epoch = epoch, .frames = { .v = frames, .n = depth } } });
}

static void take_stacks(struct ct_names *n, const json_t *answer)
{
	uint64_t frames[256];
	const json_t *s, *f;
	size_t i, k, depth;

	json_array_foreach(json_object_get(answer, "stacks"), i, s) {
		depth = 0;
		json_array_foreach(json_object_get(s, "frames"), k, f)
			if (depth < sizeof(frames) / sizeof(frames[0]))
				frames[depth++] = hex(f, NULL);
		take_stack(n, (uint32_t)number(s, "stack"), number(s, "epoch"), frames, depth);
	}
}

static void take_modules(struct ct_names *n, const json_t *answer)
{
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(answer, "modules"), i, m) {
		const char *path = json_string_value(json_object_get(m, "path"));
		const char *id = json_string_value(json_object_get(m, "build_id"));
		char bytes[32];
		size_t count = 0;

		for (; id && id[0] && id[1] && count < sizeof(bytes); id += 2)
			bytes[count++] = (char)strtoul((char[]){ id[0], id[1], 0 }, NULL, 16);
		take(n, &(struct ct_record){ .type = CT_RECORD_MODULE, .module = {
			.module = number(m, "module"), .process = PROCESS, .start = hex(m, "start"), .end = hex(m, "end"),
			.bias = hex(m, "bias"), .epoch_first = number(m, "epoch_first"),
			.epoch_last = number(m, "epoch_last"), .path = ct_text_of(path ? path : ""),
			.build_id = { bytes, count } } });
	}
	n->epoch = number(answer, "epoch");
	ct_model_order_modules(&n->model);
}

static void ask(struct ct_names *n, const char *list)
{
	char request[CT_NAMES_REQUEST], wrong[CT_ASK_WRONG];

	snprintf(request, sizeof(request), "frames\npid=%d\nstacks=%s\n", n->pid, list);
	json_t *answer = ct_ask(n->collector, request, wrong);

	if (!answer)
		return;
	take_modules(n, answer);
	take_stacks(n, answer);
	json_decref(answer);
}

/* The id of the stack in the model; 0: it has none. */
static uint32_t stack_id(const struct ct_names *n, const struct ct_top_what *w)
{
	return w->stack ? w->stack : ct_table_get(&n->ip_ids, w->ip);
}

static bool known(const struct ct_names *n, const struct ct_top_what *w)
{
	if (!w->stack)
		return !w->ip || ct_table_get(&n->ip_ids, w->ip);
	return ct_model_stack(&n->model, 0, w->stack) != CT_NO;
}

/* Symbols and call stacks know as many files and stacks as there were. */
static void open_symbols(struct ct_names *n)
{
	struct ct_model *m = &n->model;

	if (n->open && n->files == m->file_count && n->stacks_open == m->stack_count)
		return;
	if (n->open && n->files == m->file_count) {
		ct_callstacks_close(&n->stacks);
	} else {
		close_symbols(n);
		if (ct_symbols_open(&n->symbols, m))
			return;
	}
	n->open = !ct_callstacks_open(&n->stacks, m);
	if (!n->open)
		ct_symbols_close(&n->symbols);
	n->files = m->file_count;
	n->stacks_open = m->stack_count;
}

void ct_names_learn(struct ct_names *n, const struct ct_top_what *const *what, uint32_t count)
{
	char list[CT_NAMES_REQUEST - 64];
	size_t used = 0;
	uint32_t asked = 0;
	bool ips = false;

	for (uint32_t i = 0; i < count && n->model.stack_count < STACKS_MAX; i++) {
		if (known(n, what[i]))
			continue;
		if (!what[i]->stack) {
			ips = true;
			continue;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%u", asked ? "," : "", what[i]->stack);
		if (++asked < AT_ONCE)
			continue;
		ask(n, list);
		used = asked = 0;
	}
	if (asked || (ips && !n->model.module_count))
		ask(n, asked ? list : "");
	for (uint32_t i = 0; i < count && n->model.stack_count < STACKS_MAX; i++) {
		uint32_t id = FIRST_IP + n->ip_count;

		if (what[i]->stack || known(n, what[i]) || ct_table_put(&n->ip_ids, what[i]->ip, id))
			continue;
		n->ip_count++;
		take_stack(n, id, n->epoch, &what[i]->ip, 1);
	}
	open_symbols(n);
}

/* --- names --- */

static uint32_t callstack_of(struct ct_names *n, const struct ct_top_what *w)
{
	uint32_t id = stack_id(n, w), stack = id ? ct_model_stack(&n->model, 0, id) : CT_NO, ret = CT_NO;

	if (!n->open || stack == CT_NO || stack >= n->stacks_open || ct_callstack_of(&n->stacks, stack, &ret))
		return CT_NO;
	return ret;
}

const char *ct_names_place(struct ct_names *n, const struct ct_top_what *w)
{
	uint32_t id = stack_id(n, w), at = id ? ct_table_get(&n->place_of, id) : 0;

	if (at)
		return n->text[at - 1];
	uint32_t callstack = callstack_of(n, w);
	char *text = callstack == CT_NO ? NULL : ct_callstack_text(&n->stacks, &n->symbols, callstack, false);
	char **kept = text ? CT_APPEND(n, text) : NULL;

	if (!kept) {
		free(text);
		return "";
	}
	*kept = text;
	ct_table_put(&n->place_of, id, n->text_count);
	return text;
}

int ct_names_frames(struct ct_names *n, const struct ct_top_what *w, struct ct_frame **ret, uint32_t *ret_count)
{
	uint32_t callstack = callstack_of(n, w);

	*ret = NULL;
	*ret_count = 0;
	return callstack == CT_NO ? 0 : ct_callstack_frames(&n->stacks, &n->symbols, callstack, ret, ret_count);
}

uint64_t ct_names_place_key(struct ct_names *n, const struct ct_top_what *w)
{
	uint32_t callstack = callstack_of(n, w);

	if (callstack == CT_NO)
		return w->ip;
	const struct ct_place *p = &n->stacks.place[n->stacks.callstack[callstack].first];

	return ct_mix(p->address ^ (uint64_t)p->file << 48);
}

/* What the kernel calls a descriptor of which the program has not said more than its number: it may be another by now. */
static char *bare_descriptor(const struct ct_names *n, int fd)
{
	char path[64], target[256], *text;
	int found;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", n->pid, fd);
	ssize_t bytes = fd < 0 ? -1 : readlink(path, target, sizeof(target));

	if (bytes < 0)
		return asprintf(&text, "fd %d", fd) < 0 ? NULL : text;
	char *name = ct_clean(target, (size_t)bytes);

	if (!name || *name == '/')
		return name;
	found = asprintf(&text, "%.*s fd %d", (int)strcspn(name, ":"), name, fd);
	free(name);
	return found < 0 ? NULL : text;
}

static char *descriptor(const struct ct_names *n, const struct ct_top_what *w)
{
	char *text, *label = w->label ? ct_clean(w->label, strlen(w->label)) : NULL;
	int found;

	if (!label)
		return bare_descriptor(n, (int)(uint32_t)w->object);
	if (*label == '/')
		return label;
	found = *label ? asprintf(&text, "%s %s", w->fd_kind == CT_FD_ANON ? "fd" : ct_fd_kind_name(w->fd_kind), label)
		       : asprintf(&text, "%s %d", ct_fd_kind_name(w->fd_kind), (int)(uint32_t)w->object);
	free(label);
	return found < 0 ? NULL : text;
}

char *ct_names_object(struct ct_names *n, const struct ct_top_what *w)
{
	if (w->object_kind == CT_OBJECT_FD)
		return descriptor(n, w);
	if (w->object_kind != CT_OBJECT_ADDRESS)
		return strdup("");
	uint32_t id = stack_id(n, w);

	return ct_lock_label(n->open ? &n->symbols : NULL, &n->model, 0, w->cause, w->object,
			     id ? ct_model_stack(&n->model, 0, id) : CT_NO);
}
