// The types that the core shares with the views: immutable snapshots, entries of a room and results of actions.
import type { components } from "./generated/openapi.ts";
import type { Attachment, Member, Message, Profile, Room, RoomDetail, User } from "./generated/protocol.ts";

export type { Attachment, Member, Message, Profile, Room, RoomDetail, User };
export type SessionView = components["schemas"]["SessionView"];
export type Figures = components["schemas"]["Figures"];
export type ServiceFigures = components["schemas"]["ServiceFigures"];
export type Role = Member["role"];
export type Presence = "online" | "offline";

/** A store for `useSyncExternalStore`. Snapshots are immutable, and their unchanged parts keep their identity. */
export interface ReadonlyStore<S> {
  getSnapshot: () => S;
  /** The listener is called at most once per animation frame. The returned function ends the subscription. */
  subscribe: (listener: () => void) => () => void;
}

export interface FieldError {
  field: string;
  message: string;
}

/** The kind of an error. `offline`: nothing was sent. `unavailable`: the outcome is unknown. */
export type ErrorCode =
  | "invalid"
  | "unauthenticated"
  | "forbidden"
  | "member_removed"
  | "not_found"
  | "conflict"
  | "too_large"
  | "unsupported_type"
  | "rate_limited"
  | "unavailable"
  | "offline"
  | "cancelled"
  | "failed";

export interface DomainError {
  code: ErrorCode;
  /** The server's English text, for logs and not for users. */
  detail: string;
  /** Seconds after which a retry makes sense. */
  retryAfter?: number;
  errors?: readonly FieldError[];
  /** The session was revoked and did not just expire. */
  sessionEnded?: true;
}

export type Result<T extends object = object> = ({ ok: true } & T) | { ok: false; error: DomainError };

export interface Page<T> {
  items: readonly T[];
  next: string | null;
}

export type ConnectionStatus = "online" | "connecting" | "reconnecting" | "offline";

export interface ConnectionState {
  /** `offline`: no network, or stopped. `connecting`: the first time. `reconnecting`: the connection was lost. */
  status: ConnectionStatus;
  /** The time since when it is online, or not online, in milliseconds. */
  since: number;
  /** The time of the next attempt, in milliseconds. */
  retryAt?: number;
  /** The reason why it stays offline until `actions.reconnect` is called. */
  stopped?: "outdated" | "too_many_tabs" | "rejected";
}

/** A room of the list. `activity` is the time of the last message or of the creation, in milliseconds. */
export interface RoomSummary extends Room {
  activity: number;
}

export interface Draft {
  text: string;
  replyTo?: number;
}

/** A failure of a background operation. It is shown until it is dismissed. */
export interface Notice {
  id: string;
  error: DomainError;
  about: "edit" | "delete" | "react" | "read" | "storage" | "session" | "connection";
  roomId?: string;
  /** The time when a retry makes sense, in milliseconds. */
  retryAt?: number;
}

export type Phase = "starting" | "signed_out" | "ready";

export interface ClientState {
  phase: Phase;
  /** Why the user is signed out, if they did not sign out in this tab. */
  signedOutBecause: "expired" | "revoked" | "closed" | "elsewhere" | null;
  me: User | null;
  connection: ConnectionState;
  /** User IDs of the friends. */
  friends: readonly string[];
  /** All profiles that were loaded, including the user's own. */
  profiles: ReadonlyMap<string, Profile>;
  rooms: ReadonlyMap<string, RoomSummary>;
  /** Room IDs, the latest activity first. */
  order: readonly string[];
  presence: ReadonlyMap<string, Presence>;
  totalUnread: number;
  drafts: ReadonlyMap<string, Draft>;
  /** Rooms with a failed message. */
  failedRooms: ReadonlySet<string>;
  /** The number of messages that the server does not have. */
  unsent: number;
  notices: readonly Notice[];
  /** True in the tab that shows notifications. */
  leader: boolean;
  /** How often events of a room were missing since the tab started. Resuming brought them each time. */
  gaps: number;
}

export type PendingStatus = "pending" | "sent" | "stored" | "failed";

/** One of the user's own messages before the server has it. The stored message keeps its `key`. */
export interface PendingMessage {
  clientId: string;
  roomId: string;
  body: string;
  replyTo?: number;
  mentions: readonly string[];
  attachments: readonly Attachment[];
  /** When it was written, in milliseconds. */
  at: number;
  /** `pending`: waits to be sent. `sent`: no reply yet. `stored`: the server has it. `failed`: rejected. */
  status: PendingStatus;
  error?: DomainError;
}

export interface MessageEntry {
  kind: "message";
  key: string;
  message: Message;
  mine: boolean;
  /** The time when the deletion becomes final, in milliseconds. Absent if the message is not being deleted. */
  removingUntil?: number;
}

export interface PendingEntry {
  kind: "pending";
  key: string;
  pending: PendingMessage;
}

/** An event of the room that is shown between messages. */
export interface SystemEntry {
  kind: "system";
  key: string;
  at: string;
  event:
    | { type: "joined"; userId: string; by: string }
    | { type: "left"; userId: string; by: string }
    | { type: "role"; userId: string; by: string; role: Role }
    | { type: "title"; by: string; title: string }
    | { type: "pinned"; by: string; seq: number | null };
}

export type Entry = MessageEntry | PendingEntry | SystemEntry;

export interface RoomWindow {
  hasBefore: boolean;
  /** The room has newer messages than the window. Pending messages are then not shown. */
  hasAfter: boolean;
  loading: "newest" | "before" | "after" | "jump" | null;
  /** Why the last load failed. It is retried after a reconnect. */
  error: DomainError | null;
}

/** The read cursors of all members. */
export interface ReadCursors {
  /** The number of members who have not read the message. */
  unreadCount: (seq: number) => number;
  who: (seq: number) => { read: readonly string[]; unread: readonly string[] };
}

export interface RoomState {
  /** `gone`: the user is not a member. */
  status: "loading" | "open" | "gone";
  room: RoomSummary | null;
  members: readonly Member[];
  /** In ascending order. A failed message stays where it was written, pending ones are at the end. */
  entries: readonly Entry[];
  window: RoomWindow;
  /** Fixed when the room is opened. */
  firstUnreadSeq: number | null;
  lastSeq: number;
  /** User IDs, without the user's own. */
  typing: readonly string[];
  cursors: ReadCursors;
  /** Quoted and pinned messages by seq. null: not visible. Absent: not loaded yet. */
  quoted: ReadonlyMap<number, Message | null>;
}

export interface RoomStore extends ReadonlyStore<RoomState> {
  readonly roomId: string;
  /** Load the room and keep it up to date until `close`. Calls are counted. */
  open: () => void;
  close: () => void;
  loadBefore: () => Promise<Result>;
  loadAfter: () => Promise<Result>;
  /** Move the window. The returned `seq` is the message to scroll to. */
  jumpTo: (target: { seq: number } | { at: string }) => Promise<Result<{ seq: number }>>;
  toLatest: () => Promise<Result>;
  /** Report what is on screen. Messages far from it are dropped, and a reload keeps the position. */
  setVisibleRange: (firstSeq: number, lastSeq: number) => void;
}

export type AlertChange =
  | { kind: "show"; roomId: string; message: Message; mentioned: boolean }
  | { kind: "withdraw"; roomId: string; upTo: number };

/** Called once per message, only in the leading tab. */
export interface Alerts {
  subscribe: (listener: (change: AlertChange) => void) => () => void;
}

export interface UploadState {
  status: "uploading" | "done" | "failed" | "cancelled";
  /** From 0 to 1. */
  progress: number;
  attachment: Attachment | null;
  error: DomainError | null;
}

export interface Upload extends ReadonlyStore<UploadState> {
  readonly id: string;
  readonly file: File;
  cancel: () => void;
  /** Start again after a failure. The server stores the upload once. */
  retry: () => void;
  /** Settles with success or by `cancel`. After a failure it waits for `retry`. */
  done: Promise<Result<{ attachment: Attachment }>>;
}
