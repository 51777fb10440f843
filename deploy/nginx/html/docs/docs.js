// Two documents on one page: OpenAPI rendered by Swagger UI, AsyncAPI 3 rendered here. No other origins.

const pages = { http: drawHttp, socket: drawSocket };
const drawn = new Set();

function show() {
  const name = location.hash.startsWith("#socket") ? "socket" : "http";
  for (const page of Object.keys(pages)) {
    document.getElementById(`page-${page}`).hidden = page !== name;
  }
  for (const link of document.querySelectorAll(".top nav a")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!drawn.has(name)) {
    drawn.add(name);
    pages[name](document.getElementById(`page-${name}`));
  }
}

function drawHttp(section) {
  window.SwaggerUIBundle({
    url: "/openapi.json",
    domNode: section,
    validatorUrl: null,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: false,
    displayRequestDuration: true,
  });
}

async function drawSocket(section) {
  section.className = "socket";
  const answer = await fetch("/asyncapi.json");
  if (!answer.ok) {
    section.append(element("p", { class: "failed" }, `asyncapi.json: ${answer.status} ${answer.statusText}`));
    return;
  }
  const document_ = await answer.json();
  section.append(element("h2", {}, document_.info.title), prose(document_.info.description));
  for (const channel of Object.values(document_.channels ?? {})) {
    section.append(element("p", {}, "Address: ", element("code", {}, channel.address ?? "")), prose(channel.description));
  }
  for (const operation of Object.values(document_.operations ?? {})) {
    section.append(...drawOperation(document_, operation));
  }
  section.append(element("h2", {}, "Schemas"));
  for (const [name, schema] of Object.entries(document_.components?.schemas ?? {})) {
    if (schema.properties) section.append(drawShape(document_, name, schema.description, schema));
  }
}

function drawOperation(document_, operation) {
  const title = operation.title ?? (operation.action === "receive" ? "Frames from the client" : "Frames from the server");
  const messages = operation.messages ?? Object.values(resolve(document_, operation.channel).messages);
  const shapes = messages.map((reference) => {
    const message = resolve(document_, reference);
    return drawShape(document_, message.name ?? message.title, message.summary, message.payload);
  });
  return [element("h2", {}, title), prose(operation.description), ...shapes];
}

function drawShape(document_, name, summary, reference) {
  const schema = resolve(document_, reference);
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([field, type]) =>
    element("tr", {},
      element("td", {}, element("code", {}, field), required.has(field) ? "" : element("span", { class: "optional" }, " optional")),
      element("td", {}, element("code", {}, typeName(type))),
      element("td", {}, resolve(document_, type).description ?? "")));
  const head = element("tr", {}, ...["field", "type", ""].map((text) => element("th", { scope: "col" }, text)));
  return element("details", {},
    element("summary", {}, element("code", {}, name), element("span", {}, summary || schema.description || "")),
    element("div", { class: "body" }, element("table", {}, head, ...rows)));
}

function typeName(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(typeName).join(" | ");
  if (schema.type === "array") return `[${typeName(schema.items ?? {})}]`;
  if (schema.type === "object" && schema.additionalProperties) return `{string: ${typeName(schema.additionalProperties)}}`;
  return [schema.type ?? "any", schema.format].flat().filter(Boolean).join(" ");
}

function resolve(document_, node) {
  let target = node;
  while (target?.$ref) {
    const path = target.$ref.slice(2).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    target = path.reduce((value, key) => value?.[key], document_);
  }
  return target ?? {};
}

// Renders paragraphs, `code` and the text of [links](…). Their targets are files next to the document, so they are dropped.
function prose(text) {
  const paragraphs = (text ?? "").replaceAll(/\[([^\]]+)\]\([^)]*\)/g, "$1").split(/\n{2,}/);
  const spans = (paragraph) => paragraph.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
  return element("div", { class: "lead" }, ...paragraphs.map((paragraph) => element("p", {}, ...spans(paragraph))));
}

function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

addEventListener("hashchange", show);
show();
