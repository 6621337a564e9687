// reload.mjs ADDRESS: sees the banner of a reload that failed, says so in a line, and sees it go.
import { createRequire } from "node:module";

const require = createRequire(process.env.PLAYWRIGHT + "/");
const { chromium } = require("playwright-core");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(60000);
await page.goto(process.argv[2] + "/");
const banners = page.locator("#banners");
await page.locator("#banners", { hasText: "The last reload failed" }).waitFor();
console.log((await banners.innerText()).replaceAll("\n", " "));
await page.waitForFunction(() => document.querySelector("#banners").childElementCount === 0);
console.log("gone");
await browser.close();
