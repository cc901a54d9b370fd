/*
 * Users, groups, services and protocols: glibc reads files or asks daemons and
 * directory servers (nscd, sssd, LDAP), as it does for host names.
 */
#include "wrap.h"

#include <grp.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pwd.h>
#include <shadow.h>

#define ASK(type, symbol, call, result, parameters, ...) \
	CT_WRAP(ct_begin_wait, CT_CAUSE_DNS, CT_OBJECT_NONE, 0, type, symbol, call, result, parameters, __VA_ARGS__)
/* The entry in memory of glibc's. */
#define ENTRY(of, symbol, call, parameters, ...) ASK(struct of *, symbol, call, r != NULL, parameters, __VA_ARGS__)
/* The entry in memory of the caller's; returns the error. */
#define ENTRY_R(of, symbol, call, key, ...) \
	ASK(int, symbol, call, -(int64_t)r, (key struct of *entry, char *p, size_t n, struct of **found), __VA_ARGS__, p, \
	    n, found)
#define COMMA ,

ENTRY(passwd, getpwnam, getpwnam, (const char *name), name)
ENTRY(passwd, getpwuid, getpwuid, (uid_t uid), uid)
ENTRY(passwd, getpwent, getpwent, (void))
ENTRY_R(passwd, getpwnam_r, getpwnam, const char *name COMMA, name, entry)
ENTRY_R(passwd, getpwuid_r, getpwuid, uid_t uid COMMA, uid, entry)
ENTRY_R(passwd, getpwent_r, getpwent, , entry)
ENTRY(group, getgrnam, getgrnam, (const char *name), name)
ENTRY(group, getgrgid, getgrgid, (gid_t gid), gid)
ENTRY(group, getgrent, getgrent, (void))
ENTRY_R(group, getgrnam_r, getgrnam, const char *name COMMA, name, entry)
ENTRY_R(group, getgrgid_r, getgrgid, gid_t gid COMMA, gid, entry)
ENTRY_R(group, getgrent_r, getgrent, , entry)
ENTRY(spwd, getspnam, getspnam, (const char *name), name)
ENTRY_R(spwd, getspnam_r, getspnam, const char *name COMMA, name, entry)
ASK(int, getgrouplist, getgrouplist, r, (const char *user, gid_t gid, gid_t *list, int *n), user, gid, list, n)
ASK(int, initgroups, initgroups, CT_RESULT(r), (const char *user, gid_t gid), user, gid)
ENTRY(servent, getservbyname, getservbyname, (const char *name, const char *protocol), name, protocol)
ENTRY(servent, getservbyport, getservbyport, (int port, const char *protocol), port, protocol)
ENTRY_R(servent, getservbyname_r, getservbyname, const char *name COMMA const char *protocol COMMA, name, protocol,
	entry)
ENTRY_R(servent, getservbyport_r, getservbyport, int port COMMA const char *protocol COMMA, port, protocol, entry)
ENTRY(protoent, getprotobyname, getprotobyname, (const char *name), name)
ENTRY(protoent, getprotobynumber, getprotobynumber, (int number), number)
ENTRY_R(protoent, getprotobyname_r, getprotobyname, const char *name COMMA, name, entry)
ENTRY_R(protoent, getprotobynumber_r, getprotobynumber, int number COMMA, number, entry)
ASK(char *, getlogin, getlogin, r != NULL, (void))
ASK(int, getlogin_r, getlogin, -(int64_t)r, (char *p, size_t n), p, n)

/* The kernel, over a netlink socket. */
CT_WRAP_PLAIN(CT_CAUSE_SOCKET, int, getifaddrs, getifaddrs, (struct ifaddrs **list), list)
CT_WRAP_POINTER(CT_CAUSE_SOCKET, struct if_nameindex *, if_nameindex, getifaddrs, (void))
