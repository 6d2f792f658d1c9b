import { createReadStream, existsSync, globSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addressOf, listPages, placeOf, REFERENCE, ROOT } from "./pages.ts";

const DIST = join(ROOT, "site/dist");
const PICTURES = join(ROOT, "artefacts/site");
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".woff2": "font/woff2",
};

const htmlOf = (page: string) => join(DIST, placeOf(page).replace(/\.md$/, ".html"));

test("every page is on the site", () => {
  expect(listPages().filter((page) => !existsSync(htmlOf(page)))).toEqual([]);
  expect(listPages().length).toBeGreaterThan(60);
});

test("every link to a heading finds one", () => {
  const headings = new Map<string, Set<string>>();
  const idsOf = (path: string) => {
    const html = readFileSync(join(DIST, path), "utf8");
    return new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id as string));
  };
  const dead: string[] = [];
  for (const from of globSync("**/*.html", { cwd: DIST })) {
    for (const [, path, hash] of readFileSync(join(DIST, from), "utf8").matchAll(/href="(\/[^"#]*)#([^"]+)"/g)) {
      const file = `${path}`.endsWith("/") ? `${path}index.html` : `${path}`;
      if (!headings.has(file)) headings.set(file, idsOf(file));
      if (!headings.get(file)?.has(decodeURIComponent(`${hash}`))) dead.push(`${from} → ${path}#${hash}`);
    }
  }
  expect(dead).toEqual([]);
});

describe("in a browser", () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  let base: string;
  const complaints: string[] = [];

  beforeAll(async () => {
    mkdirSync(PICTURES, { recursive: true });
    server = createServer((request, response) => {
      const path = decodeURI(new URL(request.url ?? "/", "http://localhost").pathname);
      const file = join(DIST, path.endsWith("/") ? `${path}index.html` : extname(path) === "" ? `${path}.html` : path);
      if (!file.startsWith(DIST) || !existsSync(file) || statSync(file).isDirectory())
        return response.writeHead(404).end();
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
      return createReadStream(file).pipe(response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(`${page.url()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));
    page.on("response", (response) => {
      if (response.status() >= 400) complaints.push(`${page.url()}: ${response.status()} for ${response.url()}`);
    });
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  const main = listPages().filter(
    (path) => /^(README|CONTRIBUTING|docs\/[^/]+)\.?(md)?$/.test(path) || path === `${REFERENCE}/README.md`,
  );

  test.each(main)("%s renders", async (path) => {
    complaints.length = 0;
    await page.goto(base + addressOf(path), { waitUntil: "networkidle" });
    expect(await page.locator("main h1").first().textContent()).not.toBe("");
    expect((await page.locator("main").textContent())?.length).toBeGreaterThan(60);
    await page.screenshot({ path: join(PICTURES, `${placeOf(path).replaceAll("/", "-").replace(/\.md$/, "")}.png`) });
    expect(complaints).toEqual([]);
  });

  test("the search finds a word of a page, and leads there", async () => {
    complaints.length = 0;
    await page.goto(`${base}/`, { waitUntil: "networkidle" });
    await page.locator("#local-search button").click();
    await page.locator(".VPLocalSearchBox input").fill("golden incidents");
    await page.locator(".VPLocalSearchBox .result").first().waitFor();
    await page.screenshot({ path: join(PICTURES, "search.png") });
    await page.locator(".VPLocalSearchBox .result").first().click();
    await page.waitForURL(/\/docs\/replay/);
    expect(complaints).toEqual([]);
  });
});
