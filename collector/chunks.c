/* See chunks.h. */
#include "chunks.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "chunk.h"

static size_t room_of(const struct ct_chunks *c)
{
	return c->piece_bytes - sizeof(struct ct_piece_of_chunks);
}

/* Appends pieces until n more bytes have room. */
static int make_room(struct ct_chunks *c, struct ct_piece_of_chunks **ret_new, size_t n)
{
	struct ct_piece_of_chunks **to = ret_new;

	for (size_t room = c->last ? room_of(c) - c->used : 0; room < n; room += room_of(c)) {
		*to = mmap(NULL, c->piece_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (*to == MAP_FAILED) {
			*to = NULL;
			return -ENOMEM;
		}
		to = &(*to)->next;
	}
	return 0;
}

static void free_pieces(struct ct_piece_of_chunks *p, size_t bytes)
{
	for (struct ct_piece_of_chunks *next; p; p = next) {
		next = p->next;
		munmap(p, bytes);
	}
}

static void copy(struct ct_chunks *c, struct ct_piece_of_chunks *new, const uint8_t *from, size_t n)
{
	while (n) {
		if (!c->last || c->used == room_of(c)) {
			if (c->last)
				c->last->next = new;
			else
				c->first = new;
			c->last = new;
			new = new->next;
			c->last->next = NULL;
			c->used = 0;
		}
		size_t part = room_of(c) - c->used < n ? room_of(c) - c->used : n;

		memcpy(c->last->data + c->used, from, part);
		c->used += part;
		from += part;
		n -= part;
	}
}

int ct_chunks_add(struct ct_chunks *c, const struct ct_buf *packed, const struct ct_chunk_header *h)
{
	struct ct_index_entry entry = ct_index_entry_of(h, c->bytes);
	struct ct_piece_of_chunks *new = NULL;

	if (!ct_buf_reserve(&c->index, sizeof(entry)) || make_room(c, &new, packed->size)) {
		c->index.failed = false;
		free_pieces(new, c->piece_bytes);
		return -ENOMEM;
	}
	copy(c, new, packed->data, packed->size);
	c->bytes += packed->size;
	ct_put_bytes(&c->index, &entry, sizeof(entry));
	c->count++;
	c->events += h->kind == CT_CHUNK_EVENTS ? h->count : 0;
	c->slices += h->kind == CT_CHUNK_SWITCHES ? h->count : 0;
	return 0;
}

uint64_t ct_chunks_memory(const struct ct_chunks *c)
{
	uint64_t pieces = (c->bytes + room_of(c) - 1) / room_of(c);

	return pieces * c->piece_bytes + c->index.capacity;
}

void ct_chunks_free(struct ct_chunks *c)
{
	free_pieces(c->first, c->piece_bytes);
	ct_buf_free(&c->index);
	*c = (struct ct_chunks){ .piece_bytes = c->piece_bytes };
}
