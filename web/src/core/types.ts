// The words that the core shares with the views: immutable snapshots, entries of a room, results of actions.
import type { components } from "./generated/openapi.ts";
import type { Attachment, Member, Message, Profile, Room, RoomDetail, User } from "./generated/protocol.ts";

export type { Attachment, Member, Message, Profile, Room, RoomDetail, User };
export type SessionView = components["schemas"]["SessionView"];
export type Figures = components["schemas"]["Figures"];
export type ServiceFigures = components["schemas"]["ServiceFigures"];
export type Role = Member["role"];
export type Presence = "online" | "offline";

/** Fits `useSyncExternalStore`: a snapshot is immutable, and its unchanged parts keep their identity. */
export interface ReadonlyStore<S> {
  getSnapshot: () => S;
  /** The listener is called at most once per animation frame; the function returned ends the subscription. */
  subscribe: (listener: () => void) => () => void;
}

export interface FieldError {
  field: string;
  message: string;
}

/** What went wrong, as a code to choose words by. `offline`: nothing was sent; `unavailable`: the outcome is unknown. */
export type ErrorCode =
  | "invalid"
  | "unauthenticated"
  | "forbidden"
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
  /** In English, from the server; for logs and details, not for people. */
  detail: string;
  /** Seconds after which trying again makes sense. */
  retryAfter?: number;
  errors?: readonly FieldError[];
  /** The session was revoked, not merely too old. */
  sessionEnded?: true;
}

export type Result<T extends object = object> = ({ ok: true } & T) | { ok: false; error: DomainError };

export interface Page<T> {
  items: readonly T[];
  next: string | null;
}

export type ConnectionStatus = "online" | "connecting" | "reconnecting" | "offline";

export interface ConnectionState {
  /** `offline`: no network, or stopped; `connecting`: the first time; `reconnecting`: it was there and is not. */
  status: ConnectionStatus;
  /** When it became online, or when it stopped being so; milliseconds. */
  since: number;
  /** When the next attempt is due; milliseconds. */
  retryAt?: number;
  /** Why it stays away until the person asks for it with `actions.reconnect`. */
  stopped?: "outdated" | "too_many_tabs" | "rejected";
}

/** A room of the list. `activity` is the time of its last message or of its making, in milliseconds. */
export interface RoomSummary extends Room {
  activity: number;
}

export interface Draft {
  text: string;
  replyTo?: number;
}

/** A failure of something that was done in the background; shown until dismissed. */
export interface Notice {
  id: string;
  error: DomainError;
  about: "edit" | "delete" | "react" | "read" | "storage" | "session" | "connection";
  roomId?: string;
  /** When trying again makes sense; milliseconds. */
  retryAt?: number;
}

export type Phase = "starting" | "signed_out" | "ready";

export interface ClientState {
  phase: Phase;
  /** Why one is signed out, when it was not by one's own wish in this tab. */
  signedOutBecause: "expired" | "revoked" | "closed" | "elsewhere" | null;
  me: User | null;
  connection: ConnectionState;
  /** Ids of those whom I follow. */
  friends: readonly string[];
  /** Everyone seen so far, oneself too. */
  profiles: ReadonlyMap<string, Profile>;
  rooms: ReadonlyMap<string, RoomSummary>;
  /** Room ids, the latest activity first. */
  order: readonly string[];
  presence: ReadonlyMap<string, Presence>;
  totalUnread: number;
  drafts: ReadonlyMap<string, Draft>;
  /** Rooms with a message that failed. */
  failedRooms: ReadonlySet<string>;
  /** Messages that the server does not have. */
  unsent: number;
  notices: readonly Notice[];
  /** Whether this tab is the one that shows alerts. */
  leader: boolean;
}

export type PendingStatus = "pending" | "sent" | "stored" | "failed";

/** One's own message on its way. Its `key` goes on as that of the stored message. */
export interface PendingMessage {
  clientId: string;
  roomId: string;
  body: string;
  replyTo?: number;
  mentions: readonly string[];
  attachments: readonly Attachment[];
  /** When it was written; milliseconds. */
  at: number;
  /** `pending`: waits for the line; `sent`: on the wire; `stored`: the server has it; `failed`: refused. */
  status: PendingStatus;
  error?: DomainError;
}

export interface MessageEntry {
  kind: "message";
  key: string;
  message: Message;
  mine: boolean;
  /** While it can be undone: when the deletion becomes final, in milliseconds. */
  removingUntil?: number;
}

export interface PendingEntry {
  kind: "pending";
  key: string;
  pending: PendingMessage;
}

/** Something that happened to the room itself while this client was looking. */
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
  /** There are newer messages than the window shows; pending ones are then not shown. */
  hasAfter: boolean;
  loading: "newest" | "before" | "after" | "jump" | null;
  /** Why the last load failed. It is tried again when the line comes back. */
  error: DomainError | null;
}

/** Where every member has read to. */
export interface ReadCursors {
  /** How many members have not read the message: the number beside it. */
  unreadCount: (seq: number) => number;
  who: (seq: number) => { read: readonly string[]; unread: readonly string[] };
}

export interface RoomState {
  /** `gone`: one is not, or no longer, a member. */
  status: "loading" | "open" | "gone";
  room: RoomSummary | null;
  members: readonly Member[];
  /** Ascending; days are for the views to divide. A failed message stays where it was, others on their way at the end. */
  entries: readonly Entry[];
  window: RoomWindow;
  /** Frozen at opening. */
  firstUnreadSeq: number | null;
  lastSeq: number;
  /** Who is typing, oneself excluded. */
  typing: readonly string[];
  cursors: ReadCursors;
  /** Messages that others quote or that are pinned, by seq; null: not to be seen. Absent: not loaded yet. */
  quoted: ReadonlyMap<number, Message | null>;
}

export interface RoomStore extends ReadonlyStore<RoomState> {
  readonly roomId: string;
  /** Loads and keeps the room until `close`; calls are counted. */
  open: () => void;
  close: () => void;
  loadBefore: () => Promise<Result>;
  loadAfter: () => Promise<Result>;
  /** Moves the window; `seq` of the answer is the message to scroll to. */
  jumpTo: (target: { seq: number } | { at: string }) => Promise<Result<{ seq: number }>>;
  toLatest: () => Promise<Result>;
  /** What is on screen: the window is trimmed far from it, and kept around it over a reset. */
  setVisibleRange: (firstSeq: number, lastSeq: number) => void;
}

export type AlertChange =
  | { kind: "show"; roomId: string; message: Message; mentioned: boolean }
  | { kind: "withdraw"; roomId: string; upTo: number };

/** Called only in the tab that holds the alerts, once per message. */
export interface Alerts {
  subscribe: (listener: (change: AlertChange) => void) => () => void;
}

export interface UploadState {
  status: "uploading" | "done" | "failed" | "cancelled";
  /** 0 to 1. */
  progress: number;
  attachment: Attachment | null;
  error: DomainError | null;
}

export interface Upload extends ReadonlyStore<UploadState> {
  readonly id: string;
  readonly file: File;
  cancel: () => void;
  /** Again, after a failure: the same upload, stored once. */
  retry: () => void;
  /** Ends with success or by `cancel`; a failure is in the snapshot, and waits for `retry`. */
  done: Promise<Result<{ attachment: Attachment }>>;
}
