// Starts `mendwright demo`, which takes free ports and a fresh folder by itself, and ends it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const program = process.env.MENDWRIGHT ?? fileURLToPath(new URL("../../target/debug/mendwright", import.meta.url));

/** Starts one; where it is, who signs in, and what ends it. */
export async function start(...args) {
  // It ends with this process, however this process ends.
  const demo = spawn("setpriv", ["--pdeathsig", "INT", program, "demo", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(demo, "exit");
  const invited = new Promise((resolve, reject) => {
    let url;
    demo.on("error", reject);
    demo.on("exit", (code) => reject(new Error(`the demo ended with ${code} before it invited anybody`)));
    createInterface({ input: demo.stdout }).on("line", (line) => {
      url ??= line.match(/^Mendwright runs at (\S+)/)?.[1];
      const seat = line.match(/sign in with (\S+)\s+(\S+)/);
      if (seat) resolve({ url, email: seat[1], password: seat[2] });
    });
  });
  const stop = async () => {
    demo.kill("SIGINT");
    await ended;
  };
  return { ...(await invited), stop };
}

/** The demo that most tests share. */
export default async function setup() {
  const { url, email, password, stop } = await start();
  Object.assign(process.env, { DEMO_URL: url, DEMO_EMAIL: email, DEMO_PASSWORD: password });
  return stop;
}
