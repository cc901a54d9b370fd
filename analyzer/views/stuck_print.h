/* What the texts, the JSON and the CSV of deadlocks share. */
#ifndef CT_STUCK_PRINT_H
#define CT_STUCK_PRINT_H

#include "commands.h"
#include "stuck.h"

struct ct_deadlocks {
	struct ct_context *c;
	struct ct_model model;
	struct ct_report report; /* symbols and call stacks only */
	struct ct_stuck stuck;
};

/* Whether the options select it. */
bool ct_deadlocks_shows(const struct ct_deadlocks *d, const struct ct_pending *p);
bool ct_deadlocks_shows_cycle(const struct ct_deadlocks *d, const struct ct_cycle *cycle);
/* Whether it is listed with those that nobody ends. */
bool ct_stuck_stalls(const struct ct_pending *p);
/* "cycle", "ended"... */
const char *ct_stuck_word(enum ct_stuck_why why);
const char *ct_edge_word(enum ct_edge_kind kind);
/* Whom it waits for: of a cycle's member the one in the cycle. NULL: not known. */
const struct ct_edge *ct_stuck_main_edge(const struct ct_stuck *s, const struct ct_pending *p);
/* Whether it is sure that it never ends. */
bool ct_stuck_certain(const struct ct_pending *p);
/* 0 or -ENOMEM. */
int ct_deadlocks_json(struct ct_deadlocks *d);
int ct_deadlocks_csv(struct ct_deadlocks *d);

#endif
