/* What the columns of the views mean. See help.h. */
#include <string.h>

#include "help.h"

/* commands: names with spaces between; NULL: all others. The first row that fits counts. */
struct row {
	const char *commands, *name, *help;
};

/* --- of --csv --- */

static const struct row csv[] = {
	{ NULL, "pid", "the process" },
	{ NULL, "tid", "the thread" },
	{ "path", "name", "the name of the thread" },
	{ NULL, "name", "the name of the thread; of a group its label" },
	{ "threads", "routine", "the function that the thread began with" },
	{ NULL, "cause", "why it waited: see explain" },
	{ NULL, "category", "contention, io, idle or runtime" },
	{ "io", "object", "path, pipe, peer; (call) where there is none" },
	{ "locks", "object", "the lock's name" },
	{ NULL, "object", "what was waited for" },
	{ "locks", "kind", "mutex, rwlock, spin or futex" },
	{ "io", "kind", "file, pipe, socket...; empty: no descriptor" },
	{ "summary", "kind", "what it is: lock, wait, turns, no-cpu, deadlock..." },
	{ "diff", "kind", "cause, site, lock or threads" },
	{ NULL, "call", "the function of libc; empty: several" },
	{ "blocks wakers", "count", "waits" },
	{ "summary", "count", "waits, or times" },
	{ "latency", "count", "calls of that length" },
	{ "path", "count", "times that the path was there" },
	{ "regions", "region", "its name, as the program says" },
	{ "tasks", "task", "its name, as the program says" },
	{ "regions tasks", "count", "times that it was begun" },
	{ "regions tasks", "total_ns", "from begin to end, of all of them" },
	{ "regions tasks", "p50_ns", "median of how long they took" },
	{ "regions tasks", "longest_ns", "the longest one" },
	{ "regions tasks", "longest_at_ns", "when that began, since the trace did" },
	{ NULL, "count", "waits" },
	{ NULL, "total_ns", "blocked time of all of them" },
	{ NULL, "average_ns", "total_ns / count" },
	{ "io", "max_ns", "the longest call" },
	{ NULL, "max_ns", "the longest one" },
	{ "locks", "unknown", "waits of which it is not known how long they were" },
	{ NULL, "unknown", "part of count: how long is not known" },
	{ NULL, "open", "part of count: not over when the trace ended" },
	{ "io", "elapsed_ns", "of all calls, from call to return" },
	{ NULL, "elapsed_ns", "from call to return, with time on a CPU in it" },
	{ NULL, "delay_ns", "then ready, without a CPU" },
	{ NULL, "function", "the place: its innermost function" },
	{ NULL, "file", "its source file" },
	{ NULL, "line", "its line" },
	{ NULL, "module", "its program or library" },
	{ NULL, "stack", "functions with ; between, innermost first" },
	{ NULL, "lifetime_ns", "how long the threads lived" },
	{ NULL, "running_ns", "on a CPU" },
	{ NULL, "runnable_ns", "ready, but no CPU was free" },
	{ "malloc io", "blocked_ns", "of waits: off the CPU in the call" },
	{ "stats", "blocked_ns", "of the calls that were written" },
	{ NULL, "blocked_ns", "off the CPU in calls" },
	{ NULL, "unexplained_ns", "off the CPU in no call that ctrace wraps" },
	{ NULL, "unknown_ns", "records of context switches are missing" },
	{ NULL, "excluded_ns", "blocked, but not selected by the filters" },
	{ NULL, "longest_ns", "the longest wait" },
	{ NULL, "mostly", "the cause that most of its blocked time has" },
	{ NULL, "mostly_ns", "blocked time of that cause" },
	{ NULL, "events", "that the trace has of it" },
	{ NULL, "lost_events", "that it lost" },
	{ NULL, "address", "the lock's, as a decimal number" },
	{ "locks", "site", "where most of the time was waited" },
	{ NULL, "site", "function and file:line" },
	{ NULL, "acquisitions", "times that it was taken" },
	{ NULL, "contended", "times that somebody had to wait" },
	{ NULL, "wait_ns", "waited for it, of all threads added up" },
	{ NULL, "max_wait_ns", "the longest wait" },
	{ NULL, "hold_ns", "time that it was held while ctrace watched it" },
	{ NULL, "holds", "holds that were seen" },
	{ NULL, "max_hold_ns", "the longest of them" },
	{ NULL, "waited_ns", "time in which anybody waited" },
	{ NULL, "max_waiters", "most threads that waited at once" },
	{ NULL, "convoys", "times that it was passed on from waiter to waiter" },
	{ NULL, "wake_delay_ns", "from wake-ups until it ran, added up" },
	{ NULL, "wake_delay_p50_ns", "the median" },
	{ NULL, "wake_delay_p99_ns", "99 % were no longer" },
	{ NULL, "wake_delay_max_ns", "the longest" },
	{ "sched", "wakes", "times that it was woken" },
	{ "deadlocks", "wakes", "calls since that could have ended it" },
	{ NULL, "preemptions", "times that it lost its CPU to another thread" },
	{ NULL, "preempted_ns", "until it had one again, added up" },
	{ NULL, "preempted_max_ns", "the longest" },
	{ NULL, "migrations", "times that it came back on another CPU" },
	{ "waits", "start_ns", "when it began, since the trace did" },
	{ "waits", "duration_ns", "how long it took, from call to return" },
	{ NULL, "waiter", "the thread that waited, or several by name" },
	{ NULL, "waker", "the thread that ended it; empty: none" },
	{ NULL, "ended_by", "release, wake, arrival, exit, kernel, time, open" },
	{ NULL, "release_ns", "part of total_ns: until it was ended" },
	{ NULL, "resume_ns", "the rest: until the waiter went on" },
	{ NULL, "blame_ns", "for how long it was this waker's doing" },
	{ NULL, "waiter_site", "where it was waited" },
	{ NULL, "waker_site", "where it was ended" },
	{ NULL, "state", "running, ready, blocked or resuming" },
	{ NULL, "path_ns", "of the path's time" },
	{ NULL, "family", "the calls that it belongs to" },
	{ NULL, "made", "calls" },
	{ NULL, "written", "calls that are events: the others were too short" },
	{ "io malloc", "short_ns", "time of the calls too short to be recorded" },
	{ NULL, "short_ns", "time of the calls that were too short" },
	{ NULL, "idle", "1: waits for something to arrive" },
	{ NULL, "descriptors", "that are in the row" },
	{ "io", "calls", "that were recorded" },
	{ NULL, "calls", "calls in the whole trace" },
	{ NULL, "errors", "calls that failed" },
	{ NULL, "read_bytes", "that the calls returned" },
	{ NULL, "write_bytes", "that the calls took" },
	{ NULL, "p50_ns", "median of the calls' lengths" },
	{ NULL, "p99_ns", "99 % were no longer" },
	{ NULL, "waits", "calls that left the CPU" },
	{ NULL, "max_blocked_ns", "the longest wait" },
	{ NULL, "part", "allocator, or address space" },
	{ NULL, "from_ns", "calls from that length" },
	{ NULL, "to_ns", "to less than that one" },
	{ NULL, "rank", "1: weighs most" },
	{ NULL, "threads", "how many" },
	{ NULL, "share_permille", "total_ns in 1/1000 of lifetime_ns" },
	{ NULL, "text", "the sentences" },
	{ NULL, "next", "the command that shows more" },
	{ "diff", "what", "which one, as its view names it" },
	{ "whatif", "what", "what is changed" },
	{ NULL, "noise", "1: no more than runs of one side differ by" },
	{ NULL, "a_ns_per_s", "median of side A, a second of the trace" },
	{ NULL, "a_min", "the least of its runs, ns a second" },
	{ NULL, "a_max", "the most" },
	{ NULL, "a_total_ns", "added up over its runs" },
	{ NULL, "a_count", "waits" },
	{ NULL, "b_ns_per_s", "the same of side B" },
	{ NULL, "b_min", "the least of its runs" },
	{ NULL, "b_max", "the most" },
	{ NULL, "b_total_ns", "added up over its runs" },
	{ NULL, "b_count", "waits" },
	{ NULL, "reason", "cycle; ended, behind, nobody, holder: stalls; open" },
	{ NULL, "cycle", "number of the cycle; empty: in none" },
	{ NULL, "held_by_tid", "the thread that it waits for; empty: not known" },
	{ NULL, "held_by", "its name" },
	{ NULL, "certain", "1: it never ends" },
	{ NULL, "predicted_ns", "how long it would have taken" },
	{ NULL, "replay_ns", "what the replay with the change took" },
	{ NULL, "speed_up", "replay as it was / replay with the change" },
	{ NULL, "complete", "1: the replay came to its end" },
	{ NULL, "broken", "waits that the replay had to cut short" },
	{ NULL, "blocked_throughout", "threads that were blocked all their life" },
};

/* --- of the text --- */

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
	for (size_t i = 0; i < sizeof(csv) / sizeof(csv[0]); i++)
		if (strlen(csv[i].name) == n && !strncmp(csv[i].name, name, n) &&
		    (!csv[i].commands || is_word_of(command->name, csv[i].commands)))
			return csv[i].help;
	return "";
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
