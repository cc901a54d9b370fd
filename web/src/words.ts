/* What words mean: asked of the server once, which has them from `explain` and the table of columns. */
import { useEffect, useState } from "preact/hooks";
import { json } from "./api";

interface Words { words: Record<string, { kind: string; means: string; reasons: string[]; next: string[] }>; columns: Record<string, string> }
export interface Meaning { text: string; reasons: string[]; next: string[] }

/* What the page calls otherwise. */
const SAME: Record<string, string> = { ready: "runnable", off: "unexplained" };
let words: Words | null = null;
let asked: Promise<Words> | null = null;

export function meaning(of: string): Meaning | null {
  const name = SAME[of] ?? of, word = words?.words[name];
  if (word) return { text: word.means, reasons: word.reasons, next: word.next };
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
