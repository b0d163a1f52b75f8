// The whole way of a new service provider: sign up, second factor, a client, a colleague who may see one client, a host by
// the copied line, and its first healing. On an installation of its own, with a mail server that this test plays.
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";

import { inspect, listen } from "./console.mjs";
import { agent, postOffice, program, start, stopAll } from "./own.mjs";

const PASSWORD = "a sentence that nobody guesses";

let folder, mails, url;

/** The code of a key (base32) at this moment. */
function codeOf(key) {
  const bits = [...key.replace(/ /g, "")].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const secret = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac("sha1", secret).update(step).digest();
  return ((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).toString().padStart(6, "0");
}

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mw-begins-"));
  chmodSync(folder, 0o711); // the database's own user goes through it
  mails = await postOffice();
  const data = join(folder, "data");
  url = await start(program, ["up", "--data", data, "--listen", "127.0.0.1:0", "--insecure-loopback", "--agent-binary", agent,
    "--smtp", `smtp://127.0.0.1:${mails.port}`, "--mail-from", "mendwright@mend.example"], /^Mendwright is up at (\S+)/);
  execFileSync(program, ["platform", "sign-up", "open", "--data", data]);
});

test.afterAll(async () => {
  await stopAll();
  const pid = join(folder, "shop.pid");
  if (existsSync(pid)) try { process.kill(Number(readFileSync(pid, "utf8"))); } catch {}
  await mails.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A service of the machine, as an init script would have it. */
function shop() {
  const script = join(folder, "shop.sh"), pid = join(folder, "shop.pid");
  writeFileSync(script, `#!/bin/sh
case $1 in
  start) setsid sleep 100000 </dev/null >/dev/null 2>&1 & echo $! >${pid} ;;
  stop) kill "$(cat ${pid})"; rm -f ${pid} ;;
  status) [ -e ${pid} ] || exit 3; s=$(cut -d' ' -f3 /proc/$(cat ${pid})/stat 2>/dev/null) || exit 1; [ "$s" != Z ] || exit 1 ;;
esac
`);
  const line = (action) => `${action} = ["/bin/sh", "${script}", "${action}"]`;
  execFileSync("/bin/sh", [script, "start"]);
  return { pid, toml: `\n[services.shop]\npid_file = "${pid}"\n${line("start")}\n${line("stop")}\n${line("status")}\n` };
}

test("a service provider signs up, invites a colleague for one client, enrols a host and sees it heal", async ({ browser }) => {
  test.setTimeout(240_000);
  const context = await browser.newContext({ baseURL: url });
  const said = listen(context);
  const page = await context.newPage();

  await test.step("sign up", async () => {
    await page.goto("/sign-in");
    await page.getByRole("link", { name: "Begin an organization" }).click();
    await inspect(page, "sign-up");
    await page.getByLabel("Organization").fill("Northwind IT");
    await page.getByLabel("Your name").fill("Jun Tanaka");
    await page.getByLabel("E-mail").fill("jun@northwind.example");
    await page.getByRole("button", { name: "Send me the mail" }).click();
    await expect(page.getByRole("heading", { name: "Look into your mail" })).toBeVisible();
    await page.goto(await mails.linkTo("jun@northwind.example", "sign-up"));
    await inspect(page, "sign-up-password");
    await page.getByLabel("New password").fill(PASSWORD);
    await page.getByRole("button", { name: "Begin" }).click();
    await expect(page.getByRole("navigation", { name: "Main" })).toContainText("Northwind IT");
    await inspect(page, "board-of-a-new-organization");
  });

  await test.step("turn on a second factor", async () => {
    await page.goto("/settings");
    await inspect(page, "settings");
    await page.getByRole("link", { name: "Turn on codes of an app" }).click();
    await inspect(page, "second-factor");
    await page.getByText("Or type the key by hand").click();
    const key = await page.locator("code.wrap").textContent();
    await page.getByLabel("2. The six digits").fill(codeOf(key));
    await page.getByRole("button", { name: "Turn it on" }).click();
    await expect(page.locator(".codes li")).toHaveCount(10);
    await inspect(page, "recovery-codes");
    await page.getByRole("link", { name: "I have kept them" }).click();
    await expect(page.locator("main")).toContainText("10 of 10 recovery codes left");
  });

  await test.step("add two clients", async () => {
    for (const name of ["Alder Dental", "Birch Clinic"]) {
      await page.goto("/clients");
      await page.getByText("Add a client…").click();
      await page.getByLabel("Name", { exact: true }).fill(name);
      await page.getByRole("button", { name: "Add it" }).click();
      await expect(page.locator("main")).toContainText(name);
    }
  });

  await test.step("invite a technician for one of them", async () => {
    await page.goto("/settings/people");
    await page.getByText("Invite somebody…").click();
    await page.getByLabel("E-mail").fill("sam@northwind.example");
    await page.getByLabel("Role").first().selectOption("technician");
    await page.getByLabel("only these:").first().check();
    await page.getByLabel("Alder Dental").first().check();
    await page.getByRole("button", { name: "Send the invitation" }).click();
    await expect(page.getByRole("status")).toContainText("on its way");
    await inspect(page, "people");
  });

  const service = shop();
  const root = join(folder, "machine");
  await test.step("enrol a host with the copied line", async () => {
    await page.goto("/settings/enrolment");
    await inspect(page, "enrolment");
    await page.getByLabel("Client").selectOption({ label: "Alder Dental" });
    await page.getByLabel("The host’s name").fill("web-01");
    await page.getByRole("button", { name: "Make the token" }).click();
    const line = await page.locator("pre.command").first().textContent();
    mkdirSync(root);
    // As copied, but for a folder instead of this machine, and without sudo.
    execFileSync("/bin/sh", ["-c", `${line.replace("| sudo sh ", "| sh ")} --root ${root}`], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    const state = join(root, "var/lib/mendwright");
    appendFileSync(join(state, "agent.toml"), service.toml);
    await start(join(root, "usr/local/bin/mendwright-agent"), ["run", "--state-dir", state]);
    await page.goto("/hosts");
    await page.getByRole("link", { name: "web-01" }).click();
    await expect(page.getByRole("button", { name: "Watch it" })).toBeVisible({ timeout: 40_000 });
    await page.getByRole("button", { name: "Watch it" }).click();
    await expect(page.locator("main")).toContainText("shop on web-01", { timeout: 40_000 });
    await inspect(page, "host-that-was-enrolled");
  });

  await test.step("see it heal", async () => {
    const killed = Number(readFileSync(service.pid, "utf8"));
    process.kill(killed, "SIGKILL");
    await expect(async () => {
      await page.goto("/incidents");
      await page.getByRole("main").getByRole("link", { name: /shop/ }).first().click({ timeout: 1_000 });
    }).toPass({ timeout: 40_000 });
    await expect(page.locator(".page-head .state")).toHaveText("Fixed and verified", { timeout: 60_000 });
    expect(Number(readFileSync(service.pid, "utf8"))).not.toBe(killed);
    await expect.poll(() => mails.kept.some((mail) => mail.to === "jun@northwind.example" && /Subject: Fixed: shop on web-01/.test(mail.text)), { timeout: 30_000 }).toBe(true);
  });

  const birch = await page.request.get("/clients").then((answer) => answer.text()).then((body) => body.match(/href="(\/clients\/[0-9a-f-]{36})"[^>]*>\s*Birch Clinic/)[1]);

  await test.step("the technician sees that client and nothing else", async () => {
    const theirs = await browser.newContext({ baseURL: url, viewport: { width: 390, height: 844 } });
    const complained = listen(theirs);
    const tech = await theirs.newPage();
    await tech.goto(await mails.linkTo("sam@northwind.example", "invitation"));
    await inspect(tech, "invitation");
    await tech.getByLabel("Your name").fill("Sam Rivera");
    await tech.getByLabel("New password").fill(PASSWORD);
    await tech.getByRole("button", { name: "Join" }).click();
    await expect(tech.getByRole("navigation", { name: "Main" })).toBeVisible();
    for (const path of ["/", "/incidents", "/clients", "/hosts", "/guardrails", "/approvals", "/changes", "/settings"]) {
      await tech.goto(path);
      await expect(tech.locator("body"), path).not.toContainText("Birch");
    }
    await tech.goto("/hosts");
    await expect(tech.locator("main")).toContainText("web-01");
    for (const path of [birch, birch.replace("clients", "guardrails")]) {
      expect((await tech.request.get(path)).status(), path).toBe(404);
    }
    for (const path of ["/settings/people", "/settings/audit"]) {
      expect([403, 404], path).toContain((await tech.request.get(path)).status());
    }
    // A token of theirs sees what they see, and no more.
    await tech.goto("/settings/tokens");
    await tech.getByText("Make a token…").click();
    await tech.getByLabel("What uses it").fill("a script of mine");
    await tech.getByRole("button", { name: "Make it" }).click();
    await inspect(tech, "token-of-a-technician");
    const authorization = `Bearer ${await tech.locator("code.secret").textContent()}`;
    const api = async (path) => {
      const answer = await tech.request.get(`/api/v1/${path}`, { headers: { authorization } });
      return [answer.status(), await answer.text()];
    };
    for (const path of ["clients", "hosts", "incidents", "runs", "approvals", "guardrails"]) {
      const [status, body] = await api(path);
      expect(status, path).toBe(200);
      expect(body, path).not.toContain("Birch");
      expect(body, path).not.toContain(birch.split("/").pop());
      if (!["approvals", "guardrails"].includes(path)) expect(body, path).toContain("Alder Dental");
    }
    expect((await api(birch.slice(1)))[0]).toBe(404);
    expect([403, 404]).toContain((await api("audit"))[0]);
    expect(JSON.parse((await api("changes"))[1]).items).toEqual([]);
    // What the stream says while something changes at each client: Birch first, then Alder.
    await tech.goto("/guardrails");
    await tech.evaluate(() => {
      window.heard = [];
      const stream = new EventSource("/events");
      stream.addEventListener("change", (event) => window.heard.push(event.data));
      return new Promise((opened) => { stream.onopen = opened; });
    });
    const act = async (client, what) => {
      await page.goto(client.replace("clients", "guardrails"));
      const csrf = await page.locator('input[name="csrf"]').first().getAttribute("value");
      const answer = await page.request.post(`${client.replace("clients", "guardrails")}/${what}`, { form: { csrf, ...(what === "stop" ? { reason: "a test" } : {}) }, headers: { origin: url } });
      expect(answer.ok(), `${client} ${what}`).toBe(true);
    };
    const alder = await page.request.get("/clients").then((answer) => answer.text()).then((body) => body.match(/href="(\/clients\/[0-9a-f-]{36})"[^>]*>\s*Alder Dental/)[1]);
    await act(birch, "stop");
    await act(alder, "stop");
    await expect.poll(() => tech.evaluate(() => window.heard.length), { timeout: 20_000 }).toBeGreaterThan(0);
    const heard = await tech.evaluate(() => window.heard.join("\n"));
    expect(heard).not.toContain(birch.split("/").pop());
    expect(complained.filter((line) => !/^(403|404) /.test(line))).toEqual([]);
    await theirs.close();
  });

  expect(said).toEqual([]);
  await context.close();
});
