/* Loaded by searches.c, and by itself as another library. Named by its build: NAME. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define STRING_(a)  #a
#define STRING(a)   STRING_(a)

void *JOIN(open_, NAME)(const char *name);
int JOIN(ask_, NAME)(void);
int searched_value(void);
int searched_sleep(long ns);

/* Looks where this library says that its libraries are. */
void *JOIN(open_, NAME)(const char *name)
{
	void *r = dlopen(name, RTLD_NOW);

	if (!r)
		printf("%s\n", dlerror());
	return r;
}

int searched_value(void)
{
	return VALUE;
}

/* Who is next after this library: nobody. Who is first: the program, if it exports it. */
int JOIN(ask_, NAME)(void)
{
	int (*next)(void) = (int (*)(void))(uintptr_t)dlsym(RTLD_NEXT, "searched_value");
	int (*first)(void) = (int (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT, "searched_value");

	return (next ? next() : -1) * 1000 + (first ? first() : -1);
}

int searched_sleep(long ns)
{
	struct timespec t = { 0, ns };

	return nanosleep(&t, NULL);
}

#ifdef SLEEPS
__attribute__((constructor)) static void constructor(void)
{
	searched_sleep(SLEEPS);
}
#endif
