/* The shape of record.h as one macro, for wrappers that add nothing to it. */
#ifndef CT_WRAP_H
#define CT_WRAP_H

#include "real.h"
#include "record.h"

/* type symbol parameters, forwarded with the arguments at the end; counted as
 * call. begin: ct_begin or ct_begin_wait. result: an expression of r. */
#define CT_WRAP(begin, cause, object_kind, object, type, symbol, call, result, parameters, ...) \
	CT_SILENT(type, symbol, call, cause, object_kind, object, result, parameters, __VA_ARGS__) \
	CT_ON type symbol##_on parameters \
	{ \
		struct ct_interval v; \
		begin(&v, CT_CALL_##call, cause, object_kind, object); \
		type r = ct_real.symbol(__VA_ARGS__); \
		ct_end(&v, result); \
		return r; \
	} \
	CT_EITHER(type, symbol, cause, parameters, __VA_ARGS__)

/* The first parameter is the descriptor fd. */
#define CT_WRAP_FD(cause, type, symbol, call, parameters, ...) \
	CT_WRAP(ct_begin, cause, CT_OBJECT_FD, (uint32_t)fd, type, symbol, call, CT_RESULT(r), parameters, __VA_ARGS__)

/* No object is known. */
#define CT_WRAP_PLAIN(cause, type, symbol, call, parameters, ...) \
	CT_WRAP(ct_begin, cause, CT_OBJECT_NONE, 0, type, symbol, call, CT_RESULT(r), parameters, __VA_ARGS__)
#define CT_WRAP_POINTER(cause, type, symbol, call, parameters, ...) \
	CT_WRAP(ct_begin, cause, CT_OBJECT_NONE, 0, type, symbol, call, r ? 0 : -(int64_t)errno, parameters, __VA_ARGS__)

#endif
