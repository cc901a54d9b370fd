/* Reading directories. Object: the directory's descriptor. */
#include "fdwakes.h"
#include "wrap.h"

#include <dirent.h>
#include <fts.h>
#include <glob.h>

#define DIRECTORY(type, symbol, call, result, parameters, ...) \
	CT_WRAP(ct_begin, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)(ct_given(d) ? dirfd(d) : -1), type, symbol, call, result, parameters, \
		__VA_ARGS__)
#define FOUND (r != NULL)

CT_WRAP_POINTER(CT_CAUSE_FILE, DIR *, opendir, opendir, (const char *path), path)
CT_WRAP(ct_begin, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd, DIR *, fdopendir, opendir, r ? 0 : -(int64_t)errno,
	(int fd), fd)
DIRECTORY(struct dirent *, readdir, readdir, FOUND, (DIR *d), d)
DIRECTORY(struct dirent64 *, readdir64, readdir, FOUND, (DIR *d), d)
DIRECTORY(int, readdir_r, readdir, -r, (DIR *d, struct dirent *e, struct dirent **found), d, e, found)
DIRECTORY(int, readdir64_r, readdir, -r, (DIR *d, struct dirent64 *e, struct dirent64 **found), d, e, found)

CT_EXPORT int closedir(DIR *d)
{
	int fd = ct_given(d) ? dirfd(d) : -1;
	struct ct_interval v;

	ct_begin(&v, CT_CALL_closedir, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd);
	/* The number may be a socket's next. */
	ct_fd_forget(fd);
	int r = ct_real.closedir(d);

	ct_end(&v, CT_RESULT(r));
	return r;
}

CT_WRAP_FD(CT_CAUSE_FILE, ssize_t, getdents64, getdents64, (int fd, void *p, size_t n), fd, p, n)

/* Filter and order are the program's functions, but seldom more than a comparison. */
#define SCAN(symbol, entry, at, ...) \
	CT_WRAP_PLAIN(CT_CAUSE_FILE, int, symbol, scandir, \
		      (at const char *path, struct entry ***list, int filter(const struct entry *), \
		       int order(const struct entry **, const struct entry **)), \
		      __VA_ARGS__, list, filter, order)
#define NOTHING
#define COMMA ,

SCAN(scandir, dirent, NOTHING, path)
SCAN(scandir64, dirent64, NOTHING, path)
SCAN(scandirat, dirent, int at COMMA, at, path)
SCAN(scandirat64, dirent64, int at COMMA, at, path)

/* One step of a walk. */
CT_WRAP_POINTER(CT_CAUSE_FILE, FTS *, fts_open, fts_open,
		(char *const *paths, int flags, int order(const FTSENT **, const FTSENT **)), paths, flags, order)
CT_WRAP_POINTER(CT_CAUSE_FILE, FTSENT *, fts_read, fts_read, (FTS *walk), walk)
CT_WRAP_POINTER(CT_CAUSE_FILE, FTSENT *, fts_children, fts_read, (FTS *walk, int flags), walk, flags)
CT_WRAP_PLAIN(CT_CAUSE_FILE, int, fts_close, fts_close, (FTS *walk), walk)
CT_WRAP_POINTER(CT_CAUSE_FILE, FTS64 *, fts64_open, fts_open,
		(char *const *paths, int flags, int order(const FTSENT64 **, const FTSENT64 **)), paths, flags, order)
CT_WRAP_POINTER(CT_CAUSE_FILE, FTSENT64 *, fts64_read, fts_read, (FTS64 *walk), walk)
CT_WRAP_POINTER(CT_CAUSE_FILE, FTSENT64 *, fts64_children, fts_read, (FTS64 *walk, int flags), walk, flags)
CT_WRAP_PLAIN(CT_CAUSE_FILE, int, fts64_close, fts_close, (FTS64 *walk), walk)
