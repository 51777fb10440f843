/**
 * The text of a message. Markdown is rendered as elements and never as HTML. Its parser is loaded with the first text
 * that needs it.
 */
import { Fragment, useSyncExternalStore } from "react";

import { splitMentions } from "../format/mentions.ts";

interface MarkdownModule {
  Markdown: React.ComponentType<{ body: string; people: readonly MentionedUser[]; me: string }>;
}

export interface MentionedUser {
  userId: string;
  name: string;
}

const MARKDOWN = /[*_`~[|\\]|^\s*(?:[-+>]|#{1,6}|\d{1,9}[.)])\s/m;
const LINK = /(https?:\/\/[^\s<>"']*[^\s<>"'.,:;!?)\]}])/g;

const listeners = new Set<() => void>();
let markdown: MarkdownModule | null = null;
let loading = false;

async function load(): Promise<void> {
  if (loading) return;
  loading = true;
  try {
    markdown = await import("./markdown.tsx");
    for (const listener of listeners) listener();
  } catch {
    // The text stays plain until the next message retries.
    loading = false;
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  void load();
  return () => {
    listeners.delete(listener);
  };
}

const subscribeNothing = () => () => undefined;

export function MessageText({
  body,
  people,
  me,
  folded = false,
}: {
  body: string;
  people: readonly MentionedUser[];
  me: string;
  folded?: boolean;
}) {
  const rich = MARKDOWN.test(body);
  const ready = useSyncExternalStore(rich ? subscribe : subscribeNothing, () => markdown);
  return (
    <div className={folded ? "prose fold" : "prose"}>
      {rich && ready ? (
        <ready.Markdown body={body} people={people} me={me} />
      ) : (
        <PlainText text={body} people={people} me={me} />
      )}
    </div>
  );
}

function PlainText({ text, people, me }: { text: string; people: readonly MentionedUser[]; me: string }) {
  return text
    .split(LINK)
    .map((piece, i) =>
      i % 2 === 1 ? (
        <Anchor key={i} href={piece} text={piece} />
      ) : (
        <TextWithMentions key={i} text={piece} people={people} me={me} />
      ),
    );
}

export function Anchor({ href, text }: { href: string; text: React.ReactNode }) {
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {text}
    </a>
  );
}

/** A text with its mentions highlighted. */
export function TextWithMentions({
  text,
  people,
  me,
}: {
  text: string;
  people: readonly MentionedUser[];
  me: string;
}) {
  if (text === "") return null;
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
