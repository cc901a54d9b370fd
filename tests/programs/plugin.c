/* Loaded and unloaded by loads.c. Its function waits. */
#include <time.h>

int plugin_sleep(long ns);

int plugin_sleep(long ns)
{
	struct timespec t = { 0, ns };

	return nanosleep(&t, NULL) + 1;
}
