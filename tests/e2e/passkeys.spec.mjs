// A passkey in a real browser, by Chromium's virtual authenticator: added, then used after the password, alone and for
// proving anew, and removed. On an installation of its own that is reached by a name: an address of digits has no passkeys.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "@playwright/test";

import { inspect, listen } from "./console.mjs";

const program = process.env.MENDWRIGHT ?? fileURLToPath(new URL("../../target/debug/mendwright", import.meta.url));
const [EMAIL, PASSWORD] = ["jun@northwind.example", "a sentence that nobody guesses"];

let folder, server, url;

/** A port that was free a moment ago: the site's name carries it, so it is chosen before the server starts. */
async function freePort() {
  const socket = createServer().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mw-passkeys-"));
  chmodSync(folder, 0o711); // the database's own user goes through it
  const seed = join(folder, "seed.yaml");
  writeFileSync(seed, `tenant: {name: Northwind IT}\nmembers:\n  - {name: Jun Tanaka, email: ${EMAIL}, role: owner, password: ${PASSWORD}}\n`);
  const port = await freePort();
  url = `http://localhost:${port}`;
  const args = ["up", "--data", join(folder, "data"), "--seed", seed, "--listen", `127.0.0.1:${port}`, "--insecure-loopback", "--public-url", url];
  server = spawn("setpriv", ["--pdeathsig", "TERM", program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve, reject) => {
    server.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface({ input: server.stdout }).on("line", (line) => {
      if (/^Mendwright is up at/.test(line)) resolve();
    });
  });
});

test.afterAll(async () => {
  if (server.exitCode === null) {
    server.kill("SIGTERM");
    await once(server, "exit");
  }
  rmSync(folder, { recursive: true, force: true });
});

test("a passkey is added, lets in after the password and alone, proves anew, and is removed", async ({ browser }) => {
  test.setTimeout(120_000);
  const context = await browser.newContext({ baseURL: url });
  const said = listen(context);
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const device = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options: device });
  const isIn = () => expect(page.getByRole("navigation", { name: "Main" })).toContainText("Northwind IT");
  const signOut = async () => {
    await context.clearCookies();
    await page.goto("/sign-in");
  };
  const byPassword = async () => {
    await page.getByLabel("E-mail").fill(EMAIL);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
  };

  await test.step("add one, and keep the recovery codes", async () => {
    await page.goto("/sign-in");
    await inspect(page, "sign-in-with-passkeys");
    await byPassword();
    await isIn();
    await page.goto("/settings");
    await inspect(page, "settings-without-passkeys");
    await page.getByLabel("What you call it").fill("Work laptop");
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await expect(page.locator(".codes li")).toHaveCount(10);
    await page.goto("/settings");
    await expect(page.locator("main")).toContainText("Work laptop");
    await inspect(page, "settings-with-a-passkey");
    const { credentials } = await devtools.send("WebAuthn.getCredentials", { authenticatorId });
    expect(credentials.map(({ rpId, isResidentCredential }) => ({ rpId, isResidentCredential }))).toEqual([{ rpId: "localhost", isResidentCredential: true }]);
  });

  await test.step("after the password", async () => {
    await signOut();
    await byPassword();
    await expect(page.getByRole("heading", { name: "One step more" })).toBeVisible();
    await inspect(page, "second-factor-by-passkey");
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await isIn();
  });

  await test.step("alone, back to where they wanted", async () => {
    await signOut();
    await page.goto("/hosts");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await isIn();
    await expect(page).toHaveURL(/\/hosts$/);
  });

  await test.step("for proving anew", async () => {
    await page.goto("/confirm?next=/settings");
    await inspect(page, "confirm-by-passkey");
    await page.getByRole("button", { name: "Use a passkey" }).click();
    // Not the page it asks on, whose address ends with the same.
    await expect(page).toHaveURL(/\d\/settings$/);
  });

  await test.step("a device that does not know its user is told so on the page", async () => {
    await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
    await page.goto("/confirm");
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await expect(page.getByRole("alert")).toContainText("No passkey was used");
    await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
  });

  await test.step("remove it", async () => {
    await page.goto("/settings");
    await page.getByRole("button", { name: "Remove Work laptop" }).click();
    await expect(page.getByRole("status")).toContainText("signs in no more");
    await signOut();
    await byPassword();
    await isIn();
    expect(said).toEqual([]);
    await signOut();
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await expect(page.getByRole("alert").first()).toContainText("That did not work");
  });
  await context.close();
});
