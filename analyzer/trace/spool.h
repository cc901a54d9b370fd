/* A trace that comes through a pipe: readers go to and fro in it, so it is kept in a file
 * without a name while it is read. Memory: one block. */
#ifndef CT_SPOOL_H
#define CT_SPOOL_H

/* Copies fd up to its end: a descriptor of the copy, or -errno. */
int ct_spool(int fd);

#endif
