/** A message's text. Markdown is drawn as elements, never as HTML; its reader is fetched when the first text needs it. */
import { Fragment, useSyncExternalStore } from "react";

import { splitMentions } from "../format/mentions.ts";

interface Reader {
  Markdown: React.ComponentType<{ body: string; people: readonly Called[]; me: string }>;
}

export interface Called {
  userId: string;
  name: string;
}

const MARKS = /[*_`~[|\\]|^\s*(?:[-+>]|#{1,6}|\d{1,9}[.)])\s/m;
const LINK = /(https?:\/\/[^\s<>"']*[^\s<>"'.,:;!?)\]}])/g;

const listeners = new Set<() => void>();
let reader: Reader | null = null;
let loading = false;

async function load(): Promise<void> {
  if (loading) return;
  loading = true;
  try {
    reader = await import("./markdown.tsx");
    for (const listener of listeners) listener();
  } catch {
    // The text stays plain until the next one asks.
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

const nothing = () => () => undefined;

export function Prose({
  body,
  people,
  me,
  folded = false,
}: {
  body: string;
  people: readonly Called[];
  me: string;
  folded?: boolean;
}) {
  const rich = MARKS.test(body);
  const ready = useSyncExternalStore(rich ? subscribe : nothing, () => reader);
  return (
    <div className={folded ? "prose fold" : "prose"}>
      {rich && ready ? (
        <ready.Markdown body={body} people={people} me={me} />
      ) : (
        <Plain text={body} people={people} me={me} />
      )}
    </div>
  );
}

function Plain({ text, people, me }: { text: string; people: readonly Called[]; me: string }) {
  return text
    .split(LINK)
    .map((piece, i) =>
      i % 2 === 1 ? (
        <Anchor key={i} href={piece} text={piece} />
      ) : (
        <Words key={i} text={piece} people={people} me={me} />
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

/** Text with the people who are called in it. */
export function Words({ text, people, me }: { text: string; people: readonly Called[]; me: string }) {
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
