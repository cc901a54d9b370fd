/* What words mean: asked of the server once, which has them from `explain` and the table of columns. */
import { useEffect, useState } from "preact/hooks";
import { json } from "./api";

interface Words { words: Record<string, { kind: string; means: string; reasons: string[]; next: string[] }>; columns: Record<string, string> }
export interface Meaning { text: string; reasons: string[]; next: string[] }

/* What the page calls otherwise, and what it alone has. */
const SAME: Record<string, string> = { ready: "runnable", off: "unexplained", "not recorded": "unrecorded" };
const OWN: Record<string, string> = {
  region: "A part of its work that the program has named itself, with ctrace.h; they lie in one another. Regions that are too short for the picture are one, with their number.",
  task: "Work that goes from thread to thread, which the program has named itself with ctrace.h: its regions on whatever thread.",
  "log line": "A line that the program has written into the trace, with ctrace.h. The pointer shows it.",
};
let words: Words | null = null;
let asked: Promise<Words> | null = null;

export function meaning(of: string): Meaning | null {
  const name = SAME[of] ?? of, word = words?.words[name];
  if (word) return { text: word.means, reasons: word.reasons, next: word.next };
  if (OWN[name]) return { text: OWN[name], reasons: [], next: [] };
  return words?.columns[name] ? { text: words.columns[name], reasons: [], next: [] } : null;
}

/* Draws again when they have come. */
export function useWords(): void {
  const [, again] = useState(0);
  useEffect(() => {
    if (words) return;
    asked ??= json<Words>("api/words");
    asked.then((w) => { words = w; again(1); }).catch(() => {});
  }, []);
}
