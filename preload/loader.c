/* The loader: after dlclose addresses may come to mean another object. */
#include "real.h"

#include "modules.h"
#include "record.h"

CT_EXPORT int dlclose(void *handle)
{
	ct_count(CT_CALL_dlclose);
	int r = ct_real.dlclose(handle);

	ct_modules_changed();
	return r;
}
