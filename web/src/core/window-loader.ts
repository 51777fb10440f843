// Loads the window of a room: entering the room, pages, jumps, and reloads at the same position.
import type { StoredPage } from "./database.ts";
import type { Ok, RoomDetail } from "./generated/protocol.ts";
import { failure } from "./requests.ts";
import type { RequestFrame, Reply } from "./requests.ts";
import type { Members } from "./members.ts";
import type {
  SystemEvent,
  MergeResult,
  MessagesPage,
  PageAnchor,
  VersionRange,
  PageTicket,
  Timeline,
} from "./timeline.ts";
import type { Message, Result, RoomSummary, RoomWindow } from "./types.ts";

const PAGE = 100;
/** A reload keeps the position if it is at least this many messages above the newest. Otherwise it shows the newest. */
const FAR_FROM_NEWEST = 20;
const MAX_STALE_RETRIES = 4;
/** Errors after which entering the room is retried automatically. */
const TRANSIENT: ReadonlySet<string> = new Set(["rate_limited", "unavailable"]);
const RETRY = 2_000;
/** The time that a page waits for its system events. */
const SYSTEM_EVENTS_TIMEOUT = 1_000;

type Loading = RoomWindow["loading"];
type Failed = Result & { ok: false };

export interface WindowLoaderHost {
  online: () => boolean;
  request: (frame: RequestFrame) => Promise<Reply>;
  getRoom: (roomId: string) => Promise<Result<{ value: RoomDetail }>>;
  summary: (roomId: string) => RoomSummary | undefined;
  /** Return the system events of a range, or null if they cannot be loaded now. */
  listSystemEvents: (roomId: string, range: VersionRange) => Promise<readonly SystemEvent[] | null>;
  loadPage: (roomId: string) => Promise<StoredPage | undefined>;
  /** Messages arrived: load the profiles of `userIds` and settle the user's own messages. */
  received: (roomId: string, messages: readonly Message[], userIds: readonly string[]) => void;
}

export interface WindowLoaderView {
  readonly roomId: string;
  readonly timeline: Timeline;
  readonly members: Members;
  readonly isOpen: boolean;
  /** Something other than the messages changed. */
  invalidate: () => void;
  /** A page was merged into the window. */
  merged: () => void;
  rejected: (error: Failed["error"]) => void;
}

export class WindowLoader {
  readonly #view: WindowLoaderView;
  readonly #host: WindowLoaderHost;
  readonly #running = new Map<Loading, Promise<Result>>();
  /** True once this visit has its initial position. */
  #positioned = false;
  #lastMove = 0;
  #visible: { first: number; last: number } | null = null;
  loading: Loading = null;
  error: RoomWindow["error"] = null;
  firstUnread: number | null = null;

  constructor(view: WindowLoaderView, host: WindowLoaderHost) {
    this.#view = view;
    this.#host = host;
  }

  /** Start a visit at the first unread message, or at the newest if everything was read. */
  visit(): void {
    const summary = this.#host.summary(this.#view.roomId);
    this.#positioned = false;
    this.#visible = null;
    if (summary) this.#freezeFirstUnread(summary);
    if (this.#view.timeline.loaded) {
      void this.#revisit();
    } else {
      void this.#showCached();
      void this.reload();
    }
  }

  setVisibleRange(first: number, last: number): void {
    this.#visible = { first, last };
  }

  trim(): boolean {
    const { timeline } = this.#view;
    const edge = timeline.last ?? 0;
    const { first, last } = this.#visible ?? { first: edge, last: edge };
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
    const isWanted = this.#startMove();
    const seq = "seq" in target ? target.seq : await this.#seqAt(target.at);
    if (typeof seq !== "number") return seq;
    await this.#running.get("newest");
    if (timeline.loaded && timeline.find(seq)) return { ok: true, seq };
    const moved = await this.#page("jump", "around", () => ({ around: seq }), isWanted);
    if (!moved.ok) return moved;
    return timeline.find(seq) ? { ok: true, seq } : failure("not_found", "That message is not visible.");
  }

  async toLatest(): Promise<Result> {
    const isWanted = this.#startMove();
    await this.#running.get("newest");
    const { timeline } = this.#view;
    if (timeline.loaded && !timeline.hasAfter) return { ok: true };
    return this.#page("newest", "newest", () => ({}), isWanted);
  }

  /** Load the room again at the visible position, else at the first unread message, else at the newest. */
  async reload(): Promise<void> {
    if (!this.#host.online()) return;
    const around = this.#positioned ? this.#visibleCentre() : null;
    const result = await this.#run("newest", () => this.#enter(around));
    if (!result.ok && TRANSIENT.has(result.error.code)) setTimeout(() => this.#retry(), RETRY);
  }

  #retry(): void {
    if (this.#view.isOpen && !this.#view.timeline.loaded && this.#running.size === 0) void this.reload();
  }

  async refreshMembers(): Promise<void> {
    const { roomId, members } = this.#view;
    const detail = await this.#host.getRoom(roomId);
    if (!detail.ok) return;
    members.replace(detail.value.members, detail.value.version);
    this.#host.received(roomId, [], usersIn([], detail.value.members));
    this.#view.invalidate();
  }

  /** Show the cached page of an earlier visit until the server has answered. */
  async #showCached(): Promise<void> {
    const { roomId, timeline, members } = this.#view;
    const cached = await this.#host.loadPage(roomId);
    if (!cached || timeline.loaded || !this.#host.summary(roomId)) return;
    timeline.show(cached.messages, cached.lines);
    members.show(cached.members);
    this.#host.received(roomId, cached.messages, [
      ...usersIn(cached.messages, cached.members),
      ...usersInEvents(cached.lines ?? []),
    ]);
    this.#view.invalidate();
  }

  async #revisit(): Promise<void> {
    const { timeline } = this.#view;
    const unread = this.firstUnread;
    if (unread !== null && !timeline.find(unread)) await this.jumpTo({ seq: unread });
    else if (unread === null && timeline.hasAfter) await this.toLatest();
    this.#positioned = true;
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
    if (room && !this.#positioned) this.#freezeFirstUnread(room);
    if (!timeline.isCurrent(ticket)) return { ok: true };
    this.#host.received(roomId, page.messages, usersIn(page.messages, room?.members ?? []));
    const start = around ?? (this.#positioned ? null : this.firstUnread);
    if (start !== null && start < (page.messages[0]?.seq ?? 0))
      return this.#fetch("around", () => ({ around: start }));
    const whole = { ...page, hasMore: hasOlder(page) };
    const merged = timeline.merge(ticket, whole);
    if (merged === "merged") {
      // Do not wait for the system events: the cache has those of a room that was open before.
      const range = timeline.range(ticket, whole);
      void this.#showSystemEvents(range, this.#host.listSystemEvents(roomId, range));
      return this.#merged(page.messages);
    }
    return merged === "stale" ? this.#fetch("newest", () => ({})) : { ok: true };
  }

  /** Load a page. A second load of the same kind shares the first one's result, except for jumps. */
  #page(loading: Loading, anchor: PageAnchor, choice: () => object, isWanted = never): Promise<Result> {
    const running = loading === "jump" ? undefined : this.#running.get(loading);
    return running ?? this.#run(loading, () => this.#fetch(anchor, choice, isWanted));
  }

  /** Start a move of the window. The returned function is true until another move starts. */
  #startMove(): () => boolean {
    this.#lastMove += 1;
    const own = this.#lastMove;
    return () => own === this.#lastMove;
  }

  #run(loading: Loading, work: () => Promise<Result>): Promise<Result> {
    const promise = work().finally(() => {
      if (this.#running.get(loading) === promise) this.#running.delete(loading);
      this.loading = [...this.#running.keys()].at(-1) ?? null;
      this.#view.invalidate();
    });
    this.#running.set(loading, promise);
    this.loading = loading;
    this.#view.invalidate();
    return promise;
  }

  /** Request a page. A superseded page is requested again while it is wanted, so a reload does not undo a jump. */
  async #fetch(anchor: PageAnchor, choice: () => object, isWanted = never): Promise<Result> {
    const { roomId, timeline } = this.#view;
    for (let tries = 0; tries < MAX_STALE_RETRIES; tries += 1) {
      const ticket = timeline.ticket(anchor);
      const result = await this.#host.request({
        op: "message.list",
        room_id: roomId,
        limit: PAGE,
        ...choice(),
      });
      if (!result.ok) return this.#rejected(result);
      const page = pageOf(result.reply);
      const merged = await this.#mergeWhole(ticket, page);
      if (merged === "merged") return this.#merged(page.messages);
      if (merged === "nothing" || (merged === "superseded" && !isWanted())) return { ok: true };
    }
    return this.#rejected(failure("unavailable", "The page is still older than the known events."));
  }

  /** Merge a page with its system events. Inserting them later would shift the messages on screen. */
  async #mergeWhole(ticket: PageTicket, page: MessagesPage): Promise<MergeResult> {
    const { roomId, timeline } = this.#view;
    const checked = timeline.check(ticket, page);
    if (checked !== "merged") return checked;
    const range = timeline.range(ticket, page);
    const pending = this.#host.listSystemEvents(roomId, range);
    const events = await Promise.race([pending, timeout(SYSTEM_EVENTS_TIMEOUT)]);
    const merged = timeline.merge(ticket, page);
    if (merged === "merged" && events) this.#mergeSystemEvents(range, events);
    else if (merged === "merged") void this.#showSystemEvents(range, pending);
    return merged;
  }

  async #showSystemEvents(
    range: VersionRange,
    pending: ReturnType<WindowLoaderHost["listSystemEvents"]>,
  ): Promise<void> {
    const { timeline } = this.#view;
    const ticket = timeline.ticket("newest");
    const events = await pending;
    if (events && timeline.isCurrent(ticket) && this.#mergeSystemEvents(range, events)) this.#view.merged();
  }

  #mergeSystemEvents(range: VersionRange, events: readonly SystemEvent[]): boolean {
    this.#host.received(this.#view.roomId, [], usersInEvents(events));
    return this.#view.timeline.mergeSystemEvents(range, events);
  }

  #merged(messages: readonly Message[]): Result {
    this.error = null;
    this.#positioned = true;
    this.#host.received(this.#view.roomId, messages, usersIn(messages, []));
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

  #visibleCentre(): number | null {
    const { timeline } = this.#view;
    if (!this.#visible) return null;
    const { first, last } = this.#visible;
    const far = timeline.hasAfter || last < (timeline.last ?? 0) - FAR_FROM_NEWEST;
    return far ? Math.floor((first + last) / 2) : null;
  }

  /** Set the first unread message of this visit. The server may not know yet what was just read here. */
  #freezeFirstUnread(room: { last_seq: number; read_seq: number }): void {
    const here = this.#host.summary(this.#view.roomId)?.read_seq ?? 0;
    const read = Math.max(here, room.read_seq);
    this.firstUnread = read < room.last_seq ? read + 1 : null;
  }
}

function timeout(milliseconds: number): Promise<null> {
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

/** The reply to `room.enter` does not say whether older messages exist. */
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
