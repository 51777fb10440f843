// Builds the list that a room shows from its messages, its system events and the user's pending messages. An
// unchanged entry keeps its identity, and a message keeps its key from the moment it was written.
import type { OutboxItem } from "./outbox.ts";
import type { SystemEvent } from "./timeline.ts";
import type { Entry, SystemEntry, Message, MessageEntry, PendingEntry } from "./types.ts";

export interface EntriesInput {
  me: string;
  messages: readonly Message[];
  systemEvents: readonly SystemEvent[];
  outbox: readonly OutboxItem[];
  removing: ReadonlyMap<number, number>;
  hasBefore: boolean;
  hasAfter: boolean;
}

export class Entries {
  #before = new Map<string, Entry>();

  build(parts: EntriesInput): readonly Entry[] {
    const own = ownClientIds(parts);
    const outbox = parts.outbox.filter((item) => !own.has(item.pending.clientId));
    const failed = outbox.filter((item) => item.afterSeq !== null);
    const unsent = outbox.filter((item) => item.afterSeq === null);
    const entries = [
      ...this.#withFailed(parts, failed),
      ...(parts.hasAfter ? [] : unsent.map((item) => this.#pending(item, parts.me))),
    ];
    this.#before = new Map(entries.map((entry) => [entry.key, entry]));
    return entries;
  }

  /** Return the messages with the system events and failed messages between them. */
  #withFailed(parts: EntriesInput, failed: readonly OutboxItem[]): Entry[] {
    const first = parts.messages[0]?.seq ?? 0;
    const last = parts.messages.at(-1)?.seq ?? 0;
    const systemEvents = [...parts.systemEvents];
    const waiting = failed.filter(
      ({ afterSeq }) =>
        !((parts.hasBefore && seqOrEnd(afterSeq) < first) || (parts.hasAfter && seqOrEnd(afterSeq) >= last)),
    );
    waiting.sort((a, b) => seqOrEnd(a.afterSeq) - seqOrEnd(b.afterSeq));
    const entries: Entry[] = [];
    for (const message of parts.messages) {
      while (seqOrEnd(waiting[0]?.afterSeq) < message.seq) this.#shift(waiting, entries, parts.me);
      while ((systemEvents[0]?.version ?? Infinity) < message.version)
        this.#shiftSystemEvent(systemEvents, entries);
      entries.push(this.#message(message, parts));
    }
    while (systemEvents.length > 0) this.#shiftSystemEvent(systemEvents, entries);
    while (waiting.length > 0) this.#shift(waiting, entries, parts.me);
    return entries;
  }

  #shift(waiting: OutboxItem[], entries: Entry[], me: string): void {
    const item = waiting.shift();
    if (item) entries.push(this.#pending(item, me));
  }

  #shiftSystemEvent(events: SystemEvent[], entries: Entry[]): void {
    const event = events.shift();
    if (event) entries.push(...systemEntries(event, this.#before));
  }

  #message(message: Message, { me, removing }: EntriesInput): MessageEntry {
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

function seqOrEnd(seq: number | null | undefined): number {
  return seq ?? Infinity;
}

function ownClientIds({ messages, outbox, me }: EntriesInput): ReadonlySet<string> {
  if (outbox.length === 0) return new Set();
  return new Set(messages.filter((message) => message.sender_id === me).map((message) => message.client_id));
}

function systemEntries(event: SystemEvent, before: ReadonlyMap<string, Entry>): Entry[] {
  return contentsOf(event).map(({ part, content }) => {
    const key = `system/${event.version}${part}`;
    return before.get(key) ?? { kind: "system", key, at: event.at, event: content };
  });
}

function contentsOf(event: SystemEvent): { part: string; content: SystemEntry["event"] }[] {
  const { by } = event;
  switch (event.op) {
    case "member.joined":
      return [{ part: "", content: { type: "joined", userId: event.user_id, by } }];
    case "member.left":
      return [{ part: "", content: { type: "left", userId: event.user_id, by } }];
    case "member.role_changed":
      return [{ part: "", content: { type: "role", userId: event.user_id, by, role: event.role } }];
    case "room.updated":
      return [
        ...(event.title === undefined
          ? []
          : [{ part: "/title", content: { type: "title" as const, by, title: event.title } }]),
        ...(event.pinned_seq === undefined
          ? []
          : [{ part: "/pin", content: { type: "pinned" as const, by, seq: event.pinned_seq } }]),
      ];
  }
}
