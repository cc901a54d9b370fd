/* What only the kernel's tables know of a descriptor: the other end of a unix socket, an eventfd's number. */
#ifndef CT_PEERS_H
#define CT_PEERS_H

#include <stdint.h>
#include <sys/types.h>

/* The inode of the unix socket that the one with this inode is connected to; 0: not known,
 * none, or nobody has accepted it yet. *diag is the netlink socket plus 1: 0 before the first time,
 * closed by the caller, -1: there is none. Works without privileges, within one network namespace. */
uint32_t ct_peer_inode(int *diag, uint32_t inode);
/* "eventfd-id" of /proc/PID/fdinfo/FD; 0: not known. */
uint64_t ct_eventfd_number(pid_t pid, int fd);

#endif
