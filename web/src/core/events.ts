// The server frames that are versioned events of a room.
import type {
  MemberJoined,
  MemberLeft,
  MemberRoleChanged,
  MessageCreated,
  MessageDeleted,
  MessageEdited,
  MessageReacted,
  RoomUpdated,
  ServerFrame,
} from "./generated/protocol.ts";

export type MessageChange = MessageEdited | MessageDeleted | MessageReacted;
export type RoomEvent =
  MessageCreated | MessageChange | MemberJoined | MemberLeft | MemberRoleChanged | RoomUpdated;

const OPS: ReadonlySet<string> = new Set<RoomEvent["op"]>([
  "message.created",
  "message.edited",
  "message.deleted",
  "message.reacted",
  "member.joined",
  "member.left",
  "member.role_changed",
  "room.updated",
]);

export function isRoomEvent(frame: ServerFrame): frame is RoomEvent {
  return OPS.has(frame.op);
}
