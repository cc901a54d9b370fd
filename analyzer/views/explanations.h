/* What causes, states and categories mean: for `explain`. */
#ifndef CT_EXPLANATIONS_H
#define CT_EXPLANATIONS_H

#define CT_EXPLANATION_LINES 6

struct ct_explanation {
	const char *name;
	const char *kind;     /* "cause", "state", "category" */
	const char *means;    /* sentences */
	const char *reasons[CT_EXPLANATION_LINES]; /* typical ones, up to NULL */
	const char *next[CT_EXPLANATION_LINES];    /* command: what it tells; TRACE stands for the file */
};

/* Every cause of abi/causes.def but "none", every state and every category; up to one without a name. */
extern const struct ct_explanation ct_explanations[];
const struct ct_explanation *ct_explanation_of(const char *name); /* or NULL */

#endif
