/**
 * The marks in a message that change its look: code, bold, strikethrough and links. Everything else stays as typed.
 *
 * Marks need the border of a word, so `2**3**4`, `C:\temp\*.txt` and `안녕~~` are plain text. The word behind a mark
 * may be Korean, because particles follow without a space.
 */

export type Markup =
  | { kind: "text" | "code" | "block"; text: string }
  | { kind: "bold" | "strike"; children: Markup[] }
  | { kind: "link"; href: string; text: string };

const BLOCK = /```(?:[\w+#.-]*\n)?(?<block>[\s\S]+?)```/;
const CODE = /(?<![\w`])`(?<code>[^`\n]+)`(?![\w`])/;
const NAMED = /\[(?<name>[^[\]\n]+)\]\((?<href>(?:https?:\/\/|mailto:)[^\s()]+)\)/i;
const ADDRESS = /(?<![\w@])(?<address>https?:\/\/[^\s<>"']*[^\s<>"'.,:;!?)\]}*~])/i;
const BOLD = /(?<![\w*])\*\*(?<bold>[^\s*](?:[^\n]*?[^\s*])??)\*\*(?![\w*])/;
const STRIKE = /(?<![\p{L}\p{N}~])~~(?<strike>[^\s~](?:[^\n]*?[^\s~])??)~~(?![\w~])/u;
const MARK = new RegExp(
  [BLOCK, CODE, NAMED, ADDRESS, BOLD, STRIKE].map((mark) => mark.source).join("|"),
  "giu",
);

/** Split a message into its marks, in order. */
export function parseMarkup(body: string): Markup[] {
  const found: Markup[] = [];
  let end = 0;
  for (const match of body.matchAll(MARK)) {
    addText(found, body.slice(end, match.index));
    found.push(toMarkup(match.groups ?? {}));
    end = match.index + match[0].length;
  }
  addText(found, body.slice(end));
  return found;
}

/** Return the text of a message without its marks, on one line. */
export function plainText(body: string): string {
  return parseMarkup(body).map(textOf).join("").replace(/\s+/g, " ").trim();
}

function addText(found: Markup[], text: string): void {
  if (text !== "") found.push({ kind: "text", text });
}

function toMarkup({
  block,
  code,
  name,
  href,
  address,
  bold,
  strike,
}: Record<string, string | undefined>): Markup {
  if (block !== undefined) return { kind: "block", text: block.replace(/^\n|\n$/g, "") };
  if (code !== undefined) return { kind: "code", text: code };
  if (href !== undefined) return { kind: "link", href, text: name ?? href };
  if (address !== undefined) return { kind: "link", href: address, text: address };
  if (bold !== undefined) return { kind: "bold", children: parseMarkup(bold) };
  return { kind: "strike", children: parseMarkup(strike ?? "") };
}

function textOf(markup: Markup): string {
  return "children" in markup ? markup.children.map(textOf).join("") : markup.text;
}
