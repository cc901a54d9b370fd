/* See callstacks.h. */
#include "callstacks.h"
#include "jit_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ct_callstacks_open(struct ct_callstacks *c, const struct ct_model *m)
{
	*c = (struct ct_callstacks){ .model = m };
	c->of_stack = calloc(m->stack_count + 1u, sizeof(*c->of_stack));
	c->stack_count = m->stack_count;
	return c->of_stack ? 0 : -ENOMEM;
}

int ct_callstacks_follow(struct ct_callstacks *c, const struct ct_model *m)
{
	c->model = m;
	if (m->stack_count <= c->stack_count)
		return 0;
	uint32_t *grown = realloc(c->of_stack, (m->stack_count + 1u) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	c->of_stack = grown;
	memset(grown + c->stack_count, 0, (m->stack_count + 1u - c->stack_count) * sizeof(*grown));
	c->stack_count = m->stack_count;
	return 0;
}

void ct_callstacks_close(struct ct_callstacks *c)
{
	free(c->place);
	free(c->callstack);
	free(c->of_stack);
	ct_table_free(&c->by_hash);
	*c = (struct ct_callstacks){ 0 };
}

static bool is_ours(const struct ct_model *m, const struct ct_place *p)
{
	return p->file != CT_NO && !strncmp(ct_base_name(m->file[p->file].path), "libctrace.so", 12);
}

/* Puts the places of a stack behind those that are there: their number in
 * *ret_depth. 0 or -ENOMEM. */
static int put_places(struct ct_callstacks *c, const struct ct_stack_info *s, uint32_t *ret_depth)
{
	const struct ct_model *m = c->model;
	struct ct_place *place =
		ct_grow(c->place, &c->place_capacity, (uint64_t)c->place_count + s->depth, sizeof(*place));
	uint32_t depth = 0;

	if (!place)
		return -ENOMEM;
	c->place = place;
	for (uint32_t i = 0; i < s->depth; i++) {
		uint64_t address = m->frame[s->first + i];
		/* The call stands before the return address, maybe at its module's end. */
		uint32_t at = ct_model_module_at(m, s->process, address - 1, s->epoch);
		struct ct_place p = { CT_NO, address };

		if (at != CT_NO)
			p = (struct ct_place){ m->module[at].file, address - m->module[at].bias };
		else if ((at = ct_model_code_at(m, s->process, address - 1)) != CT_NO)
			p.file = m->code[at].file;
		if (!depth && is_ours(m, &p))
			continue;
		place[c->place_count + depth++] = p;
	}
	*ret_depth = depth;
	return 0;
}

static bool same(const struct ct_place *a, const struct ct_place *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (a[i].file != b[i].file || a[i].address != b[i].address)
			return false;
	return true;
}

int ct_callstack_of(struct ct_callstacks *c, uint32_t stack, uint32_t *ret)
{
	uint32_t depth = 0, at;
	uint64_t key = 0;

	*ret = CT_NO;
	if (stack == CT_NO)
		return 0;
	if (c->of_stack[stack]) {
		*ret = c->of_stack[stack] - 1;
		return 0;
	}
	int error = put_places(c, &c->model->stack[stack], &depth);

	if (error || !depth)
		return error;
	const struct ct_place *places = &c->place[c->place_count];

	for (uint32_t i = 0; i < depth; i++)
		key = ct_mix(key ^ ct_mix(places[i].address ^ (uint64_t)places[i].file << 40)) + i;
	for (; (at = ct_table_get(&c->by_hash, key)); key++) {
		const struct ct_callstack *other = &c->callstack[at - 1];

		if (other->depth == depth && same(&c->place[other->first], places, depth))
			break;
	}
	if (!at) {
		struct ct_callstack *new = CT_APPEND(c, callstack);

		if (!new || ct_table_put(&c->by_hash, key, c->callstack_count))
			return -ENOMEM;
		*new = (struct ct_callstack){ c->place_count, depth };
		c->place_count += depth;
		at = c->callstack_count;
	}
	c->of_stack[stack] = at;
	*ret = at - 1;
	return 0;
}

int ct_callstack_frames(const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack,
			struct ct_frame **ret, uint32_t *ret_count)
{
	struct ct_frame *frames = NULL;
	uint32_t count = 0, capacity = 0;

	*ret = NULL;
	*ret_count = 0;
	if (callstack == CT_NO)
		return 0;
	const struct ct_callstack *stack = &c->callstack[callstack];

	for (uint32_t i = 0; i < stack->depth; i++) {
		const struct ct_place *p = &c->place[stack->first + i];
		const struct ct_frames *found = ct_symbols_frames(s, p->file, p->address);
		struct ct_frame *larger =
			found ? ct_grow(frames, &capacity, (uint64_t)count + found->count, sizeof(*frames)) : NULL;

		if (!larger) {
			free(frames);
			return -ENOMEM;
		}
		frames = larger;
		memcpy(&frames[count], found->frame, found->count * sizeof(*frames));
		count += found->count;
	}
	*ret = frames;
	*ret_count = count;
	return 0;
}

char *ct_callstack_text(const struct ct_callstacks *c, struct ct_symbols *s, uint32_t callstack, bool whole)
{
	struct ct_frame *frames;
	uint32_t count;
	char *text = NULL;
	int n;

	if (ct_callstack_frames(c, s, callstack, &frames, &count))
		return NULL;
	if (!count)
		return strdup("");
	const struct ct_frame *f = &frames[0];

	if (f->function && f->file && !f->line)
		n = asprintf(&text, "%s%s%s", f->function, whole ? " " : "  ", whole ? f->file : ct_base_name(f->file));
	else if (f->function && f->file)
		n = asprintf(&text, "%s%s%s:%d", f->function, whole ? " " : "  ",
			     whole ? f->file : ct_base_name(f->file), f->line);
	else if (f->function)
		n = asprintf(&text, "%s", f->function);
	else
		n = asprintf(&text, "%s+0x%llx", f->module ? ct_base_name(f->module) : "",
			     (unsigned long long)f->offset);
	free(frames);
	return n < 0 ? NULL : text;
}

static bool starts_things(const struct ct_frame *f)
{
	static const char *const names[] = {
		"_start", "__libc_start_main", "__libc_start_call_main", "start_thread", "clone", "__clone",
		"clone3", "__clone3", "__clone_internal",
	};
	const char *module = f->module ? ct_base_name(f->module) : "";

	if (!f->function)
		return !strncmp(module, "libc.so", 7) || !strncmp(module, "libc-2", 6) ||
		       !strncmp(module, "libpthread", 10) || !strncmp(module, "libctrace.so", 12);
	/* Our own routine stands between start_thread and the program's. */
	if (!strncmp(module, "libctrace.so", 12))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(names[i]);

		/* "__libc_start_main_impl", "__libc_start_main@@GLIBC_2.34" */
		if (!strncmp(f->function, names[i], n) && (!f->function[n] || strchr("@_", f->function[n])))
			return true;
	}
	return false;
}

uint32_t ct_frames_shown(const struct ct_frame *frames, uint32_t count)
{
	/* Of a stripped program _start has no name: what libc's start function
	 * was called from is of no interest, whatever it is. */
	if (count > 2 && !frames[count - 1].function && starts_things(&frames[count - 2]))
		count--;
	while (count > 1 && starts_things(&frames[count - 1]))
		count--;
	return count;
}

bool ct_frames_alike(const struct ct_frame *a, const struct ct_frame *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const char *x = a[i].function, *y = b[i].function, *p = a[i].file, *q = b[i].file;

		/* Paths of one module are one text. */
		if (a[i].module != b[i].module || a[i].line != b[i].line || a[i].inlined != b[i].inlined)
			return false;
		if (!x || !y || !p != !q)
			return false;
		if (strcmp(x, y) || (p && strcmp(p, q)))
			return false;
		/* Compilers at run time make a function several times. */
		if (!p && a[i].offset != b[i].offset && a[i].module != ct_jit_module)
			return false;
	}
	return true;
}
