/* What the server answers; the paths are relative, behind the token. */

export const SHADES = ["running", "ready", "contention", "io", "idle", "runtime"] as const;
export type Shade = (typeof SHADES)[number];

export interface Lane {
  lane: number; process: number; tid: number; name: string; routine: string;
  from_ns: number; to_ns: number;
  lifetime_ns: number; running_ns: number; runnable_ns: number; blocked_ns: number; longest_ns: number; events: number; lost: number;
}
export interface Process { pid: number; parent_pid: number; executable: string; command: string }
export interface Cause { id: number; name: string; category: string; text: string }
export interface Head {
  format: number; duration_ns: number; processes: number; threads: number; events: number; lost_events: number;
  complete: boolean; sched: string; damaged: number; lost_stacks: number; lost_threads: number; lost_modules: number;
  lost_switches: number; start_real_ns: number; file_bytes: number; commands: string[];
}
export interface Trace {
  file: string; generation?: number; stale?: string | null; notes: boolean; annotated: boolean; blanks: boolean; trace: Head; scheduler: Record<string, unknown>;
  processes: Process[]; lanes: Lane[]; causes: Cause[];
}
export interface Frame { function: string | null; file: string | null; line: number; module: string | null; offset: number; inlined: boolean }
/* What is known of a place in a well-known program. */
export interface Known { what: string; contention: boolean }
export interface Site { cause: number; call: string; object: string; stack?: Frame[]; known?: Known }
export interface Wait {
  cause: string; call: string; object: string; stack?: Frame[]; stack_id?: number;
  blocked_ns: number; ready_ns: number; release_ns: number; result: number; ended_by: string;
  owner_tid?: number; owner_lane?: number; waker?: string; waker_lane?: number; waker_stack?: Frame[];
  known?: Known; waited?: boolean; regions?: { region: string; task: string | null; start_ns: number; duration_ns: number }[];
}

/* The last wait of a lane before a time. */
export interface Before { lane: number; start: number; length: number; site: number; of: Site }

/* Times are ns since the trace began. bars: start, length, site, open; strips: start, length, cpu (-1: ready). */
export interface LanePicture { bars: Float64Array; strips: Float64Array; shares: Uint8Array }
export interface Picture {
  from: number; to: number; pieces: number; fine: boolean;
  lanes: Map<number, LanePicture>; sites: Map<number, Site>;
}

/* What is drawn beside states. regions: start, length, name, task, count, depth; lines: first, last, count; blanks: start, length,
 * kind (0: switched off, 1: damaged). */
export interface LaneNotes { regions: Float64Array; lines: Float64Array; blanks: Float64Array }
export interface Notes { from: number; to: number; gaps: number[]; lanes: Map<number, LaneNotes>; names: Map<number, string> }
export interface Line { lane: number; ns: number; category: string; text: string }

export class Refused extends Error {
  constructor(text: string, public status = 0) { super(text); }
}

/* A report has its answers with it. */
const inside = document.getElementById("ctrace-data");
const held: { answers: Record<string, any>; picture: string; load: string; left_out?: string[] } | null = inside ? JSON.parse(inside.textContent!) : null;
export const isReport = held !== null;
export const leftOut = held?.left_out ?? [];

function heldAnswer(path: string): any {
  const [name, query] = path.split("?");
  const q = new URLSearchParams(query);
  q.delete("top");
  const key = name.startsWith("api/view/") || name === "api/notes" || name === "api/lines" ? name : path;
  if (!(key in held!.answers) || (name.startsWith("api/view/") && q.toString()))
    throw new Refused("A report holds the views of the whole trace only: ctrace-analyze serve answers this.");
  return held!.answers[key];
}

/* Lanes' numbers are those of one reading of the trace: a trace that grows is read again. The server refuses what is asked
 * of an older one, and then the trace is asked for anew. */
let generation: number | undefined;
let outdated: () => void = () => {};
export function isOf(g: number | undefined, whenOutdated: () => void) { generation = g; outdated = whenOutdated; }
const OF_A_READING = /^api\/(lanes|load|notes|lines|known|site|wait|before)\?/;

async function ask(path: string, signal?: AbortSignal): Promise<Response> {
  const of = generation, answer = await fetch(of !== undefined && OF_A_READING.test(path) ? `${path}&generation=${of}` : path, { signal });
  if (answer.status === 409 && of === generation) outdated();
  if (!answer.ok) throw new Refused((await answer.text()).trim(), answer.status);
  return answer;
}

export async function json<T>(path: string, signal?: AbortSignal): Promise<T> {
  return held ? heldAnswer(path) : (await ask(path, signal)).json();
}

export const view = (name: string, query: string, signal?: AbortSignal) =>
  json<Record<string, any>>(`api/view/${name}?${query}`, signal);

export async function picture(from: number, to: number, pieces: number, lanes: number[], signal?: AbortSignal): Promise<Picture> {
  const query = `from=${Math.floor(from)}&to=${Math.ceil(to)}&pieces=${pieces}&lanes=${lanes.join(",")}`;
  if (held) {
    const text = atob(held.picture), whole = Uint8Array.from(text, (c) => c.charCodeAt(0));
    return unpack(whole.buffer, 0, heldAnswer("api/trace").trace.duration_ns);
  }
  return unpack(await (await ask(`api/lanes?${query}`, signal)).arrayBuffer(), Math.floor(from), Math.ceil(to));
}

export async function notes(from: number, to: number, pieces: number, lanes: number[], signal?: AbortSignal): Promise<Notes> {
  const d = await json<any>(`api/notes?from=${Math.floor(from)}&to=${Math.ceil(to)}&pieces=${pieces}&lanes=${lanes.join(",")}`, signal), result: Notes = { from, to, gaps: d.gaps, lanes: new Map(), names: new Map() };
  for (const l of d.lanes) result.lanes.set(l.lane, { regions: Float64Array.from(l.regions), lines: Float64Array.from(l.lines), blanks: Float64Array.from(l.blanks) });
  for (const id of Object.keys(d.names)) result.names.set(Number(id), d.names[id]);
  return result;
}

const IDS_MOST = 500;
export async function known(ids: number[], signal?: AbortSignal): Promise<Map<number, Known>> {
  const result = new Map<number, Known>();
  for (let i = 0; i < ids.length; i += IDS_MOST) {
    const some = ids.slice(i, i + IDS_MOST);
    const d: Record<string, Known> = held ? Object.fromEntries(some.map((id) => [id, held.answers[`api/site?id=${id}`]?.known]).filter((x) => x[1])) : await json(`api/known?ids=${some.join(",")}`, signal);
    for (const id of Object.keys(d)) result.set(Number(id), d[id]);
  }
  return result;
}

/* A report has the first lines of the trace. */
export async function lines(lane: number, from: number, to: number, signal?: AbortSignal): Promise<{ lines: Line[]; more: boolean }> {
  const d = await json<{ lines: Line[]; more: boolean }>(`api/lines?lane=${lane}&from=${Math.floor(from)}&to=${Math.ceil(to)}`, signal);
  return held ? { lines: d.lines.filter((l) => l.lane === lane && l.ns >= from && l.ns <= to), more: d.more } : d;
}

/* How many threads were in each shade, on average: [piece][shade]. */
export interface Load { from: number; to: number; pieces: number; threads: Float64Array }

export async function load(from: number, to: number, pieces: number, signal?: AbortSignal): Promise<Load> {
  let bytes: ArrayBuffer;
  if (held) {
    bytes = Uint8Array.from(atob(held.load), (c) => c.charCodeAt(0)).buffer;
    [from, to] = [0, heldAnswer("api/trace").trace.duration_ns];
  } else {
    [from, to] = [Math.floor(from), Math.ceil(to)];
    bytes = await (await ask(`api/load?from=${from}&to=${to}&pieces=${pieces}`, signal)).arrayBuffer();
  }
  const sums = new Uint32Array(bytes);
  return { from, to, pieces: sums.length / SHADES.length, threads: Float64Array.from(sums, (v) => v / 255) };
}

function unpack(bytes: ArrayBuffer, from: number, to: number): Picture {
  const length = new DataView(bytes).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  const result: Picture = { from, to, pieces: head.pieces, fine: head.fine, lanes: new Map(), sites: new Map() };
  let at = 4 + length;
  for (const l of head.lanes) {
    const size = head.pieces * SHADES.length;
    result.lanes.set(l.lane, { bars: Float64Array.from(l.bars), strips: Float64Array.from(l.strips), shares: new Uint8Array(bytes, at, size) });
    at += size;
  }
  for (const id of Object.keys(head.sites)) result.sites.set(Number(id), head.sites[id]);
  return result;
}
