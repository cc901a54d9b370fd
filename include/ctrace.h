/*
 * ctrace.h: a program says what it is doing, for ctrace to show beside where it waits.
 * One header, nothing to link, C99 and later, C++98 and later, gcc and clang.
 *
 *	ctrace_region_begin("parse");             a part of this thread's work; they nest
 *	ctrace_region_end("parse");
 *
 *	uint64_t t = ctrace_task_begin("request", 0);  work that goes from thread to thread
 *	ctrace_region_begin_in(t, "reply");       a region of the task, on whatever thread
 *	ctrace_region_end("reply");
 *	ctrace_task_end(t);                       on whatever thread
 *
 *	ctrace_log("cache", "miss");              a line with its time
 *	ctrace_logf("cache", "miss: %s", key);
 *
 * and in C++ ctrace::region and ctrace::task, which end with their scope.
 *
 * While the program is not traced a call is a load and a branch, and what it is given is not
 * looked at. Otherwise texts are copied before it returns. Names (of regions, tasks and
 * categories) are there to be summed up by: up to about 3000 different ones in a process, of
 * at most 119 bytes; a longer one is cut, and one too many is "(other)". What differs from time to time goes
 * into a log line, of at most 480 bytes.
 *
 * Regions and log lines may be used in signal handlers, except for ctrace_logf. A region belongs to its
 * thread: it is over when the thread is, when an outer one of the thread ends (so longjmp and
 * exceptions do no harm), and in the child of a fork. An end without a begin is ignored, and counted.
 *
 * With CTRACE_DISABLE defined, and where there is no ctrace, all of it is nothing.
 */
#ifndef CTRACE_H
#define CTRACE_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#if defined(__linux__) && defined(__GNUC__) && !defined(CTRACE_DISABLE)
#define CTRACE_AVAILABLE 1
#else
#define CTRACE_AVAILABLE 0
#endif

#if defined(__cplusplus)
#define CTRACE_FUNCTION inline
#elif defined(__GNUC__)
#define CTRACE_FUNCTION static __inline__
#else
#define CTRACE_FUNCTION static inline
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What libctrace.so exports as ctrace_calls_v1. Members are only ever added, at the end; bytes is
 * the size that the library knows. For other languages: docs/annotations.md. */
struct ctrace_calls {
	uint64_t bytes;
	void (*region_begin)(uint64_t task, const char *name);
	void (*region_end)(const char *name);
	uint64_t (*task_begin)(const char *name, uint64_t parent);
	void (*task_end)(uint64_t task);
	void (*log)(uint64_t task, const char *category, const char *message);
};

#if CTRACE_AVAILABLE

/* One in each program and shared object: its own address until it was looked up. */
extern const struct ctrace_calls *ctrace_state_ __attribute__((weak, visibility("hidden")));
const struct ctrace_calls *ctrace_state_ = (const struct ctrace_calls *)(const void *)&ctrace_state_;

/* Null in a static program, which cannot be traced. */
static void *ctrace_dlsym_(void *handle, const char *name) __attribute__((weakref("dlsym")));

static __attribute__((noinline, cold, unused)) const struct ctrace_calls *ctrace_find_(void)
{
	void *(*find)(void *, const char *) = ctrace_dlsym_;
	const void *found = find ? find(NULL, "ctrace_calls_v1") : NULL;

	__atomic_store_n(&ctrace_state_, (const struct ctrace_calls *)found, __ATOMIC_RELEASE);
	return (const struct ctrace_calls *)found;
}

/* NULL: not traced. */
CTRACE_FUNCTION const struct ctrace_calls *ctrace_calls_(void)
{
	const struct ctrace_calls *calls = __atomic_load_n(&ctrace_state_, __ATOMIC_ACQUIRE);

	if (__builtin_expect(!calls, 1))
		return NULL;
	return (const void *)calls == (const void *)&ctrace_state_ ? ctrace_find_() : calls;
}

/* Before main: dlsym is nothing for signal handlers. */
static __attribute__((constructor, unused)) void ctrace_begin_(void)
{
	ctrace_calls_();
}

#else

CTRACE_FUNCTION const struct ctrace_calls *ctrace_calls_(void)
{
	return NULL;
}

#endif

/* Whether it is worth while to prepare texts. */
CTRACE_FUNCTION int ctrace_enabled(void)
{
	return ctrace_calls_() != NULL;
}

/* In the task of the region around it, if that has one. */
CTRACE_FUNCTION void ctrace_region_begin(const char *name)
{
	const struct ctrace_calls *calls = ctrace_calls_();

	if (calls)
		calls->region_begin(0, name);
}

/* task: as ctrace_task_begin returned it; 0: as above. */
CTRACE_FUNCTION void ctrace_region_begin_in(uint64_t task, const char *name)
{
	const struct ctrace_calls *calls = ctrace_calls_();

	if (calls)
		calls->region_begin(task, name);
}

/* The innermost region of that name, and those in it. */
CTRACE_FUNCTION void ctrace_region_end(const char *name)
{
	const struct ctrace_calls *calls = ctrace_calls_();

	if (calls)
		calls->region_end(name);
}

/* parent: a task that it is a part of, or 0. 0 where nothing is traced. */
CTRACE_FUNCTION uint64_t ctrace_task_begin(const char *name, uint64_t parent)
{
	const struct ctrace_calls *calls = ctrace_calls_();

	return calls ? calls->task_begin(name, parent) : 0;
}

CTRACE_FUNCTION void ctrace_task_end(uint64_t task)
{
	const struct ctrace_calls *calls = ctrace_calls_();

	if (calls && task)
		calls->task_end(task);
}

CTRACE_FUNCTION void ctrace_log(const char *category, const char *message)
{
	const struct ctrace_calls *calls = ctrace_calls_();

	if (calls)
		calls->log(0, category, message);
}

CTRACE_FUNCTION void ctrace_log_in(uint64_t task, const char *category, const char *message)
{
	const struct ctrace_calls *calls = ctrace_calls_();

	if (calls)
		calls->log(task, category, message);
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3), unused))
#endif
CTRACE_FUNCTION void ctrace_logf(const char *category, const char *format, ...)
{
	const struct ctrace_calls *calls = ctrace_calls_();
	char message[481];
	va_list arguments;
	int error = errno;

	if (!calls)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	calls->log(0, category, message);
	errno = error;
}

#ifdef __cplusplus
}

namespace ctrace {

/* A region that ends with its scope. The name must live as long. */
class region {
public:
	explicit region(const char *name, uint64_t task = 0) : name_(name)
	{
		ctrace_region_begin_in(task, name);
	}
	~region()
	{
		ctrace_region_end(name_);
	}

private:
	region(const region &);
	region &operator=(const region &);
	const char *name_;
};

/* A task that ends with its scope; its id may go to other threads meanwhile. */
class task {
public:
	explicit task(const char *name, uint64_t parent = 0) : id_(ctrace_task_begin(name, parent))
	{
	}
	~task()
	{
		ctrace_task_end(id_);
	}
	uint64_t id() const
	{
		return id_;
	}

private:
	task(const task &);
	task &operator=(const task &);
	uint64_t id_;
};

}
#endif

#endif
