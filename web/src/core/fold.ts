// Applies an event to a message, the members and the room summary, exactly like the server. Golden transcripts in the
// tests verify that. Idempotent: applying an event twice, or to a later state, changes nothing.
import type { MessageChange, RoomEvent } from "./events.ts";
import type { Message, MessageCreated } from "./generated/protocol.ts";
import type { Member, Room } from "./types.ts";

export function messageOf(event: MessageCreated): Message {
  const { op: _, ...message } = event;
  return message;
}

export function changedMessage(message: Message, event: MessageChange): Message {
  if (message.deleted) return message;
  switch (event.op) {
    case "message.edited":
      return { ...message, body: event.body, edited_at: event.edited_at };
    case "message.deleted": {
      const { attachments: _, mentions: __, reactions: ___, ...rest } = message;
      return { ...rest, body: "", deleted: true };
    }
    case "message.reacted": {
      const { reactions: before = {}, ...rest } = message;
      const reactions = { ...before, [event.emoji]: reactingUsers(before[event.emoji] ?? [], event) };
      const kept = Object.fromEntries(Object.entries(reactions).filter(([, users]) => users.length > 0));
      return Object.keys(kept).length > 0 ? { ...rest, reactions: kept } : rest;
    }
  }
}

function reactingUsers(users: readonly string[], event: { user_id: string; removed: boolean }): string[] {
  const others = users.filter((user) => user !== event.user_id);
  return event.removed ? others : [...others, event.user_id];
}

/** Apply an event to the members in place. Return whether they changed. */
export function foldMembers(members: Map<string, Member>, event: RoomEvent): boolean {
  switch (event.op) {
    case "message.created":
      return raiseCursor(members, event.sender_id, event.seq);
    case "member.joined": {
      const { user_id, role, read_seq, at } = event;
      members.set(user_id, { user_id, role, read_seq, joined_at: at });
      return true;
    }
    case "member.left":
      return members.delete(event.user_id);
    case "member.role_changed": {
      const member = members.get(event.user_id);
      if (member) members.set(event.user_id, { ...member, role: event.role });
      return member !== undefined;
    }
    default:
      return false;
  }
}

/** Move a read cursor forward. Return whether it moved. */
export function raiseCursor(members: Map<string, Member>, userId: string, seq: number): boolean {
  const member = members.get(userId);
  if (!member || member.read_seq >= seq) return false;
  members.set(userId, { ...member, read_seq: seq });
  return true;
}

/** Return the room as `me` sees it in the list, after an event. Events up to its version change nothing. */
export function foldRoom<R extends Room>(room: R, event: RoomEvent, me: string): R {
  if (event.version <= room.version) return room;
  const after = { ...room, version: event.version };
  switch (event.op) {
    case "message.created": {
      const readSeq = event.sender_id === me ? Math.max(room.read_seq, event.seq) : room.read_seq;
      const read = withRead({ ...after, last_seq: event.seq }, readSeq);
      return { ...read, last_message: messageOf(event) };
    }
    case "message.edited":
    case "message.deleted":
    case "message.reacted":
      if (room.last_message?.seq !== event.seq) return after;
      return { ...after, last_message: changedMessage(room.last_message, event) };
    case "member.joined":
      return { ...after, member_count: room.member_count + 1 };
    case "member.left":
      return { ...after, member_count: Math.max(0, room.member_count - 1) };
    case "member.role_changed":
      return foldRole(after, event, me);
    case "room.updated": {
      const title = event.title === undefined ? after : { ...after, title: event.title };
      return event.pinned_seq === undefined ? title : { ...title, pinned_seq: event.pinned_seq };
    }
  }
}

function foldRole<R extends Room>(room: R, event: { user_id: string; role: Room["role"] }, me: string): R {
  return event.user_id === me ? { ...room, role: event.role } : room;
}

/** Move the user's read cursor forward, at most to the last message. */
export function withRead<R extends Room>(room: R, seq: number): R {
  const readSeq = Math.max(room.read_seq, Math.min(seq, room.last_seq));
  return { ...room, read_seq: readSeq, unread: Math.max(0, room.last_seq - readSeq) };
}
