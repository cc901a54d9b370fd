/* See flame_tree.h. */
#include "flame_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t text_of(struct ct_flame_tree *t, const char *text)
{
	uint64_t key = 0x6c62272e07bb0142ull;
	uint32_t at;

	for (const char *p = text; *p; p++)
		key = (key ^ (uint8_t)*p) * 0x100000001b3ull;
	for (key = ct_mix(key); (at = ct_table_get(&t->text_by_hash, key)); key++)
		if (!strcmp(t->text[at - 1], text))
			return at - 1;
	char *copy = strdup(text), **place = copy ? CT_APPEND(t, text) : NULL;

	if (!place) {
		free(copy);
		return CT_NO;
	}
	*place = copy;
	return ct_table_put(&t->text_by_hash, key, t->text_count) ? CT_NO : t->text_count - 1;
}

static uint32_t child_of(struct ct_flame_tree *t, uint32_t parent, uint32_t text, bool is_cause)
{
	uint64_t key = ct_mix(ct_pair(parent, text) ^ (is_cause ? 1ull << 63 : 0));
	uint32_t at;

	for (; (at = ct_table_get(&t->node_by_hash, key)); key++)
		if (t->node[at - 1].parent == parent && t->node[at - 1].text == text &&
		    t->node[at - 1].is_cause == is_cause)
			return at - 1;
	struct ct_flame_node *n = CT_APPEND(t, node);

	if (!n || ct_table_put(&t->node_by_hash, key, t->node_count))
		return CT_NO;
	*n = (struct ct_flame_node){ .parent = parent, .text = text, .depth = t->node[parent].depth + 1,
				     .cause = CT_NO, .is_cause = is_cause };
	if (n->depth > t->depth)
		t->depth = n->depth;
	return t->node_count - 1;
}

static void add(struct ct_flame_node *n, const struct ct_fold *fold)
{
	n->ns += fold->ns;
	n->count += fold->count;
}

int ct_flame_take(void *tree, const struct ct_fold *fold)
{
	struct ct_flame_tree *t = tree;
	uint32_t cause = text_of(t, fold->cause), at = 0;

	if (cause == CT_NO)
		return -ENOMEM;
	add(&t->node[0], fold);
	for (uint32_t i = 0; i < fold->depth; i++) {
		uint32_t text = text_of(t, fold->frame[i]);

		at = text == CT_NO ? CT_NO : child_of(t, at, text, fold->frame[i] == fold->cause);
		if (at == CT_NO)
			return -ENOMEM;
		add(&t->node[at], fold);
	}
	/* The innermost: its parents take it over. */
	t->node[at].cause = cause;
	return 0;
}

int ct_flame_open(struct ct_flame_tree *t)
{
	*t = (struct ct_flame_tree){ 0 };
	struct ct_flame_node *root = CT_APPEND(t, node);

	if (!root)
		return -ENOMEM;
	root->text = text_of(t, "all");
	root->cause = CT_NO;
	return root->text == CT_NO ? -ENOMEM : 0;
}

void ct_flame_close(struct ct_flame_tree *t)
{
	for (uint32_t i = 0; i < t->text_count; i++)
		free(t->text[i]);
	free(t->text);
	free(t->node);
	ct_table_free(&t->text_by_hash);
	ct_table_free(&t->node_by_hash);
	*t = (struct ct_flame_tree){ 0 };
}

static int by_size(const void *x, const void *y, void *nodes)
{
	const struct ct_flame_node *all = nodes;
	const struct ct_flame_node *a = &all[*(const uint32_t *)x], *b = &all[*(const uint32_t *)y];

	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	if (a->ns != b->ns)
		return a->ns < b->ns ? 1 : -1;
	return a < b ? -1 : a > b;
}

int ct_flame_order(struct ct_flame_tree *t)
{
	uint32_t *order = malloc(t->node_count * sizeof(*order));
	uint64_t *used = calloc(t->node_count, sizeof(*used)), *most = calloc(t->node_count, sizeof(*most));

	if (order && used && most) {
		for (uint32_t i = 0; i < t->node_count; i++)
			order[i] = i;
		qsort_r(order, t->node_count, sizeof(*order), by_size, t->node);
		/* The root is the first of the order, too. */
		for (uint32_t i = 1; i < t->node_count; i++) {
			struct ct_flame_node *n = &t->node[order[i]];

			n->from_ns = t->node[n->parent].from_ns + used[n->parent];
			used[n->parent] += n->ns;
		}
		for (uint32_t i = t->node_count - 1; i > 0; i--) {
			const struct ct_flame_node *n = &t->node[i];

			if (n->ns >= most[n->parent] && n->cause != CT_NO) {
				most[n->parent] = n->ns;
				t->node[n->parent].cause = n->cause;
			}
		}
	}
	int error = order && used && most ? 0 : -ENOMEM;

	free(order);
	free(used);
	free(most);
	return error;
}
