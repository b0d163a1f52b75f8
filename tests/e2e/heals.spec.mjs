import { breakIt, expect, isMarked, mark, signIn, test, victim } from "./console.mjs";

test.describe("a stranger", () => {
  test.use({ storageState: undefined });

  test("signs in by the form and lands where they wanted to be", async ({ page }) => {
    await page.goto("/hosts");
    await expect(page).toHaveURL(/\/sign-in\?next=/);
    await page.getByLabel("E-mail").fill(process.env.DEMO_EMAIL);
    await page.getByLabel("Password").fill(process.env.DEMO_PASSWORD);
    await page.getByLabel("Password").press("Enter");
    await expect(page).toHaveURL(/\/hosts$/);
    await page.getByRole("button", { name: "Sign out" }).first().click();
    await expect(page).toHaveURL(/\/sign-in$/);
    await signIn(page);
  });
});

test("what a button breaks heals before one's eyes, and its incident tells how", async ({ page }) => {
  const incident = await breakIt(page, "a");
  await page.goto(incident);
  await mark(page);
  await expect(page.locator(".page-head .state")).toHaveText("Fixed and verified");
  expect(await isMarked(page), "the page was not loaded anew").toBe(true);
  const story = page.locator(".story");
  for (const said of ["Detected", "Classified", "Remediated", "Verified"]) await expect(story).toContainText(said);
  await expect(page.locator(".story .compare")).toContainText("running");
  await page.goto("/demo");
  await expect(victim(page, "a").locator("header .state")).toHaveText("well");
});
