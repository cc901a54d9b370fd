/* Stacks joined from the thread inwards: what a flame graph draws. */
#ifndef CT_FLAME_TREE_H
#define CT_FLAME_TREE_H

#include "folds.h"

struct ct_flame_node {
	uint32_t parent, text;  /* text: index */
	uint32_t depth;         /* of the root 0 */
	uint32_t cause;         /* text; of its largest child, down to the cause */
	uint64_t ns, count;     /* with all that is in it */
	uint64_t from_ns;       /* where it begins, in ns from the graph's left; set by ct_flame_order */
	bool is_cause;          /* the frame that is no function */
};

struct ct_flame_tree {
	CT_ARRAY(struct ct_flame_node, node); /* parents first; the root is the first */
	CT_ARRAY(char *, text);
	struct ct_table text_by_hash, node_by_hash;
	uint32_t depth;         /* largest */
};

/* 0 or -ENOMEM; close in either case. */
int ct_flame_open(struct ct_flame_tree *t);
void ct_flame_close(struct ct_flame_tree *t);
/* A ct_fold_taker. */
int ct_flame_take(void *tree, const struct ct_fold *fold);
/* Says where everything is drawn, the largest at the left. 0 or -ENOMEM. */
int ct_flame_order(struct ct_flame_tree *t);

#endif
