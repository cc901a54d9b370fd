/* Between the parts of the export of Chrome's trace events: chrome.c, chrome_marks.c, chrome_stacks.c. */
#ifndef CT_CHROME_H
#define CT_CHROME_H

#include "export.h"
#include "timeline_source.h"

/* A frame and those that it was called from. */
struct ct_chrome_node {
	uint32_t parent;             /* CT_NO: none */
	struct ct_frame frame;
};

struct ct_chrome {
	struct ct_export *e;
	struct ct_timeline_source source;
	struct ct_buf out;
	bool *told;                  /* by thread: its name is in the file */
	CT_ARRAY(uint32_t, outsider); /* likewise, 1 */
	CT_ARRAY(char *, site);      /* by site: what all its events say */
	CT_ARRAY(char *, callstack); /* by call stack: likewise */
	CT_ARRAY(struct ct_chrome_node, node);
	struct ct_table node_by_hash; /* index + 1 */
	uint64_t flows, blanks;
	bool begun;                  /* an event is in the file */
};

/* An event up to its thread. */
void ct_chrome_begin_event(struct ct_chrome *c, const char *phase, uint64_t pid, uint64_t tid);
/* The numbers of a thread or outsider; its name goes into the file first. 0 or -ENOMEM. */
int ct_chrome_tell_thread(struct ct_chrome *c, uint32_t waker, uint64_t *ret_pid, uint64_t *ret_tid);
/* As a taker. */
int ct_chrome_flush(struct ct_chrome *c);
/* Regions, tasks and lines, and what was not recorded. */
int ct_chrome_marks(struct ct_chrome *c);
/* What events with a call stack (of the source; CT_NO: none) say, up to the begin of
 * their other arguments. 0 or -ENOMEM. */
int ct_chrome_callstack(struct ct_chrome *c, uint32_t callstack, const char **ret);
/* The tree of all of them, behind the events. */
void ct_chrome_stack_frames(struct ct_chrome *c);
void ct_chrome_stacks_free(struct ct_chrome *c);

#endif
