// Generates the types of the protocol and the API from the documents in docs/, unless they are up to date.
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";

const BANNER = "// Made by `npm run types` from docs/; not edited by hand.\n";
const docs = new URL("../../docs/", import.meta.url);
const generated = new URL("../src/core/generated/", import.meta.url);

await update("protocol.ts", "protocol/asyncapi.json", protocol);
await update("openapi.ts", "api/openapi.json", openapi);

async function update(name, source, make) {
  const path = new URL(name, generated);
  const sources = [new URL(source, docs), new URL(import.meta.url)];
  const newest = Math.max(...(await Promise.all(sources.map(modified))));
  if ((await modified(path)) > newest) return;
  await mkdir(generated, { recursive: true });
  // Renamed when it is complete, because the checks, the tests and the build run beside each other.
  const draft = new URL(`${name}.${process.pid}`, generated);
  await writeFile(draft, await make(await read(source)));
  await rename(draft, path);
}

/** Return when a file was last changed, in milliseconds, or 0 if it does not exist. */
async function modified(path) {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

async function read(path) {
  return JSON.parse(await readFile(new URL(path, docs), "utf8"));
}

async function protocol(document) {
  const { compile } = await import("json-schema-to-typescript");
  const schemas = document.components.schemas;
  const payloads = (operation) =>
    document.operations[operation].messages.map(({ $ref }) => {
      const key = $ref.slice($ref.lastIndexOf("/") + 1);
      return {
        $ref: document.components.messages[key].payload.$ref.replace("components/schemas", "definitions"),
      };
    });
  const text = JSON.stringify({
    title: "Frames",
    type: "object",
    properties: {
      client: { title: "ClientFrame", oneOf: payloads("fromClient") },
      server: { title: "ServerFrame", oneOf: payloads("fromServer") },
    },
    required: ["client", "server"],
    definitions: schemas,
  }).replaceAll("#/components/schemas/", "#/definitions/");
  const options = {
    additionalProperties: false,
    bannerComment: BANNER,
    format: true,
    ignoreMinAndMaxItems: true,
  };
  return compile(requireOps(JSON.parse(text)), "Frames", options);
}

/** Mark `op` as required: the server always sends it, although its schema has a default. */
function requireOps(schema) {
  for (const definition of Object.values(schema.definitions)) {
    if (definition.properties?.op) definition.required = [...new Set(["op", ...(definition.required ?? [])])];
  }
  return schema;
}

async function openapi(document) {
  const { default: openapiTS, astToString } = await import("openapi-typescript");
  return BANNER + astToString(await openapiTS(document, { defaultNonNullable: false }));
}
