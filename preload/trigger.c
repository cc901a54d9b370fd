/*
 * libctrace-late.so. Glibc runs a library's constructor under the loader's lock, and offers
 * no other way to run something under it. This one is loaded for that and unloaded at once.
 */
void ctrace_attach_locked(void);

__attribute__((constructor)) static void init(void)
{
	ctrace_attach_locked();
}
