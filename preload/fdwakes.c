/* WAKE events of calls on descriptors. See fdwakes.h. */
#include "fdwakes.h"

#include <sys/stat.h>

#define FIRST_WAKES 64u

uint64_t ct_fd_word[CT_FD_WORDS];

void ct_fd_note(int fd, enum ct_fd_class class, uint64_t id)
{
	ct_store(&ct_fd_word[(uint32_t)fd % CT_FD_WORDS], (id & 0x3fffffff) << 34 | ct_fd_tag(fd) | class);
}

void ct_fd_forget(int fd)
{
	if (!ct_state.region || fd < 0 || !ct_fd_known(fd))
		return;
	ct_store(&ct_fd_word[(uint32_t)fd % CT_FD_WORDS], 0);
	ct_descriptor_forget(fd);
}

void ct_fd_forget_range(unsigned first, unsigned last)
{
	for (uint32_t i = 0; i < CT_FD_WORDS; i++) {
		uint64_t word = ct_load(&ct_fd_word[i]);
		unsigned fd = (unsigned)(word >> 24 & 0x3ff) * CT_FD_WORDS + i;

		if (!word || fd < first || fd > last)
			continue;
		ct_store(&ct_fd_word[i], 0);
		ct_descriptor_forget((int)fd);
	}
}

/* What a new number stands for. */
static CT_COLD uint64_t look(int fd)
{
	struct stat s;

	if (fd < 0 || ct_state.no_syscalls || ct_stack_is_tight() || ct_sys(SYS_fstat, fd, &s))
		return CT_FD_NEW;
	switch (s.st_mode & S_IFMT) {
	case S_IFIFO:
	case S_IFSOCK:
	case 0: /* an eventfd, perhaps */
		ct_descriptor_look(fd);
		break;
	default:
		ct_fd_note(fd, CT_FD_NO, 0);
	}
	return ct_fd_known(fd);
}

/* The entry of a channel; NULL: there is none. */
static struct ct_descriptor *entry(int fd, uint64_t *ret_id)
{
	uint64_t word = ct_fd_known(fd);

	if ((word & 3) == CT_FD_NEW || (word & 3) == CT_FD_OPENED)
		word = look(fd);
	for (int i = 0; i < 2 && (word & 3) == CT_FD_CHANNEL; i++) {
		struct ct_descriptor *d = &ct_state.region->descriptors[(word >> 34) % CT_DESCRIPTORS];

		*ret_id = word >> 34;
		if (CT_LIKELY(ct_load(&d->id) == word >> 34))
			return d;
		/* Its entry went to another. */
		word = look(fd);
	}
	return NULL;
}

static void write_wake(const struct ct_interval *v, uint8_t cause, uint8_t flags, uint64_t object, uint64_t end,
		       int64_t result)
{
	struct ct_event e = {
		.start = v->start,
		.end = end,
		.object = object,
		.result = result,
		.stack = v->stack ? v->stack : ct_stack(v->slot),
		.call = v->call,
		.kind = CT_EVENT_WAKE,
		.cause = cause,
		.flags = flags,
		.object_kind = CT_OBJECT_FD,
	};

	ct_write_event(v->slot, &e);
}

/* As long as nobody has been seen at the other end WAKEs are few: the first ones, then one
 * in a while. Other threads may count at the same time: that does not matter. */
static bool may_be_wanted(struct ct_descriptor *d, uint64_t start)
{
	if (ct_load(&d->wakes) < FIRST_WAKES)
		ct_store(&d->wakes, ct_load(&d->wakes) + 1);
	else if (start - ct_load(&d->woke) < ct_state.ticks_per_ms)
		return false;
	ct_store(&d->woke, start);
	return true;
}

__attribute__((noinline)) void ct_fd_wake(const struct ct_interval *v, int fd, uint8_t flags, uint64_t end,
					  int64_t result)
{
	uint64_t id;

	/* A handler may have forked meanwhile. */
	if (v->slot != ct_thread.slot)
		return;
	struct ct_descriptor *d = entry(fd, &id);

	if (!d || (flags & CT_EV_ROOM ? !d->in || !ct_load(&d->room) : !d->out || ct_load(&d->quiet)))
		return;
	if (CT_UNLIKELY(!flags && !ct_load(&d->wanted)) && !may_be_wanted(d, v->start))
		return;
	/* It stands for those that follow at once. */
	uint64_t which = id << 8 | flags;
	uint32_t at = (uint32_t)(id * 2 + !flags) % CT_WOKE;

	if (which == ct_thread.woke[at] &&
	    v->start - ct_thread.woke_end[at] < ct_state.ticks_per_ms * CT_WAKE_STANDS_NS / 1000000u)
		return;
	ct_thread.woke[at] = which;
	ct_thread.woke_end[at] = end;
	write_wake(v, ct_descriptor_cause(d->kind), flags, id << 32 | (uint32_t)fd, end, result);
}

void ct_fd_accepted(int listener, int fd)
{
	uint64_t word = ct_fd_known(listener);
	const struct ct_descriptor *d = &ct_state.region->descriptors[(word >> 34) % CT_DESCRIPTORS];

	if ((word & 3) == CT_FD_CHANNEL && ct_load(&d->id) == word >> 34 && ct_load(&d->quiet))
		ct_fd_note(fd, CT_FD_NO, word >> 34);
	else
		ct_fd_forget(fd);
}

CT_COLD bool ct_fd_still_silent(int fd, uint64_t listener)
{
	const struct ct_descriptor *d = &ct_state.region->descriptors[listener % CT_DESCRIPTORS];

	if (ct_load(&d->id) == listener && ct_load(&d->quiet))
		return true;
	ct_fd_forget(fd);
	return false;
}

bool ct_fd_tells(int fd)
{
	uint64_t word = ct_fd_known(fd);
	const struct ct_descriptor *d = &ct_state.region->descriptors[(word >> 34) % CT_DESCRIPTORS];

	if ((word & 3) != CT_FD_CHANNEL)
		return !ct_fd_is_silent(fd);
	return ct_load(&d->id) != word >> 34 || !ct_load(&d->quiet);
}

CT_COLD uint64_t ct_fd_closing(int fd)
{
	uint64_t id = 0, word = fd < 0 ? CT_FD_NO : ct_fd_known(fd);

	/* Loops over all numbers there could be close few that are open. */
	if ((word & 3) == CT_FD_NEW && ct_thread.bad_close)
		return 0;
	if ((word & 3) == CT_FD_NO || (word & 3) == CT_FD_OPENED) {
		ct_fd_forget(fd);
		return 0;
	}
	const struct ct_descriptor *d = entry(fd, &id);

	ct_fd_forget(fd);
	return d && (d->out || ct_load(&d->room)) && !ct_load(&d->quiet) ? id : 0;
}

CT_COLD void ct_fd_closed(const struct ct_interval *v, int fd, uint64_t id, uint64_t end)
{
	const struct ct_descriptor *d = &ct_state.region->descriptors[id % CT_DESCRIPTORS];

	if (v->slot == ct_thread.slot && ct_load(&d->id) == id)
		write_wake(v, ct_descriptor_cause(d->kind), CT_EV_CLOSED, id << 32 | (uint32_t)fd, end, 0);
}

CT_COLD void ct_fd_called(const struct ct_interval *v, int fd, uint64_t end)
{
	uint64_t id;

	if (!v->slot || v->slot != ct_thread.slot)
		return;
	const struct ct_descriptor *d = entry(fd, &id);

	if (d && d->listener)
		write_wake(v, CT_CAUSE_CONNECT, 0, id << 32 | (uint32_t)fd, end, 0);
}
