// The members of one room with their read cursors, which give the unread count of each message. Cursors only move
// forward.
import type { RoomEvent } from "./events.ts";
import { foldMembers, raiseCursor } from "./fold.ts";
import type { Member, ReadCursors } from "./types.ts";

/** The most events that are stored until the first list of members arrives, which may be older than they are. */
const MAX_EARLY_EVENTS = 500;

export class Members {
  readonly #members = new Map<string, Member>();
  #earlyEvents: RoomEvent[] | null = [];
  /** Cursors of members that are not known yet. */
  readonly #earlyCursors = new Map<string, number>();
  #version = 0;
  #snapshot: { members: readonly Member[]; cursors: ReadCursors } | null = null;

  /** Show the cached members of an earlier visit until the server has answered. */
  show(members: readonly Member[]): void {
    if (this.#earlyEvents) this.#set(members);
  }

  /** Set the members as they were at `version`. If that is older than the known version, only cursors move. */
  replace(members: readonly Member[], version: number): void {
    const newer = this.#earlyEvents?.filter((event) => event.version > version);
    if (newer || version >= this.#version) {
      if (newer) this.#members.clear(); // Cached members may have left since.
      this.#set(members);
      for (const event of newer ?? []) foldMembers(this.#members, event);
      for (const [userId, seq] of this.#earlyCursors) raiseCursor(this.#members, userId, seq);
      this.#earlyCursors.clear();
      this.#version = Math.max(this.#version, version);
      this.#earlyEvents = null;
    } else {
      for (const { user_id, read_seq } of members) raiseCursor(this.#members, user_id, read_seq);
    }
    this.#snapshot = null;
  }

  apply(event: RoomEvent): boolean {
    if (event.version <= this.#version) return false;
    this.#version = event.version;
    if (this.#earlyEvents) this.#earlyEvents = [...this.#earlyEvents.slice(1 - MAX_EARLY_EVENTS), event];
    return this.#changed(foldMembers(this.#members, event));
  }

  moveCursors(cursors: Readonly<Record<string, number>>): boolean {
    const moves = Object.entries(cursors);
    if (this.#earlyEvents)
      for (const [userId, seq] of moves)
        this.#earlyCursors.set(userId, Math.max(seq, this.#earlyCursors.get(userId) ?? 0));
    const raised = moves.map(([userId, seq]) => raiseCursor(this.#members, userId, seq));
    return this.#changed(raised.includes(true));
  }

  get list(): readonly Member[] {
    return this.#current().members;
  }

  get cursors(): ReadCursors {
    return this.#current().cursors;
  }

  #set(members: readonly Member[]): void {
    const before = [...this.#members.values()];
    this.#members.clear();
    for (const member of members) this.#members.set(member.user_id, member);
    for (const { user_id, read_seq } of before) raiseCursor(this.#members, user_id, read_seq);
    this.#snapshot = null;
  }

  #changed(changed: boolean): boolean {
    if (changed) this.#snapshot = null;
    return changed;
  }

  #current(): { members: readonly Member[]; cursors: ReadCursors } {
    if (!this.#snapshot) {
      const members = [...this.#members.values()];
      this.#snapshot = { members, cursors: readCursors(members) };
    }
    return this.#snapshot;
  }
}

export function readCursors(members: readonly Member[]): ReadCursors {
  const ascending = members.map((member) => member.read_seq).sort((a, b) => a - b);
  return {
    unreadCount: (seq) => firstAtLeast(ascending, seq),
    who: (seq) => ({
      read: members.filter((member) => member.read_seq >= seq).map((member) => member.user_id),
      unread: members.filter((member) => member.read_seq < seq).map((member) => member.user_id),
    }),
  };
}

function firstAtLeast(ascending: readonly number[], wanted: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? Infinity) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
