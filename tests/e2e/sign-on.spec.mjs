// Sign-on by an organization's own provider, against one that others wrote: oidc-provider, with the pages it has for trying
// things out. On an installation of its own; the provider stands at another address, so that it is another site.
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { Provider } from "oidc-provider";

import { inspect, listen } from "./console.mjs";
import { postOffice, program, start, stopAll } from "./own.mjs";

const PASSWORD = "a sentence that nobody guesses";
const CLIENT = { client_id: "mendwright-at-northwind", client_secret: "what only the two of them know: + % & =" };
const [JUN, SAM] = ["jun@northwind.example", "sam@northwind.example"];
/** Whom the provider knows, by what they type there, which is their subject too. */
const ACCOUNTS = {
  [SAM]: { email: SAM, email_verified: true },
  "somebody-else": { email: SAM, email_verified: true },
  [JUN]: { email: JUN, email_verified: false },
  "kim@northwind.example": { email: "kim@northwind.example", email_verified: true },
  "kim@elsewhere.example": { email: "kim@elsewhere.example", email_verified: true },
  "without-an-address": {},
};

let folder, mails, provider, url;

/** A provider's place. It answers once it knows where to lead back to, and whether its ID token holds the address. */
async function providerAt(host) {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const { port } = server.address();
  const issuer = `http://${host}:${port}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  let answer;
  server.on("request", (...asked) => answer(...asked));
  const open = (wayBack, inToken) => {
    const oidc = new Provider(issuer, {
      clients: [{ ...CLIENT, redirect_uris: [wayBack], response_types: ["code"], grant_types: ["authorization_code"] }],
      claims: { openid: ["sub"], email: ["email", "email_verified"] },
      conformIdTokenClaims: !inToken,
      findAccount: (_, id) => ACCOUNTS[id] && { accountId: id, claims: () => ({ sub: id, ...ACCOUNTS[id] }) },
      jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig" }] },
      cookies: { keys: [randomUUID()] },
      ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
    });
    answer = oidc.callback();
  };
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { issuer, port, open, stop };
}

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mw-sign-on-"));
  chmodSync(folder, 0o711); // the database's own user goes through it
  mails = await postOffice();
  provider = await providerAt("127.0.0.2");
  const data = join(folder, "data");
  url = await start(program, ["up", "--data", data, "--listen", "127.0.0.1:0", "--insecure-loopback", "--smtp", `smtp://127.0.0.1:${mails.port}`,
    "--mail-from", "mendwright@mend.example", "--allow-egress", `127.0.0.2:${provider.port}`], /^Mendwright is up at (\S+)/);
  execFileSync(program, ["platform", "sign-up", "open", "--data", data]);
});

test.afterAll(async () => {
  await stopAll();
  provider.stop();
  await mails.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A browser of somebody's own. The provider's pages want letters from elsewhere: there are none. */
async function newcomer(browser) {
  const context = await browser.newContext({ baseURL: url });
  await context.route("https://fonts.googleapis.com/**", (route) => route.fulfill({ contentType: "text/css", body: "" }));
  return { context, said: listen(context), page: await context.newPage() };
}

/** What a browser complains of beside answers of these statuses, which a test asked for. */
const beside = (said, ...statuses) => said.filter((line) => !statuses.some((status) => line.startsWith(`${status} `) || line.includes(`a status of ${status} `)));

const isIn = (page) => expect(page.getByRole("navigation", { name: "Main" })).toContainText("Northwind IT");

async function signOut(page) {
  await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
  // A board that is about to look for news finds the session ended, and leads there by itself.
  await expect(page).toHaveURL(/\/sign-in(\?|$)/);
}

/** At the provider: says who they are. */
async function proveTo(page, login) {
  await expect(page).toHaveURL((at) => at.href.startsWith(`${provider.issuer}/interaction/`));
  await page.getByPlaceholder("Enter any login").fill(login);
  await page.getByPlaceholder("and password").fill("it takes any");
  await page.getByRole("button", { name: "Sign-in" }).click();
}

test("a colleague signs in by the organization's provider, as themselves, and nobody else does", async ({ browser }) => {
  test.setTimeout(180_000);
  const owner = await newcomer(browser);
  const sam = await newcomer(browser);
  let link, wayBack, broughtBack;

  await test.step("an owner begins an organization and invites a colleague", async () => {
    const { page } = owner;
    await page.goto("/sign-up");
    await page.getByLabel("Organization").fill("Northwind IT");
    await page.getByLabel("Your name").fill("Jun Tanaka");
    await page.getByLabel("E-mail").fill(JUN);
    await page.getByRole("button", { name: "Send me the mail" }).click();
    await page.goto(await mails.linkTo(JUN, "sign-up"));
    await page.getByLabel("New password").fill(PASSWORD);
    await page.getByRole("button", { name: "Begin" }).click();
    await isIn(page);
    await page.goto("/clients");
    await page.getByText("Add a client…").click();
    await page.getByLabel("Name", { exact: true }).fill("Alder Dental");
    await page.getByRole("button", { name: "Add it" }).click();
    await page.goto("/settings/people");
    await page.getByText("Invite somebody…").click();
    await page.getByLabel("E-mail").fill(SAM);
    await page.getByLabel("Role").first().selectOption("technician");
    await page.getByRole("button", { name: "Send the invitation" }).click();
    await expect(page.getByRole("status")).toContainText("on its way");
  });

  await test.step("who joins by the invitation, and leaves", async () => {
    const { page } = sam;
    await page.goto(await mails.linkTo(SAM, "invitation"));
    await page.getByLabel("Your name").fill("Sam Rivera");
    await page.getByLabel("New password").fill(PASSWORD);
    await page.getByRole("button", { name: "Join" }).click();
    await isIn(page);
    await signOut(page);
  });

  await test.step("the owner sets the provider, once it answers, and leaves", async () => {
    const { page } = owner;
    await page.goto("/settings");
    await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Sign-on" }).click();
    await inspect(page, "sign-on-without-a-provider");
    wayBack = (await page.locator("form code.wrap").textContent()).trim();
    provider.open(wayBack, true);
    const set = async (issuer) => {
      await page.getByLabel("Issuer").fill(issuer);
      await page.getByLabel("Client id").fill(CLIENT.client_id);
      await page.getByLabel("Client secret").fill(CLIENT.client_secret);
      await page.getByLabel("Domains of your members’ addresses").fill("northwind.example");
      await page.getByRole("button", { name: "Set it" }).click();
    };
    // The operator allows the provider's address, and no other one of this machine.
    await set(url);
    await expect(page.getByRole("alert")).toContainText("Nothing was set");
    await set(provider.issuer);
    await expect(page.getByRole("status")).toContainText("Members can sign in by your provider");
    await inspect(page, "sign-on-with-a-provider");
    link = (await page.getByRole("region", { name: "The link for your members" }).locator("code").textContent()).trim();
    await signOut(page);
    expect(beside(owner.said, 422)).toEqual([]);
  });

  await test.step("the colleague comes by the link and is in", async () => {
    const { page } = sam;
    await page.goto(link);
    await inspect(page, "sign-on");
    await page.getByRole("link", { name: "Go on" }).click();
    await proveTo(page, SAM);
    page.on("request", (request) => {
      if (request.url().startsWith(`${wayBack}?`)) broughtBack ??= request.url();
    });
    await page.getByRole("button", { name: "Continue" }).click();
    await isIn(page);
    await expect(page).toHaveURL(`${url}/`);
    await inspect(page, "board-by-sign-on");
    await page.goto("/clients");
    await expect(page.locator("main")).toContainText("Alder Dental");
    await page.goto("/settings");
    await expect(page.getByRole("heading", { name: "Signed in by your organization" })).toBeVisible();
    await inspect(page, "settings-by-sign-on");
  });

  await test.step("what they brought back counts once", async () => {
    expect(new URL(broughtBack).searchParams.get("code")).toBeTruthy();
    const { page } = sam;
    expect((await page.goto(broughtBack)).status()).toBe(422);
    await expect(page.getByRole("heading", { name: "That did not work" })).toBeVisible();
    await page.goto("/");
    await isIn(page);
    const other = await newcomer(browser);
    expect((await other.page.goto(broughtBack)).status()).toBe(422);
    await other.page.goto("/hosts");
    await expect(other.page).toHaveURL(/\/sign-in/);
    await other.context.close();
  });

  await test.step("what changes who may do what wants a proof at the provider", async () => {
    const { page } = sam;
    const make = async () => {
      await page.goto("/settings/tokens");
      await page.getByText("Make a token…").click();
      await page.getByLabel("What uses it").fill("a script of mine");
      await page.getByRole("button", { name: "Make it" }).click();
    };
    await make();
    await page.getByRole("link", { name: "Confirm it" }).click();
    await inspect(page, "confirm-by-sign-on");
    await page.getByRole("link", { name: "Go to your organization’s sign-on" }).click();
    // They are signed in there; it asks all the same.
    await proveTo(page, SAM);
    await isIn(page);
    await make();
    await expect(page.locator("code.secret")).toBeVisible();
  });

  await test.step("and leaves; whoever stops at the provider is not in", async () => {
    const { page } = sam;
    await page.goto("/");
    await signOut(page);
    await sam.context.clearCookies();
    await page.goto(link);
    await page.getByRole("link", { name: "Go on" }).click();
    await page.getByRole("link", { name: "[ Cancel ]" }).click();
    await expect(page.getByRole("heading", { name: "That did not work" })).toBeVisible();
    expect(new URL(page.url()).searchParams.get("error")).toBe("access_denied");
  });

  await test.step("the same by a provider that tells the address only to whoever asks with the access token", async () => {
    const { page } = sam;
    provider.open(wayBack, false);
    await sam.context.clearCookies();
    await page.goto(link);
    await page.getByRole("link", { name: "Go on" }).click();
    await proveTo(page, SAM);
    await page.getByRole("button", { name: "Continue" }).click();
    await isIn(page);
    expect(beside(sam.said, 422, 428)).toEqual([]);
  });

  await test.step("nobody else is, and no answer says why", async () => {
    const refused = async (login) => {
      const { context, said, page } = await newcomer(browser);
      await page.goto(link);
      await page.getByRole("link", { name: "Go on" }).click();
      await proveTo(page, login);
      const back = page.waitForResponse((answer) => answer.url().startsWith(`${wayBack}?`));
      await page.getByRole("button", { name: "Continue" }).click();
      const answer = await back;
      expect(answer.status(), login).toBe(422);
      expect(answer.url(), login).toContain("code=");
      await expect(page.getByRole("heading", { name: "That did not work" })).toBeVisible();
      const html = await page.content();
      await page.goto("/hosts");
      await expect(page, login).toHaveURL(/\/sign-in/);
      expect(beside(said, 422), login).toEqual([]);
      await context.close();
      return html;
    };
    const answers = {};
    for (const inToken of [true, false]) {
      provider.open(wayBack, inToken);
      for (const login of Object.keys(ACCOUNTS).filter((login) => login !== SAM)) answers[`${login}, ${inToken}`] = await refused(login);
    }
    const { context, page } = await newcomer(browser);
    await page.goto(`/sso/${randomUUID()}/begin`);
    answers["of no organization"] = await page.content();
    await context.close();
    for (const [whose, html] of Object.entries(answers)) expect(html, whose).toBe(answers["kim@northwind.example, true"]);
  });

  await owner.context.close();
  await sam.context.close();
});
