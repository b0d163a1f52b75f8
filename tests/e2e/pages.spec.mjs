// Every page there is, at both widths and in both themes: no violation, no complaint, nothing that scrolls sideways.
import { breakIt, expect, inspect, listen, test } from "./console.mjs";

/** What there is to look at, once something was broken. */
async function pages(page) {
  const found = { board: "/", guardrails: "/guardrails", incidents: "/incidents", approvals: "/approvals", hosts: "/hosts", demo: "/demo", mails: "/demo/mails" };
  for (const [name, list, prefix] of [["incident", "/incidents", "/incidents/"], ["host", "/hosts", "/hosts/"], ["mail", "/demo/mails", "/demo/mails/"]]) {
    await page.goto(list);
    const link = page.locator(`main a[href^="${prefix}"]`).first();
    found[name] = await link.getAttribute("href");
  }
  return found;
}

for (const width of [1440, 390]) {
  test.describe(`at ${width} px`, () => {
    test.use({ viewport: { width, height: 900 } });

    test("every page is well", async ({ page }) => {
      test.slow();
      await page.goto("/incidents");
      if (!(await page.locator('main a[href^="/incidents/"]').count())) {
        await page.goto(await breakIt(page, "d"));
        await expect(page.locator(".page-head .state")).toHaveText("Needs you");
      }
      await page.goto("/demo/mails");
      await expect(page.locator('main a[href^="/demo/mails/"]').first()).toBeVisible();
      for (const [name, path] of Object.entries(await pages(page))) {
        await page.goto(path);
        await inspect(page, name);
      }
    });

    test("sign-in and what is not there are well", async ({ browser }) => {
      const context = await browser.newContext({ baseURL: process.env.DEMO_URL, viewport: { width, height: 900 } });
      const said = listen(context);
      const page = await context.newPage();
      await page.goto("/sign-in");
      await inspect(page, "sign-in");
      expect(said).toEqual([]);
      expect((await page.goto("/nowhere")).status()).toBe(404);
      await inspect(page, "not-found");
      await context.close();
    });
  });
}

test("what is not well is found", async ({ page }) => {
  await page.setContent("<main><img src='data:,'></main>");
  await expect(inspect(page, "a picture without words")).rejects.toThrow(/image-alt/);
});
