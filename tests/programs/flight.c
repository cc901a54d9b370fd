/* What a flight recorder must bear: see tests/run_flight.py. Prints nothing. */
#include <dlfcn.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "case.h"

static uint64_t g_end_ns;
static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t g_never;

static bool goes_on(void)
{
	return now_ns() < g_end_ns;
}

static void *idles(void *unused)
{
	prctl(PR_SET_NAME, "idler");
	sem_wait(&g_never);
	return unused;
}

static NOINLINE void hold_for(uint64_t ns)
{
	pthread_mutex_lock(&g_mutex);
	pause_ns(ns);
	pthread_mutex_unlock(&g_mutex);
}

static void *contends(void *unused)
{
	prctl(PR_SET_NAME, "worker");
	while (goes_on()) {
		hold_for(3 * MS);
		pause_ns(MS);
	}
	return unused;
}

static void *burns(void *unused)
{
	prctl(PR_SET_NAME, "burner");
	for (volatile uint64_t n = 0; n % 100000 || goes_on(); n++)
		;
	return unused;
}

static void *is_short(void *unused)
{
	prctl(PR_SET_NAME, "short");
	hold_for(0);
	return unused;
}

static void *churns(void *unused)
{
	prctl(PR_SET_NAME, "churner");
	while (goes_on()) {
		pthread_t t[8];

		for (int i = 0; i < 8; i++)
			pthread_create(&t[i], NULL, is_short, NULL);
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
		pause_ns(MS);
	}
	return unused;
}

static void *forks(void *unused)
{
	prctl(PR_SET_NAME, "forker");
	for (int i = 0; goes_on(); i++) {
		pid_t pid = fork();

		if (!pid) {
			pause_ns(20 * MS);
			if (i % 2)
				execl("/bin/sleep", "sleep", "0.05", NULL);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	return unused;
}

static void *loads(void *path)
{
	prctl(PR_SET_NAME, "loader");
	while (goes_on()) {
		void *so = dlopen(path, RTLD_NOW);
		int (*sleeps)(long) = so ? (int (*)(long))dlsym(so, "plugin_sleep") : NULL;

		if (!sleeps)
			abort();
		sleeps(2 * MS);
		dlclose(so);
	}
	return NULL;
}

/* Events as fast as a thread can make them. */
static void *storms(void *unused)
{
	struct pollfd p;
	int ends[2];
	char c = 0;

	prctl(PR_SET_NAME, "storm");
	pipe(ends);
	p = (struct pollfd){ ends[0], POLLIN, 0 };
	while (goes_on())
		for (int i = 0; i < 100; i++) {
			write(ends[1], &c, 1);
			poll(&p, 1, 0);
			read(ends[0], &c, 1);
		}
	return unused;
}

static void run_all(void *(*const run[])(void *), int n, void *argument)
{
	pthread_t t[64];

	for (int i = 0; i < n; i++)
		pthread_create(&t[i], NULL, run[i], argument);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

/* flight mixed SECONDS PLUGIN: some of everything. */
static void mixed(char *plugin)
{
	void *(*const run[])(void *) = { contends, contends, contends, burns, churns, forks, loads };
	pthread_t t;

	pthread_create(&t, NULL, idles, NULL);
	run_all(run, 7, plugin);
}

static void storm(void)
{
	void *(*const run[])(void *) = { storms, storms, storms, storms };

	run_all(run, 4, NULL);
}

/* One long wait, and then nothing of interest until the end. */
static void *waits_long(void *unused)
{
	prctl(PR_SET_NAME, "victim");
	pause_ns(20 * MS);
	hold_for(0);
	return unused;
}

static void slow(void)
{
	pthread_t t;

	pthread_create(&t, NULL, waits_long, NULL);
	hold_for(300 * MS);
	pthread_join(t, NULL);
	while (goes_on())
		pause_ns(10 * MS);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	g_end_ns = now_ns() + (uint64_t)(atof(argv[2]) * 1e9);
	sem_init(&g_never, 0, 0);
	if (!strcmp(argv[1], "mixed") && argc == 4)
		mixed(argv[3]);
	else if (!strcmp(argv[1], "storm"))
		storm();
	else if (!strcmp(argv[1], "slow"))
		slow();
	else if (!strcmp(argv[1], "dies"))
		pause_ns(g_end_ns - now_ns());
	else
		return 2;
	if (!strcmp(argv[1], "dies"))
		kill(getpid(), atoi(argv[3]));
	return 3;
}
