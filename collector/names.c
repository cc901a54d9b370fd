/* See names.h. */
#include "names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

/* What a letter stands for; NULL: nothing. The last part of a path only: no name leads elsewhere. */
static const char *meaning(char letter, char text[128], pid_t pid, const char *program)
{
	time_t now = time(NULL);
	struct utsname u;
	struct tm tm;
	const char *slash = strrchr(program, '/');

	switch (letter) {
	case 'p':
		snprintf(text, 128, "%d", (int)pid);
		return text;
	case 'n':
		snprintf(text, 128, "%.100s", slash ? slash + 1 : program);
		return text;
	case 't':
		return localtime_r(&now, &tm) && strftime(text, 128, "%Y%m%d-%H%M%S", &tm) ? text : NULL;
	case 'h':
		snprintf(text, 128, "%.64s", uname(&u) ? "" : u.nodename);
		return text;
	case '%':
		return "%";
	}
	return NULL;
}

/* number: what %c stands for, NULL: nothing. */
static int expand(char *to, size_t size, const char *pattern, pid_t pid, const char *program, const char *number)
{
	char text[128];
	size_t n = 0;

	for (const char *at = pattern; *at; at++) {
		const char *part = *at != '%' ? NULL : at[1] == 'c' ? number : meaning(at[1], text, pid, program);
		size_t bytes = part ? strlen(part) : 1;

		if (n + bytes >= size)
			return -ENAMETOOLONG;
		memcpy(to + n, part ? part : at, bytes);
		n += bytes;
		at += part != NULL;
	}
	to[n] = 0;
	return 0;
}

int ct_check_name(const char *pattern, bool flight, char ret_wrong[CT_NAME_WRONG])
{
	for (const char *at = strchr(pattern, '%'); at; at = strchr(at + 2, '%')) {
		if (at[1] && strchr(flight ? "pnth%c" : "pnth%", at[1]))
			continue;
		if (at[1] == 'c')
			snprintf(ret_wrong, CT_NAME_WRONG, "%.100s: %%c is the number of a snapshot, of which there are with --flight",
				 pattern);
		else
			snprintf(ret_wrong, CT_NAME_WRONG, "%.100s: %%%.1s is none of %%p, %%n, %%t, %%h and %%%%", pattern, at + 1);
		return -EINVAL;
	}
	return 0;
}

int ct_expand_name(char *to, size_t size, const char *pattern, pid_t pid, const char *program)
{
	return expand(to, size, pattern, pid, program, NULL);
}

static bool has_counter(const char *pattern)
{
	for (const char *at = pattern; *at; at++)
		if (*at == '%' && at[1]) {
			if (at[1] == 'c')
				return true;
			at++;
		}
	return false;
}

int ct_expand_snapshot(char *to, size_t size, const char *pattern, pid_t pid, const char *program, uint32_t number)
{
	const char *slash = strrchr(pattern, '/'), *name = slash ? slash + 1 : pattern, *dot = strrchr(name, '.');
	char text[16], *with;
	int error;

	snprintf(text, sizeof(text), "%u", number);
	if (has_counter(pattern))
		return expand(to, size, pattern, pid, program, text);
	if (!dot || dot == name)
		dot = pattern + strlen(pattern);
	if (asprintf(&with, "%.*s-%%c%s", (int)(dot - pattern), pattern, dot) < 0)
		return -ENOMEM;
	error = expand(to, size, with, pid, program, text);
	free(with);
	return error;
}
