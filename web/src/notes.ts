/* What the program says of itself (ctrace.h), below the states of a lane: its regions, one in the other, and its log lines. */
import type { LaneNotes } from "./api";
import { fit } from "./text";

/* count: how many it stands for; their names are "" where they differ. */
export interface Region { start: number; length: number; name: string; task: string; count: number }
export interface Place { x: (ns: number) => number; left: number; right: number; top: number; height: number; wanted: ((name: string, task: string) => boolean) | null }

const MEMBERS = 6, STEP = 2;
const region = (r: Float64Array, names: Map<number, string>, i: number): Region => ({ start: r[i], length: r[i + 1], name: names.get(r[i + 2]) ?? "", task: names.get(r[i + 3]) ?? "", count: r[i + 4] });

/* The innermost at a moment. */
export function regionAt(r: Float64Array, names: Map<number, string>, ns: number): Region | null {
  let best = -1;
  for (let i = 0; i < r.length; i += MEMBERS) if (r[i] <= ns && ns < r[i] + r[i + 1] && (best < 0 || r[i + 5] >= r[best + 5])) best = i;
  return best < 0 ? null : region(r, names, best);
}
/* Whether a moment of a lane lies in a region of some kind: their times are put together once for each picture. */
export function within(wanted: (r: Region) => boolean): (n: LaneNotes, names: Map<number, string>, ns: number) => boolean {
  const known = new WeakMap<LaneNotes, [number, number][]>();
  const times = (n: LaneNotes, names: Map<number, string>) => {
    const all: [number, number][] = [], apart: [number, number][] = [];
    for (let i = 0; i < n.regions.length; i += MEMBERS) if (wanted(region(n.regions, names, i))) all.push([n.regions[i], n.regions[i] + n.regions[i + 1]]);
    for (const [a, b] of all.sort((x, y) => x[0] - y[0])) {
      const last = apart[apart.length - 1];
      if (last && a <= last[1]) last[1] = Math.max(last[1], b);
      else apart.push([a, b]);
    }
    return apart;
  };
  return (n, names, ns) => {
    let list = known.get(n), low = 0;
    if (!list) known.set(n, (list = times(n, names)));
    for (let high = list.length; low < high;) {
      const middle = (low + high) >> 1;
      if (list[middle][0] <= ns) low = middle + 1;
      else high = middle;
    }
    return low > 0 && ns < list[low - 1][1];
  };
}

/* The widest part of a region on the screen that no inner one covers. Those of a depth are in the order of time, behind those
 * of the depths before. */
function free(r: Float64Array, i: number, left: number, right: number, x: (ns: number) => number): [number, number] {
  const end = r[i] + r[i + 1], depth = r[i + 5] + 1;
  let low = i / MEMBERS, high = r.length / MEMBERS, best: [number, number] = [left, left], at = left;
  while (low < high) {
    const middle = (low + high) >> 1, m = middle * MEMBERS;
    if (r[m + 5] < depth || (r[m + 5] === depth && r[m] + r[m + 1] < r[i])) low = middle + 1;
    else high = middle;
  }
  for (let k = low * MEMBERS; k <= r.length; k += MEMBERS) {
    const child = k < r.length && r[k + 5] === depth && r[k] < end, a = child ? Math.min(x(r[k]), right) : right;
    if (a - at > best[1] - best[0]) best = [at, a];
    if (!child || a >= right) return best;
    at = Math.max(at, x(r[k] + r[k + 1]));
  }
  return best;
}

/* The same name has the same tint. */
function tint(name: string): string {
  let h = 0;
  for (let i = 0; i < name.length; i++) h = (h * 31 + name.charCodeAt(i)) >>> 0;
  return `hsl(${(h % 24) * 15} 45% 84%)`;
}

export const told = (r: Region) => `${r.name || "regions of several names"}${r.count > 1 ? ` × ${r.count}` : ""}${r.task ? `, of task ${r.task}` : ""}`;

export function paintNotes(g: CanvasRenderingContext2D, n: LaneNotes, names: Map<number, string>, p: Place) {
  const font = g.font;
  g.font = "10px system-ui, sans-serif";
  /* Outer ones come first. */
  for (let i = 0; i < n.regions.length; i += MEMBERS) {
    const a = p.x(n.regions[i]), b = Math.max(a + 1, p.x(n.regions[i] + n.regions[i + 1]));
    if (b < p.left || a > p.right) continue;
    const r = region(n.regions, names, i), depth = Math.min(n.regions[i + 5], 3), left = Math.max(a, p.left - 2), right = Math.min(b, p.right + 2);
    const y = p.top + depth * STEP, h = p.height - depth * STEP, pale = p.wanted && (r.name || r.count === 1) && !p.wanted(r.name, r.task);
    g.globalAlpha = pale ? 0.3 : 1;
    g.fillStyle = r.name ? tint(r.name) : "#d9dde4";
    g.fillRect(left, y, right - left, h);
    if (right - left > 3) {
      g.strokeStyle = r.count > 1 ? "#aab3c0" : "#5d6878";
      g.lineWidth = 1;
      g.strokeRect(left + 0.5, y + 0.5, right - left - 1, h - 1);
    }
    const [from, to] = right - left > 22 ? free(n.regions, i, left, right, p.x) : [0, 0];
    if (to - from > 22) {
      g.fillStyle = "#223";
      g.fillText(fit(g, `${r.name}${r.count > 1 ? ` ×${r.count}` : ""}${r.task && !depth ? ` (${r.task})` : ""}`, to - from - 6), from + 3, y + h / 2 + 0.5);
    }
    g.globalAlpha = 1;
  }
  for (let i = 0; i < n.lines.length; i += 3) {
    const a = p.x(n.lines[i]);
    if (a < p.left - 4 || a > p.right + 4) continue;
    g.beginPath();
    g.moveTo(a, p.top + 5);
    g.lineTo(a - 4, p.top - 2);
    g.lineTo(a + 4, p.top - 2);
    g.closePath();
    g.fillStyle = "#3b2a8c";
    g.fill();
    g.strokeStyle = "#fff";
    g.lineWidth = 1;
    g.stroke();
  }
  g.font = font;
}
