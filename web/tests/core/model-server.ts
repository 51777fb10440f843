// A model of the server for the tests of the whole client. Rooms are logs. Sockets keep the order of events, but
// replies come at any time. Sockets can break with frames in flight, and logs can be lost.
import { isRoomEvent } from "../../src/core/events.ts";
import type { RoomEvent } from "../../src/core/events.ts";
import { changedMessage, messageOf } from "../../src/core/fold.ts";
import type { ClientFrame, Message, Profile, Ready, ServerFrame } from "../../src/core/generated/protocol.ts";
import type { Member, Room, Role } from "../../src/core/types.ts";

const AT = "2026-11-24T07:42:44.123Z";
const KEPT = 12;
/** A room starts with two joins, which are not listed as system events. */
const BEGINNING = 2;

type Eventless<T> = T extends unknown ? Omit<T, "room_id" | "version" | "at"> : never;

export class ModelRoom {
  readonly id: string;
  readonly members = new Map<string, Member>();
  readonly events: RoomEvent[] = [];
  messages: Message[] = [];
  title = "";
  readonly #server: ModelServer;

  constructor(id: string, server: ModelServer) {
    this.id = id;
    this.#server = server;
  }

  get version(): number {
    return this.events.length;
  }

  add(event: Eventless<RoomEvent>): RoomEvent {
    const whole = { room_id: this.id, version: this.version + 1, at: AT, ...event };
    this.events.push(whole);
    const before = [...this.members.keys()];
    this.#fold(whole);
    const receivers = new Set([...before, ...this.members.keys()]);
    for (const userId of receivers) this.#server.send(userId, whole);
    return whole;
  }

  join(userId: string, role: Role = "member"): void {
    const read_seq = this.messages.length;
    this.add({ op: "member.joined", user_id: userId, by: userId, role, read_seq });
    this.#server.send(userId, { op: "room.added", room: this.seenBy(userId) });
  }

  send(userId: string, body: string, clientId: string): { seq: number; duplicate: boolean } {
    const known = this.messages.find((m) => m.sender_id === userId && m.client_id === clientId);
    if (known) return { seq: known.seq, duplicate: true };
    const seq = this.messages.length + 1;
    this.add({ op: "message.created", seq, sender_id: userId, client_id: clientId, kind: "text", body });
    return { seq, duplicate: false };
  }

  read(userId: string, seq: number): number {
    const member = this.members.get(userId);
    if (!member) return 0;
    const read_seq = Math.max(member.read_seq, Math.min(seq, this.messages.length));
    this.members.set(userId, { ...member, read_seq });
    for (const other of this.members.keys())
      this.#server.send(other, { op: "room.read", room_id: this.id, cursors: { [userId]: read_seq } });
    return read_seq;
  }

  seenBy(userId: string): Room {
    const read_seq = this.members.get(userId)?.read_seq ?? 0;
    const last = this.messages.at(-1);
    return {
      room_id: this.id,
      kind: "group",
      title: this.title,
      member_count: this.members.size,
      version: this.version,
      last_seq: this.messages.length,
      read_seq,
      unread: this.messages.length - read_seq,
      muted: false,
      role: this.members.get(userId)?.role ?? "member",
      ...(last ? { last_message: last } : {}),
    };
  }

  isSystemEvent({ op, version }: RoomEvent): boolean {
    return !op.startsWith("message.") && version > BEGINNING;
  }

  /** Return the system events of a range, a few versions per page. */
  systemEvents(query: URLSearchParams): { items: RoomEvent[]; next: string | null } {
    const after = Number(query.get("cursor") ?? query.get("after"));
    const end = Math.min(Number(query.get("before")) - 1, this.version);
    const last = Math.min(after + 5, end);
    const items = this.events.slice(after, last).filter((event) => this.isSystemEvent(event));
    return { items, next: last < end ? String(last) : null };
  }

  #fold(event: RoomEvent): void {
    if (event.op === "message.created") {
      this.messages = [...this.messages, messageOf(event)];
      const sender = this.members.get(event.sender_id);
      if (sender) this.members.set(event.sender_id, { ...sender, read_seq: event.seq });
    } else if (event.op === "member.joined") {
      const { user_id, role, read_seq } = event;
      this.members.set(user_id, { user_id, role, read_seq, joined_at: AT });
    } else if (event.op === "member.left") this.members.delete(event.user_id);
    else if (event.op === "room.updated") this.title = event.title ?? this.title;
    else if (event.op !== "member.role_changed")
      this.messages = this.messages.map((m) => (m.seq === event.seq ? changedMessage(m, event) : m));
  }
}

/** A socket of the model. Frames in flight in both directions are lost when it breaks. */
export class FakeSocket {
  readyState = 0;
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  /** Lose the next event of a room on the wire. */
  dropsNextEvent = false;
  readonly userId: string;
  readonly #server: ModelServer;
  readonly #requests: ClientFrame[] = [];
  readonly #events: string[] = [];
  readonly #replies: string[] = [];
  #handshakeDone = false;

  constructor(userId: string, server: ModelServer) {
    this.userId = userId;
    this.#server = server;
  }

  send(text: string): void {
    this.#requests.push(JSON.parse(text) as ClientFrame);
  }

  close(): void {
    this.break(1000);
  }

  break(code: number): void {
    if (this.readyState > 1) return;
    this.readyState = 3;
    this.#server.sockets.delete(this);
    this.onclose?.({ code });
  }

  event(frame: ServerFrame): void {
    if (this.#handshakeDone) this.#events.push(JSON.stringify(frame));
  }

  get busy(): boolean {
    return this.readyState === 0 || this.#requests.length + this.#events.length + this.#replies.length > 0;
  }

  /** Process one frame. `pick` chooses which. */
  step(pick: number): void {
    if (this.readyState === 0) {
      this.readyState = 1;
      this.onopen?.();
      return;
    }
    const kind = [this.#requests, this.#events, this.#replies].filter((queue) => queue.length > 0);
    const queue = kind[pick % Math.max(1, kind.length)];
    if (!queue) return;
    if (queue === this.#requests) {
      const frame = this.#requests.shift();
      if (frame) this.#handle(frame);
    } else if (queue === this.#events) this.#deliverEvent(this.#events.shift() ?? "");
    else this.#deliver(this.#replies.splice(pick % this.#replies.length, 1)[0]);
  }

  #deliverEvent(text: string): void {
    if (!this.dropsNextEvent || !isRoomEvent(JSON.parse(text) as ServerFrame)) return this.#deliver(text);
    this.dropsNextEvent = false;
    this.#server.dropped += 1;
  }

  #deliver(text: string | undefined): void {
    if (text !== undefined) this.onmessage?.({ data: text });
  }

  #handle(frame: ClientFrame): void {
    if (frame.op === "hello") {
      this.#handshakeDone = true;
      for (const answer of this.#server.hello(this.userId, frame.cursors ?? {}, frame.epoch))
        this.event(answer);
      return;
    }
    const answer = this.#server.reply(this.userId, frame);
    if (frame.id != null) this.#replies.push(JSON.stringify({ ...answer, id: frame.id }));
  }
}

export class ModelServer {
  readonly rooms = new Map<string, ModelRoom>();
  readonly sockets = new Set<FakeSocket>();
  /** The session of every browser, or why there is none. */
  session: "active" | "expired" | "ended" = "active";
  /** The number of events that were lost on the wire. */
  dropped = 0;
  #epoch = 1;

  room(id: string): ModelRoom {
    const room = this.rooms.get(id) ?? new ModelRoom(id, this);
    this.rooms.set(id, room);
    return room;
  }

  loseLogs(): void {
    this.#epoch += 1;
    for (const socket of [...this.sockets]) socket.break(4310);
  }

  send(userId: string, frame: ServerFrame): void {
    for (const socket of this.sockets) if (socket.userId === userId) socket.event(frame);
  }

  connect(userId: string): FakeSocket {
    const socket = new FakeSocket(userId, this);
    this.sockets.add(socket);
    return socket;
  }

  profile(userId: string): Profile {
    return {
      user_id: userId,
      webchat_id: userId,
      display_name: userId.toUpperCase(),
      status_message: "",
      avatar_url: null,
      followed: false,
    };
  }

  hello(userId: string, cursors: Record<string, number>, epoch?: string | null): ServerFrame[] {
    const own = [...this.rooms.values()].filter((room) => room.members.has(userId));
    const ready: Ready = {
      op: "ready",
      session_id: "s",
      user: { user_id: userId, email: "", webchat_id: userId, display_name: userId },
      friends: [],
      rooms: own.map((room) => room.seenBy(userId)),
      heartbeat: 25,
      epoch: String(this.#epoch),
    };
    const same = epoch === String(this.#epoch);
    const missed = own.flatMap((room): ServerFrame[] => {
      const cursor = cursors[room.id];
      if (cursor === undefined) return [];
      if (!same || cursor > room.version || room.version - cursor > KEPT)
        return [{ op: "room.reset", room_id: room.id }];
      return room.events.slice(cursor);
    });
    return [ready, ...missed];
  }

  reply(userId: string, frame: ClientFrame): object {
    if (!("room_id" in frame)) return { op: "ok", presence: {} };
    const room = this.rooms.get(frame.room_id);
    if (!room?.members.has(userId)) return { op: "error", code: "not_found", detail: "No such room." };
    const { version } = room;
    switch (frame.op) {
      case "room.enter": {
        const detail = { ...room.seenBy(userId), members: [...room.members.values()] };
        return { op: "ok", room: detail, messages: room.messages.slice(-8), version };
      }
      case "message.list":
        return { op: "ok", version, ...page(room.messages, frame) };
      case "message.send":
        return {
          op: "ok",
          version: version + 1,
          at: AT,
          ...room.send(userId, frame.body ?? "", frame.client_id),
        };
      case "message.edit":
        room.add({ op: "message.edited", seq: frame.seq, body: frame.body, edited_at: AT, by: userId });
        return { op: "ok", version: room.version };
      case "message.delete":
        room.add({ op: "message.deleted", seq: frame.seq, by: userId });
        return { op: "ok", version: room.version };
      case "room.read":
        return { op: "ok", read_seq: room.read(userId, frame.seq) };
      default:
        return { op: "error", code: "invalid", detail: "Not in this model." };
    }
  }

  fetch(userId: string, url: string): Response {
    const { pathname, searchParams } = new URL(url, "http://world");
    if (pathname === "/api/auth/login") this.session = "active";
    if (this.session !== "active") {
      const type =
        this.session === "ended" && pathname === "/api/auth/me" ? "session_ended" : "unauthenticated";
      return Response.json({ type: `urn:webchat:problem:${type}` }, { status: 401 });
    }
    if (pathname === "/api/auth/me" || pathname === "/api/auth/login")
      return Response.json({ user_id: userId, email: "", webchat_id: userId, display_name: userId });
    if (pathname === "/api/social/profiles") {
      const userIds = searchParams.get("user_ids")?.split(",") ?? [];
      return Response.json({ items: userIds.map((id) => this.profile(id)), next: null });
    }
    const [, roomId, events] = /^\/api\/rooms\/(\w+)(\/events)?$/.exec(pathname) ?? [];
    const room = this.rooms.get(roomId ?? "");
    if (!room?.members.has(userId)) return Response.json({ detail: "No such room." }, { status: 404 });
    if (events) return Response.json(room.systemEvents(searchParams));
    return Response.json({ ...room.seenBy(userId), members: [...room.members.values()] });
  }
}

function page(
  messages: readonly Message[],
  {
    before,
    after,
    around,
    limit = 50,
  }: { before?: number | null; after?: number | null; around?: number | null; limit?: number },
): { messages: readonly Message[]; has_more: boolean } {
  const small = Math.min(limit, 6);
  if (around != null) {
    const found = messages.filter((m) => m.seq > around - 3 && m.seq <= around + 3);
    return { messages: found, has_more: found.length < messages.length };
  }
  if (after != null) {
    const newer = messages.filter((m) => m.seq > after);
    return { messages: newer.slice(0, small), has_more: newer.length > small };
  }
  const older = messages.filter((m) => m.seq < (before ?? Infinity));
  return { messages: older.slice(-small), has_more: older.length > small };
}
