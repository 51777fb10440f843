// The window of messages that one room shows: consecutive seqs, never doubled, never a hole shown as continuous.
// Pages and events may overtake each other: each message knows the version that it is true for.
import type { MessageChange, RoomEvent } from "./events.ts";
import { changedMessage, messageOf } from "./fold.ts";
import type { Message, MessageCreated } from "./generated/protocol.ts";

/** Events kept, so that a page read before them can be brought up to date. */
const KEPT_EVENTS = 300;
/** Messages kept in memory; further ones are dropped at the end that is farther from what is looked at. */
export const WINDOW = 1_000;
/** So many are never dropped next to what is looked at. */
const MARGIN = 150;

export interface MessagesPage {
  messages: readonly Message[];
  hasMore: boolean;
  version: number;
}

export type Place = "newest" | "around" | "before" | "after";
/**
 * `stale`: the page is older than the events kept, ask again; `superseded`: the window has moved meanwhile;
 * `nothing`: there is no message around that place.
 */
export type Merged = "merged" | "stale" | "superseded" | "nothing";

/** What a request for a page remembers: its answer counts only while the window still has that edge. */
export interface Ticket {
  place: Place;
  move: number;
  edge: number | null;
}

interface Held {
  message: Message;
  asOf: number;
}

/** The versions between two: both are outside. */
export interface VersionRange {
  after: number;
  before: number;
}

/** An event that is no message, shown between messages by its version. */
export type SystemEvent = Exclude<RoomEvent, MessageCreated | MessageChange>;

export class Timeline {
  #version: number;
  #lastSeq: number;
  #held: Held[] = [];
  #systemEvents: SystemEvent[] = [];
  #kept: RoomEvent[] = [];
  #keptFrom: number;
  #move = 0;
  #loaded = false;
  #snapshot: readonly Message[] | null = null;
  hasBefore = false;
  hasAfter = false;

  /** `version` and `lastSeq` are those of the snapshot after which the room's events come. */
  constructor(version: number, lastSeq: number) {
    this.#version = this.#keptFrom = version;
    this.#lastSeq = lastSeq;
  }

  get version(): number {
    return this.#version;
  }

  /** The room's newest message, as far as events and pages tell. */
  get lastSeq(): number {
    return Math.max(this.#lastSeq, this.last ?? 0);
  }

  /** Whether the window is of the server, and followed by events since. */
  get loaded(): boolean {
    return this.#loaded;
  }

  get messages(): readonly Message[] {
    return (this.#snapshot ??= this.#held.map((held) => held.message));
  }

  /** Those within the window. */
  get systemEvents(): readonly SystemEvent[] {
    const first = this.#held[0]?.message.version ?? 0;
    const last = this.#held.at(-1)?.message.version ?? 0;
    return this.#systemEvents.filter(
      ({ version }) => (!this.hasBefore || version > first) && (!this.hasAfter || version < last),
    );
  }

  get first(): number | null {
    return this.#held[0]?.message.seq ?? null;
  }

  get last(): number | null {
    return this.#held.at(-1)?.message.seq ?? null;
  }

  find(seq: number): Message | undefined {
    return this.#held[seq - (this.first ?? 0)]?.message;
  }

  ticket(place: Place): Ticket {
    return { place, move: this.#move, edge: this.#edge(place) };
  }

  isCurrent(ticket: Ticket): boolean {
    return ticket.move === this.#move && ticket.edge === this.#edge(ticket.place);
  }

  /** Between which versions the lines are that a page brings into the window. */
  range({ place, edge }: Ticket, { messages, hasMore, version }: MessagesPage): VersionRange {
    const [first, last] = [messages[0], messages.at(-1)];
    const next = edge === null ? undefined : this.find(edge)?.version;
    const start = first && hasMore && first.seq > 1 ? first.version : 0;
    const end = last && hasMore && last.seq < this.lastSeq ? last.version : version + 1;
    if (place === "after") return { after: next ?? 0, before: end };
    if (place === "around") return { after: start, before: end };
    return { after: start, before: place === "before" && next !== undefined ? next : version + 1 };
  }

  /** All lines of a span, as the server tells them; whether anything is new. */
  mergeSystemEvents({ after, before }: VersionRange, events: readonly SystemEvent[]): boolean {
    const within = this.#systemEvents.filter(({ version }) => version > after && version < before);
    const known = new Set(within.map(({ version }) => version));
    if (events.length === known.size && events.every(({ version }) => known.has(version))) return false;
    const others = this.#systemEvents.filter(({ version }) => version <= after || version >= before);
    this.#systemEvents = [...others, ...events].sort((a, b) => a.version - b.version);
    return true;
  }

  /** Shows what was kept from an earlier visit until the server has answered. */
  show(messages: readonly Message[], events: readonly SystemEvent[] = []): void {
    if (this.#loaded) return;
    const newest = events.at(-1)?.version ?? 0;
    this.#systemEvents = [...events, ...this.#systemEvents.filter(({ version }) => version > newest)];
    this.#put(messages.map((message) => ({ message, asOf: this.#version })));
    this.hasBefore = messages.length > 0;
    this.hasAfter = (this.last ?? this.#lastSeq) < this.#lastSeq;
  }

  /** The events between are lost: what is shown stays until a page replaces it, but is no longer continued. */
  reset(version: number, lastSeq: number): void {
    this.#version = this.#keptFrom = version;
    this.#lastSeq = lastSeq;
    this.#kept = [];
    this.#systemEvents = this.#systemEvents.filter((event) => event.version <= version);
    this.#loaded = false;
    this.#move += 1;
    this.hasAfter = this.#held.length > 0 && lastSeq > (this.last ?? 0);
  }

  clear(): void {
    this.#put([]);
    this.hasBefore = this.hasAfter = false;
  }

  /** Whether the event was new. */
  apply(event: RoomEvent): boolean {
    if (event.version <= this.#version) return false;
    this.#version = event.version;
    if (event.op === "message.created") this.#lastSeq = event.seq;
    this.#kept.push(event);
    if (this.#kept.length > 2 * KEPT_EVENTS) this.#forget();
    this.#replay(event);
    // It may have been told with a page already.
    const range = { after: event.version - 1, before: event.version + 1 };
    if (!event.op.startsWith("message.")) this.mergeSystemEvents(range, [event as SystemEvent]);
    return true;
  }

  /** What would become of the page. */
  check(ticket: Ticket, page: MessagesPage): Merged {
    if (!this.isCurrent(ticket)) return "superseded";
    if (ticket.place === "around" && page.messages.length === 0 && page.hasMore) return "nothing";
    return page.version < this.#keptFrom ? "stale" : "merged";
  }

  merge(ticket: Ticket, page: MessagesPage): Merged {
    const { place } = ticket;
    const checked = this.check(ticket, page);
    if (checked !== "merged") return checked;
    const fresh = page.messages.map((message) => ({ message, asOf: page.version }));
    if (place === "before") this.#prepend(fresh, page.hasMore);
    else if (place === "after") this.#append(fresh, page.hasMore);
    else this.#replace(fresh, place, page);
    for (const event of this.#kept) if (event.version > page.version) this.#replay(event);
    return "merged";
  }

  /** Drops what is far from the seqs looked at, once there is too much; whether it did. */
  trim(firstSeen: number, lastSeen: number): boolean {
    const excess = this.#held.length - WINDOW;
    const [first, last] = [this.first, this.last];
    if (excess <= 0 || first === null || last === null) return false;
    const [above, below] = [firstSeen - first - MARGIN, last - lastSeen - MARGIN];
    if (Math.max(above, below) <= 0) return false;
    if (above >= below) {
      this.#put(this.#held.slice(Math.min(excess, above)));
      this.hasBefore = true;
    } else {
      this.#put(this.#held.slice(0, this.#held.length - Math.min(excess, below)));
      this.hasAfter = true;
    }
    return true;
  }

  #edge(place: Place): number | null {
    if (place === "before") return this.first;
    return place === "after" ? this.last : null;
  }

  #put(held: Held[]): void {
    this.#held = held;
    this.#snapshot = null;
  }

  #replace(fresh: Held[], place: Place, page: MessagesPage): void {
    this.#move += 1;
    this.#loaded = true;
    this.#put(fresh.map((held) => ({ ...held, message: this.#known(held.message) })));
    // `has_more` of a page around a message does not tell on which side.
    const atEnd = page.version <= this.#version && (this.last ?? this.#lastSeq) >= this.#lastSeq;
    this.hasBefore = page.hasMore && (place === "newest" || (this.first ?? 1) > 1);
    this.hasAfter = page.hasMore && place === "around" && !atEnd;
  }

  /** The same object for the same content: what was shown from an earlier visit need not be drawn again. */
  #known(message: Message): Message {
    const before = this.find(message.seq);
    return before && JSON.stringify(before) === JSON.stringify(message) ? before : message;
  }

  #prepend(fresh: Held[], hasMore: boolean): void {
    this.#put([...fresh, ...this.#held]);
    this.hasBefore = hasMore;
  }

  #append(fresh: Held[], hasMore: boolean): void {
    this.#put([...this.#held, ...fresh]);
    this.hasAfter = hasMore;
  }

  #replay(event: RoomEvent): void {
    if (event.op === "message.created") this.#created(event);
    else if (event.op.startsWith("message.")) this.#changed(event as MessageChange);
  }

  #created(event: MessageCreated): void {
    if (this.hasAfter || event.seq <= (this.last ?? 0)) return;
    const continues = this.last === null ? this.#loaded : event.seq === this.last + 1;
    if (!continues) {
      this.hasAfter = this.last !== null;
      return;
    }
    this.#held.push({ message: messageOf(event), asOf: event.version });
    this.#snapshot = null;
  }

  #changed(event: MessageChange): void {
    const held = this.#held[event.seq - (this.first ?? 0)];
    if (!held || held.asOf >= event.version) return;
    held.message = changedMessage(held.message, event);
    held.asOf = event.version;
    this.#snapshot = null;
  }

  #forget(): void {
    this.#kept = this.#kept.slice(-KEPT_EVENTS);
    this.#keptFrom = (this.#kept[0]?.version ?? this.#version + 1) - 1;
  }
}
