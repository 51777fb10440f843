// The model of one room in a session: applies events, loads pages, and gives views one snapshot of messages, members,
// read cursors and typing users.
import { Entries } from "./entries.ts";
import type { RoomEvent } from "./events.ts";
import { changedMessage } from "./fold.ts";
import type { ServerFrame } from "./generated/protocol.ts";
import { WindowLoader } from "./window-loader.ts";
import type { WindowLoaderHost } from "./window-loader.ts";
import type { OutboxItem } from "./outbox.ts";
import { QuotedMessages } from "./quoted-messages.ts";
import { Members } from "./members.ts";
import { Store } from "./store.ts";
import type { UpdateBatch } from "./store.ts";
import { Timeline } from "./timeline.ts";
import type { Entry, DomainError, Result, RoomState, RoomStore, RoomWindow } from "./types.ts";
import { TypingUsers } from "./typing.ts";

export interface RoomHost extends WindowLoaderHost {
  readonly batch: UpdateBatch;
  me: () => string;
  outbox: (roomId: string) => readonly OutboxItem[];
  quotedByDraft: (roomId: string) => number | undefined;
  opened: (room: RoomModel) => void;
  /** The messages or members changed, so the cached page is outdated. */
  contentChanged: (roomId: string) => void;
}

export class RoomModel implements RoomStore {
  readonly roomId: string;
  readonly getSnapshot: () => RoomState;
  readonly subscribe: (listener: () => void) => () => void;
  readonly timeline: Timeline;
  readonly members = new Members();
  readonly #host: RoomHost;
  readonly #store: Store<RoomState>;
  readonly #loader: WindowLoader;
  readonly #entries = new Entries();
  readonly #typingUsers: TypingUsers;
  readonly #quoted: QuotedMessages;
  readonly #removing = new Map<number, number>();
  #opened = 0;
  #gone = false;
  /** The version that was missing last. */
  #missing = 0;

  constructor(roomId: string, host: RoomHost) {
    this.roomId = roomId;
    this.#host = host;
    const summary = host.summary(roomId);
    this.timeline = new Timeline(summary?.version ?? 0, summary?.last_seq ?? 0);
    this.#store = new Store(host.batch, (before) => this.#build(before));
    this.getSnapshot = this.#store.getSnapshot;
    this.subscribe = this.#store.subscribe;
    this.#loader = new WindowLoader(this, host);
    this.#typingUsers = new TypingUsers(() => this.invalidate());
    this.#quoted = new QuotedMessages(roomId, host, () => this.invalidate());
  }

  get isOpen(): boolean {
    return this.#opened > 0;
  }

  invalidate(): void {
    this.#store.invalidate();
  }

  readonly open = (): void => {
    this.#opened += 1;
    if (this.#opened > 1) return;
    this.#host.opened(this);
    this.#loader.visit();
  };

  readonly close = (): void => {
    this.#opened = Math.max(0, this.#opened - 1);
  };

  readonly loadBefore = (): Promise<Result> => this.#loader.loadBefore();

  readonly loadAfter = (): Promise<Result> => this.#loader.loadAfter();

  readonly jumpTo: RoomStore["jumpTo"] = (target) => this.#loader.jumpTo(target);

  readonly toLatest = (): Promise<Result> => this.#loader.toLatest();

  readonly setVisibleRange = (first: number, last: number): void => {
    this.#loader.setVisibleRange(first, last);
    if (this.#loader.trim()) this.invalidate();
  };

  /** Set when the deletion of a message becomes final, or null if it was undone. */
  setRemoving(seq: number, until: number | null): void {
    if (until === null) this.#removing.delete(seq);
    else this.#removing.set(seq, until);
    this.invalidate();
  }

  merged(): void {
    this.#gone = false;
    this.#changed();
  }

  rejected({ code }: DomainError): void {
    this.#gone ||= (code === "not_found" || code === "forbidden") && !this.#host.summary(this.roomId);
    this.invalidate();
  }

  /** The version to resume from, or null if the room has to be loaded again. */
  get cursor(): number | null {
    return this.timeline.loaded && !this.#gone ? this.timeline.version : null;
  }

  /** The version that the next event follows, or null while the user is not a member. */
  get version(): number | null {
    return this.#gone ? null : this.timeline.version;
  }

  /** Called after `ready`. With `resumed`, the missed events follow. */
  ready(resumed: boolean): void {
    const summary = this.#host.summary(this.roomId);
    this.#gone = !summary;
    this.#loader.error = null;
    if (summary && resumed && this.isOpen) void this.#loader.refreshMembers();
    else if (summary && !resumed) this.reset();
    this.invalidate();
  }

  /** Events may be missing. The window stays until it is loaded again. */
  reset(): void {
    const summary = this.#host.summary(this.roomId);
    if (!summary) return;
    this.timeline.reset(summary.version, summary.last_seq);
    this.#quoted.clear();
    if (this.isOpen) void this.#loader.reload();
    this.invalidate();
  }

  /** The event `missing` was skipped. If resuming did not bring it, the room has to be loaded again. */
  gapFound(missing: number): void {
    if (missing === this.#missing) this.reset();
    this.#missing = missing;
  }

  /** Free the memory. The next visit loads the room again. */
  unload(): void {
    const summary = this.#host.summary(this.roomId);
    if (this.isOpen || !summary || !this.timeline.loaded) return;
    this.timeline.reset(summary.version, summary.last_seq);
    this.timeline.clear();
    this.#quoted.clear();
  }

  event(event: RoomEvent): void {
    this.members.apply(event);
    if (event.op === "message.created") this.#typingUsers.stop(event.sender_id);
    if (!this.timeline.apply(event)) return;
    if (event.op === "message.created") this.#host.received(this.roomId, [event], [event.sender_id]);
    else if ("seq" in event) this.#quoted.change(event.seq, (message) => changedMessage(message, event));
    else if ("user_id" in event) this.#host.received(this.roomId, [], [event.user_id, event.by]);
    this.#loader.trim();
    this.#changed();
  }

  cursorsMoved(cursors: Readonly<Record<string, number>>): void {
    if (this.members.moveCursors(cursors)) this.invalidate();
  }

  typing(frame: Extract<ServerFrame, { op: "room.typing" }>): void {
    if (frame.typing) this.#typingUsers.start(frame.user_id);
    else this.#typingUsers.stop(frame.user_id);
  }

  removed(): void {
    this.#gone = true;
    this.invalidate();
  }

  /** The connection delivers the events after the summary's version. The room may lack some before it. */
  added(): void {
    const { loaded, version } = this.timeline;
    if (!this.#gone && loaded && version >= (this.#host.summary(this.roomId)?.version ?? 0)) return;
    this.#gone = false;
    this.reset();
  }

  end(): void {
    this.#typingUsers.end();
    this.#opened = 0;
  }

  #changed(): void {
    this.invalidate();
    this.#host.contentChanged(this.roomId);
  }

  #build(before: RoomState | undefined): RoomState {
    const { timeline, members } = this;
    const room = this.#host.summary(this.roomId) ?? null;
    const { hasBefore, hasAfter } = timeline;
    const { loading, error, firstUnread } = this.#loader;
    const outbox = this.#host.outbox(this.roomId);
    const written = outbox.map((item) => item.pending.replyTo);
    const wanted = [this.#host.quotedByDraft(this.roomId), room?.pinned_seq, ...written];
    return {
      status: this.#status(),
      room,
      members: members.list,
      entries: same(before?.entries, this.#list(outbox)),
      window: sameWindow(before?.window, { hasBefore, hasAfter, loading, error }),
      firstUnreadSeq: firstUnread,
      lastSeq: timeline.lastSeq,
      typing: this.#typingUsers.list(before?.typing),
      cursors: members.cursors,
      quoted: this.#quoted.resolve(timeline, wanted, before?.quoted),
    };
  }

  #list(outbox: readonly OutboxItem[]): readonly Entry[] {
    const { timeline } = this;
    return this.#entries.build({
      me: this.#host.me(),
      messages: timeline.messages,
      systemEvents: timeline.systemEvents,
      outbox,
      removing: this.#removing,
      hasBefore: timeline.hasBefore,
      // Offline, pending messages are shown although newer messages of others may come before them.
      hasAfter: timeline.hasAfter && timeline.loaded && this.#host.online(),
    });
  }

  #status(): RoomState["status"] {
    if (this.#gone) return "gone";
    return this.timeline.loaded || this.timeline.last !== null ? "open" : "loading";
  }
}

function same<T>(before: readonly T[] | undefined, after: readonly T[]): readonly T[] {
  return before?.length === after.length && after.every((item, index) => item === before[index])
    ? before
    : after;
}

function sameWindow(before: RoomWindow | undefined, after: RoomWindow): RoomWindow {
  const keys = Object.keys(after) as (keyof RoomWindow)[];
  return before && keys.every((key) => before[key] === after[key]) ? before : after;
}
