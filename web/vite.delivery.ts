// Additional build output: the service worker, and compressed copies for nginx.
import { readdir, readFile, stat, mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";
import { VitePWA } from "vite-plugin-pwa";

const PACKABLE = /\.(?:css|html|js|json|svg|webmanifest)$/;
const WORTH_PACKING = 512;
const PACKERS = {
  br: (data: Buffer) =>
    promisify(brotliCompress)(data, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: data.length } }),
  gzip: (data: Buffer) => promisify(gzip)(data, { level: 9 }),
};

/**
 * Return the plugins. The worker precaches everything that the first screens need. Large files such as emoji are
 * cached at their first use.
 */
export function delivery(): Plugin[] {
  const worker = VitePWA({
    strategies: "injectManifest",
    srcDir: "src/sw",
    filename: "sw.ts",
    injectRegister: false,
    manifest: false,
    injectManifest: {
      rollupFormat: "iife",
      globPatterns: ["**/*.{html,css,js,svg,webmanifest}"],
      globIgnores: ["packed/**"],
    },
  });
  return [...worker, packed()];
}

/** Write `dist/packed/<encoding>/<path>` for each file, after the service worker was built. */
function packed(): Plugin {
  let folder = "dist";
  return {
    name: "packed",
    apply: "build",
    enforce: "post",
    configResolved: (config) => {
      folder = resolve(config.root, config.build.outDir);
    },
    closeBundle: { order: "post", sequential: true, handler: () => pack(folder) },
  };
}

async function pack(folder: string): Promise<void> {
  for (const path of await readdir(folder, { recursive: true })) {
    if (path.startsWith("packed") || !PACKABLE.test(path)) continue;
    if ((await stat(join(folder, path))).size < WORTH_PACKING) continue;
    const data = await readFile(join(folder, path));
    for (const [encoding, packer] of Object.entries(PACKERS)) {
      const copy = join(folder, "packed", encoding, path);
      await mkdir(dirname(copy), { recursive: true });
      await writeFile(copy, await packer(data));
    }
  }
}
