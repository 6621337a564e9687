// look.mjs ADDRESS BAD NASTY: drives the page and says what it saw; the last line is what went wrong, as JSON.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.PLAYWRIGHT + "/");
const { chromium } = require("playwright-core");
const [, , address, bad, nasty] = process.argv;
const errors = [], elsewhere = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(60000);
page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
page.on("pageerror", (error) => errors.push(error.message));
page.on("dialog", (dialog) => { errors.push("a dialog: " + dialog.message()); dialog.dismiss(); });
page.on("request", (request) => { if (!request.url().startsWith(address)) elsewhere.push(request.url()); });
const say = (text) => console.log("  seen: " + text);

await page.goto(address + "/");
const rows = page.locator("#models tbody tr");
await rows.nth(49).waitFor();
assert.equal(await rows.count(), 50);
assert.match(await page.locator("#where").innerText(), /^1 to 50 of 10,000$/);
assert.match(await page.locator("#tiles").innerText(), /10,000\s+models/);
say("ten thousand models, fifty in view");

await page.locator("#now-list", { hasText: bad }).waitFor();
assert.match(await page.locator("#now-list").innerText(), /waits for a trainer|offered/);
assert.match(await page.locator("#todo").innerText(), /1 model is being retrained/);
assert.match(await page.locator("#todo").innerText(), /models? fail/);
say("what is being retrained and why, and what there is to do");

// The worst come first; a broken KPI says so against its budget.
assert.match(await rows.first().innerText(), /failing/);
assert.equal(await rows.first().locator(".kpi.violated").count() >= 1, true);
assert.match(await rows.first().locator(".kpi.violated .value").first().innerText(), /≥|≤/);

// Find, by keyboard; and nothing that the network named runs.
await page.keyboard.press("/");
await page.keyboard.type("onerror");
await page.waitForFunction(() => document.querySelectorAll("#models tbody tr").length === 1);
assert.equal(await rows.first().locator("a.id").innerText(), nasty);
assert.equal(await page.locator("main img").count(), 0);
say("a nasty name as text");
await page.keyboard.press("Escape");
await page.keyboard.press("Escape");
await page.waitForFunction(() => document.querySelectorAll("#models tbody tr").length === 50);

// States filter, pages turn, j and Enter open.
await page.locator("#states button[data-state=failing]").click();
await page.waitForFunction(() => document.querySelectorAll("#models tbody tr").length < 50);
await page.locator("#states button[data-state=failing]").click();
await page.waitForFunction(() => document.querySelectorAll("#models tbody tr").length === 50);
await page.locator("body").press("n");
await page.locator("#where", { hasText: "51 to 100" }).waitFor();
await page.locator("#sort").selectOption("name");
await page.locator("#where", { hasText: "1 to 50" }).waitFor();
say("filter, sort and pages");

await page.goto(address + "/#/model/" + bad);
await page.locator("#model h1", { hasText: bad }).waitFor();
await page.locator("#model svg.chart path.limit").first().waitFor({ state: "attached" });
await page.locator("#model", { hasText: "Detectors against their thresholds" }).waitFor();
await page.locator("#model", { hasText: "cusum" }).first().waitFor();
await page.locator("#model svg.chart rect.band").first().waitFor({ state: "attached" });
assert.match(await page.locator("#model").innerText(), /outside its budget/);
await page.locator("#model", { hasText: "Why it is judged so" }).waitFor();
say("one model: charts with limits, the request on the time axis, detectors, and why it is judged so");

await page.goto(address + "/#/queue");
await page.locator("#requests tbody tr", { hasText: bad }).waitFor();
await page.goto(address + "/#/losses");
await page.locator("#losses", { hasText: "range" }).waitFor();
say("the queue, and what was dropped with its last example");

// A phone: nothing sticks out at the side.
await page.setViewportSize({ width: 390, height: 844 });
await page.goto(address + "/#/");
await rows.nth(10).waitFor();
const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
assert.equal(over, 0);
await page.goto(address + "/#/model/" + bad);
await page.locator("#model", { hasText: "Detectors against their thresholds" }).waitFor();
await page.locator("#model details").evaluate((details) => { details.open = true; });
const hidden = await page.evaluate(() => [...document.querySelectorAll("#model .scroll")].filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.innerText));
assert.deepEqual(hidden, []);
say("a phone, with nothing cut off");

await browser.close();
console.log(JSON.stringify({ errors, elsewhere }));
