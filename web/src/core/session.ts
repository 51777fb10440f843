// Everything that belongs to the signed-in user: the transport, the user state, rooms and the outbox. It ends as a
// whole at sign-out.
import type { AlertDispatcher } from "./alerts.ts";
import type { Api } from "./api.ts";
import { SnapshotCache } from "./snapshot-cache.ts";
import type { Database, StoredUserState } from "./database.ts";
import type { Drafts } from "./drafts.ts";
import { isRoomEvent } from "./events.ts";
import type { RoomEvent } from "./events.ts";
import type { Hello, MessageSend, Ready, ServerFrame } from "./generated/protocol.ts";
import { UserState } from "./user-state.ts";
import { listSystemEvents } from "./system-events.ts";
import { Transport } from "./transport.ts";
import { Outbox } from "./outbox.ts";
import type { Acknowledged, OutboxHost } from "./outbox.ts";
import { TokenBucket } from "./token-bucket.ts";
import { PresenceWatcher } from "./presence-watcher.ts";
import { ProfileLoader } from "./profile-loader.ts";
import type { Platform } from "./platform.ts";
import { OwnReadCursors } from "./own-read-cursors.ts";
import { PendingDeletions } from "./pending-deletions.ts";
import type { RequestFrame } from "./requests.ts";
import { RoomModel } from "./room.ts";
import type { UpdateBatch } from "./store.ts";
import type { Tabs } from "./tabs.ts";
import type { Message, Notice, User } from "./types.ts";
import { TypingNotifier } from "./typing.ts";

/** The number of closed rooms that stay in memory and are resumed after a reconnect. */
const RESUMED = 20;

export interface SessionHost {
  readonly platform: Platform;
  readonly batch: UpdateBatch;
  readonly database: Database;
  readonly api: Api;
  readonly tabs: Tabs;
  readonly alerts: AlertDispatcher;
  readonly drafts: Drafts;
  changed: () => void;
  /** The server's state has arrived. */
  ready: () => void;
  notice: (notice: Omit<Notice, "id">) => void;
  /** Events of a room are missing. The session resumes. */
  gapFound: () => void;
  sessionGone: () => void;
  /** The cookie belongs to another user. */
  replaced: (user: User) => void;
}

export class Session {
  readonly user: User;
  readonly userState: UserState;
  readonly transport: Transport;
  readonly outbox: Outbox;
  readonly readCursors: OwnReadCursors;
  readonly presence: PresenceWatcher;
  readonly profiles: ProfileLoader;
  readonly pendingDeletions: PendingDeletions;
  readonly typing: TypingNotifier;
  readonly cache: SnapshotCache;
  readonly #host: SessionHost;
  /** In the order in which they were last opened. */
  readonly #rooms = new Map<string, RoomModel>();
  #resumed: ReadonlySet<string> = new Set();
  #epoch: string | null = null;
  #ended = false;

  constructor(user: User, host: SessionHost) {
    this.user = user;
    this.#host = host;
    const { platform, database, api } = host;
    this.cache = new SnapshotCache(database, {
      userState: () => this.userState.toStored(),
      page: (roomId) => this.#page(roomId),
      now: platform.now,
    });
    this.userState = new UserState(() => this.#userStateChanged());
    this.userState.setMe(user);
    this.transport = new Transport(platform, this.#transportListener());
    this.outbox = new Outbox(database, this.#outboxHost(), user.user_id);
    const online = (): boolean => this.transport.online;
    this.readCursors = new OwnReadCursors({
      online,
      request: (roomId, seq) => this.request({ op: "room.read", room_id: roomId, seq }),
    });
    this.presence = new PresenceWatcher(
      (userIds) => this.request({ op: "presence.watch", user_ids: userIds }),
      this.userState,
    );
    this.profiles = new ProfileLoader(api, this.userState);
    this.pendingDeletions = new PendingDeletions({
      now: platform.now,
      mark: (roomId, seq, until) => this.room(roomId).setRemoving(seq, until),
      remove: (roomId, seq) => this.#deleteMessage(roomId, seq),
    });
    this.typing = new TypingNotifier(
      (roomId, typing) => void this.transport.send({ op: "room.typing", room_id: roomId, typing }),
      platform.now,
    );
  }

  start(stored?: StoredUserState): void {
    if (stored) {
      this.userState.restore(stored);
      // Renews the cookie, so that it expires with the session.
      void this.#host.api.call("get", "/api/auth/me");
    }
    this.transport.input({ type: "start" });
    void this.outbox.load();
  }

  end(): void {
    this.#ended = true;
    this.transport.input({ type: "stop" });
    for (const part of [
      this.outbox,
      this.readCursors,
      this.presence,
      this.profiles,
      this.pendingDeletions,
      this.cache,
    ])
      part.end();
    for (const room of this.#rooms.values()) room.end();
  }

  request(frame: RequestFrame): ReturnType<Transport["request"]> {
    return this.transport.request(frame);
  }

  room(roomId: string): RoomModel {
    const known = this.#rooms.get(roomId);
    if (known) return known;
    const { batch, api, drafts, database } = this.#host;
    const room = new RoomModel(roomId, {
      batch,
      me: () => this.user.user_id,
      online: () => this.transport.online,
      request: (frame) => this.request(frame),
      getRoom: (id) => api.call("get", "/api/rooms/{room_id}", { path: { room_id: id } }),
      listSystemEvents: (id, range) => listSystemEvents(api, id, range),
      summary: (id) => this.userState.rooms.get(id),
      outbox: (id) => this.outbox.list(id),
      received: (id, messages, userIds) => this.#messagesReceived(id, messages, userIds),
      quotedByDraft: (id) => drafts.byRoom.get(id)?.replyTo,
      loadPage: (id) => database.loadPage(id).catch(() => undefined),
      contentChanged: (id) => this.cache.pageChanged(id),
      opened: (opened) => this.#opened(opened),
    });
    this.#rooms.set(roomId, room);
    return room;
  }

  /** The user has read up to `seq`, here or in another tab. */
  read(roomId: string, seq: number): boolean {
    const moved = this.userState.read(roomId, seq);
    this.#rooms.get(roomId)?.cursorsMoved({ [this.user.user_id]: seq });
    if (moved) this.#host.alerts.read(roomId, seq);
    this.#rooms.get(roomId)?.invalidate();
    return moved;
  }

  acknowledged(done: Acknowledged | undefined): void {
    if (done) this.outbox.acknowledged(done);
    void this.outbox.load();
  }

  /** Store what would be lost if the tab was closed now. */
  hidden(): void {
    this.pendingDeletions.flush();
    this.cache.flush();
  }

  #transportListener(): ConstructorParameters<typeof Transport>[1] {
    return {
      hello: () => this.#hello(),
      ready: (frame) => this.#ready(frame),
      frame: (frame) => this.#frame(frame),
      stateChanged: () => {
        this.#host.changed();
        for (const room of this.#rooms.values()) if (room.isOpen) room.invalidate();
      },
      // The result does not matter: the call itself reports a missing session.
      checkSession: () => void this.#host.api.call("get", "/api/auth/me"),
    };
  }

  #outboxHost(): OutboxHost {
    const { platform, tabs } = this.#host;
    const bucket = new TokenBucket(platform.now);
    return {
      sendDelay: () => bucket.take(),
      now: platform.now,
      online: () => this.transport.online,
      transmit: (message) => this.request(sendFrame(message)),
      lastSeq: (roomId) => this.#lastSeq(roomId),
      changed: (roomId) => {
        this.#rooms.get(roomId)?.invalidate();
        this.#host.changed();
      },
      notifyTabs: (done) => tabs.broadcast({ type: "outbox", ...(done ? { done } : {}) }),
      withLock: (name, work) => tabs.withLock(name, work),
      sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      storageFailed: () =>
        this.#host.notice({ about: "storage", error: { code: "failed", detail: "The storage is full." } }),
    };
  }

  #hello(): Omit<Hello, "op" | "id"> {
    const rooms = [...this.#rooms.values()].filter((room) => room.cursor !== null);
    const closed = rooms.filter((room) => !room.isOpen).slice(-RESUMED);
    const named = rooms.filter((room) => room.isOpen || closed.includes(room));
    this.#resumed = new Set(named.map((room) => room.roomId));
    const cursors = Object.fromEntries(named.map((room) => [room.roomId, room.cursor ?? 0]));
    return this.#epoch === null ? {} : { cursors, epoch: this.#epoch };
  }

  #ready(frame: Ready): void {
    if (frame.user.user_id !== this.user.user_id) return this.#host.replaced(frame.user);
    const before = this.#epoch === null ? null : this.userState.rooms.snapshot();
    this.#epoch = frame.epoch;
    this.#resendReadCursors(frame);
    this.userState.ready(frame, (roomId) => this.readCursors.get(roomId));
    this.profiles.markLoaded(frame.friends.map((profile) => profile.user_id));
    this.profiles.load([this.user.user_id, ...frame.rooms.flatMap((room) => peopleOf(room))]);
    for (const room of this.#rooms.values()) room.ready(this.#resumed.has(room.roomId));
    for (const room of frame.rooms) {
      if (this.#resumed.has(room.room_id)) continue;
      // Messages from before this tab was started cause no notification.
      const isNew = before !== null && room.last_seq > (before.get(room.room_id)?.last_seq ?? 0);
      if (room.last_message) this.#arrived(room.last_message, isNew);
      this.outbox.settleUpTo(room.room_id, room.last_seq);
    }
    this.#host.ready();
    if (before === null) this.cache.saveUserState();
    this.outbox.resume();
    this.readCursors.resume();
    this.presence.resume();
  }

  /**
   * Send read cursors that the server missed while offline or before a reload. The server never moves a cursor back.
   */
  #resendReadCursors(frame: Ready): void {
    for (const room of frame.rooms) {
      const here = Math.min(this.userState.rooms.get(room.room_id)?.read_seq ?? 0, room.last_seq);
      if (here > room.read_seq) this.readCursors.advance(room.room_id, here);
    }
  }

  #frame(frame: ServerFrame): void {
    if (this.#ended) return;
    if (isRoomEvent(frame)) return this.#event(frame);
    this.userState.frame(frame);
    switch (frame.op) {
      case "room.read":
        return this.#cursorsMoved(frame.room_id, frame.cursors);
      case "room.typing":
        return this.#rooms.get(frame.room_id)?.typing(frame);
      case "room.added":
        this.profiles.load(peopleOf(this.userState.addRoom(frame.room)));
        this.#rooms.get(frame.room.room_id)?.added();
        return this.#settle(frame.room.room_id);
      case "room.removed":
        this.#host.alerts.read(frame.room_id, Infinity);
        return this.#rooms.get(frame.room_id)?.removed();
      case "room.reset":
        this.#rooms.get(frame.room_id)?.reset();
        return this.#settle(frame.room_id);
      case "room.muted":
        return this.#rooms.get(frame.room_id)?.invalidate();
      case "friend.added":
      case "profile.updated":
        return this.profiles.markLoaded([frame.profile.user_id]);
      case "session.revoked":
        return this.#host.sessionGone();
      default:
    }
  }

  /** Apply an event, unless events before it are missing: then nothing may act on it, so that the cursor stays. */
  #event(event: RoomEvent): void {
    const summary = this.userState.rooms.get(event.room_id);
    // A room that is not in the user state starts from the snapshot in `room.added`.
    const room = summary && this.#rooms.get(event.room_id);
    // The two can differ: after resuming, the summary is newer until the missed events have arrived.
    const next = Math.min(summary?.version ?? Infinity, room?.version ?? Infinity) + 1;
    if (event.version > next) return this.#gapFound(event, next);
    this.userState.event(event);
    this.userState.read(event.room_id, this.readCursors.get(event.room_id));
    room?.event(event);
    room?.invalidate();
    if (event.op !== "message.created") return;
    this.#arrived(event, true);
    this.#settle(event.room_id);
  }

  /** Drop the acknowledged messages that the room contains by now. */
  #settle(roomId: string): void {
    this.outbox.settleUpTo(roomId, this.#lastSeq(roomId));
  }

  #gapFound({ room_id: roomId, version }: RoomEvent, expected: number): void {
    console.warn(`Room ${roomId}: expected version ${expected}, received ${version}. Resuming.`);
    this.#host.gapFound();
    this.transport.input({ type: "gap" });
    this.#rooms.get(roomId)?.gapFound(expected);
  }

  #arrived(message: Message, alert: boolean): void {
    if (message.sender_id === this.user.user_id) this.outbox.settle(message.client_id);
    else this.profiles.load([message.sender_id]);
    if (alert)
      this.#host.alerts.messageReceived(
        message,
        this.userState.rooms.get(message.room_id),
        this.user.user_id,
      );
  }

  #cursorsMoved(roomId: string, cursors: Readonly<Record<string, number>>): void {
    this.#rooms.get(roomId)?.cursorsMoved(cursors);
    const own = cursors[this.user.user_id];
    if (own === undefined) return;
    this.readCursors.confirm(roomId, own);
    this.read(roomId, own);
  }

  #messagesReceived(roomId: string, messages: readonly Message[], userIds: readonly string[]): void {
    this.profiles.load(userIds);
    for (const message of messages)
      if (message.sender_id === this.user.user_id) this.outbox.settle(message.client_id);
    this.cache.pageChanged(roomId);
  }

  #opened(room: RoomModel): void {
    this.#rooms.delete(room.roomId);
    this.#rooms.set(room.roomId, room);
    for (const other of [...this.#rooms.values()].slice(0, -RESUMED)) other.unload();
  }

  #lastSeq(roomId: string): number {
    const timeline = this.#rooms.get(roomId)?.timeline;
    return timeline?.loaded ? timeline.lastSeq : (this.userState.rooms.get(roomId)?.last_seq ?? 0);
  }

  #page(roomId: string): ReturnType<ConstructorParameters<typeof SnapshotCache>[1]["page"]> {
    const room = this.#rooms.get(roomId);
    if (!room?.timeline.loaded || room.timeline.hasAfter) return null;
    const { messages } = room.timeline;
    return { roomId, members: room.members.list, messages, lines: room.timeline.systemEvents };
  }

  #userStateChanged(): void {
    this.#host.changed();
    if (this.#host.alerts.leading) this.cache.userStateChanged();
  }

  async #deleteMessage(roomId: string, seq: number): Promise<void> {
    const removed = await this.request({ op: "message.delete", room_id: roomId, seq });
    if (!removed.ok) this.#host.notice({ about: "delete", error: removed.error, roomId });
  }
}

function sendFrame(message: Parameters<OutboxHost["transmit"]>[0]): MessageSend {
  return {
    op: "message.send",
    room_id: message.roomId,
    client_id: message.clientId,
    body: message.body,
    ...(message.replyTo === undefined ? {} : { reply_to: message.replyTo }),
    ...(message.attachments.length > 0
      ? { attachment_ids: message.attachments.map((attachment) => attachment.attachment_id) }
      : {}),
    ...(message.mentions.length > 0 ? { mentions: [...message.mentions] } : {}),
  };
}

function peopleOf(room: { peer_id?: string | null; last_message?: Message | null }): string[] {
  return [room.peer_id, room.last_message?.sender_id].filter((userId) => typeof userId === "string");
}
