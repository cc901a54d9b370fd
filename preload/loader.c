/* The loader: after an object was unloaded its addresses may come to mean another. */
#include "real.h"

#include <link.h>

#include "modules.h"
#include "record.h"

CT_EXPORT int dlclose(void *handle)
{
	ct_count(CT_CALL_dlclose);
	const struct link_map *map = handle;
	void *part = map ? map->l_ld : NULL;
	struct dl_find_object object;
	int r = ct_real.dlclose(handle);

	/* Most calls only give up one of several references. */
	if (part && _dl_find_object(part, &object))
		ct_modules_changed();
	return r;
}
