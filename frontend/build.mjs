// Bundles assets/src into assets/dist with hashed names and writes manifest.json (source name -> hashed name).
import { build } from "esbuild";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";

const outdir = "assets/dist";
await mkdir(outdir, { recursive: true });
for (const old of await readdir(outdir)) await rm(`${outdir}/${old}`, { recursive: true });

const { metafile } = await build({
  entryPoints: ["assets/src/app.css", "assets/src/app.js"],
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022", "chrome123", "firefox121", "safari17.5"],
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file", ".svg": "file" },
  metafile: true,
  outdir,
});

const manifest = {};
for (const [out, { entryPoint, inputs }] of Object.entries(metafile.outputs)) {
  const source = entryPoint ?? Object.keys(inputs)[0];
  if (source) manifest[basename(source)] = basename(out);
}
await writeFile(`${outdir}/manifest.json`, JSON.stringify(manifest, null, 2) + "\n");
