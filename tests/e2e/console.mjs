// What the tests share: a member who is signed in, and an ear for whatever a browser complains of.
import { expect, test as base } from "@playwright/test";
import axe from "axe-core";

import { start } from "./demo.mjs";

const shared = { url: process.env.DEMO_URL, email: process.env.DEMO_EMAIL, password: process.env.DEMO_PASSWORD };

/** Signs in by the form. */
export async function signIn(page, demo = shared) {
  await page.goto(`${demo.url}/sign-in`);
  await page.getByLabel("E-mail").fill(demo.email);
  await page.getByLabel("Password").fill(demo.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
}

/** The frame that shows a mail runs no script, not even the test's: that is meant so. */
const isMailsSandbox = (message) => message.location().url.endsWith("/page") && message.text().includes("frame is sandboxed");

/** Whatever a page complains of, as lines. */
export function listen(context) {
  const said = [];
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !isMailsSandbox(message)) said.push(`${message.location().url}: ${message.text()}`);
  });
  context.on("weberror", (error) => said.push(`${error.page()?.url()}: ${error.error()}`));
  context.on("response", (answer) => {
    if (answer.status() >= 400) said.push(`${answer.status()} ${answer.url()}`);
  });
  return said;
}

export const test = base.extend({
  /** The demo of the worker's tests: the shared one, or one with arguments of its own. */
  demoArgs: [undefined, { scope: "worker", option: true }],
  demo: [
    async ({ demoArgs }, use) => {
      const own = demoArgs && (await start(...demoArgs));
      await use(own ?? shared);
      await own?.stop();
    },
    { scope: "worker" },
  ],
  baseURL: ({ demo }, use) => use(demo.url),
  /** The cookie of one session for all tests of the worker. */
  session: [
    async ({ browser, demo }, use) => {
      const context = await browser.newContext();
      await signIn(await context.newPage(), demo);
      const state = await context.storageState();
      await context.close();
      await use(state);
    },
    { scope: "worker" },
  ],
  storageState: ({ session }, use) => use(session),
  context: async ({ context }, use) => {
    const said = listen(context);
    await use(context);
    expect(said, "the browser has nothing to complain of").toEqual([]);
  },
});

/** The card of a victim on the demo's page. */
export const victim = (page, name) => page.locator(`#victim-${name}`);

/** Breaks a victim by its button; its new incident's path. */
export async function breakIt(page, name) {
  await page.goto("/demo");
  const card = victim(page, name);
  const link = card.locator('footer a[href^="/incidents/"]');
  const before = (await link.count()) ? await link.getAttribute("href") : null;
  await card.getByRole("button", { name: /^Break it/ }).click();
  await expect(async () => expect(await link.getAttribute("href", { timeout: 1_000 })).not.toBe(before)).toPass();
  return link.getAttribute("href");
}

/** Marks the document: a mark that is still there says that the page was not loaded anew. */
export const mark = (page) => page.evaluate(() => { window.marked = true; });
export const isMarked = (page) => page.evaluate(() => window.marked === true);

/** Nothing scrolls sideways, and axe finds nothing, in both themes. */
export async function inspect(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => window.axe.run(document, { iframes: false }));
    const found = violations.flatMap((v) => v.nodes.map((node) => `${v.id}: ${node.target.join(" ")}: ${node.failureSummary}`));
    expect(found, `axe on ${name}, ${colorScheme}`).toEqual([]);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide, `${name} scrolls sideways`).toBeLessThanOrEqual(0);
    if (process.env.SHOTS) {
      const width = page.viewportSize().width;
      await page.screenshot({ path: `${process.env.SHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    }
  }
}

export { expect };
