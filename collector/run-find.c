/* Where the other parts of ctrace are: in the build folder, or where they were installed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "run.h"

/* The first of the candidates that is there. */
static bool first_there(const char *const *candidates, int mode, char ret[PATH_MAX])
{
	for (; *candidates; candidates++)
		if (**candidates && !access(*candidates, mode) && strlen(*candidates) < PATH_MAX) {
			strcpy(ret, *candidates);
			return true;
		}
	return false;
}

/* The path of our own executable. Where /proc is not mounted, the one that we were started by. */
static bool find_self(char ret[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	const char *started_by = (const char *)getauxval(AT_EXECFN);

	if (n <= 0)
		return started_by && realpath(started_by, ret);
	ret[n] = 0;
	return true;
}

int ct_find_parts(struct ct_parts *ret, char ret_wrong[256])
{
	char here[PATH_MAX], above[PATH_MAX], built[3][PATH_MAX + 32] = { "", "", "" }, beside[PATH_MAX + 32];

	if (!find_self(here)) {
		snprintf(ret_wrong, 256, "ctrace-run: cannot find its own place");
		return -1;
	}
	*strrchr(here, '/') = 0;
	snprintf(above, sizeof(above), "%s", here);
	char *slash = strrchr(above, '/');

	if (slash && !strcmp(slash, "/collector")) {
		*slash = 0;
		snprintf(built[0], sizeof(built[0]), "%s/preload/libctrace.so", above);
		snprintf(built[1], sizeof(built[1]), "%s/ctrace-collector", here);
		snprintf(built[2], sizeof(built[2]), "%s/analyzer/ctrace-analyze", above);
	}
	snprintf(beside, sizeof(beside), "%s/ctrace-analyze", here);

	const char *const libraries[] = { built[0], CTRACE_LIBDIR "/libctrace.so", NULL };
	const char *const collectors[] = { built[1], CTRACE_LIBEXECDIR "/ctrace-collector", NULL };
	const char *const analyzers[] = { built[2], beside, NULL };

	if (!first_there(libraries, R_OK, ret->library)) {
		snprintf(ret_wrong, 256, "libctrace.so: not found");
		return -1;
	}
	if (!first_there(collectors, X_OK, ret->collector)) {
		snprintf(ret_wrong, 256, "ctrace-collector: not found");
		return -1;
	}
	if (!first_there(analyzers, X_OK, ret->analyzer))
		*ret->analyzer = 0;
	if (strpbrk(ret->library, " :")) {
		snprintf(ret_wrong, 256, "%.180s: LD_PRELOAD cannot name a path with a space or colon", ret->library);
		return -1;
	}
	return 0;
}
