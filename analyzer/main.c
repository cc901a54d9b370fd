/* ctrace-analyze: reads a trace and reports. The only file that ends the program. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "commands.h"

#define EXIT_DONE   0
#define EXIT_DAMAGE 1
#define EXIT_USAGE  2

static const struct command {
	const char *name;
	int (*run)(struct ct_context *c);
	const char *summary;
	const char *help;
} commands[] = {
	{ "blocks", ct_cmd_blocks, "why threads waited, where, and who made them wait",
	  "Blocked time by cause, then the places where most of it was spent with what\n"
	  "was waited for, who held it and the call stack, then the threads.\n" },
	{ "threads", ct_cmd_threads, "how each thread spent its life",
	  "For each thread: lifetime, running on a CPU, ready without one, blocked time by\n"
	  "cause, time off the CPU that no call explains, and the longest wait. Where there\n"
	  "are more threads than --top, and with --group, those of one name and start\n"
	  "routine together, with sums.\n" },
	{ "locks", ct_cmd_locks, "which locks were waited for, and who held them",
	  "For each lock: waits, holders, and who waited for whom.\n" },
	{ "sched", ct_cmd_sched, "how long threads that were ready waited for a CPU",
	  "Use of the CPUs; then the delays between being ready and running, in all, by\n"
	  "thread, by who woke, and by where the thread had waited.\n" },
	{ "wakers", ct_cmd_wakers, "who unblocked whom, and because of whom others waited",
	  "For each wait the thread that ended it, where it is known: who unblocked whom, how\n"
	  "often, after how long, and where; then for how long others waited because of each\n"
	  "thread, and because of what is done at each site.\n" },
	{ "deadlocks", ct_cmd_deadlocks, "who waits for whom in a program that hangs",
	  "Cycles of threads that wait for each other, then waits that nobody is left to\n"
	  "end, then the others that have not ended. Of a program that was killed, or that\n"
	  "still runs: waits of a second or more are in the file while they last.\n" },
	{ "path", ct_cmd_path, "the critical path: what ran one after the other",
	  "Walks back from the end (of the trace, of --to, of --thread) through waits to the\n"
	  "threads that ended them: the path's time by state, thread and place, the locks by\n"
	  "their time on it, and how many threads ran at once.\n" },
	{ "whatif", ct_cmd_whatif, "how long it would have taken if something took less time",
	  "Replays the threads with one thing changed, and predicts the time that it takes:\n"
	  "  --lock NAME     the critical sections of a lock (as locks names it)\n"
	  "  --site FUNCTION waits in that function that no thread ends (I/O, sleep), and\n"
	  "                  critical sections that end in it\n"
	  "  --cause CAUSE   such waits of a cause; critical sections of all its locks\n"
	  "  --thread NAME   the running time of threads\n"
	  "take --scale X times as long (default 0: gone). With --split N a lock is\n"
	  "N locks instead. Without any of them: each lock and each cause of waits in turn.\n" },
	{ "stats", ct_cmd_stats, "the trace itself, and how often which call was made",
	  "Size, losses, clock, cost of the collector, what is known of the scheduler, and a\n"
	  "table of the wrapped calls. Always of the whole trace.\n" },
	{ "dump", ct_cmd_dump, "every record and event, a line each",
	  "Plain text, or with --json an object a line. Only --thread, --process, --cause,\n"
	  "--min, --from and --to select; they select events.\n" },
	{ "check", ct_cmd_check, "whether the trace keeps the rules of its format",
	  "Prints OK, or each violation; then the exit status is 1.\n" },
};

static const char options_help[] =
	"Options:\n"
	"  --json              one JSON object, times in nanoseconds\n"
	"  --top N             rows of each list (default 10; 0: all)\n"
	"  --from T, --to T    a part of the trace: 1.5s, 200ms (after its begin) or 25%\n"
	"  --thread NAME|TID   only threads of that name (a pattern such as 'worker*')\n"
	"  --process PID       only threads of that process\n"
	"  --cause CAUSE,...   only those causes, such as mutex,poll\n"
	"  --min DURATION      only waits of at least that long, such as 10ms\n"
	"  --group             threads: only groups\n"
	"  --color WHEN        auto, always or never (NO_COLOR is respected)\n"
	"  --help, --version\n";

static void print_help(const struct command *command)
{
	if (command) {
		printf("Usage: ctrace-analyze %s [OPTION...] TRACE\n\n%s\n", command->name, command->help);
	} else {
		puts("Usage: ctrace-analyze COMMAND [OPTION...] TRACE\n\n"
		     "Says from a trace of ctrace what the threads of a program waited for.\n\n"
		     "Commands:");
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
			printf("  %-9s %s\n", commands[i].name, commands[i].summary);
		puts("");
	}
	fputs(options_help, stdout);
	if (!command)
		puts("\nExit status: 0 done, 1 the trace is damaged (what can be read is reported),\n"
		     "2 wrong usage or no trace.");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void open_out(struct ct_out *o, enum ct_color color)
{
	const char *no_color = getenv("NO_COLOR"), *columns = getenv("COLUMNS");
	struct winsize size;
	bool terminal = isatty(STDOUT_FILENO);

	*o = (struct ct_out){ .file = stdout, .width = 80 };
	if (terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col > 80)
		o->width = size.ws_col;
	else if (columns && atoi(columns) > 80)
		o->width = atoi(columns) < 1000 ? atoi(columns) : 1000;
	o->color = color == CT_COLOR_ALWAYS ||
		   (color == CT_COLOR_AUTO && terminal && !(no_color && *no_color));
}

static int fail(const char *what)
{
	fprintf(stderr, "ctrace-analyze: %s\n", what);
	return EXIT_USAGE;
}

static int fail_file(const char *file, const char *what)
{
	fprintf(stderr, "ctrace-analyze: %s: %s\n", file, what);
	return EXIT_USAGE;
}

static int open_trace(struct ct_reader *r, const char *file)
{
	char text[160];
	int error = ct_reader_open(r, file);

	switch (error) {
	case 0:
		return 0;
	case CT_READER_EMPTY:
		return fail_file(file, "empty file");
	case CT_READER_NO_TRACE:
		return fail_file(file, "not a trace");
	case CT_READER_KIND:
		return fail_file(file, "not a regular file");
	case CT_READER_VERSION:
		if (r->header.version == CT_TRACE_VERSION)
			return fail_file(file, "needs features that this version of ctrace does not have");
		snprintf(text, sizeof(text), "version %u is not supported by this version of ctrace, which reads version %u",
			 r->header.version, CT_TRACE_VERSION);
		return fail_file(file, text);
	}
	return fail_file(file, strerror(-error));
}

static void warn_damage(const struct ct_reader *r, const char *file)
{
	if (r->damaged && r->damage)
		fprintf(stderr, "ctrace-analyze: %s: damaged in %llu place%s, first at byte %llu: %s\n", file,
			(unsigned long long)r->damaged, r->damaged == 1 ? "" : "s",
			(unsigned long long)r->damage_offset, r->damage);
	else
		fprintf(stderr, "ctrace-analyze: %s: cut off, or still being written: it has no end\n", file);
}

/* A reader that went away, as head does, wanted no more: that is no failure. */
static int close_out(int status)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	if (errno == EPIPE || (poll(&out, 1, 0) > 0 && out.revents & POLLERR))
		return status;
	return fail_file("standard output", errno ? strerror(errno) : "cannot be written");
}

static int run(const struct command *command, const struct ct_options *o)
{
	struct ct_context c = { .options = o };
	int error = open_trace(&c.reader, o->file);

	if (error)
		return error;
	open_out(&c.out, o->color);
	error = command->run(&c);
	int status = close_out(EXIT_DONE);

	if (error)
		status = error == -EINVAL && *c.usage ? fail(c.usage) : fail_file(o->file, strerror(-error));
	else if (!status && (c.reader.damaged || (!c.reader.has_trailer && !c.unfinished))) {
		warn_damage(&c.reader, o->file);
		status = EXIT_DAMAGE;
	} else if (!status && c.violations)
		status = EXIT_DAMAGE;
	ct_reader_close(&c.reader);
	return status;
}

int main(int argc, char **argv)
{
	struct ct_options o;
	char error[256];
	int status = EXIT_USAGE;

	signal(SIGPIPE, SIG_IGN);
	if (ct_options_parse(&o, argc, argv, error, sizeof(error))) {
		ct_options_free(&o);
		return fail(error);
	}
	const struct command *command = o.command ? find_command(o.command) : NULL;

	if (o.command && !command) {
		snprintf(error, sizeof(error), "unknown command '%.100s'; see ctrace-analyze --help", o.command);
		fail(error);
	} else if (o.help) {
		print_help(command);
		status = close_out(EXIT_DONE);
	} else if (o.version) {
		puts("ctrace-analyze " CTRACE_VERSION);
		status = close_out(EXIT_DONE);
	} else if (!command) {
		fail("no command; see ctrace-analyze --help");
	} else if (!o.file) {
		snprintf(error, sizeof(error), "%s: no trace; see ctrace-analyze --help", command->name);
		fail(error);
	} else {
		status = run(command, &o);
	}
	ct_options_free(&o);
	return status;
}
