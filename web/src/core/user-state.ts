// The state outside of single rooms: the user, friends, profiles, the room list and presence.
import type { RoomEvent } from "./events.ts";
import { foldRoom, messageOf, withRead } from "./fold.ts";
import type { Ready, ServerFrame } from "./generated/protocol.ts";
import type { StoredUserState } from "./database.ts";
import { ObservableMap } from "./store.ts";
import type { ClientState, Presence, Profile, Room, RoomSummary, User } from "./types.ts";

export type UserSnapshot = Pick<
  ClientState,
  "me" | "friends" | "profiles" | "rooms" | "order" | "presence" | "totalUnread"
>;

export class UserState {
  readonly rooms: ObservableMap<string, RoomSummary>;
  readonly profiles: ObservableMap<string, Profile>;
  readonly presence: ObservableMap<string, Presence>;
  #me: User | null = null;
  #friends: readonly string[] = [];
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
    this.rooms = new ObservableMap(changed);
    this.profiles = new ObservableMap(changed);
    this.presence = new ObservableMap(changed);
  }

  get me(): User | null {
    return this.#me;
  }

  setMe(user: User | null): void {
    this.#me = user;
    this.#changed();
  }

  /** `readTo` returns the own read cursor of a room, which the server may not know yet. */
  ready(frame: Ready, readTo: (roomId: string) => number): void {
    this.#me = frame.user;
    this.#setFriends(frame.friends);
    this.rooms.replace(
      frame.rooms.map((room) => {
        const summary = withRead(summaryOf(room, this.rooms.get(room.room_id)), readTo(room.room_id));
        const before = this.rooms.get(room.room_id);
        return [room.room_id, before && isSame(before, summary) ? before : summary];
      }),
    );
    this.#changed();
  }

  restore({ user, friends, profiles, rooms }: StoredUserState): void {
    this.#me = user;
    this.#friends = friends;
    this.profiles.replace(profiles.map((profile) => [profile.user_id, profile]));
    this.rooms.replace(rooms.map((room) => [room.room_id, room]));
  }

  toStored(): StoredUserState | null {
    if (!this.#me) return null;
    const [profiles, rooms] = [[...this.profiles.values()], [...this.rooms.values()]];
    return { user: this.#me, friends: this.#friends, profiles, rooms };
  }

  clear(): void {
    this.#me = null;
    this.#friends = [];
    for (const map of [this.rooms, this.profiles, this.presence]) map.replace([]);
  }

  /** Apply the next event of a room. `Session` lets no event skip a version. */
  event(event: RoomEvent): void {
    const room = this.rooms.get(event.room_id);
    if (!room || event.version <= room.version) return;
    const after = foldRoom(room, event, this.#me?.user_id ?? "");
    const created = event.op === "message.created";
    this.rooms.set(room.room_id, created ? { ...after, activity: Date.parse(messageOf(event).at) } : after);
  }

  /** Add a room from a snapshot. A snapshot older than the known state changes nothing. */
  addRoom(room: Room): RoomSummary {
    const before = this.rooms.get(room.room_id);
    if (before && before.version > room.version) return before;
    const after = withRead(summaryOf(room, before), before?.read_seq ?? 0);
    this.rooms.set(room.room_id, after);
    return after;
  }

  read(roomId: string, seq: number): boolean {
    const room = this.rooms.get(roomId);
    if (!room || seq <= room.read_seq || room.read_seq >= room.last_seq) return false;
    this.rooms.set(roomId, withRead(room, seq));
    return true;
  }

  /** Apply a frame that concerns the user and changes no room's log. */
  frame(frame: ServerFrame): void {
    switch (frame.op) {
      case "room.muted":
        return this.setMuted(frame.room_id, frame.muted);
      case "room.removed":
        return this.rooms.delete(frame.room_id);
      case "friend.added":
        return this.setFriend(frame.profile, true);
      case "friend.removed":
        return this.unfriend(frame.user_id);
      case "profile.updated":
        return this.setProfile(frame.profile);
      case "presence":
        return this.presence.set(frame.user_id, frame.status);
      default:
    }
  }

  setMuted(roomId: string, muted: boolean): void {
    const room = this.rooms.get(roomId);
    if (room && room.muted !== muted) this.rooms.set(roomId, { ...room, muted });
  }

  setProfile(profile: Profile): void {
    const before = this.profiles.get(profile.user_id);
    if (before && isSame(before, profile)) return;
    this.profiles.set(profile.user_id, profile);
    const me = this.#me;
    if (me?.user_id === profile.user_id) this.setMe({ ...me, display_name: profile.display_name });
  }

  setFriend(profile: Profile, followed: boolean): void {
    this.setProfile({ ...profile, followed });
    const others = this.#friends.filter((userId) => userId !== profile.user_id);
    this.#friends = followed ? [...others, profile.user_id] : others;
    this.#changed();
  }

  unfriend(userId: string): void {
    const profile = this.profiles.get(userId);
    if (profile) this.setFriend(profile, false);
  }

  snapshot(before: UserSnapshot | undefined): UserSnapshot {
    const rooms = this.rooms.snapshot();
    const sameRooms = before?.rooms === rooms;
    return {
      me: this.#me,
      friends: this.#friends,
      profiles: this.profiles.snapshot(),
      rooms,
      order: sameRooms ? before.order : orderOf(rooms, before?.order),
      presence: this.presence.snapshot(),
      totalUnread: sameRooms ? before.totalUnread : sumOfUnread(rooms),
    };
  }

  #setFriends(profiles: readonly Profile[]): void {
    for (const profile of profiles) this.setProfile(profile);
    const ids = profiles.map((profile) => profile.user_id);
    if (ids.join() !== this.#friends.join()) this.#friends = ids;
  }
}

function summaryOf(room: Room, before: RoomSummary | undefined): RoomSummary {
  const lastMessageAt = room.last_message ? Date.parse(room.last_message.at) : 0;
  return { ...room, activity: Math.max(lastMessageAt || createdAt(room.room_id), before?.activity ?? 0) };
}

/** IDs are UUIDs of version 7. Their first 48 bits are a time in milliseconds. */
function createdAt(id: string): number {
  const time = id[14] === "7" ? parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : 0;
  return Number.isFinite(time) ? time : 0;
}

function orderOf(
  rooms: ReadonlyMap<string, RoomSummary>,
  before: readonly string[] | undefined,
): readonly string[] {
  const order = [...rooms.values()]
    .sort((a, b) => b.activity - a.activity || (a.room_id < b.room_id ? 1 : -1))
    .map((room) => room.room_id);
  return before?.join() === order.join() ? before : order;
}

function sumOfUnread(rooms: ReadonlyMap<string, RoomSummary>): number {
  let sum = 0;
  for (const room of rooms.values()) sum += room.unread;
  return sum;
}

/** Compare the primitive fields. Everything else in a room or profile changes together with its version. */
function isSame<T extends object>(a: T, b: T): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof T>;
  return [...keys].every((key) => a[key] === b[key] || (b[key] !== null && typeof b[key] === "object"));
}
