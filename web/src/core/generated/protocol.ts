// Made by `npm run types` from docs/; not edited by hand.

export type ClientFrame =
  | Hello
  | Ping
  | HomeList
  | RoomEnter
  | RoomExit
  | MessageSend
  | MessageList
  | MessageEdit
  | MessageDelete
  | MessageReact
  | RoomRead
  | RoomTyping
  | RoomInvite
  | RoomLeave
  | FileUpload
  | PresenceWatch;
export type ServerFrame =
  | Ok
  | ErrorFrame
  | Ready
  | RoomAdded
  | RoomRemoved
  | RoomMuted
  | RoomReset
  | FriendAdded
  | FriendRemoved
  | ProfileUpdated
  | SessionRevoked
  | CursorsMoved
  | Typing
  | PresenceChanged
  | MessageCreated
  | MessageEdited
  | MessageDeleted
  | MessageReacted
  | MemberJoined
  | MemberLeft
  | MemberRoleChanged
  | RoomUpdated;

export interface Frames {
  client: ClientFrame;
  server: ServerFrame;
}
/**
 * The first frame, within 10 s. `cursors` maps room IDs to the last version that the client has.
 */
export interface Hello {
  op: "hello";
  id?: string | null;
  cursors?: {
    [k: string]: number;
  };
  epoch?: string | null;
}
/**
 * Ask for the time of the server.
 */
export interface Ping {
  op: "ping";
  id?: string | null;
}
/**
 * List friends, and rooms by latest activity. `before` is the `next` of the previous reply.
 */
export interface HomeList {
  op: "home.list";
  id?: string | null;
  before?: string | null;
  limit?: number;
}
/**
 * Get the room with its members and newest page in one snapshot, and by default mark it as read.
 */
export interface RoomEnter {
  op: "room.enter";
  id?: string | null;
  room_id: string;
  mark_read?: boolean;
}
/**
 * Close the view of a room. Its events are still sent.
 */
export interface RoomExit {
  op: "room.exit";
  id?: string | null;
  room_id: string;
}
/**
 * Send a message. The reply follows the commit. A repeated `client_id` gets the reply of the first message.
 */
export interface MessageSend {
  op: "message.send";
  id?: string | null;
  room_id: string;
  traceparent?: string | null;
  client_id: string;
  body: string;
  reply_to?: number | null;
  /**
   * @maxItems 10
   */
  attachment_ids?: string[];
  /**
   * @maxItems 50
   */
  mentions?: string[];
}
/**
 * Get a page by one of `before`, `after`, `around`, `at` (RFC 3339) and `offset`, or by default the newest page.
 */
export interface MessageList {
  op: "message.list";
  id?: string | null;
  room_id: string;
  before?: number | null;
  after?: number | null;
  around?: number | null;
  at?: string | null;
  offset?: number | null;
  limit?: number;
}
/**
 * Edit one's own message. An unchanged body creates no event.
 */
export interface MessageEdit {
  op: "message.edit";
  id?: string | null;
  room_id: string;
  traceparent?: string | null;
  seq: number;
  body: string;
}
/**
 * Delete one's own message, or any message as an admin. It remains in pages without content.
 */
export interface MessageDelete {
  op: "message.delete";
  id?: string | null;
  room_id: string;
  traceparent?: string | null;
  seq: number;
}
/**
 * Add a reaction of at most 32 bytes, or remove it.
 */
export interface MessageReact {
  op: "message.react";
  id?: string | null;
  room_id: string;
  traceparent?: string | null;
  seq: number;
  emoji: string;
  remove?: boolean;
}
/**
 * Move the read cursor up to `seq`, forward only, at most to the room's last message.
 */
export interface RoomRead {
  op: "room.read";
  id?: string | null;
  room_id: string;
  traceparent?: string | null;
  seq: number;
}
/**
 * Notify the other members that the user types or stopped. There is no reply.
 */
export interface RoomTyping {
  op: "room.typing";
  id?: string | null;
  room_id: string;
  typing: boolean;
}
/**
 * Invite users. The own ID, duplicates and members are ignored; one unknown ID rejects the frame.
 */
export interface RoomInvite {
  op: "room.invite";
  id?: string | null;
  room_id: string;
  traceparent?: string | null;
  /**
   * @minItems 1
   * @maxItems 100
   */
  user_ids: string[];
}
/**
 * Leave a group, or hide a direct room until its next message.
 */
export interface RoomLeave {
  op: "room.leave";
  id?: string | null;
  room_id: string;
  traceparent?: string | null;
}
/**
 * Store a file and send a message with it. `data` is base64, at most 5 MiB decoded.
 */
export interface FileUpload {
  op: "file.upload";
  id?: string | null;
  room_id: string;
  traceparent?: string | null;
  client_id: string;
  filename: string;
  data: string;
  body?: string;
}
/**
 * Replace the set of watched users. Strangers and users who blocked the watcher appear offline.
 */
export interface PresenceWatch {
  op: "presence.watch";
  id?: string | null;
  /**
   * @maxItems 200
   */
  user_ids: string[];
}
/**
 * A successful reply. The fields of the result are next to `id`.
 */
export interface Ok {
  op: "ok";
  id: string;
  at?: string | null;
  seq?: number | null;
  version?: number | null;
  duplicate?: boolean | null;
  read_seq?: number | null;
  room?: RoomDetail | null;
  rooms?: Room[] | null;
  friends?: Profile[] | null;
  messages?: Message[] | null;
  has_more?: boolean | null;
  next?: string | null;
  presence?: {
    [k: string]: "offline" | "online";
  } | null;
  attachment?: Attachment | null;
}
export interface RoomDetail {
  room_id: string;
  kind: "direct" | "group";
  title: string;
  member_count: number;
  version: number;
  last_seq: number;
  read_seq: number;
  unread: number;
  muted: boolean;
  role: "admin" | "member" | "owner";
  last_message?: Message | null;
  peer_id?: string | null;
  pinned_seq?: number | null;
  members: Member[];
}
/**
 * `version` is that of its `message.created` and never changes; reactions are sets: their order means nothing.
 */
export interface Message {
  room_id: string;
  seq: number;
  version: number;
  sender_id: string;
  client_id: string;
  kind: "file" | "text";
  body: string;
  at: string;
  edited_at?: string | null;
  deleted?: boolean;
  reply_to?: number | null;
  attachments?: Attachment[];
  mentions?: string[];
  reactions?: {
    [k: string]: string[];
  };
}
/**
 * `url` and `thumbnail_url` are API paths: membership is checked behind them.
 */
export interface Attachment {
  attachment_id: string;
  filename: string;
  content_type: string;
  size: number;
  width?: number | null;
  height?: number | null;
  url: string;
  thumbnail_url?: string | null;
}
export interface Member {
  user_id: string;
  role: "admin" | "member" | "owner";
  read_seq: number;
  joined_at: string;
}
/**
 * A room as one of its members sees it; `unread` = `last_seq` - `read_seq`.
 */
export interface Room {
  room_id: string;
  kind: "direct" | "group";
  title: string;
  member_count: number;
  version: number;
  last_seq: number;
  read_seq: number;
  unread: number;
  muted: boolean;
  role: "admin" | "member" | "owner";
  last_message?: Message | null;
  peer_id?: string | null;
  pinned_seq?: number | null;
}
/**
 * A person as `followed` by the one who asks sees them.
 */
export interface Profile {
  user_id: string;
  webchat_id: string;
  display_name: string;
  status_message: string;
  avatar_url: string | null;
  followed: boolean;
}
/**
 * A failed reply, or an error of a frame without an `id`. `retry_after` is in seconds.
 */
export interface ErrorFrame {
  op: "error";
  id?: string | null;
  code: string;
  detail: string;
  retry_after?: number | null;
}
/**
 * The reply to `hello`. `heartbeat` is in seconds.
 */
export interface Ready {
  op: "ready";
  session_id: string;
  user: User;
  friends: Profile[];
  rooms: Room[];
  heartbeat: number;
  epoch: string;
}
/**
 * The signed-in person, as only that person sees it.
 */
export interface User {
  user_id: string;
  email: string;
  webchat_id: string;
  display_name: string;
}
/**
 * The user is now a member. The room's events after `room.version` follow.
 */
export interface RoomAdded {
  op: "room.added";
  room: Room;
}
export interface RoomRemoved {
  op: "room.removed";
  room_id: string;
}
export interface RoomMuted {
  op: "room.muted";
  room_id: string;
  muted: boolean;
}
/**
 * The log does not reach back to the client's cursor: load the newest page and continue after its version.
 */
export interface RoomReset {
  op: "room.reset";
  room_id: string;
}
export interface FriendAdded {
  op: "friend.added";
  profile: Profile;
}
export interface FriendRemoved {
  op: "friend.removed";
  user_id: string;
}
export interface ProfileUpdated {
  op: "profile.updated";
  profile: Profile;
}
export interface SessionRevoked {
  op: "session.revoked";
}
/**
 * Read cursors moved. At most four per second and room; a lost one is corrected by the next.
 */
export interface CursorsMoved {
  op: "room.read";
  room_id: string;
  cursors: {
    [k: string]: number;
  };
}
export interface Typing {
  op: "room.typing";
  room_id: string;
  user_id: string;
  typing: boolean;
}
export interface PresenceChanged {
  op: "presence";
  user_id: string;
  status: "offline" | "online";
}
/**
 * Carries the message (its current state, when read later). Its sender has read up to it.
 */
export interface MessageCreated {
  op: "message.created";
  room_id: string;
  seq: number;
  version: number;
  sender_id: string;
  client_id: string;
  kind: "file" | "text";
  body: string;
  at: string;
  edited_at?: string | null;
  deleted?: boolean;
  reply_to?: number | null;
  attachments?: Attachment[];
  mentions?: string[];
  reactions?: {
    [k: string]: string[];
  };
}
export interface MessageEdited {
  op: "message.edited";
  room_id: string;
  version: number;
  at: string;
  seq: number;
  body: string;
  edited_at: string;
  by: string;
}
export interface MessageDeleted {
  op: "message.deleted";
  room_id: string;
  version: number;
  at: string;
  seq: number;
  by: string;
}
export interface MessageReacted {
  op: "message.reacted";
  room_id: string;
  version: number;
  at: string;
  seq: number;
  user_id: string;
  emoji: string;
  removed: boolean;
}
/**
 * `read_seq` is where the member's reading starts; nothing at or below it is seen by them.
 */
export interface MemberJoined {
  op: "member.joined";
  room_id: string;
  version: number;
  at: string;
  user_id: string;
  by: string;
  role: "admin" | "member" | "owner";
  read_seq: number;
}
/**
 * `by` is the member itself, or who removed it.
 */
export interface MemberLeft {
  op: "member.left";
  room_id: string;
  version: number;
  at: string;
  user_id: string;
  by: string;
}
export interface MemberRoleChanged {
  op: "member.role_changed";
  room_id: string;
  version: number;
  at: string;
  user_id: string;
  by: string;
  role: "admin" | "member" | "owner";
}
/**
 * Only what changed is there; `pinned_seq` null: nothing is pinned any more.
 */
export interface RoomUpdated {
  op: "room.updated";
  room_id: string;
  version: number;
  at: string;
  by: string;
  title?: string;
  pinned_seq?: number | null;
}
