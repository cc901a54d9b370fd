/* The loader: it finds libraries by who asks, and others wait for it. */
#include <dlfcn.h>
#include <libgen.h>
#include <link.h>
#include <semaphore.h>

#include "case.h"

static char folder[4096];

static void *open_beside(const char *name)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	void *r = dlopen(path, RTLD_NOW);

	if (!r)
		printf("%s\n", dlerror());
	return r;
}

int searched_value(void);

int searched_value(void)
{
	return 7;
}

/* Each library finds what lies where its own RUNPATH or RPATH leads, the program does not. */
static int search(int argc, char **argv)
{
	static const char *const names[] = { "runpath", "rpath", "nopath" };
	char open_name[32], ask_name[32];

	(void)argc, (void)argv;
	SHOW(dlopen("searched-far.so", RTLD_NOW) != NULL);
	printf("%s\n", dlerror());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char file[64];

		snprintf(file, sizeof(file), "searched-%s.so", names[i]);
		snprintf(open_name, sizeof(open_name), "open_%s", names[i]);
		snprintf(ask_name, sizeof(ask_name), "ask_%s", names[i]);
		void *library = open_beside(file);

		MUST(library);
		void *(*open_)(const char *) = (void *(*)(const char *))(uintptr_t)dlsym(library, open_name);
		int (*ask)(void) = (int (*)(void))(uintptr_t)dlsym(library, ask_name);

		MUST(open_ && ask);
		void *far = open_("searched-far.so");

		SHOW(far != NULL);
		if (far) {
			int (*value)(void) = (int (*)(void))(uintptr_t)dlsym(far, "searched_value");

			SHOW(value());
			SHOW(dlclose(far));
		}
		void *by_origin = open_("$ORIGIN/far/searched-far.so");

		SHOW(by_origin != NULL);
		if (by_origin)
			SHOW(dlclose(by_origin));
		SHOW(ask());
		SHOW(dlsym(library, "nothing") != NULL);
		SHOW(dlerror() != NULL);
		SHOW(dlclose(library));
	}
	SHOW(dlopen("searched-far.so", RTLD_NOW) != NULL);
	void *self = dlopen(NULL, RTLD_NOW);

	SHOW(self != NULL);
	SHOW(dlsym(self, "malloc") != NULL);
	SHOW(dlsym(RTLD_NEXT, "malloc") != NULL);
	SHOW(dlsym(RTLD_DEFAULT, "nothing") != NULL);
	printf("%s\n", strchr(dlerror(), ':'));
	SHOW(dlopen("", RTLD_NOW) != NULL);
	SHOW(dlopen("/nonexistent.so", RTLD_NOW) != NULL);
	printf("%s\n", dlerror());
	SHOW(dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD) != NULL);
	SHOW(dlopen("libnothing.so", 0) != NULL);
	return 0;
}

/* One thread's library sleeps in its constructor; another wants a library too. */
static sem_t begun;

static void *loads_sleeper(void *unused)
{
	(void)unused;
	name_me("first");
	sem_post(&begun);
	MUST(open_beside("searched-sleeps.so"));
	return NULL;
}

static struct said second_said = { "second", "loader", "dlopen", "open_second", NULL, NULL, 0, 0 };

static NOINLINE void open_second(struct said *s)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s/searched-nopath.so", folder);
	WAIT(s, MUST(dlopen(path, RTLD_NOW)));
}

static void *loads_second(void *unused)
{
	(void)unused;
	name_me("second");
	open_second(&second_said);
	return NULL;
}

static int wait_for_loader(int argc, char **argv)
{
	(void)argc, (void)argv;
	MUST(!sem_init(&begun, 0, 0));
	pthread_t first = start(loads_sleeper, NULL);

	sem_wait(&begun);
	pause_ns(30 * MS);
	pthread_t second = start(loads_second, NULL);

	MUST(!pthread_join(first, NULL) && !pthread_join(second, NULL));
	say(&second_said);
	return 0;
}

/* A callback that waits, with others that look at the list meanwhile. */
static NOINLINE void nap(struct said *s)
{
	struct timespec t = { 0, 50000000 };

	WAIT(s, MUST(!nanosleep(&t, NULL)));
}

static int each(struct dl_phdr_info *info, size_t size, void *said)
{
	(void)info;
	(void)size;
	nap(said);
	return 42;
}

static int iterate(int argc, char **argv)
{
	struct said s = { "main", "sleep", "nanosleep", "nap", NULL, NULL, 0, 0 };
	Dl_info info;

	(void)argc, (void)argv;
	SHOW(dl_iterate_phdr(each, &s));
	SHOW(dladdr((void *)(uintptr_t)iterate, &info) != 0);
	SHOW(dladdr((void *)8, &info));
	say(&s);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = { { "search", search }, { "wait", wait_for_loader }, { "iterate", iterate } };

	static char own[4096];

	snprintf(own, sizeof(own), "%s", argv[0]);
	snprintf(folder, sizeof(folder), "%s", dirname(own));
	return run_case(cases, 3, argc, argv);
}
