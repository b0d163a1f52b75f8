// A demo of its own, in which every fix asks first, on a phone.
import { breakIt, expect, inspect, isMarked, mark, test } from "./console.mjs";

test.use({ demoArgs: ["--ask-first"], viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

test("on a phone, a yes with a reason lets exactly that fix run, and one watches it heal", async ({ page }) => {
  const incident = await breakIt(page, "a");
  const approvals = page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: /^Approvals/ });
  await expect(async () => {
    await approvals.tap();
    await expect(page.locator("h1")).toHaveText("One fix waits for your yes", { timeout: 1_000 });
  }).toPass();
  await expect(approvals).toContainText("1");
  await inspect(page, "approval");
  const asked = page.locator(".asks");
  for (const said of ["alder-01", "Alder Dental", "this host only", "lapses in"]) await expect(asked).toContainText(said);
  // What is typed outlives what the page does by itself.
  await asked.getByLabel("Reason").fill("seen, go on");
  await asked.getByRole("button", { name: "Let it run" }).tap();
  await expect(page).toHaveURL(new RegExp(`${incident}$`));
  await mark(page);
  await expect(page.locator(".page-head .state")).toHaveText("Fixed and verified");
  expect(await isMarked(page), "the page was not loaded anew").toBe(true);
  await approvals.tap();
  await expect(page.locator("h1")).toHaveText("Nothing waits for a yes");
});
