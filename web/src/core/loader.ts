// What loads the window of one room: entering it, pages, jumps, and loading it anew at the same place.
import type { StoredPage } from "./database.ts";
import type { Ok, RoomDetail } from "./generated/protocol.ts";
import { failure } from "./requests.ts";
import type { RequestFrame, Reply } from "./requests.ts";
import type { Members } from "./members.ts";
import type { SystemEvent, Merged, MessagesPage, Place, VersionRange, Ticket, Timeline } from "./timeline.ts";
import type { Message, Result, RoomSummary, RoomWindow } from "./types.ts";

const PAGE = 100;
/** So many messages above the newest, what is looked at is kept in sight when the room is loaded anew. */
const FAR_UP = 20;
const STALE_TRIES = 4;
/** After these the room is entered again by itself. */
const PASSING: ReadonlySet<string> = new Set(["rate_limited", "unavailable"]);
const RETRY = 2_000;
/** So long a page waits for its lines. */
const SYSTEM_EVENTS_TIMEOUT = 1_000;

type Loading = RoomWindow["loading"];
type Failed = Result & { ok: false };

export interface LoaderHost {
  online: () => boolean;
  request: (frame: RequestFrame) => Promise<Reply>;
  getRoom: (roomId: string) => Promise<Result<{ value: RoomDetail }>>;
  summary: (roomId: string) => RoomSummary | undefined;
  /** What stands between messages; null where it cannot be had now. */
  listSystemEvents: (roomId: string, range: VersionRange) => Promise<readonly SystemEvent[] | null>;
  loadPage: (roomId: string) => Promise<StoredPage | undefined>;
  /** Messages have come into sight: whose profile is needed, which of one's own are stored. */
  seen: (roomId: string, messages: readonly Message[], userIds: readonly string[]) => void;
}

export interface LoaderView {
  readonly roomId: string;
  readonly timeline: Timeline;
  readonly members: Members;
  readonly isOpen: boolean;
  /** Something else than messages changed. */
  invalidate: () => void;
  /** A page came in. */
  merged: () => void;
  rejected: (error: Failed["error"]) => void;
}

export class Loader {
  readonly #view: LoaderView;
  readonly #host: LoaderHost;
  readonly #under = new Map<Loading, Promise<Result>>();
  /** Whether this visit has found its place. */
  #placed = false;
  #moves = 0;
  #looked: { first: number; last: number } | null = null;
  loading: Loading = null;
  error: RoomWindow["error"] = null;
  firstUnread: number | null = null;

  constructor(view: LoaderView, host: LoaderHost) {
    this.#view = view;
    this.#host = host;
  }

  /** A new visit: at the first unread message, if there is one. */
  visit(): void {
    const summary = this.#host.summary(this.#view.roomId);
    this.#placed = false;
    this.#looked = null;
    if (summary) this.#freeze(summary);
    if (this.#view.timeline.loaded) {
      void this.#revisit();
    } else {
      void this.#showKept();
      void this.reload();
    }
  }

  look(first: number, last: number): void {
    this.#looked = { first, last };
  }

  trim(): boolean {
    const { timeline } = this.#view;
    const edge = timeline.last ?? 0;
    const { first, last } = this.#looked ?? { first: edge, last: edge };
    return timeline.trim(first, last);
  }

  loadBefore(): Promise<Result> {
    const { timeline } = this.#view;
    if (!timeline.loaded || !timeline.hasBefore) return Promise.resolve({ ok: true });
    return this.#page("before", "before", () => ({ before: timeline.first }));
  }

  loadAfter(): Promise<Result> {
    const { timeline } = this.#view;
    if (!timeline.loaded || !timeline.hasAfter) return Promise.resolve({ ok: true });
    return this.#page("after", "after", () => ({ after: timeline.last }));
  }

  async jumpTo(target: { seq: number } | { at: string }): Promise<Result<{ seq: number }>> {
    const { timeline } = this.#view;
    const isWanted = this.#move();
    const seq = "seq" in target ? target.seq : await this.#seqAt(target.at);
    if (typeof seq !== "number") return seq;
    await this.#under.get("newest");
    if (timeline.loaded && timeline.find(seq)) return { ok: true, seq };
    const moved = await this.#page("jump", "around", () => ({ around: seq }), isWanted);
    if (!moved.ok) return moved;
    return timeline.find(seq) ? { ok: true, seq } : failure("not_found", "That message is not to be seen.");
  }

  async toLatest(): Promise<Result> {
    const isWanted = this.#move();
    await this.#under.get("newest");
    const { timeline } = this.#view;
    if (timeline.loaded && !timeline.hasAfter) return { ok: true };
    return this.#page("newest", "newest", () => ({}), isWanted);
  }

  /** The room anew, at the place that is looked at, else at the first unread message, else at the newest. */
  async reload(): Promise<void> {
    if (!this.#host.online()) return;
    const around = this.#placed ? this.#placeLooked() : null;
    const result = await this.#begin("newest", () => this.#enter(around));
    if (!result.ok && PASSING.has(result.error.code)) setTimeout(() => this.#again(), RETRY);
  }

  #again(): void {
    if (this.#view.isOpen && !this.#view.timeline.loaded && this.#under.size === 0) void this.reload();
  }

  async refreshMembers(): Promise<void> {
    const { roomId, members } = this.#view;
    const detail = await this.#host.getRoom(roomId);
    if (!detail.ok) return;
    members.replace(detail.value.members, detail.value.version);
    this.#host.seen(roomId, [], usersIn([], detail.value.members));
    this.#view.invalidate();
  }

  /** What was kept of an earlier visit, until the server has answered. */
  async #showKept(): Promise<void> {
    const { roomId, timeline, members } = this.#view;
    const kept = await this.#host.loadPage(roomId);
    if (!kept || timeline.loaded || !this.#host.summary(roomId)) return;
    timeline.show(kept.messages, kept.lines);
    members.show(kept.members);
    this.#host.seen(roomId, kept.messages, [
      ...usersIn(kept.messages, kept.members),
      ...usersInEvents(kept.lines ?? []),
    ]);
    this.#view.invalidate();
  }

  async #revisit(): Promise<void> {
    const { timeline } = this.#view;
    const unread = this.firstUnread;
    if (unread !== null && !timeline.find(unread)) await this.jumpTo({ seq: unread });
    else if (unread === null && timeline.hasAfter) await this.toLatest();
    this.#placed = true;
    await this.refreshMembers();
  }

  async #enter(around: number | null): Promise<Result> {
    const { roomId, timeline, members } = this.#view;
    const ticket = timeline.ticket("newest");
    const entered = await this.#host.request({ op: "room.enter", room_id: roomId, mark_read: false });
    if (!entered.ok) return this.#rejected(entered);
    const { room } = entered.reply;
    const page = pageOf(entered.reply);
    if (room) members.replace(room.members, page.version);
    if (room && !this.#placed) this.#freeze(room);
    if (!timeline.isCurrent(ticket)) return { ok: true };
    this.#host.seen(roomId, page.messages, usersIn(page.messages, room?.members ?? []));
    const start = around ?? (this.#placed ? null : this.firstUnread);
    if (start !== null && start < (page.messages[0]?.seq ?? 0))
      return this.#fetch("around", () => ({ around: start }));
    const whole = { ...page, hasMore: hasOlder(page) };
    const merged = timeline.merge(ticket, whole);
    if (merged === "merged") {
      // The room is shown without waiting for them: of a room seen before they are kept.
      const range = timeline.range(ticket, whole);
      void this.#showSystemEvents(range, this.#host.listSystemEvents(roomId, range));
      return this.#merged(page.messages);
    }
    return merged === "stale" ? this.#fetch("newest", () => ({})) : { ok: true };
  }

  /** One load of a kind at a time; a second one waits for the first. A jump goes elsewhere, and does not wait. */
  #page(loading: Loading, place: Place, choice: () => object, isWanted = never): Promise<Result> {
    const under = loading === "jump" ? undefined : this.#under.get(loading);
    return under ?? this.#begin(loading, () => this.#fetch(place, choice, isWanted));
  }

  /** The window is to go elsewhere; the answer tells whether that is still the last wish. */
  #move(): () => boolean {
    this.#moves += 1;
    const own = this.#moves;
    return () => own === this.#moves;
  }

  #begin(loading: Loading, work: () => Promise<Result>): Promise<Result> {
    const promise = work().finally(() => {
      if (this.#under.get(loading) === promise) this.#under.delete(loading);
      this.loading = [...this.#under.keys()].at(-1) ?? null;
      this.#view.invalidate();
    });
    this.#under.set(loading, promise);
    this.loading = loading;
    this.#view.invalidate();
    return promise;
  }

  /** A page that was superseded is asked for again while it is wanted: a room loaded anew does not undo a jump. */
  async #fetch(place: Place, choice: () => object, isWanted = never): Promise<Result> {
    const { roomId, timeline } = this.#view;
    for (let tries = 0; tries < STALE_TRIES; tries += 1) {
      const ticket = timeline.ticket(place);
      const answered = await this.#host.request({
        op: "message.list",
        room_id: roomId,
        limit: PAGE,
        ...choice(),
      });
      if (!answered.ok) return this.#rejected(answered);
      const page = pageOf(answered.reply);
      const merged = await this.#mergeWhole(ticket, page);
      if (merged === "merged") return this.#merged(page.messages);
      if (merged === "nothing" || (merged === "superseded" && !isWanted())) return { ok: true };
    }
    return this.#rejected(failure("unavailable", "The page stays older than what is known."));
  }

  /** The page together with the lines in it: what comes between messages later would move what one reads. */
  async #mergeWhole(ticket: Ticket, page: MessagesPage): Promise<Merged> {
    const { roomId, timeline } = this.#view;
    const checked = timeline.check(ticket, page);
    if (checked !== "merged") return checked;
    const range = timeline.range(ticket, page);
    const asked = this.#host.listSystemEvents(roomId, range);
    const events = await Promise.race([asked, late(SYSTEM_EVENTS_TIMEOUT)]);
    const merged = timeline.merge(ticket, page);
    if (merged === "merged" && events) this.#mergeSystemEvents(range, events);
    else if (merged === "merged") void this.#showSystemEvents(range, asked);
    return merged;
  }

  async #showSystemEvents(range: VersionRange, asked: ReturnType<LoaderHost["listSystemEvents"]>): Promise<void> {
    const { timeline } = this.#view;
    const ticket = timeline.ticket("newest");
    const events = await asked;
    if (events && timeline.isCurrent(ticket) && this.#mergeSystemEvents(range, events)) this.#view.merged();
  }

  #mergeSystemEvents(range: VersionRange, events: readonly SystemEvent[]): boolean {
    this.#host.seen(this.#view.roomId, [], usersInEvents(events));
    return this.#view.timeline.mergeSystemEvents(range, events);
  }

  #merged(messages: readonly Message[]): Result {
    this.error = null;
    this.#placed = true;
    this.#host.seen(this.#view.roomId, messages, usersIn(messages, []));
    this.trim();
    this.#view.merged();
    return { ok: true };
  }

  #rejected(result: Failed): Result {
    this.error = result.error;
    this.#view.rejected(result.error);
    return result;
  }

  async #seqAt(at: string): Promise<number | Failed> {
    const { roomId, timeline } = this.#view;
    const first = await this.#host.request({ op: "message.list", room_id: roomId, at, limit: 1 });
    if (!first.ok) return first;
    return first.reply.messages?.[0]?.seq ?? timeline.lastSeq;
  }

  #placeLooked(): number | null {
    const { timeline } = this.#view;
    if (!this.#looked) return null;
    const { first, last } = this.#looked;
    const far = timeline.hasAfter || last < (timeline.last ?? 0) - FAR_UP;
    return far ? Math.floor((first + last) / 2) : null;
  }

  /** The server may not know yet what was read here a moment ago. */
  #freeze(room: { last_seq: number; read_seq: number }): void {
    const here = this.#host.summary(this.#view.roomId)?.read_seq ?? 0;
    const read = Math.max(here, room.read_seq);
    this.firstUnread = read < room.last_seq ? read + 1 : null;
  }
}

function late(milliseconds: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), milliseconds));
}

function never(): boolean {
  return false;
}

function pageOf(reply: Ok): MessagesPage {
  return {
    messages: reply.messages ?? [],
    hasMore: reply.has_more ?? false,
    version: reply.version ?? 0,
  };
}

/** The answer to entering a room does not say whether there are older messages than its page. */
function hasOlder(page: MessagesPage): boolean {
  return page.hasMore || (page.messages[0]?.seq ?? 1) > 1;
}

function usersIn(messages: readonly Message[], members: readonly { user_id: string }[]): string[] {
  const reacted = messages.flatMap((message) => Object.values(message.reactions ?? {}).flat());
  return [...members.map((m) => m.user_id), ...messages.map((message) => message.sender_id), ...reacted];
}

function usersInEvents(events: readonly SystemEvent[]): string[] {
  return events.flatMap((event) => ("user_id" in event ? [event.user_id, event.by] : [event.by]));
}
