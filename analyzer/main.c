/* ctrace-analyze: reads a trace and reports. The only file that ends the program. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "help.h"
#include "pager.h"
#include "progress.h"
#include "spool.h"

#define EXIT_DONE   0
#define EXIT_DAMAGE 1
#define EXIT_USAGE  2

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
	ct_progress_end();
	fprintf(stderr, "ctrace-analyze: %s\n", what);
	return EXIT_USAGE;
}

static int fail_file(const char *file, const char *what)
{
	ct_progress_end();
	fprintf(stderr, "ctrace-analyze: %s: %s\n", file, what);
	return EXIT_USAGE;
}

/* A pipe that is ours already: standard input, or what the shell made of <(...). */
static bool is_passed_on(const char *file)
{
	return !strncmp(file, "/dev/fd/", 8) || !strncmp(file, "/proc/self/fd/", 14) || !strcmp(file, "/dev/stdin");
}

/* What comes through a pipe is kept in a file while it is read. 0, -errno, enum ct_reader_error. */
static int open_reader(struct ct_reader *r, const char *file)
{
	bool is_stdin = !strcmp(file, "-");
	struct stat st;
	int fd = open(is_stdin ? "/dev/stdin" : file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && is_stdin) /* a socket, which cannot be opened by name */
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	if ((is_stdin || is_passed_on(file)) && !fstat(fd, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		int copy = isatty(fd) ? -EISCONN : ct_spool(fd);

		close(fd);
		if (copy < 0)
			return copy == -EISCONN ? CT_READER_KIND : copy;
		fd = copy;
	}
	return ct_reader_open_fd(r, fd);
}

static int open_trace(struct ct_reader *r, const char *file)
{
	char text[160];
	int error = open_reader(r, file);

	if (!strcmp(file, "-"))
		file = "standard input";
	return error ? fail_file(file, ct_open_error(r, error, text, sizeof(text))) : 0;
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

static int run(const struct ct_command *command, const struct ct_options *o)
{
	struct ct_context c = { .options = o, .reader = { .fd = -1 } };
	/* What these print is no text to read at leisure. */
	bool own_output = command->run == ct_cmd_export || command->run == ct_cmd_serve || command->run == ct_cmd_report ||
			  command->run == ct_cmd_flame;
	const char *name = strcmp(o->file, "-") ? o->file : "standard input";

	/* On a terminal dump's own lines show that it works. */
	if ((command->run != ct_cmd_dump && command->run != ct_cmd_export) || !isatty(STDOUT_FILENO))
		ct_progress_begin();
	int error = command->opens ? 0 : open_trace(&c.reader, o->file);

	if (error) {
		ct_progress_end();
		return error;
	}
	open_out(&c.out, o->color);
	if (!o->json && !o->csv && !own_output)
		ct_pager_begin();
	error = command->run(&c);
	ct_progress_end();
	int status = close_out(EXIT_DONE);

	ct_pager_end();

	if (error)
		status = error == -EINVAL && *c.usage ? fail(c.usage) :
			 fail_file(name, error == -EFBIG ? "it says to hold more than a file of its size can" :
							   strerror(-error));
	else if (!status && (c.reader.damaged || (!c.reader.has_trailer && !c.unfinished))) {
		warn_damage(&c.reader, name);
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
	const struct ct_command *command = o.command ? ct_command_find(o.command) : NULL;

	if (o.command && !command) {
		ct_command_unknown(o.command, error, sizeof(error));
		fail(error);
	} else if (o.help) {
		ct_help_print(stdout, command);
		status = close_out(EXIT_DONE);
	} else if (o.version) {
		puts("ctrace-analyze " CTRACE_VERSION);
		status = close_out(EXIT_DONE);
	} else if (!command) {
		fail("no command; see ctrace-analyze --help");
	} else if (!o.file) {
		snprintf(error, sizeof(error), "%s: no trace; see ctrace-analyze --help", command->name);
		fail(error);
	} else if (o.argument_count > command->argument_count) {
		snprintf(error, sizeof(error), "unexpected argument '%.100s'", o.argument[command->argument_count]);
		fail(error);
	} else if (ct_command_check(command, &o, error, sizeof(error))) {
		fail(error);
	} else {
		status = run(command, &o);
	}
	ct_options_free(&o);
	return status;
}
