// A page that is looked at hears what changed; without the stream it is read again by itself.
import { breakIt, expect, isMarked, mark, test } from "./console.mjs";

const isStream = (answer) => new URL(answer.url()).pathname === "/events";
const rows = (page) => page.locator('main a[href^="/incidents/"]');

/** Breaks something beside the page that is looked at; where its incident is. */
async function breakBeside(page, victim) {
  const other = await page.context().newPage();
  const incident = await breakIt(other, victim);
  await other.close();
  return incident;
}

for (const [how, isLive, victim] of [["an event", true, "b"], ["its own clock, where there is no stream", false, "e"]]) {
  test(`a list is read again by ${how}`, async ({ page }) => {
    if (!isLive) await page.route("**/events", (route) => route.fulfill({ status: 204 }));
    const stream = page.waitForResponse(isStream);
    await page.goto("/incidents");
    expect((await stream).status()).toBe(isLive ? 200 : 204);
    await mark(page);
    const incident = new URL(await breakBeside(page, victim), page.url()).pathname;
    // With a stream, the list reads itself again only every 30 s.
    await expect(rows(page).and(page.locator(`[href="${incident}"]`))).toBeVisible({ timeout: 10_000 });
    expect(await isMarked(page), "the page was not loaded anew").toBe(true);
  });
}

test("a filter is a form and its chips take it away, part by part", async ({ page }) => {
  await page.goto("/incidents?state=fixed");
  await page.getByLabel("Host’s name has").fill("no such host");
  await page.getByRole("button", { name: "Show" }).click();
  await expect(page).toHaveURL(/state=fixed.*host=no\+such\+host/);
  await expect(page.locator("h1")).toHaveText("No incident is like that");
  await page.getByRole("link", { name: /Host has “no such host”, remove/ }).click();
  await expect(page).toHaveURL(/\/incidents\?state=fixed$/);
});
