// The list that a room shows, from its messages, its lines and one's own messages on their way. An entry that did not
// change keeps its identity, and a message its key from the moment it was written.
import type { OutboxItem } from "./outbox.ts";
import type { LineEvent } from "./timeline.ts";
import type { Entry, LineEntry, Message, MessageEntry, PendingEntry } from "./types.ts";

export interface EntryParts {
  me: string;
  messages: readonly Message[];
  lines: readonly LineEvent[];
  outbox: readonly OutboxItem[];
  removing: ReadonlyMap<number, number>;
  hasBefore: boolean;
  hasAfter: boolean;
}

export class Entries {
  #before = new Map<string, Entry>();

  build(parts: EntryParts): readonly Entry[] {
    const own = ownClientIds(parts);
    const outbox = parts.outbox.filter((item) => !own.has(item.pending.clientId));
    const failed = outbox.filter((item) => item.afterSeq !== null);
    const onTheirWay = outbox.filter((item) => item.afterSeq === null);
    const entries = [
      ...this.#stored(parts, failed),
      ...(parts.hasAfter ? [] : onTheirWay.map((item) => this.#pending(item, parts.me))),
    ];
    this.#before = new Map(entries.map((entry) => [entry.key, entry]));
    return entries;
  }

  /** Messages with the lines and failed messages that stand between them. */
  #stored(parts: EntryParts, failed: readonly OutboxItem[]): Entry[] {
    const first = parts.messages[0]?.seq ?? 0;
    const last = parts.messages.at(-1)?.seq ?? 0;
    const lines = [...parts.lines];
    const waiting = failed.filter(
      ({ afterSeq }) =>
        !((parts.hasBefore && at(afterSeq) < first) || (parts.hasAfter && at(afterSeq) >= last)),
    );
    waiting.sort((a, b) => at(a.afterSeq) - at(b.afterSeq));
    const entries: Entry[] = [];
    for (const message of parts.messages) {
      while (at(waiting[0]?.afterSeq) < message.seq) this.#shift(waiting, entries, parts.me);
      while ((lines[0]?.version ?? Infinity) < message.version) this.#shiftLine(lines, entries);
      entries.push(this.#message(message, parts));
    }
    while (lines.length > 0) this.#shiftLine(lines, entries);
    while (waiting.length > 0) this.#shift(waiting, entries, parts.me);
    return entries;
  }

  #shift(waiting: OutboxItem[], entries: Entry[], me: string): void {
    const item = waiting.shift();
    if (item) entries.push(this.#pending(item, me));
  }

  #shiftLine(lines: LineEvent[], entries: Entry[]): void {
    const event = lines.shift();
    if (event) entries.push(...lineEntries(event, this.#before));
  }

  #message(message: Message, { me, removing }: EntryParts): MessageEntry {
    const key = keyOf(message.sender_id, message.client_id);
    const removingUntil = removing.get(message.seq);
    const before = this.#before.get(key);
    if (before?.kind === "message" && before.message === message && before.removingUntil === removingUntil)
      return before;
    const entry = { kind: "message" as const, key, message, mine: message.sender_id === me };
    return removingUntil === undefined ? entry : { ...entry, removingUntil };
  }

  #pending({ pending }: OutboxItem, me: string): PendingEntry {
    const key = keyOf(me, pending.clientId);
    const before = this.#before.get(key);
    if (before?.kind === "pending" && before.pending === pending) return before;
    return { kind: "pending", key, pending };
  }
}

function keyOf(userId: string, clientId: string): string {
  return `${userId}/${clientId}`;
}

function at(seq: number | null | undefined): number {
  return seq ?? Infinity;
}

function ownClientIds({ messages, outbox, me }: EntryParts): ReadonlySet<string> {
  if (outbox.length === 0) return new Set();
  return new Set(messages.filter((message) => message.sender_id === me).map((message) => message.client_id));
}

function lineEntries(event: LineEvent, before: ReadonlyMap<string, Entry>): Entry[] {
  return lines(event).map(({ part, line }) => {
    const key = `line/${event.version}${part}`;
    return before.get(key) ?? { kind: "line", key, at: event.at, line };
  });
}

function lines(event: LineEvent): { part: string; line: LineEntry["line"] }[] {
  const { by } = event;
  switch (event.op) {
    case "member.joined":
      return [{ part: "", line: { type: "joined", userId: event.user_id, by } }];
    case "member.left":
      return [{ part: "", line: { type: "left", userId: event.user_id, by } }];
    case "member.role_changed":
      return [{ part: "", line: { type: "role", userId: event.user_id, by, role: event.role } }];
    case "room.updated":
      return [
        ...(event.title === undefined
          ? []
          : [{ part: "/title", line: { type: "title" as const, by, title: event.title } }]),
        ...(event.pinned_seq === undefined
          ? []
          : [{ part: "/pin", line: { type: "pinned" as const, by, seq: event.pinned_seq } }]),
      ];
  }
}
