/* A shared object that is loaded, waits, and is unloaded, again and again. */
#include <dlfcn.h>
#include <libgen.h>

#include "case.h"

static int load(int argc, char **argv)
{
	struct said s = { "main", "sleep", "nanosleep", "plugin_sleep", NULL, NULL, 0, 0 };
	char path[4096];

	(void)argc;
	snprintf(path, sizeof(path), "%s", argv[0]);
	char *dir = dirname(path);
	char plugin[4200];

	snprintf(plugin, sizeof(plugin), "%s/plugin.so", dir);
	for (int i = 0; i < 4; i++) {
		void *handle = dlopen(plugin, RTLD_NOW);

		if (!handle)
			fprintf(stderr, "%s\n", dlerror());
		MUST(handle);
		int (*sleep_)(long) = (int (*)(long))(uintptr_t)dlsym(handle, "plugin_sleep");

		MUST(sleep_);
		int r;

		WAIT(&s, r = sleep_(30 * 1000 * 1000));
		MUST(r == 1);
		MUST(!dlclose(handle));
	}
	say(&s);
	SHOW(dlopen("/nonexistent.so", RTLD_NOW) != NULL);
	return 0;
}

CASES_MAIN({ "load", load })
