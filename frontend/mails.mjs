// Compiles mails/*.mjml into the askama templates templates/mail/*.html, which are committed: cargo needs no npm for them.
// With --check nothing is written; it fails when a committed template is not what its source gives.
import mjml from "mjml";
import { readFile, readdir, writeFile } from "node:fs/promises";

const isCheck = process.argv.includes("--check");
let differing = 0;

for (const name of (await readdir("mails")).filter((name) => name.endsWith(".mjml"))) {
  const source = `mails/${name}`;
  const target = `templates/mail/${name.replace(/mjml$/, "html")}`;
  const { html } = await mjml(await readFile(source, "utf8"), {
    filePath: source,
    ignoreIncludes: false,
    keepComments: false,
    validationLevel: "strict",
    // MJML links web fonts it finds in a font list; a mail loads nothing.
    fonts: {},
  });
  const lines = html.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const template = `{#- Made from ${source} by \`npm run build\`: change that. -#}\n${lines.join("\n")}\n`;
  if (!isCheck) await writeFile(target, template);
  else if ((await readFile(target, "utf8").catch(() => "")) !== template) {
    console.error(`frontend/${target} is not what frontend/${source} gives: run \`npm run mails\` in frontend and commit it`);
    differing += 1;
  }
}
process.exitCode = differing > 0 ? 1 : 0;
