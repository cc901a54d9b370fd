/* What the heads of the views' text tables mean; columns of --csv are in column_texts.h. See help.h. */
#include <string.h>

#include "column_texts.h"
#include "help.h"

/* commands: names with spaces between. The first row that fits counts. */
struct row {
	const char *commands, *name, *help;
};

#define GROUPED "blocks locks malloc sched wakers"
static const struct row heads[] = {
	{ "summary", "lifetime", "of the thread, or of all of a kind (x N) added up" },
	{ "summary", "running", "share of it on a CPU; without data of the\nscheduler: in no call" },
	{ "summary", "no CPU", "ready, but no CPU was free" },
	{ "summary", "locks", "blocked by what others have: contention" },
	{ "summary", "I/O", "blocked by files, pipes, peers, and in the runtime" },
	{ "summary", "idle", "waiting for work to arrive, or for time to pass" },
	{ "summary", "other", "unexplained, not known, or not selected" },

	{ "blocks", "waits", "calls that left the CPU, and what took --min or more" },
	{ "blocks", "total", "blocked time of all of them" },
	{ "blocks", "share", "of all blocked time that is selected" },
	{ "blocks", "median", "half of the waits were no longer" },
	{ "blocks", "p99", "99 % of the waits were no longer" },
	{ "blocks", "longest", "the longest wait" },
	{ "blocks", "held by", "who had the lock when the wait began" },

	{ "threads", "lifetime", "from the begin of the thread to its end" },
	{ "threads", "running", "on a CPU" },
	{ "threads", "runnable", "ready, but no CPU was free" },
	{ "threads", "blocked", "in calls that ctrace wraps" },
	{ "threads", "unexpl.", "off the CPU in no such call; without data of the\nscheduler: running, too" },
	{ "threads", "longest", "the longest wait" },

	{ "locks", "waits", "times that somebody had to wait for it" },
	{ "locks", "held", "of all holds that were watched: from the first\nwait on" },

	{ "io", "blocked", "off the CPU in the calls" },
	{ "io", "calls", "that were recorded" },
	{ "io", "read, written", "bytes that they moved" },
	{ "io", "median, p99, longest", "of their lengths, from call to return" },
	{ "io", "recorded", "of all calls: those that left the CPU or took long" },
	{ "io", "time short", "of the calls that were not recorded" },

	{ "malloc", "calls", "of the whole trace" },
	{ "malloc", "waited", "those that left the CPU, or took long" },
	{ "malloc", "blocked", "off the CPU in them" },
	{ "malloc", "took", "from call to return" },
	{ "malloc", "size", "that was asked for; free has none" },
	{ "malloc", "arena", "which arena of glibc's allocator the memory is of" },
	{ "malloc", "in lock", "from call to return, of waits that another thread of\nthe process ended; ?: not known" },

	{ "latency", "from", "calls from that length to the next row's" },
	{ "latency", "calls", "how many" },
	{ "latency", "share", "of all calls" },
	{ "latency", "up to", "share of the calls that were no longer" },
	{ "latency", "median, p99, longest", "of the lengths, from call to return" },

	{ "sched", "times", "that a thread was ready without a CPU" },
	{ "sched", "running", "on a CPU" },
	{ "sched", "runnable", "ready, but no CPU was free" },
	{ "sched", "wakes", "times that it was woken" },
	{ "sched", "median, p99, longest", "from a wake-up until it ran" },
	{ "sched", "lost", "times that it lost its CPU to another thread" },

	{ "wakers", "waited", "others, because of this thread or place" },
	{ "wakers", "for work", "the same, where they were idle until then" },
	{ "wakers", "ended", "waits that it ended" },

	{ "path", "on path", "the path's time in the lock's critical sections\nthat it had to wait for" },
	{ "path", "share", "of the path" },
	{ "path", "passed on", "from a release until the next holder ran" },
	{ "path", "held", "by the path's thread while any thread waited" },
	{ "path", "all waits", "for the lock, on the path or not" },

	{ "whatif", "predicted", "how long it would have taken" },
	{ "whatif", "speed-up", "how often that is in the time that it took" },

	{ "stats", "made", "calls" },
	{ "stats", "written", "calls that are events" },
	{ "stats", "blocked", "off the CPU in them" },
	{ "stats", "short", "time of the calls that were only counted" },
	{ "stats", "frames", "of call stacks in that file" },
	{ "stats", "names here", "where its symbols were found" },

	{ "diff", "A, B", "blocked time a second of the trace; median of a side" },
	{ "diff", "change", "B less A, and in percent of A" },
	{ "diff", "noise", "how far apart runs of one side are" },

	{ "explain", "waits", "with a trace: how many, how long" },

	{ GROUPED, "average", "with --group-by: total / waits" },
	{ "deadlocks", "waits", "for how long, and in which call" },
	{ "deadlocks", "for", "what it waits for" },
	{ "deadlocks", "held by", "the thread that can end it, and what that does" },
	{ "deadlocks", "why", "why it cannot end" },
};

static bool is_word_of(const char *word, const char *words)
{
	size_t n = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += n)
		if ((at == words || at[-1] == ' ') && (!at[n] || at[n] == ' '))
			return true;
	return false;
}

const char *ct_help_column(const struct ct_command *command, const char *name, size_t n)
{
	return ct_column_help(command->name, name, n);
}

bool ct_help_head(const struct ct_command *command, size_t *place, const char **name, const char **help)
{
	for (; *place < sizeof(heads) / sizeof(heads[0]); ++*place)
		if (is_word_of(command->name, heads[*place].commands)) {
			*name = heads[*place].name;
			*help = heads[(*place)++].help;
			return true;
		}
	return false;
}
