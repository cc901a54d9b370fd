// Does in Chromium what a test says, and prints what it found as one JSON object.
//   node steps.mjs PLAYWRIGHT ADDRESS FOLDER < steps
// PLAYWRIGHT: the folder that holds playwright-core; screenshots go into FOLDER. steps is a JSON array of
//   ["go", HASH]  ["key", KEY, TIMES]  ["click", SELECTOR]  ["at", EXPRESSION of x, y on the page]  ["fill", SELECTOR, TEXT]
//   ["until", EXPRESSION]  ["get", NAME, EXPRESSION]  ["csv", NAME, SELECTOR of a table]  ["shot", NAME]  ["sleep", MS]
//   ["over", EXPRESSION of x, y: the pointer rests there]
//   ["window", NUMBER]  ["reload"]  ["wheel", X, Y, CTRL]
// Expressions run in the page; t is the timeline.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [playwright, address, folder] = process.argv.slice(2);
const { chromium } = createRequire(playwright + "/")("playwright-core");
const found = { errors: [], dialogs: 0, refused: [], most_in_flight: 0 };
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1400, height: 800 }, permissions: ["clipboard-read", "clipboard-write"] });
const pages = [];

async function window_(n) {
  if (pages[n]) { await pages[n].bringToFront(); return pages[n]; }
  const page = (pages[n] = await context.newPage());
  let flying = 0;
  page.on("pageerror", (e) => found.errors.push(e.message));
  // 409: the trace was read again meanwhile; the page asks anew.
  page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("409")) found.errors.push(m.text()); });
  page.on("dialog", (d) => { found.dialogs++; d.dismiss(); });
  page.on("response", (r) => { if (r.status() >= 400 && r.status() !== 409) found.refused.push(`${r.status()} ${r.url().split("/").slice(4).join("/")}`); });
  const polls = (r) => r.url().endsWith("/api/trace");
  page.on("request", (r) => { if (polls(r)) found.most_in_flight = Math.max(found.most_in_flight, ++flying); });
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, (r) => { if (polls(r)) flying--; });
  await page.goto(address);
  await page.waitForSelector("canvas");
  for (let i = 0; i < 400 && !(await page.evaluate("!!(window.ctraceTimeline && window.ctraceTimeline.data)")); i++) await page.waitForTimeout(50);
  return page;
}

let page = await window_(0);
const js = (expression) => page.evaluate(`(() => { const t = window.ctraceTimeline; return (${expression}); })()`);
async function until(expression) {
  for (let i = 0; i < 400; i++) {
    if (await js(expression)) return;
    await page.waitForTimeout(50);
  }
  throw new Error(`never: ${expression}; ${(await page.evaluate("document.body.innerText")).slice(0, 300)}`);
}
const acts = {
  go: async (hash) => { await page.evaluate((h) => { location.hash = h; }, hash); await page.waitForTimeout(100); },
  key: async (k, n = 1) => { for (let i = 0; i < n; i++) await page.keyboard.press(k); await page.waitForTimeout(120); },
  click: async (selector) => { await page.click(selector); await page.waitForTimeout(120); },
  at: async (expression) => { const [x, y] = await js(expression); await page.mouse.click(x, y); await page.waitForTimeout(120); },
  over: async (expression) => { const [x, y] = await js(expression); await page.mouse.move(x - 3, y); await page.mouse.move(x, y); await page.waitForTimeout(300); },
  drag: async (x0, y0, x1, y1) => { await page.mouse.move(x0, y0); await page.mouse.down(); await page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2); await page.mouse.move(x1, y1); await page.mouse.up(); await page.waitForTimeout(120); },
  wheel: async (x, y, ctrl) => { await page.mouse.move(700, 260); if (ctrl) await page.keyboard.down("Control"); await page.mouse.wheel(x, y); await page.waitForTimeout(100); if (ctrl) await page.keyboard.up("Control"); },
  fill: async (selector, text) => { await page.fill(selector, text); await page.waitForTimeout(120); },
  choose: async (selector, value) => { await page.selectOption(selector, value); await page.waitForTimeout(120); },
  until,
  get: async (name, expression) => { found[name] = await js(expression); },
  csv: async (name, selector) => { await page.click(`${selector} button:has-text("copy as CSV")`); await page.waitForTimeout(150); found[name] = await page.evaluate("navigator.clipboard.readText()"); },
  shot: async (name) => { await page.screenshot({ path: `${folder}/${name}.png` }); },
  sleep: (ms) => page.waitForTimeout(ms),
  window: async (n) => { page = await window_(n); },
  reload: async () => { await page.reload(); await page.waitForSelector("canvas"); await until("t && t.data"); },
};
try {
  for (const [what, ...how] of JSON.parse(readFileSync(0, "utf8"))) await acts[what](...how);
} catch (e) {
  found.failed = String(e.message ?? e);
  await page.screenshot({ path: `${folder}/failed.png` });
}
console.log(JSON.stringify(found));
await browser.close();
