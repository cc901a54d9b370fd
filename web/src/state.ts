/* Where the user is: a page, a window of time, filters. It lives in the address, so that it can be shared, and the
 * browser's history is undo and redo. */

export interface Where {
  page: string;
  from: number; to: number;   /* the timeline's window, ns; to 0: all */
  mark: [number, number] | null; /* the range that views are restricted to */
  filters: Record<string, string>; /* as the options of ctrace-analyze: thread, process, cause, site, object, min */
}

export const FILTERS = ["thread", "process", "cause", "site", "object", "min"];

export function parse(hash: string): Where {
  const [page, query] = hash.replace(/^#/, "").split("?");
  const q = new URLSearchParams(query ?? "");
  const mark = (q.get("mark") ?? "").split("-").map(Number);
  const filters: Record<string, string> = {};
  for (const f of FILTERS) if (q.get(f)) filters[f] = q.get(f)!;
  return {
    page: page || "timeline", from: Number(q.get("from")) || 0, to: Number(q.get("to")) || 0,
    mark: mark.length === 2 && mark[1] > mark[0] ? [mark[0], mark[1]] : null, filters,
  };
}

export function format(w: Where): string {
  const q = new URLSearchParams();
  if (w.to) { q.set("from", String(Math.round(w.from))); q.set("to", String(Math.round(w.to))); }
  if (w.mark) q.set("mark", `${Math.round(w.mark[0])}-${Math.round(w.mark[1])}`);
  for (const [k, v] of Object.entries(w.filters)) if (v) q.set(k, v);
  const text = q.toString();
  return `#${w.page}${text ? "?" + text : ""}`;
}

/* The options of a view: the marked range and the filters. */
export function query(w: Where, extra: Record<string, string> = {}): string {
  const q = new URLSearchParams();
  if (w.mark) { q.set("from", `${Math.round(w.mark[0])}ns`); q.set("to", `${Math.round(w.mark[1])}ns`); }
  for (const [k, v] of Object.entries(w.filters)) if (v) q.set(k, v);
  for (const [k, v] of Object.entries(extra)) q.set(k, v);
  return q.toString();
}

let timer = 0;

/* Moves of the window follow each other quickly: one entry of the history for those within a moment. */
export function go(w: Where, now = false) {
  const hash = format(w);
  clearTimeout(timer);
  const push = () => { if (location.hash !== hash) history.pushState(null, "", hash); };
  if (now) push();
  else timer = window.setTimeout(push, 400);
}
