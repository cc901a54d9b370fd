/* Where the user is: a page, a window of time, filters. It lives in the address, so that it can be shared, and the
 * browser's history is undo and redo. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";

export interface Where {
  page: string;
  from: number; to: number;   /* the timeline's window, ns; to 0: all, also of a trace that grows */
  mark: [number, number] | null; /* the range that views are restricted to */
  filters: Record<string, string>; /* as the options of ctrace-analyze */
  rest: Record<string, string>; /* how things are shown: sorting, words of a search, lanes that are pinned */
}

export const FILTERS = ["thread", "process", "cause", "site", "object", "min", "region", "task"];

export function parse(hash: string): Where {
  const [page, query] = hash.replace(/^#/, "").split("?");
  const filters: Record<string, string> = {}, rest: Record<string, string> = {};
  let from = 0, to = 0, mark: [number, number] | null = null;
  for (const [k, v] of new URLSearchParams(query ?? "")) {
    if (k === "from") from = Number(v) || 0;
    else if (k === "to") to = Number(v) || 0;
    else if (k === "mark") { const [a, b] = v.split("-").map(Number); if (b > a && a >= 0) mark = [a, b]; }
    else if (FILTERS.includes(k)) filters[k] = v;
    else rest[k] = v;
  }
  return { page: page || "timeline", from, to, mark, filters, rest };
}

export function format(w: Where): string {
  const q = new URLSearchParams();
  if (w.to) { q.set("from", String(Math.round(w.from))); q.set("to", String(Math.round(w.to))); }
  if (w.mark) q.set("mark", `${Math.round(w.mark[0])}-${Math.round(w.mark[1])}`);
  for (const [k, v] of [...Object.entries(w.filters), ...Object.entries(w.rest)]) if (v) q.set(k, v);
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
const place = () => Number(history.state?.place ?? 0);

/* Moves of the window follow each other quickly: one entry of the history for those within a moment. */
export function go(w: Where, now = false) {
  const hash = format(w);
  clearTimeout(timer);
  const push = () => { if (location.hash !== hash) history.pushState({ place: place() + 1 }, "", hash); };
  if (now) push();
  else timer = window.setTimeout(push, 400);
}

/* Within the page: what was open before it is not undone. */
export function undo() { if (place() > 0) history.back(); }
export function redo() { history.forward(); }

export interface Address { where: Where; set: (w: Where, now?: boolean) => void }
export const AddressContext = createContext<Address>(null as unknown as Address);

/* A text that is kept in the address. */
export function useRest(key: string, fallback = ""): [string, (v: string, now?: boolean) => void] {
  const { where, set } = useContext(AddressContext);
  return [where.rest[key] ?? fallback, (v, now = true) => {
    const rest = { ...where.rest };
    if (v === fallback) delete rest[key];
    else rest[key] = v;
    set({ ...where, rest }, now);
  }];
}
