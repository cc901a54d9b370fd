/* For wait.c: what else there is to tell of a bar. */
#ifndef CT_WAIT_MORE_H
#define CT_WAIT_MORE_H

#include "api.h"

/* A bar of the picture. */
struct ct_drawn_call {
	uint32_t thread;
	uint64_t start_ns, end_ns;
	uint64_t skipped_ns;     /* of a long one: its first part, which start_ns leaves out */
};

/* Answers for a call that is drawn and is no wait, as ct_api_wait does, with "waited" false. 0; -ENOENT: none is drawn there;
 * -ENOMEM, -errno. ct_json_begin comes before. */
int ct_wait_call(struct ct_served *s, const struct ct_drawn_call *k, json_t **ret);
/* Adds the program's regions around a moment, outer ones first. */
void ct_wait_regions(struct ct_served *s, json_t *o, uint32_t lane, uint64_t ns);

#endif
