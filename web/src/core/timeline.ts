// The window of messages that a room shows: consecutive seqs without duplicates or gaps. Pages and events can overtake
// each other, so each message is stored with the version of the room that it reflects.
import type { MessageChange, RoomEvent } from "./events.ts";
import { changedMessage, messageOf } from "./fold.ts";
import type { Message, MessageCreated } from "./generated/protocol.ts";

/** The recent events that are stored, to bring a page that was read before them up to date. */
const MAX_RECENT_EVENTS = 300;
/** The most messages in memory. Further ones are dropped at the end that is farther from the visible range. */
export const MAX_WINDOW = 1_000;
/** The number of messages on each side of the visible range that are never dropped. */
const MARGIN = 150;

export interface MessagesPage {
  messages: readonly Message[];
  hasMore: boolean;
  version: number;
}

export type PageAnchor = "newest" | "around" | "before" | "after";
/**
 * The result of merging a page.
 *
 * - `stale`: the page is older than the stored events. Request it again.
 * - `superseded`: the window has moved since the request.
 * - `nothing`: there is no message at that anchor.
 */
export type MergeResult = "merged" | "stale" | "superseded" | "nothing";

/** The state of the window when a page was requested. The page is only merged while the window still has that edge. */
export interface PageTicket {
  anchor: PageAnchor;
  generation: number;
  edge: number | null;
}

interface VersionedMessage {
  message: Message;
  version: number;
}

/** A range of versions. Both bounds are exclusive. */
export interface VersionRange {
  after: number;
  before: number;
}

/** An event that is shown between messages, at the position that its version gives. */
export type SystemEvent = Exclude<RoomEvent, MessageCreated | MessageChange>;

export class Timeline {
  #version: number;
  #lastSeq: number;
  #window: VersionedMessage[] = [];
  #systemEvents: SystemEvent[] = [];
  #recentEvents: RoomEvent[] = [];
  #recentFrom: number;
  #generation = 0;
  #loaded = false;
  #snapshot: readonly Message[] | null = null;
  hasBefore = false;
  hasAfter = false;

  /** `version` and `lastSeq` are those of the snapshot that the room's events follow. */
  constructor(version: number, lastSeq: number) {
    this.#version = this.#recentFrom = version;
    this.#lastSeq = lastSeq;
  }

  get version(): number {
    return this.#version;
  }

  /** The newest message that is known from events or pages. */
  get lastSeq(): number {
    return Math.max(this.#lastSeq, this.last ?? 0);
  }

  /** True if the window came from the server and all events since then are applied. */
  get loaded(): boolean {
    return this.#loaded;
  }

  get messages(): readonly Message[] {
    return (this.#snapshot ??= this.#window.map((item) => item.message));
  }

  /** The system events within the window. */
  get systemEvents(): readonly SystemEvent[] {
    const first = this.#window[0]?.message.version ?? 0;
    const last = this.#window.at(-1)?.message.version ?? 0;
    return this.#systemEvents.filter(
      ({ version }) => (!this.hasBefore || version > first) && (!this.hasAfter || version < last),
    );
  }

  get first(): number | null {
    return this.#window[0]?.message.seq ?? null;
  }

  get last(): number | null {
    return this.#window.at(-1)?.message.seq ?? null;
  }

  find(seq: number): Message | undefined {
    return this.#window[seq - (this.first ?? 0)]?.message;
  }

  ticket(anchor: PageAnchor): PageTicket {
    return { anchor, generation: this.#generation, edge: this.#edge(anchor) };
  }

  isCurrent(ticket: PageTicket): boolean {
    return ticket.generation === this.#generation && ticket.edge === this.#edge(ticket.anchor);
  }

  /** Return the range of versions whose system events belong to a page. */
  range({ anchor, edge }: PageTicket, { messages, hasMore, version }: MessagesPage): VersionRange {
    const [first, last] = [messages[0], messages.at(-1)];
    const next = edge === null ? undefined : this.find(edge)?.version;
    const start = first && hasMore && first.seq > 1 ? first.version : 0;
    const end = last && hasMore && last.seq < this.lastSeq ? last.version : version + 1;
    if (anchor === "after") return { after: next ?? 0, before: end };
    if (anchor === "around") return { after: start, before: end };
    return { after: start, before: anchor === "before" && next !== undefined ? next : version + 1 };
  }

  /** Replace the system events of a range by the server's. Return whether anything changed. */
  mergeSystemEvents({ after, before }: VersionRange, events: readonly SystemEvent[]): boolean {
    const within = this.#systemEvents.filter(({ version }) => version > after && version < before);
    const known = new Set(within.map(({ version }) => version));
    if (events.length === known.size && events.every(({ version }) => known.has(version))) return false;
    const others = this.#systemEvents.filter(({ version }) => version <= after || version >= before);
    this.#systemEvents = [...others, ...events].sort((a, b) => a.version - b.version);
    return true;
  }

  /** Show the cached messages of an earlier visit until the server has answered. */
  show(messages: readonly Message[], events: readonly SystemEvent[] = []): void {
    if (this.#loaded) return;
    const newest = events.at(-1)?.version ?? 0;
    this.#systemEvents = [...events, ...this.#systemEvents.filter(({ version }) => version > newest)];
    this.#setWindow(messages.map((message) => ({ message, version: this.#version })));
    this.hasBefore = messages.length > 0;
    this.hasAfter = (this.last ?? this.#lastSeq) < this.#lastSeq;
  }

  /** Discard the stored events because some were missed. The window stays until a page replaces it. */
  reset(version: number, lastSeq: number): void {
    this.#version = this.#recentFrom = version;
    this.#lastSeq = lastSeq;
    this.#recentEvents = [];
    this.#systemEvents = this.#systemEvents.filter((event) => event.version <= version);
    this.#loaded = false;
    this.#generation += 1;
    this.hasAfter = this.#window.length > 0 && lastSeq > (this.last ?? 0);
  }

  clear(): void {
    this.#setWindow([]);
    this.hasBefore = this.hasAfter = false;
  }

  /** Apply the next event. Return false if it was known. `Session` lets no event skip a version. */
  apply(event: RoomEvent): boolean {
    if (event.version <= this.#version) return false;
    this.#version = event.version;
    if (event.op === "message.created") this.#lastSeq = event.seq;
    this.#recentEvents.push(event);
    if (this.#recentEvents.length > 2 * MAX_RECENT_EVENTS) this.#dropOldEvents();
    this.#replay(event);
    // A page may have contained it already.
    const range = { after: event.version - 1, before: event.version + 1 };
    if (!event.op.startsWith("message.")) this.mergeSystemEvents(range, [event as SystemEvent]);
    return true;
  }

  /** Return what merging the page would result in, without changing anything. */
  check(ticket: PageTicket, page: MessagesPage): MergeResult {
    if (!this.isCurrent(ticket)) return "superseded";
    if (ticket.anchor === "around" && page.messages.length === 0 && page.hasMore) return "nothing";
    return page.version < this.#recentFrom ? "stale" : "merged";
  }

  merge(ticket: PageTicket, page: MessagesPage): MergeResult {
    const { anchor } = ticket;
    const checked = this.check(ticket, page);
    if (checked !== "merged") return checked;
    const fresh = page.messages.map((message) => ({ message, version: page.version }));
    if (anchor === "before") this.#prepend(fresh, page.hasMore);
    else if (anchor === "after") this.#append(fresh, page.hasMore);
    else this.#replace(fresh, anchor, page);
    for (const event of this.#recentEvents) if (event.version > page.version) this.#replay(event);
    return "merged";
  }

  /** Drop messages far from the visible range if there are too many. Return whether any were dropped. */
  trim(firstVisible: number, lastVisible: number): boolean {
    const excess = this.#window.length - MAX_WINDOW;
    const [first, last] = [this.first, this.last];
    if (excess <= 0 || first === null || last === null) return false;
    const [above, below] = [firstVisible - first - MARGIN, last - lastVisible - MARGIN];
    if (Math.max(above, below) <= 0) return false;
    if (above >= below) {
      this.#setWindow(this.#window.slice(Math.min(excess, above)));
      this.hasBefore = true;
    } else {
      this.#setWindow(this.#window.slice(0, this.#window.length - Math.min(excess, below)));
      this.hasAfter = true;
    }
    return true;
  }

  #edge(anchor: PageAnchor): number | null {
    if (anchor === "before") return this.first;
    return anchor === "after" ? this.last : null;
  }

  #setWindow(window: VersionedMessage[]): void {
    this.#window = window;
    this.#snapshot = null;
  }

  #replace(fresh: VersionedMessage[], anchor: PageAnchor, page: MessagesPage): void {
    this.#generation += 1;
    this.#loaded = true;
    this.#setWindow(fresh.map((item) => ({ ...item, message: this.#reuse(item.message) })));
    // `has_more` of a page around a message does not say on which side.
    const atEnd = page.version <= this.#version && (this.last ?? this.#lastSeq) >= this.#lastSeq;
    this.hasBefore = page.hasMore && (anchor === "newest" || (this.first ?? 1) > 1);
    this.hasAfter = page.hasMore && anchor === "around" && !atEnd;
  }

  /** Return the object that is already shown if the content is equal, so that it is not rendered again. */
  #reuse(message: Message): Message {
    const before = this.find(message.seq);
    return before && JSON.stringify(before) === JSON.stringify(message) ? before : message;
  }

  #prepend(fresh: VersionedMessage[], hasMore: boolean): void {
    this.#setWindow([...fresh, ...this.#window]);
    this.hasBefore = hasMore;
  }

  #append(fresh: VersionedMessage[], hasMore: boolean): void {
    this.#setWindow([...this.#window, ...fresh]);
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
    this.#window.push({ message: messageOf(event), version: event.version });
    this.#snapshot = null;
  }

  #changed(event: MessageChange): void {
    const item = this.#window[event.seq - (this.first ?? 0)];
    if (!item || item.version >= event.version) return;
    item.message = changedMessage(item.message, event);
    item.version = event.version;
    this.#snapshot = null;
  }

  #dropOldEvents(): void {
    this.#recentEvents = this.#recentEvents.slice(-MAX_RECENT_EVENTS);
    this.#recentFrom = (this.#recentEvents[0]?.version ?? this.#version + 1) - 1;
  }
}
