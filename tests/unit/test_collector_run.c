/* ctrace-run as its user sees it: it ends as the program ends. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_collector.h"

static char folder[] = "/tmp/ctrace-test-run.XXXXXX";
static char printed[4096]; /* what the last run printed to both outputs */

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
	unlink("out");
	unlink("t.bin");
	ck_assert_int_eq(chdir("/"), 0);
	/* Nothing else is left behind. */
	ck_assert_int_eq(rmdir(folder), 0);
}

static pid_t start(char **argv)
{
	const char *path = getenv("CTRACE_TEST_RUN");
	pid_t pid = fork();

	if (!pid) {
		int fd = open("out", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

		dup2(fd, 1);
		dup2(fd, 2);
		close(fd);
		execv(path ? path : TEST_RUN, argv);
		_exit(99);
	}
	return pid;
}

static int end(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	int fd = open("out", O_RDONLY);
	ssize_t n = read(fd, printed, sizeof(printed) - 1);

	printed[n > 0 ? n : 0] = 0;
	close(fd);
	return status;
}

#define START(...) start((char *[]){ (char *)"ctrace-run", __VA_ARGS__, NULL })
#define RUN(...)   end(START(__VA_ARGS__))

/* Exit status and the one line that says why. */
static void expect_failure(int status, int expected, const char *text)
{
	ck_assert(WIFEXITED(status));
	ck_assert_msg(WEXITSTATUS(status) == expected, "%d: %s", WEXITSTATUS(status), printed);
	ck_assert_msg(strstr(printed, text) != NULL, "%s", printed);
	ck_assert_msg(!strncmp(printed, "ctrace-run: ", 12), "%s", printed);
	ck_assert_ptr_eq(strchr(printed, '\n'), printed + strlen(printed) - 1);
	ck_assert_int_eq(access("t.bin", F_OK), -1);
}

START_TEST(status_is_the_programs)
{
	int status = RUN("-q", "-o", "t.bin", "sh", "-c", "echo hello; exit 3");

	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_assert_str_eq(printed, "hello\n");
	ck_assert_int_eq(access("t.bin", F_OK), 0);
}
END_TEST

START_TEST(signal_is_the_programs)
{
	int status = RUN("-q", "-o", "t.bin", "sh", "-c", "kill -SEGV $$");

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
	status = RUN("-q", "-o", "t.bin", "sh", "-c", "kill -KILL $$");
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
}
END_TEST

START_TEST(summary_is_one_line_and_the_trace_is_complete)
{
	struct tc_trace t;

	ck_assert_int_eq(RUN("-o", "t.bin", "sleep", "0.05"), 0);
	ck_assert_msg(strstr(printed, "ctrace: t.bin: ") == printed, "%s", printed);
	ck_assert_msg(strstr(printed, " 1 process, 1 thread, ") != NULL, "%s", printed);
	tc_read(&t, "t.bin");
	ck_assert(t.complete);
	ck_assert_uint_eq(tc_count(&t, CT_RECORD_PROCESS_START), 1);
	tc_free(&t);
}
END_TEST

START_TEST(own_failures)
{
	expect_failure(RUN("-o", "t.bin", "no-such-program"), 127, "no-such-program: not found");
	expect_failure(RUN("-o", "t.bin", "/nonexistent/program"), 127, "No such file");
	expect_failure(RUN("-o", "t.bin", "/etc/passwd"), 126, "Permission denied");
	expect_failure(RUN("-o", "t.bin", "/tmp"), 126, "Is a directory");
	expect_failure(RUN("-o", "/nonexistent/t.bin", "true"), 125, "/nonexistent/t.bin: No such file");
	expect_failure(RUN("-o", "/dev/full", "true"), 125, "No space left");
	expect_failure(RUN("--min", "never", "true"), 125, "not a duration");
	expect_failure(RUN("--bogus", "true"), 125, "unknown option");
	expect_failure(RUN("-q"), 125, "no program");
}
END_TEST

START_TEST(signals_are_passed_on)
{
	pid_t pid = START("-q", "-o", "t.bin", "sh", "-c", "trap 'exit 9' USR1; echo up; while :; do sleep 0.02; done");

	usleep(300000);
	kill(pid, SIGUSR1);
	int status = end(pid);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 9, "%x %s", status, printed);
	pid = START("-q", "-o", "t.bin", "sleep", "20");
	usleep(300000);
	kill(pid, SIGTERM);
	status = end(pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGTERM);
}
END_TEST

START_TEST(program_inherits_what_it_should)
{
	static char native[4096];
	char *direct[] = { (char *)"sh", (char *)"-c",
			   (char *)"grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status; ls /proc/self/fd; ps -o pgid=,sid= $$", NULL };
	pid_t pid = fork();

	if (!pid) {
		int fd = open("out", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

		dup2(fd, 1);
		dup2(fd, 2);
		close(fd);
		execvp("sh", direct);
		_exit(99);
	}
	ck_assert_int_eq(end(pid), 0);
	strcpy(native, printed);
	ck_assert_int_eq(RUN("-q", "-o", "t.bin", "sh", "-c", direct[2]), 0);
	ck_assert_str_eq(printed, native);
}
END_TEST

START_TEST(ignored_sigchld_does_no_harm)
{
	signal(SIGCHLD, SIG_IGN);
	pid_t pid = START("-q", "-o", "t.bin", "sh", "-c", "exit 4");

	signal(SIGCHLD, SIG_DFL);
	int status = end(pid);

	ck_assert_int_eq(WEXITSTATUS(status), 4);
}
END_TEST

START_TEST(a_killed_collector_does_no_harm)
{
	int status = RUN("-o", "t.bin", "sh", "-c",
			 "sleep 0.2; for p in /proc/[0-9]*; do "
			 "tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '^ctrace-collector .*-o t.bin' && "
			 "[ $(readlink $p/cwd) = $PWD ] && kill -9 ${p#/proc/}; done; sleep 0.1; exit 5");

	ck_assert_msg(WEXITSTATUS(status) == 5, "%x %s", status, printed);
	ck_assert_msg(strstr(printed, "the collector was killed") != NULL, "%s", printed);
}
END_TEST

START_TEST(background_processes_do_not_hold_us)
{
	struct tc_trace t;
	int status = RUN("-o", "t.bin", "sh", "-c", "sleep 0.5 & exit 4");

	ck_assert_int_eq(WEXITSTATUS(status), 4);
	ck_assert_msg(strstr(printed, "still running: 1 process") != NULL, "%s", printed);
	sleep(1);
	tc_read(&t, "t.bin");
	ck_assert(t.complete);
	tc_free(&t);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctrace-run");
	TCase *tc = tcase_create("run");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, status_is_the_programs);
	tcase_add_test(tc, signal_is_the_programs);
	tcase_add_test(tc, summary_is_one_line_and_the_trace_is_complete);
	tcase_add_test(tc, own_failures);
	tcase_add_test(tc, signals_are_passed_on);
	tcase_add_test(tc, program_inherits_what_it_should);
	tcase_add_test(tc, ignored_sigchld_does_no_harm);
	tcase_add_test(tc, a_killed_collector_does_no_harm);
	tcase_add_test(tc, background_processes_do_not_hold_us);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed != 0;
}
