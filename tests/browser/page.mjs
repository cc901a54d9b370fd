// Drives the page of ctrace-analyze serve, or a report, in Chromium; prints what it found as one JSON object.
//   node page.mjs PLAYWRIGHT ADDRESS FOLDER [report]
// PLAYWRIGHT: the folder that holds playwright-core; screenshots go into FOLDER.
import { createRequire } from "node:module";

const [playwright, address, folder, kind] = process.argv.slice(2);
const { chromium } = createRequire(playwright + "/")("playwright-core");
const found = { errors: [], dialogs: 0, refused: [] };
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1400, height: 800 } });
page.on("pageerror", (e) => found.errors.push(e.message));
page.on("console", (m) => { if (m.type() === "error") found.errors.push(m.text()); });
page.on("dialog", (d) => { found.dialogs++; d.dismiss(); });
page.on("response", (r) => { if (r.status() >= 400) found.refused.push(`${r.status()} ${r.url().split("/").slice(4).join("/")}`); });

const shot = (name) => page.screenshot({ path: `${folder}/${name}.png` });
const loads = () => page.evaluate(() => Number(document.querySelector("canvas")?.dataset.loads ?? 0));
const line = (f) => page.evaluate(`(${f})(window.ctraceTimeline)`);
// Until the picture of where the timeline is now has come.
async function settled(before) {
  for (let i = 0; i < 100 && (await loads()) <= before; i++) await page.waitForTimeout(50);
  await page.waitForTimeout(150);
}
async function key(k) {
  const before = await loads();
  await page.keyboard.press(k);
  await settled(kind === "report" ? -1 : before);
}

await page.goto(address);
await page.waitForSelector("canvas");
await settled(0);
await shot("timeline");
found.title = await page.title();
found.rows = await line("(t) => t.rows.filter((r) => r.kind === 'lane').length");
found.banner = await page.evaluate(() => document.querySelector(".banner")?.innerText ?? "");
found.whole = await line("(t) => [t.from, t.to]");

// A wait to look at: the longest of those that are not idle, or of all.
const target = await line(`(t) => {
  let best = null;
  for (const [lane, l] of t.data.lanes) for (let i = 0; i < l.bars.length; i += 4) {
    const cause = t.trace.causes.find((c) => c.id === t.data.sites.get(l.bars[i + 2]).cause);
    const weight = l.bars[i + 1] * (cause.category === "contention" ? 1000 : cause.category === "idle" ? 0.001 : 1);
    if (!best || weight > best.weight) best = { lane, weight, start: l.bars[i], length: l.bars[i + 1], cause: cause.name };
  }
  return best;
}`);
found.target = target;
if (target) {
  await line(`(t) => { t.reveal(${target.lane}); t.move(${target.start} - ${target.length} * 2, ${target.start + target.length} + ${target.length} * 2); }`);
  await settled(await loads());
  const at = await line(`(t) => { const r = t.canvas.getBoundingClientRect(); return [r.left + t.x(${target.start} + ${target.length} / 2), r.top + 68 + (t.rowOf(${target.lane}) + 0.5) * 26 - t.scroll]; }`);
  await page.mouse.click(at[0], at[1]);
  await page.waitForSelector(".details h2");
  await page.waitForTimeout(1200);
  found.details = await page.evaluate(() => document.querySelector(".details").innerText);
  await shot("details");
  if (kind !== "report") {
    await page.keyboard.press("[");
    await page.waitForTimeout(900);
    found.followed = await page.evaluate(() => document.querySelector(".details")?.innerText ?? "");
    await page.keyboard.press("]");
    await page.waitForTimeout(300);
  }
  await page.keyboard.press("m");
  await page.waitForTimeout(200);
  found.marked = await page.evaluate(() => location.hash);
  for (let i = 0; i < 2; i++) {
    await page.keyboard.press("Escape");
    await page.waitForTimeout(200);
  }
}
// Keys: in, in, right; undo brings the window back.
await key("f");
const before = await line("(t) => [t.from, t.to]");
await page.waitForTimeout(500);
for (const k of ["w", "w", "d"]) await key(k);
found.zoomed = await line("(t) => [t.from, t.to]");
await page.waitForTimeout(600);
// Moves in quick succession are one; on a busy machine these three may not have been quick.
for (let i = 0; i < 3; i++) {
  await page.keyboard.press("u");
  await page.waitForTimeout(500);
  found.undone = await line("(t) => [t.from, t.to]");
  if (Math.abs(found.undone[0] - before[0]) + Math.abs(found.undone[1] - before[1]) < 0.01 * (before[1] - before[0])) break;
}
found.before = before;
// Load times of one window after the other.
found.load_ms = [];
for (let i = 0; i < (kind === "report" ? 0 : 8); i++) {
  await key(i % 2 ? "d" : "w");
  found.load_ms.push(await page.evaluate(() => Number(document.querySelector("canvas").dataset.loadMs)));
}
await page.keyboard.press("?");
found.help = await page.evaluate(() => document.querySelector(".help")?.innerText.length ?? 0);
await page.keyboard.press("?");
await page.fill("input[type=search]", "no such thread");
await page.waitForTimeout(100);
found.filtered = await line("(t) => t.rows.length");
await page.fill("input[type=search]", "");

found.pages = {};
for (const name of await page.evaluate(() => [...document.querySelectorAll("nav a")].map((a) => a.getAttribute("href").slice(1)))) {
  await page.click(`nav a[href="#${name}"]`);
  for (let i = 0; i < 200 && (await page.evaluate(() => document.querySelector("main").innerText.includes("reading the trace"))); i++) await page.waitForTimeout(50);
  found.pages[name] = await page.evaluate(() => document.querySelector("main").innerText.slice(0, 6000));
  await shot(name);
}
found.images = await page.evaluate(() => document.querySelectorAll("main img").length);
console.log(JSON.stringify(found));
await browser.close();
