// For a test with an installation of its own: programs that end with it, and the mail server that it plays.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { SMTPServer } from "smtp-server";

import { expect } from "./console.mjs";

const built = (name) => fileURLToPath(new URL(`../../target/debug/${name}`, import.meta.url));
export const program = process.env.MENDWRIGHT ?? built("mendwright");
export const agent = process.env.MENDWRIGHT_AGENT ?? built("mendwright-agent");

const running = [];

/** Starts a program that ends with this process; the first line of its output that `wanted` finds. */
export async function start(command, args, wanted) {
  const child = spawn("setpriv", ["--pdeathsig", "TERM", command, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  running.push(child);
  return new Promise((resolve, reject) => {
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}`)));
    if (!wanted) return resolve();
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = line.match(wanted);
      if (found) resolve(found[1]);
    });
  });
}

/** Ends what was started, the newest first. */
export async function stopAll() {
  for (const child of running.splice(0).reverse()) {
    if (child.exitCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  }
}

/** A mail server that keeps what it gets. */
export async function postOffice() {
  const kept = [];
  const server = new SMTPServer({
    disabledCommands: ["AUTH", "STARTTLS"],
    onData(stream, session, done) {
      let raw = "";
      stream.on("data", (chunk) => (raw += chunk));
      stream.on("end", () => {
        const text = raw.replace(/=\r?\n/g, "").replace(/=3D/g, "=");
        kept.push({ to: session.envelope.rcptTo[0].address, text });
        done();
      });
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");

  /** The path of the link of this kind in the newest mail to `to`. */
  async function linkTo(to, kind) {
    let path;
    await expect(() => {
      const mail = kept.findLast((mail) => mail.to === to && mail.text.includes(`/${kind}/`));
      path = mail?.text.match(new RegExp(`/${kind}/[A-Za-z0-9_]+`))?.[0];
      expect(path).toBeTruthy();
    }).toPass({ timeout: 20_000 });
    return path;
  }

  const stop = () => new Promise((ended) => server.close(ended));
  return { kept, linkTo, port: server.server.address().port, stop };
}
