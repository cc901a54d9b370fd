/* The table of commands. See commands.h. */
#include "commands.h"

#include "csv_tables.h"
#include "marks_rows.h"
#include "report_sort.h"

#define THREAD_GROUPS "thread start-routine process"
#define FOLD_GROUPS   THREAD_GROUPS " cause"
#define ALL_GROUPS    "thread start-routine site object process cause"

const struct ct_command ct_commands[] = {
	{ "summary", ct_cmd_summary, "TRACE", 1, "what to know first: the largest findings, in sentences",
	  "The three findings that weigh most, each with its numbers, its place, who holds\n"
	  "or wakes, and the command that shows more; then how the threads spent their\n"
	  "time. Threads that wait for work to arrive are no finding. Rows are findings,\n"
	  "in the order of their weight: there is no --group-by and no --sort.\n",
	  .columns = CT_CSV_SUMMARY },
	{ "blocks", ct_cmd_blocks, "TRACE", 1, "why threads waited, where, and who made them wait",
	  "Blocked time by cause, then the places where most of it was spent with what\n"
	  "was waited for, who held it and the call stack, then the threads.\n",
	  .sort_keys = CT_SORT_SITES, .columns = CT_CSV_BLOCKS, .groups = ALL_GROUPS,
	  .examples = "--cause contention --top 3 trace.bin\n"
	  "--site 'handle|server\\.c:12' --min 10ms trace.bin\n"
	  "--from 25% --to -1s --group-by object trace.bin\n" },
	{ "threads", ct_cmd_threads, "TRACE", 1, "how each thread spent its life",
	  "For each thread: lifetime, running on a CPU, ready without one, blocked time by\n"
	  "cause, time off the CPU that no call explains, and the longest wait. Where there\n"
	  "are more threads than --top, and with --group, those of one name and start\n"
	  "routine together, with sums.\n",
	  .sort_keys = CT_SORT_THREADS, .columns = CT_CSV_THREADS, .groups = THREAD_GROUPS,
	  .examples = "--sort running trace.bin\n"
	  "--group --process 'postgres*' trace.bin\n" },
	{ "locks", ct_cmd_locks, "TRACE", 1, "which locks were waited for, and who held them",
	  "For each lock: waits, holders, and who waited for whom.\n",
	  .sort_keys = CT_SORT_LOCKS, .columns = CT_CSV_LOCKS, .groups = ALL_GROUPS,
	  .examples = "--object 'cache_lock' trace.bin\n"
	  "--csv --sort longest trace.bin >locks.csv\n" },
	{ "io", ct_cmd_io, "TRACE", 1, "what input and output goes to, and how long it takes",
	  "By file, pipe and peer: calls, bytes, blocked time and lengths of calls, then\n"
	  "the threads and places; connections to one server, or from one host to a\n"
	  "listening socket, count together. Calls, bytes and lengths are of the calls\n"
	  "that were recorded: that left the CPU or took long enough. All others are\n"
	  "counted by call.\n",
	  .sort_keys = CT_SORT_IO, .columns = CT_CSV_IO, .groups = ALL_GROUPS,
	  .examples = "--group-by site --sort longest trace.bin\n"
	  "--cause file --csv trace.bin\n" },
	{ "malloc", ct_cmd_malloc, "TRACE", 1, "what the memory allocator and the address space cost",
	  "Calls of the allocator and of those that change the address space: how many, how\n"
	  "long, how many waited; whether other threads ended the waits, as they do for the\n"
	  "lock of an arena. Then the arenas of glibc's allocator, the longest calls, and\n"
	  "the places. A short call is timed only for a while after the thread left the\n"
	  "CPU in one: the first one's length is not known. The arena is that of the block\n"
	  "that the call gave or freed; other allocators do not tell. What a thread waited\n"
	  "for inside is not recorded: a wait that another thread ended was for a lock,\n"
	  "which takes the kernel's word on wake-ups; others may be page faults.\n",
	  .sort_keys = CT_SORT_MALLOC, .columns = CT_CSV_MALLOC, .groups = ALL_GROUPS,
	  .examples = "--group-by thread trace.bin\n"
	  "--group-by object trace.bin\n" },
	{ "latency", ct_cmd_latency, "TRACE", 1, "how long calls took, as a histogram",
	  "From call to return. What is chosen by --call, --cause and other filters is\n"
	  "shown as bars with its percentiles; without a choice there is a small histogram\n"
	  "of each cause. Calls too short to be recorded are in that of --call alone.\n",
	  .sort_keys = CT_SORT_LATENCY, .columns = CT_CSV_LATENCY, .groups = ALL_GROUPS,
	  .examples = "--call fdatasync trace.bin\n"
	  "--cause mutex --group-by object trace.bin\n" },
	{ "waits", ct_cmd_waits, "TRACE", 1, "single waits, the longest first, with thread and time",
	  "One row a wait of those that latency counts: when it began, how long it took,\n"
	  "which thread, why, on what and where. --stack takes the stack_id of a wait in\n"
	  "the JSON, and selects those with the same call stack.\n",
	  .sort_keys = CT_SORT_WAITS, .columns = CT_CSV_WAITS,
	  .examples = "--cause mutex --object g_lock --top 20 trace.bin\n"
	  "--sort start --min 1ms --max 2ms --thread main trace.bin\n" },
	{ "sched", ct_cmd_sched, "TRACE", 1, "how long threads that were ready waited for a CPU",
	  "Use of the CPUs; then the delays between being ready and running, in all, by\n"
	  "thread, by who woke, and by where the thread had waited.\n",
	  .sort_keys = CT_SORT_SCHED, .columns = CT_CSV_SCHED, .groups = ALL_GROUPS,
	  .examples = "--thread 'worker*' --sort longest trace.bin\n" },
	{ "wakers", ct_cmd_wakers, "TRACE", 1, "who unblocked whom, and because of whom others waited",
	  "For each wait the thread that ended it, where it is known: who unblocked whom,\n"
	  "how often, after how long, and where; then for how long others waited because of\n"
	  "each thread, and because of what is done at each site. --thread selects waits of\n"
	  "a thread and those that it ended, --site such a place of either.\n",
	  .sort_keys = CT_SORT_WAKERS, .columns = CT_CSV_WAKERS, .groups = ALL_GROUPS,
	  .examples = "--thread main trace.bin\n"
	  "--cause cond,semaphore --sort count trace.bin\n" },
	{ "deadlocks", ct_cmd_deadlocks, "TRACE", 1, "who waits for whom in a program that hangs",
	  "Cycles of threads that wait for each other, then waits that nobody is left to\n"
	  "end, then the others that have not ended. Of a program that was killed, or that\n"
	  "still runs: waits of a second or more are in the file while they last. Each row\n"
	  "is a wait of one thread: there is no --group-by and no --sort.\n",
	  .columns = CT_CSV_DEADLOCKS,
	  .examples = "trace.bin\n" },
	{ "path", ct_cmd_path, "TRACE", 1, "the critical path: what ran one after the other",
	  "Walks back from the end (of the trace, of --to, of --thread) through waits to\n"
	  "the threads that ended them: the path's time by state, thread and place, the\n"
	  "locks by their time on it, and how many threads ran at once.\n",
	  .sort_keys = CT_SORT_PATH, .columns = CT_CSV_PATH, .groups = "thread start-routine site process cause",
	  .examples = "--from 2s --to 3s trace.bin\n"
	  "--thread main trace.bin\n" },
	{ "whatif", ct_cmd_whatif, "TRACE", 1, "how long it would have taken if something took less time",
	  "Replays the threads with one thing changed, and predicts the time that it takes:\n"
	  "  --lock NAME     the critical sections of a lock (as locks names it)\n"
	  "  --site REGEX    waits with such a function or FILE:LINE in the stack that no\n"
	  "                  thread ends (I/O, sleep), and critical sections that end in it\n"
	  "  --cause CAUSE   such waits of a cause; critical sections of all its locks\n"
	  "  --thread NAME   the running time of threads\n"
	  "take --scale X times as long (default 0: gone). With --split N a lock is\n"
	  "N locks instead. Without any of them: each lock and each cause of waits in turn.\n"
	  "An answer is of the whole program: there is no --group-by; the best is first.\n",
	  .columns = CT_CSV_WHATIF,
	  .examples = "trace.bin\n"
	  "--lock cache_lock --scale 0.5 trace.bin\n"
	  "--site '^fdatasync_log$' trace.bin\n" },
	{ "regions", ct_cmd_regions, "TRACE", 1, "what the program says it was doing, and how that took its time",
	  "Parts of a thread's work that the program has named with ctrace.h: how many, how\n"
	  "long, running, ready without a CPU, and blocked by cause in them. One in another\n"
	  "of its name counts, but its time is that one's. They are summed by name, which\n"
	  "is the only way: there is no --group-by.\n",
	  .sort_keys = CT_SORT_MARKS, .columns = CT_CSV_REGIONS,
	  .examples = "--sort longest trace.bin\n" },
	{ "tasks", ct_cmd_tasks, "TRACE", 1, "work of the program that goes from thread to thread",
	  "From begin to end of each task that the program has named with ctrace.h, and how\n"
	  "the threads spent their time in its regions: those that were begun in the task,\n"
	  "and those in them. They are summed by name: there is no --group-by.\n",
	  .sort_keys = CT_SORT_MARKS, .columns = CT_CSV_TASKS,
	  .examples = "--json trace.bin\n" },
	{ "stats", ct_cmd_stats, "TRACE", 1, "the trace itself, and how often which call was made",
	  "Size, losses, clock, cost of the collector, what is known of the scheduler, a\n"
	  "table of the wrapped calls, and the files of frames with what is known of their\n"
	  "symbols. Always of the whole trace; by call, which is the only way calls are\n"
	  "counted: there is no --group-by.\n",
	  .sort_keys = CT_SORT_CALLS, .columns = CT_CSV_CALLS,
	  .examples = "--sort blocked --top 0 trace.bin\n" },
	{ "dump", ct_cmd_dump, "TRACE", 1, "every record and event, a line each",
	  "Plain text, or with --json an object a line. What selects waits selects events;\n"
	  "records and slices are shown only where nothing is selected.\n",
	  .examples = "--json --thread main --min 1ms trace.bin\n" },
	{ "diff", ct_cmd_diff, "A[,A2...] B[,B2...]", 2, "what got worse and better between two traces",
	  "By cause, place, lock and group of threads, a second of the trace. Places are\n"
	  "the same where function and file are. With several traces a side, names with\n"
	  "commas between, medians are compared, and what differs by no more than the runs\n"
	  "of one side do is marked as noise. It groups by all of these at once: there is\n"
	  "no --group-by, and the largest change of each is first.\n",
	  .columns = CT_CSV_DIFF, .opens = true },
	{ "explain", ct_cmd_explain, "CAUSE [TRACE]", 2, "what a cause means, and what to look at next",
	  "CAUSE is a cause (mutex, file, poll...), a state (running, runnable, blocked,\n"
	  "unexplained, unknown, excluded) or a category (contention, io, idle, runtime,\n"
	  "cpu), or a column of a table by its name in JSON or CSV (hold_ns). With a trace\n"
	  "also its numbers there.\n",
	  .opens = true },
	{ "check", ct_cmd_check, "TRACE", 1, "whether the trace keeps the rules of its format",
	  "Prints OK, or each violation; then the exit status is 1.\n",
	  .examples = "trace.bin\n" },
	{ "flame", ct_cmd_flame, "TRACE", 1, "blocked time as a flame graph",
	  "Writes an SVG that any browser shows: stacks from the threads upwards, as wide\n"
	  "as their time. A click zooms, / searches, and the pointer shows time and share.\n",
	  .groups = FOLD_GROUPS },
	{ "export", ct_cmd_export, "TRACE", 1, "the trace for other tools",
	  "Writes the trace, or what the options select of it, in the format of another\n"
	  "tool: see the formats below. The file is given by --output.\n",
	  .groups = FOLD_GROUPS },
	{ "sql", ct_cmd_sql, "TRACE 'SELECT ...'", 2, "a question to the trace as a database",
	  "Puts the trace, or what the options select of it, into an SQLite database and\n"
	  "asks it. Tables: trace, causes, processes, threads, intervals, wakes, states,\n"
	  "locks, stacks, frames, regions, tasks, logs; and the view waits, which joins\n"
	  "waits with them. Times are ns since the trace began.\n",
	  .examples = "trace.bin 'SELECT cause, max(blocked_ns) FROM waits'\n" },
	{ "serve", ct_cmd_serve, "TRACE", 1, "the trace in a browser: a timeline, and all views",
	  "Starts a web server for this machine's browser, prints its address, and serves\n"
	  "the trace until it is interrupted. The address has a token: who does not know it\n"
	  "gets nothing.\n" },
	{ "report", ct_cmd_report, "TRACE", 1, "the same as one file, to mail or to keep",
	  "Writes a page that needs neither network nor server, with a picture of the whole\n"
	  "trace and all views of it.\n" },
	{ NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL },
};
