/*
 * Has secrets wherever a program may have some, and waits with each of them: in its arguments, environment, what it
 * writes and reads, messages, the memory around a lock, a child's arguments and title. They are made of
 * pieces here, so that this program's file has none of them whole. run_privacy.py looks for them in traces.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SECRET(s, what) snprintf(s, sizeof(s), "s3cr3t-%s", what)

static struct {
	char before[32];
	pthread_mutex_t lock;
	char after[32];
} guarded = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void doze(void)
{
	nanosleep(&(struct timespec){ 0, 3000000 }, NULL);
}

static void *hold(void *unused)
{
	pthread_mutex_lock(&guarded.lock);
	*(int *)unused = 1;
	doze();
	doze();
	pthread_mutex_unlock(&guarded.lock);
	return NULL;
}

static void locks(void)
{
	volatile int held = 0;
	pthread_t t;

	SECRET(guarded.before, "memory");
	SECRET(guarded.after, "memory");
	pthread_create(&t, NULL, hold, (void *)&held);
	while (!held)
		usleep(100);
	pthread_mutex_lock(&guarded.lock);
	pthread_mutex_unlock(&guarded.lock);
	pthread_join(t, NULL);
}

/* A child writes after a while, we wait for it: the read is written with its stack. */
static void pipes(int domain)
{
	char text[64] = "", got[64] = "";
	int ends[2];

	if (domain ? socketpair(domain, SOCK_STREAM, 0, ends) : pipe(ends))
		exit(1);
	if (!fork()) {
		SECRET(text, "written");
		doze();
		write(ends[1], text, sizeof(text));
		_exit(0);
	}
	read(ends[0], got, sizeof(got));
	if (strncmp(got, "s3cr3t-", 7))
		exit(2);
	wait(NULL);
	close(ends[0]);
	close(ends[1]);
}

static void files(const char *path)
{
	char text[64] = "";
	FILE *f = fopen(path, "w+");

	SECRET(text, "stored");
	struct iovec v = { text, sizeof(text) };

	fprintf(f, "%s\n", text);
	fflush(f);
	fsync(fileno(f));
	writev(fileno(f), &v, 1);
	fdatasync(fileno(f));
	rewind(f);
	fgets(text, sizeof(text), f);
	fclose(f);
}

static void messages(void)
{
	struct {
		long type;
		char text[64];
	} m = { 1, "" };
	int q = msgget(IPC_PRIVATE, 0600);

	if (q < 0)
		return;
	if (!fork()) {
		SECRET(m.text, "message");
		doze();
		msgsnd(q, &m, sizeof(m.text), 0);
		_exit(0);
	}
	msgrcv(q, &m, sizeof(m.text), 0, 0);
	wait(NULL);
	msgctl(q, IPC_RMID, NULL);
	SECRET(m.text, "logged");
	syslog(LOG_DEBUG, "%s", m.text);
}

static void children(void)
{
	char command[64], text[32], variable[48];
	pid_t pid;

	SECRET(text, "child-argument");
	snprintf(command, sizeof(command), ": %s; sleep 0.01", text);
	system(command);
	FILE *f = popen(command, "r");

	pclose(f);
	SECRET(text, "child-environment");
	snprintf(variable, sizeof(variable), "TOKEN=%s", text);
	putenv(variable);
	char *argv[] = { "sh", "-c", command, text, NULL };
	extern char **environ;

	if (!posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ))
		waitpid(pid, NULL, 0);
}

/* Writes its arguments into a title over them, as servers do; children are forked with it. */
static void title(char **argv)
{
	char *end = argv[0];

	for (char **p = argv; *p; p++)
		end = *p + strlen(*p);
	size_t room = (size_t)(end - argv[0]);

	memset(argv[0], 0, room);
	snprintf(argv[0], room, "secrets: worker s3cr3t-%s", "title");
	if (!fork()) {
		doze();
		_exit(0);
	}
	wait(NULL);
}

int main(int argc, char **argv)
{
	if (argc < 3 || !getenv("PASSWORD"))
		return 1;
	locks();
	pipes(0);
	pipes(AF_UNIX);
	files(argv[1]);
	messages();
	children();
	title(argv);
	return 0;
}
