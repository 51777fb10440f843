// The members of one room and where each has read to: the number beside a message. Cursors only move forward.
import type { RoomEvent } from "./events.ts";
import { foldMembers, raiseCursor } from "./fold.ts";
import type { Member, ReadCursors } from "./types.ts";

export class Roster {
  readonly #members = new Map<string, Member>();
  #version = 0;
  #snapshot: { members: readonly Member[]; cursors: ReadCursors } | null = null;

  get version(): number {
    return this.#version;
  }

  /** The members as they were at `version`. An older list only moves cursors. */
  replace(members: readonly Member[], version: number): void {
    const before = new Map(this.#members);
    if (version >= this.#version) {
      this.#version = version;
      this.#members.clear();
      for (const member of members) this.#members.set(member.user_id, member);
      for (const { user_id, read_seq } of before.values()) raiseCursor(this.#members, user_id, read_seq);
    } else {
      for (const { user_id, read_seq } of members) raiseCursor(this.#members, user_id, read_seq);
    }
    this.#snapshot = null;
  }

  apply(event: RoomEvent): boolean {
    if (event.version <= this.#version) return false;
    this.#version = event.version;
    return this.#noted(foldMembers(this.#members, event));
  }

  moved(cursors: Readonly<Record<string, number>>): boolean {
    const moves = Object.entries(cursors).map(([userId, seq]) => raiseCursor(this.#members, userId, seq));
    return this.#noted(moves.includes(true));
  }

  get members(): readonly Member[] {
    return this.#taken().members;
  }

  get cursors(): ReadCursors {
    return this.#taken().cursors;
  }

  #noted(changed: boolean): boolean {
    if (changed) this.#snapshot = null;
    return changed;
  }

  #taken(): { members: readonly Member[]; cursors: ReadCursors } {
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
