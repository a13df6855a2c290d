// Builds the web assets into the folder named by the first argument: every
// src/*.ts as one script, src/styles/styles.scss as one style sheet with the
// fonts and icons that it uses, and src/img as it is. The same sources give
// the same bytes, so that the committed folder can be compared with a rebuild.
import { cpSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import * as sass from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const src = join(here, "src");
const out = process.argv[2];
if (!out) {
  console.error("usage: node build.mjs FOLDER");
  process.exit(2);
}

const scss = {
  name: "scss",
  setup(build) {
    build.onLoad({ filter: /\.scss$/ }, ({ path }) => ({
      contents: sass.compile(path, {
        loadPaths: [join(here, "node_modules/@uswds/uswds/packages")],
        quietDeps: true,
      }).css,
      loader: "css",
      resolveDir: dirname(path),
    }));
  },
};

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  outdir: out,
  logLevel: "warning",
  charset: "utf8",
};

await esbuild.build({
  ...common,
  entryPoints: [join(src, "styles/styles.scss")],
  plugins: [scss],
  target: ["chrome109", "firefox115", "safari16"],
  loader: { ".svg": "file", ".woff2": "file" },
  assetNames: "assets/[name]-[hash]",
  legalComments: "none",
});

await esbuild.build({
  ...common,
  entryPoints: readdirSync(src)
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .sort()
    .map((name) => join(src, name)),
  format: "iife",
  target: "es2020",
  legalComments: "none",
});

cpSync(join(src, "img"), join(out, "img"), { recursive: true });
