// Fails if a style sheet is too long to be read at once. ESLint does the same for scripts.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAX_LINES = 400;
const root = fileURLToPath(new URL("../src/", import.meta.url));

const long = [];
for (const path of await readdir(root, { recursive: true })) {
  if (!path.endsWith(".css")) continue;
  const lines = (await readFile(join(root, path), "utf8")).trimEnd().split("\n").length;
  if (lines > MAX_LINES) long.push(`src/${path} has ${lines} lines`);
}
if (long.length > 0) {
  console.error(`A style sheet can have ${MAX_LINES} lines. Split by subject: ${long.join(", ")}.`);
  process.exit(1);
}
