/* Call stacks of Chrome's trace events: a tree of frames, and the innermost ones as
 * texts. See chrome.h. */
#include <errno.h>
#include <stdlib.h>

#include "chrome.h"
#include "json_stream.h"

#define STACK_SHOWN 8u /* frames in an event's arguments; all are in the tree */

static uint32_t find_node(struct ct_chrome *c, uint32_t parent, const struct ct_frame *f)
{
	/* Texts of one frame are the same each time. */
	uint64_t key = ct_mix(f->offset ^ ct_mix((uintptr_t)f->function ^ ct_mix((uintptr_t)f->module ^ parent)));
	uint32_t at;

	for (; (at = ct_table_get(&c->node_by_hash, key)); key++) {
		const struct ct_chrome_node *n = &c->node[at - 1];

		if (n->parent == parent && n->frame.offset == f->offset && n->frame.function == f->function &&
		    n->frame.module == f->module)
			return at - 1;
	}
	struct ct_chrome_node *n = CT_APPEND(c, node);

	if (!n || ct_table_put(&c->node_by_hash, key, c->node_count))
		return CT_NO;
	*n = (struct ct_chrome_node){ parent, *f };
	return c->node_count - 1;
}

static void put_frame_name(struct ct_buf *b, const struct ct_frame *f)
{
	char text[160];

	if (!f->function)
		snprintf(text, sizeof(text), "%.120s%s0x%llx", f->module ? ct_base_name(f->module) : "",
			 f->module ? "+" : "", (unsigned long long)f->offset);
	ct_js_part(b, f->function ? f->function : text);
}

/* Of the arguments, "detail" is what the Firefox Profiler shows of an event. */
static int render_callstack(struct ct_chrome *c, uint32_t callstack, char **ret)
{
	struct ct_buf b = { 0 };
	struct ct_frame *frames;
	uint32_t count, node = CT_NO;
	int error = ct_callstack_frames(&c->source.callstacks, &c->source.symbols, callstack, &frames, &count);

	for (uint32_t i = count; !error && i--;) {
		node = find_node(c, node, &frames[i]);
		error = node == CT_NO ? -ENOMEM : 0;
	}
	if (!error && count) {
		ct_js_raw(&b, ",\"sf\":\"");
		ct_js_uint(&b, node);
		ct_js_raw(&b, "\",\"args\":{\"detail\":\"");
		for (uint32_t i = 0; i < count && i < STACK_SHOWN; i++) {
			ct_js_raw(&b, i ? " < " : "");
			put_frame_name(&b, &frames[i]);
		}
		ct_js_raw(&b, "\",");
	} else {
		ct_js_raw(&b, ",\"args\":{");
	}
	free(frames);
	ct_put_bytes(&b, "", 1);
	*ret = (char *)b.data;
	if (!error && !b.failed)
		return 0;
	ct_buf_free(&b);
	*ret = NULL;
	return error ? error : -ENOMEM;
}

int ct_chrome_callstack(struct ct_chrome *c, uint32_t callstack, const char **ret)
{
	*ret = ",\"args\":{";
	if (callstack == CT_NO)
		return 0;
	while (c->callstack_count <= callstack)
		if (!CT_APPEND(c, callstack))
			return -ENOMEM;
	int error = c->callstack[callstack] ? 0 : render_callstack(c, callstack, &c->callstack[callstack]);

	*ret = c->callstack[callstack];
	return error;
}

void ct_chrome_stack_frames(struct ct_chrome *c)
{
	ct_js_raw(&c->out, "],\n\"stackFrames\":{");
	for (uint32_t i = 0; i < c->node_count; i++) {
		const struct ct_chrome_node *n = &c->node[i];

		ct_js_raw(&c->out, i ? ",\n\"" : "\n\"");
		ct_js_uint(&c->out, i);
		ct_js_raw(&c->out, "\":{\"name\":\"");
		put_frame_name(&c->out, &n->frame);
		ct_js_raw(&c->out, "\",\"category\":");
		ct_js_text(&c->out, n->frame.module ? ct_base_name(n->frame.module) : "");
		if (n->frame.file) {
			ct_js_raw(&c->out, ",\"file\":");
			ct_js_text(&c->out, n->frame.file);
			ct_js_raw(&c->out, ",\"line\":");
			ct_js_int(&c->out, n->frame.line);
		}
		if (n->parent != CT_NO) {
			ct_js_raw(&c->out, ",\"parent\":\"");
			ct_js_uint(&c->out, n->parent);
			ct_js_raw(&c->out, "\"");
		}
		ct_js_raw(&c->out, "}");
	}
	ct_js_raw(&c->out, "}");
}

void ct_chrome_stacks_free(struct ct_chrome *c)
{
	for (uint32_t i = 0; i < c->callstack_count; i++)
		free(c->callstack[i]);
	free(c->callstack);
	free(c->node);
	ct_table_free(&c->node_by_hash);
}
