/*
 * Numbers of channels: what one thread writes to and another reads from. Equal
 * where preload and collector, in whatever process, speak of the same channel:
 *
 *   pipe             its device and inode
 *   eventfd          the number that /proc/PID/fdinfo shows
 *   unix socket      the inode of the socket that receives
 *   TCP, UDP         the addresses of both ends; UDP: the receiver's port
 *   listening socket its port, or its path
 *   signals          the process, thread or process group that they are sent to; a signalfd
 *                    takes from its process's
 *
 * 40 bits of a hash, which are not 0: in a trace they take 6 bytes.
 */
#ifndef CT_CHANNELS_H
#define CT_CHANNELS_H

#include <stdint.h>

enum ct_channel_kind {
	CT_CHANNEL_PIPE = 1,
	CT_CHANNEL_EVENTFD,
	CT_CHANNEL_EVENTFD_UNKNOWN, /* process and descriptor: its number cannot be read */
	CT_CHANNEL_UNIX,
	CT_CHANNEL_TCP,
	CT_CHANNEL_UDP,
	CT_CHANNEL_LISTENER,
	CT_CHANNEL_SIGNALS,
	CT_CHANNEL_GROUP_SIGNALS,
};

/* Not a hash, in shared memory only: the collector can find it out. */
#define CT_CHANNEL_LATER 2u

static inline uint64_t ct_channel_mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static inline uint64_t ct_channel(enum ct_channel_kind kind, uint64_t a, uint64_t b)
{
	uint64_t h = ct_channel_mix(ct_channel_mix(ct_channel_mix(kind, a), b), kind);

	return (h >> 24) | 1;
}

#endif
