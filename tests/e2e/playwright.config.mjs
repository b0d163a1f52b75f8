// One demo, one worker: the tests share its services and run one after the other.
import { execFileSync } from "node:child_process";
import { defineConfig } from "@playwright/test";

/** The installed Chromium: CHROMIUM=path, or what stands on the PATH; else the one that Playwright downloaded. */
function chromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("which", [name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {}
  }
  return undefined;
}

export default defineConfig({
  testDir: ".",
  outputDir: "results",
  globalSetup: "./demo.mjs",
  workers: 1,
  forbidOnly: true,
  reporter: "list",
  // Guards against hanging; nothing here is a measurement.
  timeout: 60_000,
  expect: { timeout: 20_000 },
  use: {
    viewport: { width: 1440, height: 1000 },
    locale: "en-GB",
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    launchOptions: { executablePath: chromium(), args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] },
  },
});
