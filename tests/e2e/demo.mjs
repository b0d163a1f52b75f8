// Starts `mendwright demo` before the first test and ends it after the last. It takes free ports and a fresh folder by itself.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const program = process.env.MENDWRIGHT ?? fileURLToPath(new URL("../../target/debug/mendwright", import.meta.url));

export default async function start() {
  // It ends with this process, however this process ends.
  const demo = spawn("setpriv", ["--pdeathsig", "INT", program, "demo"], { stdio: ["ignore", "pipe", "inherit"] });
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
  const { url, email, password } = await invited;
  Object.assign(process.env, { DEMO_URL: url, DEMO_EMAIL: email, DEMO_PASSWORD: password });
  return async () => {
    demo.kill("SIGINT");
    await ended;
  };
}
