import { breakIt, expect, isMarked, mark, test, victim } from "./console.mjs";

test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

test("on a phone, a fix that a person holds says so, and their release lets it run", async ({ page }) => {
  const incident = await breakIt(page, "f");
  await page.goto(incident);
  await expect(page.locator(".page-head .state")).toHaveText("Held");
  await expect(page.locator(".story")).toContainText("Hands off");
  // By the bottom navigation to the host, where it is ended.
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Hosts" }).tap();
  await page.getByRole("link", { name: "fern-01" }).tap();
  await page.getByRole("button", { name: "Release now" }).tap();
  await expect(page.getByRole("button", { name: "Release now" })).toHaveCount(0);
  await page.goto(incident);
  await mark(page);
  await expect(page.locator(".page-head .state")).toHaveText("Fixed and verified");
  expect(await isMarked(page)).toBe(true);
  await page.goto("/demo");
  await expect(victim(page, "f").locator("header .state")).toHaveText("well");
});
