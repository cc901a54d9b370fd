/* See names.h. */
#include "names.h"

#include <errno.h>
#include <stdio.h>
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

int ct_expand_name(char *to, size_t size, const char *pattern, pid_t pid, const char *program)
{
	char text[128];
	size_t n = 0;

	for (const char *at = pattern; *at; at++) {
		const char *part = *at == '%' ? meaning(at[1], text, pid, program) : NULL;
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
