/* Collectors that run: finding them, and asking one. See collector/commands.h. */
#ifndef CT_ASK_H
#define CT_ASK_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#define CT_ASK_WRONG 256

/* The collectors of this user. */
struct ct_found {
	pid_t *collector; /* owned; in no order */
	size_t count;
};

/* 0, also where there are none; -errno, and ret_wrong says what is wrong. Free the array. */
int ct_ask_find(struct ct_found *ret, char ret_wrong[CT_ASK_WRONG]);
/* Sends a request (a verb, and a line KEY=VALUE for each argument) and takes the answer, an
 * object whose "ok" is true; the caller frees it. NULL: ret_wrong says why; it is empty
 * where the collector has ended. */
json_t *ct_ask(pid_t collector, const char *request, char ret_wrong[CT_ASK_WRONG]);

#endif
