/* Programs that restrict themselves to system calls that they know. */
#ifndef CT_SECCOMP_H
#define CT_SECCOMP_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Before a seccomp filter, or strict mode, is set: from now on no system call
 * is ours alone. Strict mode takes the thread's time stamp counter away, too. */
void ct_before_seccomp(bool strict);

#pragma GCC visibility pop

#endif
