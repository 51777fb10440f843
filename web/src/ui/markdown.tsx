/** Renders Markdown tokens as React elements. HTML in a message is shown as text. */
import { Fragment, useMemo } from "react";
import { Marked, type Token, type Tokens } from "marked";

import { Anchor, TextWithMentions, type MentionedUser } from "./MessageText.tsx";

interface Mentions {
  people: readonly MentionedUser[];
  me: string;
}

const marked = new Marked({
  gfm: true,
  // In a chat, dashes below a sentence are no heading. Reference definitions would hide text.
  tokenizer: { lheading: () => undefined, def: () => undefined },
});

/** Return the address of a link, or null if its scheme is not allowed, such as `javascript:`. */
export function safeHref(href: string): string | null {
  return /^(?:https?:\/\/|mailto:)/i.test(href) ? href : null;
}

export function Markdown({ body, ...given }: Mentions & { body: string }) {
  const tokens = useMemo(() => marked.lexer(body), [body]);
  return <TokenList tokens={tokens} {...given} />;
}

function TokenList({ tokens, ...given }: Mentions & { tokens: readonly Token[] | undefined }) {
  return tokens?.map((token, i) => <Fragment key={i}>{renderToken(token, given)}</Fragment>);
}

function renderToken(token: Tokens.Generic, given: Mentions): React.ReactNode {
  const inner = <TokenList tokens={token.tokens} {...given} />;
  const words = (text: string) => <TextWithMentions text={text} {...given} />;
  switch (token.type) {
    case "space":
      return null;
    case "paragraph":
      return <p>{inner}</p>;
    case "text":
      return token.tokens ? inner : words(textOf(token));
    case "escape":
      return words(textOf(token));
    case "strong":
      return <strong>{inner}</strong>;
    case "em":
      return <em>{inner}</em>;
    case "del":
      // In Korean, a single tilde after a word is a tone of voice and no strikethrough.
      return token.raw.startsWith("~~") ? <del>{inner}</del> : words(token.raw);
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>;
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{(token as Tokens.Code).text}</code>
        </pre>
      );
    case "heading":
      return (
        <p>
          <strong>{inner}</strong>
        </p>
      );
    case "blockquote":
      return <blockquote>{inner}</blockquote>;
    case "br":
      return <br />;
    case "hr":
      return <hr />;
    case "link":
    case "image":
      return renderLink(token as Tokens.Link, token.type === "link" ? inner : token.raw);
    case "list":
      return renderList(token as Tokens.List, given);
    case "table":
      return <Table token={token as Tokens.Table} {...given} />;
    default:
      return words(token.raw.replace(/\n+$/, ""));
  }
}

/** Return the text of a token. `text` has no backslash escapes, `raw` does. */
function textOf(token: Tokens.Generic): string {
  return typeof token["text"] === "string" ? token["text"] : token.raw;
}

function renderLink({ href, raw }: Tokens.Link, inner: React.ReactNode): React.ReactNode {
  const safe = safeHref(href);
  return safe === null ? raw : <Anchor href={safe} text={inner} />;
}

function renderList(token: Tokens.List, given: Mentions): React.ReactNode {
  // A line that starts with a date, such as "2026. 11. 24.", is no list.
  if (token.ordered && token.items.length === 1)
    return (
      <p>
        <TextWithMentions text={token.raw.trimEnd()} {...given} />
      </p>
    );
  const items = token.items.map((item, i) => (
    <li key={i}>
      {item.task && (item.checked === true ? "☑ " : "☐ ")}
      <TokenList tokens={item.tokens.filter((part) => part.type !== "checkbox")} {...given} />
    </li>
  ));
  return token.ordered ? <ol start={Number(token.start) || 1}>{items}</ol> : <ul>{items}</ul>;
}

function Table({ token, ...given }: Mentions & { token: Tokens.Table }) {
  return (
    <table>
      <thead>
        <tr>
          {token.header.map((cell, i) => (
            <th key={i}>
              <TokenList tokens={cell.tokens} {...given} />
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {token.rows.map((row, i) => (
          <tr key={i}>
            {row.map((cell, j) => (
              <td key={j}>
                <TokenList tokens={cell.tokens} {...given} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
