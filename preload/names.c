/* Resolving names: glibc asks servers and daemons inside of these calls. */
#include "real.h"
#include "record.h"

#define RESOLVE(symbol, type, result, parameters, ...) \
	CT_EXPORT type symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_##symbol, CT_CAUSE_DNS, CT_OBJECT_NONE, 0); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, result); \
		return r; \
	}

RESOLVE(getaddrinfo, int, r,
	(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **list), node, service,
	hints, list)
RESOLVE(getnameinfo, int, r,
	(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size, char *service,
	 socklen_t service_size, int flags),
	address, size, host, host_size, service, service_size, flags)
RESOLVE(gethostbyname, struct hostent *, r != NULL, (const char *name), name)
RESOLVE(gethostbyname2, struct hostent *, r != NULL, (const char *name, int family), name, family)
RESOLVE(gethostbyaddr, struct hostent *, r != NULL, (const void *address, socklen_t size, int family), address,
	size, family)
RESOLVE(gethostbyname_r, int, -r,
	(const char *name, struct hostent *host, char *p, size_t n, struct hostent **found, int *error), name, host, p,
	n, found, error)
RESOLVE(gethostbyname2_r, int, -r,
	(const char *name, int family, struct hostent *host, char *p, size_t n, struct hostent **found, int *error),
	name, family, host, p, n, found, error)
RESOLVE(gethostbyaddr_r, int, -r,
	(const void *address, socklen_t size, int family, struct hostent *host, char *p, size_t n,
	 struct hostent **found, int *error),
	address, size, family, host, p, n, found, error)
RESOLVE(gethostent, struct hostent *, r != NULL, (void))
RESOLVE(gethostid, long, r, (void))

/* --- the resolver itself --- */
#define ASK(symbol, parameters, ...) \
	CT_EXPORT int symbol parameters \
	{ \
		struct ct_interval v; \
		ct_begin_wait(&v, CT_CALL_res_query, CT_CAUSE_DNS, CT_OBJECT_NONE, 0); \
		int r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, CT_RESULT(r)); \
		return r; \
	}

ASK(res_query, (const char *name, int class, int type, unsigned char *p, int n), name, class, type, p, n)
ASK(res_search, (const char *name, int class, int type, unsigned char *p, int n), name, class, type, p, n)
ASK(res_querydomain, (const char *name, const char *domain, int class, int type, unsigned char *p, int n), name,
      domain, class, type, p, n)
ASK(res_send, (const unsigned char *query, int size, unsigned char *p, int n), query, size, p, n)
ASK(res_nquery, (struct __res_state *s, const char *name, int class, int type, unsigned char *p, int n), s, name, class, type,
      p, n)
ASK(res_nsearch, (struct __res_state *s, const char *name, int class, int type, unsigned char *p, int n), s, name, class,
      type, p, n)
ASK(res_nquerydomain,
      (struct __res_state *s, const char *name, const char *domain, int class, int type, unsigned char *p, int n), s, name,
      domain, class, type, p, n)
ASK(res_nsend, (struct __res_state *s, const unsigned char *query, int size, unsigned char *p, int n), s, query, size, p, n)
