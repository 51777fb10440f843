// The members of one room and where each has read to: the number beside a message. Cursors only move forward.
import type { RoomEvent } from "./events.ts";
import { foldMembers, raiseCursor } from "./fold.ts";
import type { Member, ReadCursors } from "./types.ts";

/** Events kept until the first list of members has come, which may be older than they are. */
const KEPT_EVENTS = 500;

export class Roster {
  readonly #members = new Map<string, Member>();
  #kept: RoomEvent[] | null = [];
  /** Cursors of members that are not known yet. */
  readonly #heard = new Map<string, number>();
  #version = 0;
  #snapshot: { members: readonly Member[]; cursors: ReadCursors } | null = null;

  /** What was kept from an earlier visit, until the server has answered. */
  show(members: readonly Member[]): void {
    if (this.#kept) this.#put(members);
  }

  /** The members as they were at `version`. A list older than what is known only moves cursors. */
  replace(members: readonly Member[], version: number): void {
    const newer = this.#kept?.filter((event) => event.version > version);
    if (newer || version >= this.#version) {
      if (newer) this.#members.clear(); // What was only shown proves nothing.
      this.#put(members);
      for (const event of newer ?? []) foldMembers(this.#members, event);
      for (const [userId, seq] of this.#heard) raiseCursor(this.#members, userId, seq);
      this.#heard.clear();
      this.#version = Math.max(this.#version, version);
      this.#kept = null;
    } else {
      for (const { user_id, read_seq } of members) raiseCursor(this.#members, user_id, read_seq);
    }
    this.#snapshot = null;
  }

  apply(event: RoomEvent): boolean {
    if (event.version <= this.#version) return false;
    this.#version = event.version;
    if (this.#kept) this.#kept = [...this.#kept.slice(1 - KEPT_EVENTS), event];
    return this.#noted(foldMembers(this.#members, event));
  }

  moved(cursors: Readonly<Record<string, number>>): boolean {
    const moves = Object.entries(cursors);
    if (this.#kept)
      for (const [userId, seq] of moves) this.#heard.set(userId, Math.max(seq, this.#heard.get(userId) ?? 0));
    const raised = moves.map(([userId, seq]) => raiseCursor(this.#members, userId, seq));
    return this.#noted(raised.includes(true));
  }

  get members(): readonly Member[] {
    return this.#taken().members;
  }

  get cursors(): ReadCursors {
    return this.#taken().cursors;
  }

  #put(members: readonly Member[]): void {
    const before = [...this.#members.values()];
    this.#members.clear();
    for (const member of members) this.#members.set(member.user_id, member);
    for (const { user_id, read_seq } of before) raiseCursor(this.#members, user_id, read_seq);
    this.#snapshot = null;
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
