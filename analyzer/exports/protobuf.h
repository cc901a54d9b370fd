/*
 * Writing of protobuf messages, field by field, into a growing buffer: what is nested
 * is written in place and its length filled in at its end, so a message needs no tree
 * of structs and no second walk for its size. (protobuf-c needs both for every packet;
 * the varints are those of the trace's codec anyway.)
 *
 * https://protobuf.dev/programming-guides/encoding/
 */
#ifndef CT_PROTOBUF_H
#define CT_PROTOBUF_H

#include "codec.h"

void ct_pb_uint(struct ct_buf *b, uint32_t field, uint64_t value);
void ct_pb_int(struct ct_buf *b, uint32_t field, int64_t value); /* int32, int64: not zigzag */
void ct_pb_fixed64(struct ct_buf *b, uint32_t field, uint64_t value);
void ct_pb_bytes(struct ct_buf *b, uint32_t field, const void *p, size_t n);
void ct_pb_text(struct ct_buf *b, uint32_t field, const char *text);
/* A nested message is what is written between the two. */
size_t ct_pb_begin(struct ct_buf *b, uint32_t field);
void ct_pb_end(struct ct_buf *b, size_t begin);

#endif
