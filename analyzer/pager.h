/* Long texts on a terminal go through a pager, as with git. */
#ifndef CT_PAGER_H
#define CT_PAGER_H

/* Starts it and makes it our standard output: CTRACE_PAGER, PAGER, or less -FRX if that is
 * there. Does nothing where standard output is no terminal, or the pager is "cat" or "". */
void ct_pager_begin(void);
/* Closes standard output, which was flushed, and waits till the user has read it. */
void ct_pager_end(void);

#endif
