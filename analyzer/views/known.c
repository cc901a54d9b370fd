/* See known.h. */
#include "known.h"

#include <string.h>

/* The first match counts: special places before general ones. */
static const struct ct_known table[] = {
	/* CPython: Python/ceval_gil.h; its condition and mutex are in _PyRuntime. */
	{ NULL, "take_gil", NULL, NULL, true, false, "Python's global interpreter lock (the GIL)",
	  "Only one thread runs Python code at a time: use processes, or code that releases the GIL." },
	{ "python", NULL, "_PyRuntime", "cond", true, false, "Python's global interpreter lock (the GIL)",
	  "Only one thread runs Python code at a time: use processes, or code that releases the GIL." },
	{ "libpython", NULL, "_PyRuntime", "cond", true, false, "Python's global interpreter lock (the GIL)",
	  "Only one thread runs Python code at a time: use processes, or code that releases the GIL." },
	/* PostgreSQL. */
	{ "postgres", "XactLockTableWait", NULL, NULL, true, false, "row locks: another transaction that changed the same row must end",
	  "Transactions that update the same rows queue up, each until the one before has committed." },
	{ "postgres", "ProcSleep", NULL, NULL, true, false, "database locks that other transactions hold",
	  "See pg_locks and pg_stat_activity for which." },
	{ "postgres", "LWLockAcquireOrWait", NULL, NULL, true, false, "another backend that writes the log (a lightweight lock)",
	  "Commits share one write-ahead log: who comes second waits for the one that flushes it." },
	{ "postgres", "LWLockAcquire", NULL, NULL, true, false, "a lightweight lock in PostgreSQL's shared memory", NULL },
	{ "postgres", "ProcArrayGroupClearXid", NULL, NULL, true, false, "the leader of a group of ending transactions", NULL },
	{ "postgres", "XLogFlush", NULL, "file", false, false, "the write-ahead log to reach the disk",
	  "Every commit waits for it: group commits, a faster disk, or synchronous_commit = off." },
	/* Redis. */
	{ NULL, "flushAppendOnlyFile", NULL, "file", false, false, "the append-only file to reach the disk",
	  "appendfsync everysec moves it to another thread, at the risk of losing a second." },
	/* MariaDB, MySQL. */
	{ NULL, "lock_wait_suspend_thread", NULL, NULL, true, false, "row locks of InnoDB that other transactions hold", NULL },
	{ NULL, "lock_wait", NULL, "cond", true, false, "row locks of InnoDB that other transactions hold", NULL },
	{ NULL, "log_write_up_to", NULL, NULL, true, false, "the redo log of InnoDB to reach the disk", NULL },
	{ NULL, "fil_flush", NULL, "file", false, false, "InnoDB's files to reach the disk", NULL },
	/* SQLite. */
	{ NULL, "sqliteDefaultBusyCallback", NULL, "sleep", true, false, "the lock of a database that another connection holds", NULL },
	{ NULL, "sqlite3_step", NULL, "file", false, false, "files of the database to reach the disk",
	  "Each transaction waits for the disk: put many statements into one, or use WAL mode." },
	{ NULL, "sqlite3_exec", NULL, "file", false, false, "files of the database to reach the disk",
	  "Each transaction waits for the disk: put many statements into one, or use WAL mode." },
	/* The JVM. */
	{ "libjvm.so", "ObjectMonitor::enter", NULL, NULL, true, false, "a Java monitor (synchronized) that another thread holds",
	  "jstack names its class and the line of Java." },
	{ "libjvm.so", "SafepointSynchronize::block", NULL, NULL, true, false, "a safepoint of the JVM to end", NULL },
	{ "libjvm.so", "ServiceThread::service_thread_entry", NULL, "cond", false, true, "work of the JVM", NULL },
	{ "libjvm.so", "VMThread::wait_for_operation", NULL, "cond", false, true, "work of the JVM", NULL },
	{ "libjvm.so", "CompileQueue::get", NULL, "cond", false, true, "methods to compile", NULL },
	/* glibc's own. */
	{ NULL, "getaddrinfo", NULL, NULL, false, false, "a name to be resolved (DNS)", NULL },
	{ NULL, "gethostbyname", NULL, NULL, false, false, "a name to be resolved (DNS)", NULL },
	/* jemalloc and thread pools: nobody needs what these wait for. */
	{ "libjemalloc", NULL, NULL, "cond", false, true, "work of the allocator", NULL },
};

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static bool is_frame_of(const struct ct_known *k, const struct ct_frame *f)
{
	if (k->module && (!f->module || !begins(ct_base_name(f->module), k->module)))
		return false;
	if (!k->function)
		return true;
	size_t n = strlen(k->function);

	/* C++ names go on with their parameters, versions with '@', copies of compilers with '.'. */
	return f->function && begins(f->function, k->function) && (!f->function[n] || strchr("(@.", f->function[n]));
}

const struct ct_known *ct_known_find(const struct ct_frame *frames, uint32_t count, const char *object,
				     const char *cause)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct ct_known *k = &table[i];

		if ((k->cause && strcmp(k->cause, cause)) || (k->object && !begins(object, k->object)))
			continue;
		/* A file alone must be the innermost frame's: main() is on every stack. */
		for (uint32_t at = 0; at < (k->function ? count : count ? 1 : 0); at++)
			if (is_frame_of(k, &frames[at]))
				return k;
	}
	return NULL;
}

static bool is_plumbing(const struct ct_frame *f)
{
	static const char *const modules[] = {
		"libc.so", "libc-2", "ld-linux", "libpthread", "libctrace", "libstdc++", "libgcc_s", "libgomp",
		"libjemalloc", "libtcmalloc", "libmimalloc", "libm.so",
	};
	static const char *const functions[] = { "std::", "__gnu_cxx::", "core::", "alloc::", "<std::", "__gthread", "__gthr" };
	const char *module = f->module ? ct_base_name(f->module) : "";

	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (begins(module, modules[i]))
			return true;
	for (size_t i = 0; f->function && i < sizeof(functions) / sizeof(functions[0]); i++)
		if (begins(f->function, functions[i]))
			return true;
	return false;
}

uint32_t ct_frame_telling(const struct ct_frame *frames, uint32_t count)
{
	uint32_t first = CT_NO;

	for (uint32_t i = 0; i < count && i < 12; i++) {
		if (is_plumbing(&frames[i]))
			continue;
		if (frames[i].function)
			return i;
		if (first == CT_NO)
			first = i;
	}
	return first != CT_NO || !count ? first : 0;
}
