/* Names of trace files. */
#ifndef CT_NAMES_H
#define CT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CT_NAME_WRONG 192u

/* Whether each % of a pattern means something; flight: %c, too. -EINVAL and what is wrong, or 0. */
int ct_check_name(const char *pattern, bool flight, char ret_wrong[CT_NAME_WRONG]);

/* Expands %p (pid), %n (the program's name), %t (the time, YYYYMMDD-HHMMSS), %h (the host's name) and %%;
 * what else follows a % stays as it is: ct_check_name() says
 * so before. -ENAMETOOLONG or 0. */
int ct_expand_name(char *to, size_t size, const char *pattern, pid_t pid, const char *program);

/* The same for the snapshots of a flight recorder: %c is number, and where there is no %c, "-NUMBER" stands
 * before the name's suffix. */
int ct_expand_snapshot(char *to, size_t size, const char *pattern, pid_t pid, const char *program, uint32_t number);

#endif
