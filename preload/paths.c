/*
 * What the file system is asked by path or descriptor: short where the answer is
 * in memory, long where a disk or a server must be asked or a directory is being
 * changed by another.
 */
#include "wrap.h"

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

#define PATH(symbol, call, parameters, ...) \
	CT_WRAP_PLAIN(CT_CAUSE_FILE, int, symbol, call, parameters, __VA_ARGS__)
#define SIZE(symbol, call, parameters, ...) \
	CT_WRAP_PLAIN(CT_CAUSE_FILE, ssize_t, symbol, call, parameters, __VA_ARGS__)
#define TEXT(symbol, call, parameters, ...) \
	CT_WRAP_POINTER(CT_CAUSE_FILE, char *, symbol, call, parameters, __VA_ARGS__)
#define ON_FD(symbol, call, parameters, ...) CT_WRAP_FD(CT_CAUSE_FILE, int, symbol, call, parameters, __VA_ARGS__)
#define AT const char *path

/* --- what is there --- */
PATH(stat, stat, (AT, struct stat *s), path, s)
PATH(stat64, stat, (AT, struct stat64 *s), path, s)
PATH(lstat, lstat, (AT, struct stat *s), path, s)
PATH(lstat64, lstat, (AT, struct stat64 *s), path, s)
ON_FD(fstat, fstat, (int fd, struct stat *s), fd, s)
ON_FD(fstat64, fstat, (int fd, struct stat64 *s), fd, s)
PATH(fstatat, fstatat, (int at, AT, struct stat *s, int flags), at, path, s, flags)
PATH(fstatat64, fstatat, (int at, AT, struct stat64 *s, int flags), at, path, s, flags)
PATH(statx, statx, (int at, AT, int flags, unsigned mask, struct statx *s), at, path, flags, mask, s)
/* Of programs that were linked before glibc 2.33. */
PATH(__xstat, stat, (int version, AT, struct stat *s), version, path, s)
PATH(__xstat64, stat, (int version, AT, struct stat64 *s), version, path, s)
PATH(__lxstat, lstat, (int version, AT, struct stat *s), version, path, s)
PATH(__lxstat64, lstat, (int version, AT, struct stat64 *s), version, path, s)
PATH(__fxstatat, fstatat, (int version, int at, AT, struct stat *s, int flags), version, at, path, s, flags)
PATH(__fxstatat64, fstatat, (int version, int at, AT, struct stat64 *s, int flags), version, at, path, s, flags)
CT_WRAP(ct_begin, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd, int, __fxstat, fstat, CT_RESULT(r),
	(int version, int fd, struct stat *s), version, fd, s)
CT_WRAP(ct_begin, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd, int, __fxstat64, fstat, CT_RESULT(r),
	(int version, int fd, struct stat64 *s), version, fd, s)
PATH(access, access, (AT, int mode), path, mode)
PATH(eaccess, access, (AT, int mode), path, mode)
PATH(euidaccess, access, (AT, int mode), path, mode)
PATH(faccessat, faccessat, (int at, AT, int mode, int flags), at, path, mode, flags)
SIZE(readlink, readlink, (AT, char *p, size_t n), path, p, n)
SIZE(readlinkat, readlinkat, (int at, AT, char *p, size_t n), at, path, p, n)
SIZE(__readlink_chk, readlink, (AT, char *p, size_t n, size_t room), path, p, n, room)
SIZE(__readlinkat_chk, readlinkat, (int at, AT, char *p, size_t n, size_t room), at, path, p, n, room)
TEXT(__realpath_chk, realpath, (AT, char *to, size_t room), path, to, room)
TEXT(canonicalize_file_name, realpath, (AT), path)
TEXT(getcwd, getcwd, (char *p, size_t n), p, n)
TEXT(__getcwd_chk, getcwd, (char *p, size_t n, size_t room), p, n, room)
PATH(statfs, statfs, (AT, struct statfs *s), path, s)
PATH(statfs64, statfs, (AT, struct statfs64 *s), path, s)
PATH(statvfs, statfs, (AT, struct statvfs *s), path, s)
PATH(statvfs64, statfs, (AT, struct statvfs64 *s), path, s)
ON_FD(fstatfs, fstatfs, (int fd, struct statfs *s), fd, s)
ON_FD(fstatfs64, fstatfs, (int fd, struct statfs64 *s), fd, s)
ON_FD(fstatvfs, fstatfs, (int fd, struct statvfs *s), fd, s)
ON_FD(fstatvfs64, fstatfs, (int fd, struct statvfs64 *s), fd, s)

/* In version 2.2.5 there is no NULL for a result that is to be allocated. */
#define REALPATH(function, real) \
	char *function(AT, char *to) \
	{ \
		struct ct_interval v; \
		ct_begin(&v, CT_CALL_realpath, CT_CAUSE_FILE, CT_OBJECT_NONE, 0); \
		char *r = ct_real.real(path, to); \
		ct_end(&v, r ? 0 : -(int64_t)errno); \
		return r; \
	}
CT_EXPORT_CURRENT(ct_realpath, realpath, "GLIBC_2.3")
REALPATH(ct_realpath, realpath)
CT_EXPORT_OLD(ct_realpath_compat, realpath)
REALPATH(ct_realpath_compat, realpath_compat)

/* --- names --- */
PATH(link, link, (AT, const char *to), path, to)
PATH(linkat, link, (int at, AT, int to_at, const char *to, int flags), at, path, to_at, to, flags)
PATH(symlink, link, (AT, const char *to), path, to)
PATH(symlinkat, link, (AT, int at, const char *to), path, at, to)
PATH(unlink, unlink, (AT), path)
PATH(unlinkat, unlink, (int at, AT, int flags), at, path, flags)
PATH(remove, unlink, (AT), path)
PATH(rename, rename, (AT, const char *to), path, to)
PATH(renameat, rename, (int at, AT, int to_at, const char *to), at, path, to_at, to)
PATH(renameat2, rename, (int at, AT, int to_at, const char *to, unsigned flags), at, path, to_at, to, flags)
PATH(mkdir, mkdir, (AT, mode_t mode), path, mode)
PATH(mkdirat, mkdir, (int at, AT, mode_t mode), at, path, mode)
PATH(rmdir, rmdir, (AT), path)
PATH(mknod, mknod, (AT, mode_t mode, dev_t device), path, mode, device)
PATH(mknodat, mknod, (int at, AT, mode_t mode, dev_t device), at, path, mode, device)
PATH(mkfifo, mknod, (AT, mode_t mode), path, mode)
PATH(mkfifoat, mknod, (int at, AT, mode_t mode), at, path, mode)
PATH(chdir, chdir, (AT), path)
ON_FD(fchdir, chdir, (int fd), fd)
PATH(chroot, chdir, (AT), path)

/* --- attributes --- */
PATH(chmod, chmod, (AT, mode_t mode), path, mode)
PATH(fchmodat, chmod, (int at, AT, mode_t mode, int flags), at, path, mode, flags)
ON_FD(fchmod, chmod, (int fd, mode_t mode), fd, mode)
PATH(chown, chown, (AT, uid_t uid, gid_t gid), path, uid, gid)
PATH(lchown, chown, (AT, uid_t uid, gid_t gid), path, uid, gid)
PATH(fchownat, chown, (int at, AT, uid_t uid, gid_t gid, int flags), at, path, uid, gid, flags)
ON_FD(fchown, chown, (int fd, uid_t uid, gid_t gid), fd, uid, gid)
PATH(utime, utime, (AT, const struct utimbuf *t), path, t)
PATH(utimes, utime, (AT, const struct timeval t[2]), path, t)
PATH(lutimes, utime, (AT, const struct timeval t[2]), path, t)
PATH(utimensat, utime, (int at, AT, const struct timespec t[2], int flags), at, path, t, flags)
PATH(futimesat, utime, (int at, AT, const struct timeval t[2]), at, path, t)
ON_FD(futimes, utime, (int fd, const struct timeval t[2]), fd, t)
ON_FD(futimens, utime, (int fd, const struct timespec t[2]), fd, t)
SIZE(getxattr, getxattr, (AT, const char *name, void *p, size_t n), path, name, p, n)
SIZE(lgetxattr, getxattr, (AT, const char *name, void *p, size_t n), path, name, p, n)
SIZE(listxattr, getxattr, (AT, char *p, size_t n), path, p, n)
SIZE(llistxattr, getxattr, (AT, char *p, size_t n), path, p, n)
CT_WRAP_FD(CT_CAUSE_FILE, ssize_t, fgetxattr, getxattr, (int fd, const char *name, void *p, size_t n), fd, name, p, n)
CT_WRAP_FD(CT_CAUSE_FILE, ssize_t, flistxattr, getxattr, (int fd, char *p, size_t n), fd, p, n)
PATH(setxattr, setxattr, (AT, const char *name, const void *p, size_t n, int flags), path, name, p, n, flags)
PATH(lsetxattr, setxattr, (AT, const char *name, const void *p, size_t n, int flags), path, name, p, n, flags)
PATH(removexattr, setxattr, (AT, const char *name), path, name)
PATH(lremovexattr, setxattr, (AT, const char *name), path, name)
ON_FD(fsetxattr, setxattr, (int fd, const char *name, const void *p, size_t n, int flags), fd, name, p, n, flags)
ON_FD(fremovexattr, setxattr, (int fd, const char *name), fd, name)

/* --- space --- */
PATH(truncate, truncate, (AT, off_t n), path, n)
PATH(truncate64, truncate, (AT, off64_t n), path, n)
ON_FD(ftruncate, ftruncate, (int fd, off_t n), fd, n)
ON_FD(ftruncate64, ftruncate, (int fd, off64_t n), fd, n)
ON_FD(fallocate, fallocate, (int fd, int mode, off_t at, off_t n), fd, mode, at, n)
ON_FD(fallocate64, fallocate, (int fd, int mode, off64_t at, off64_t n), fd, mode, at, n)
/* These return the error. */
#define ADVICE(symbol, call, parameters, ...) \
	CT_WRAP(ct_begin, CT_CAUSE_FILE, CT_OBJECT_FD, (uint32_t)fd, int, symbol, call, -(int64_t)r, parameters, __VA_ARGS__)
ADVICE(posix_fallocate, fallocate, (int fd, off_t at, off_t n), fd, at, n)
ADVICE(posix_fallocate64, fallocate, (int fd, off64_t at, off64_t n), fd, at, n)
ADVICE(posix_fadvise, posix_fadvise, (int fd, off_t at, off_t n, int advice), fd, at, n, advice)
ADVICE(posix_fadvise64, posix_fadvise, (int fd, off64_t at, off64_t n, int advice), fd, at, n, advice)
CT_WRAP_FD(CT_CAUSE_FILE, ssize_t, readahead, posix_fadvise, (int fd, off64_t at, size_t n), fd, at, n)

/* --- files made for the purpose --- */
PATH(mkstemp, mkstemp, (char *path), path)
PATH(mkstemp64, mkstemp, (char *path), path)
PATH(mkostemp, mkstemp, (char *path, int flags), path, flags)
PATH(mkostemp64, mkstemp, (char *path, int flags), path, flags)
PATH(mkstemps, mkstemp, (char *path, int suffix), path, suffix)
PATH(mkstemps64, mkstemp, (char *path, int suffix), path, suffix)
PATH(mkostemps, mkstemp, (char *path, int suffix, int flags), path, suffix, flags)
PATH(mkostemps64, mkstemp, (char *path, int suffix, int flags), path, suffix, flags)
TEXT(mkdtemp, mkdir, (char *path), path)
PATH(shm_open, shm_open, (AT, int flags, mode_t mode), path, flags, mode)
PATH(shm_unlink, unlink, (AT), path)
PATH(sem_unlink, unlink, (AT), path)
PATH(mq_unlink, unlink, (AT), path)
