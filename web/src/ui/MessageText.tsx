/** The text of a message. Its marks are rendered as elements and never as HTML. */
import { Fragment, useMemo, useSyncExternalStore } from "react";

import { parseMarkup, type Markup } from "../format/markup.ts";
import { splitMentions } from "../format/mentions.ts";
import { linkFinder } from "./linkFinder.ts";

export interface MentionedUser {
  userId: string;
  name: string;
}

interface Mentions {
  people: readonly MentionedUser[];
  me: string;
}

const MAY_HAVE_LINK = /[\p{L}\p{N}][.@][\p{L}\p{N}]/u;

export function MessageText({
  body,
  folded = false,
  ...given
}: Mentions & { body: string; folded?: boolean }) {
  const markup = useMemo(() => parseMarkup(body), [body]);
  return (
    <div className={folded ? "prose fold" : "prose"} dir="auto">
      <MarkupList markup={markup} {...given} />
    </div>
  );
}

function MarkupList({ markup, ...given }: Mentions & { markup: readonly Markup[] }) {
  return markup.map((one, i) => <Fragment key={i}>{renderMarkup(one, given)}</Fragment>);
}

function renderMarkup(markup: Markup, given: Mentions): React.ReactNode {
  switch (markup.kind) {
    case "text":
      return <TextWithLinks text={markup.text} {...given} />;
    case "code":
      return <code>{markup.text}</code>;
    case "block":
      return (
        <pre tabIndex={0}>
          <code>{markup.text}</code>
        </pre>
      );
    case "link":
      return <Anchor href={markup.href} text={markup.text} />;
    case "bold":
      return (
        <strong>
          <MarkupList markup={markup.children} {...given} />
        </strong>
      );
    case "strike":
      return (
        <del>
          <MarkupList markup={markup.children} {...given} />
        </del>
      );
  }
}

function TextWithLinks({ text, ...given }: Mentions & { text: string }) {
  const mayHaveLink = MAY_HAVE_LINK.test(text);
  const subscribe = mayHaveLink ? linkFinder.subscribe : subscribeNothing;
  const split = useSyncExternalStore(subscribe, linkFinder.current, linkFinder.current);
  const pieces = mayHaveLink && split ? split(text) : [{ text }];
  return pieces.map(({ text: piece, href }, i) =>
    href === undefined ? (
      <TextWithMentions key={i} text={piece} {...given} />
    ) : (
      <Anchor key={i} href={href} text={piece} />
    ),
  );
}

const subscribeNothing = () => () => undefined;

function Anchor({ href, text }: { href: string; text: string }) {
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {text}
    </a>
  );
}

/** A text with its mentions highlighted. */
function TextWithMentions({ text, people, me }: Mentions & { text: string }) {
  return splitMentions(text, people).map(({ text: piece, person }, i) =>
    person ? (
      <span key={i} className={person.userId === me ? "mention me" : "mention"}>
        {piece}
      </span>
    ) : (
      <Fragment key={i}>{piece}</Fragment>
    ),
  );
}
