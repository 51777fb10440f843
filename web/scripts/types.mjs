// Generates the types of the protocol and the API from the documents in docs/. With --check, fails if they are
// outdated.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";
import openapiTS, { astToString } from "openapi-typescript";

const BANNER = "// Made by `npm run types` from docs/; not edited by hand.\n";
const docs = new URL("../../docs/", import.meta.url);
const generated = new URL("../src/core/generated/", import.meta.url);

const files = { "protocol.ts": await protocol(), "openapi.ts": await openapi() };
const drifted = [];
for (const [name, text] of Object.entries(files)) {
  const path = new URL(name, generated);
  if (process.argv.includes("--check")) {
    if ((await readFile(path, "utf8").catch(() => "")) !== text) drifted.push(fileURLToPath(path));
  } else {
    await mkdir(generated, { recursive: true });
    await writeFile(path, text);
  }
}
if (drifted.length > 0) {
  console.error(`Outdated; run \`npm run types\`: ${drifted.join(", ")}`);
  process.exit(1);
}

async function read(path) {
  return JSON.parse(await readFile(new URL(path, docs), "utf8"));
}

async function protocol() {
  const document = await read("protocol/asyncapi.json");
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

async function openapi() {
  return BANNER + astToString(await openapiTS(await read("api/openapi.json"), { defaultNonNullable: false }));
}
