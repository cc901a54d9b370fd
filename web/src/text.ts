/* Numbers, names and explanations for people. */
import type { Frame } from "./api";

const UNITS: [number, string][] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];

export function time(ns: number): string {
  const size = Math.abs(ns);
  if (size >= 60e9) return `${ns < 0 ? "-" : ""}${Math.floor(size / 60e9)} m ${((size % 60e9) / 1e9).toFixed(1)} s`;
  for (const [unit, name] of UNITS)
    if (size >= unit) {
      const value = ns / unit;
      return `${Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)} ${name}`;
    }
  return "0";
}
/* On a ruler: one unit for all, and as many digits as tell two marks apart. */
export function mark(ns: number, step: number, most: number): string {
  const [unit, name] = UNITS.find(([u]) => most >= u) ?? UNITS[UNITS.length - 1];
  return ns < step / 2 ? "0" : `${(ns / unit).toFixed(Math.max(0, Math.ceil(Math.log10(unit / step) - 1e-9)))} ${name}`;
}
export const moment = (ns: number) => `${(ns / 1e9).toFixed(6)} s`;
export const count = (n: number) => n.toLocaleString("en-US");
export const share = (part: number, whole: number) => (whole > 0 ? `${((100 * part) / whole).toFixed(part / whole < 0.1 ? 1 : 0)} %` : "–");
export const base = (path: string) => path.slice(path.lastIndexOf("/") + 1);

export function frame(f: Frame): string {
  if (f.function) return f.function;
  return f.module ? `${base(f.module)}+0x${f.offset.toString(16)}` : `0x${f.offset.toString(16)}`;
}
export const place = (f: Frame) => (f.file ? `${base(f.file)}:${f.line}` : f.module ? base(f.module) : "");

/* As much of a text as there is room for. */
export function fit(g: CanvasRenderingContext2D, text: string, width: number): string {
  if (g.measureText(text).width <= width) return text;
  let n = Math.floor((text.length * width) / g.measureText(text).width);
  while (n > 1 && g.measureText(text.slice(0, n) + "…").width > width) n--;
  return n > 1 ? text.slice(0, n) + "…" : "";
}
