// What the views may ask of the core. Nothing is thrown for an error that can be expected: results say it.
import type {
  Attachment,
  Draft,
  Figures,
  Message,
  Page,
  DomainError,
  Profile,
  Result,
  Role,
  RoomSummary,
  SessionView,
  Upload,
  User,
} from "../types.ts";

export interface AccountActions {
  signUp: (fields: {
    email: string;
    password: string;
    webchatId: string;
    displayName: string;
  }) => Promise<Result<{ user: User }>>;
  signIn: (login: string, password: string) => Promise<Result<{ user: User }>>;
  signOut: () => Promise<Result>;
  isWebchatIdFree: (webchatId: string) => Promise<Result<{ available: boolean }>>;
  listSessions: (cursor?: string) => Promise<Result<{ page: Page<SessionView> }>>;
  revokeSession: (sessionId: string) => Promise<Result>;
  revokeOthers: () => Promise<Result>;
  changePassword: (current: string, next: string) => Promise<Result>;
  closeAccount: (password: string) => Promise<Result>;
  updateProfile: (change: {
    displayName?: string;
    statusMessage?: string;
    /** null takes the picture away. */
    avatarAttachmentId?: string | null;
  }) => Promise<Result<{ profile: Profile }>>;
}

export interface PeopleActions {
  searchProfiles: (webchatId: string, cursor?: string) => Promise<Result<{ page: Page<Profile> }>>;
  listFollowers: (cursor?: string) => Promise<Result<{ page: Page<Profile> }>>;
  listBlocked: (cursor?: string) => Promise<Result<{ page: Page<Profile> }>>;
  /** Has the profiles loaded that are not in `profiles` yet. */
  loadProfiles: (userIds: readonly string[]) => void;
  follow: (userId: string) => Promise<Result>;
  unfollow: (userId: string) => Promise<Result>;
  block: (userId: string) => Promise<Result>;
  unblock: (userId: string) => Promise<Result>;
  /** Each view watches under a name of its own; an empty list ends it. At most 200 people together. */
  watchPresence: (view: string, userIds: readonly string[]) => void;
}

export interface RoomActions {
  createDirect: (userId: string) => Promise<Result<{ room: RoomSummary }>>;
  createGroup: (title: string, userIds: readonly string[]) => Promise<Result<{ room: RoomSummary }>>;
  invite: (roomId: string, userIds: readonly string[]) => Promise<Result>;
  leave: (roomId: string) => Promise<Result>;
  kick: (roomId: string, userId: string) => Promise<Result>;
  setRole: (roomId: string, userId: string, role: Role) => Promise<Result>;
  setMuted: (roomId: string, muted: boolean) => Promise<Result>;
  rename: (roomId: string, title: string) => Promise<Result>;
  /** null unpins. */
  pin: (roomId: string, seq: number | null) => Promise<Result>;
}

export interface MessageActions {
  /** Shows the message at once and sees to the rest; false when there is nothing to send or it is too long. */
  send: (
    roomId: string,
    message: {
      body: string;
      replyTo?: number;
      mentions?: readonly string[];
      attachments?: readonly Attachment[];
    },
  ) => { ok: true; clientId: string } | { ok: false; error: DomainError };
  retry: (clientId: string) => void;
  discard: (clientId: string) => void;
  edit: (roomId: string, seq: number, body: string) => Promise<Result>;
  /** Held back for five seconds, in which `undoRemove` takes it back. */
  remove: (roomId: string, seq: number) => void;
  undoRemove: (roomId: string, seq: number) => void;
  react: (roomId: string, seq: number, emoji: string, remove?: boolean) => Promise<Result>;
  /** Called when a message is on screen and the window has the focus; forward only. */
  markRead: (roomId: string, seq: number) => void;
  setTyping: (roomId: string, typing: boolean) => void;
  /** null or an empty text without a quote drops the draft. */
  setDraft: (roomId: string, draft: Draft | null) => void;
  searchMessages: (query: {
    q: string;
    roomId?: string;
    cursor?: string;
  }) => Promise<Result<{ page: Page<Message> }>>;
  /** Messages with attachments, newest first; `before` of an answer leads on, null when that was all. */
  listFiles: (
    roomId: string,
    before?: number,
  ) => Promise<Result<{ items: readonly Message[]; before: number | null }>>;
  /** Without a room: a picture for one's profile. */
  upload: (file: File, roomId?: string) => Upload;
}

export interface ConnectionActions {
  /** Tries at once instead of waiting. */
  reconnect: () => void;
  dismissNotice: (id: string) => void;
  /** The room that this tab shows while its window has the focus; null for none. No alerts come for it. */
  setFocus: (roomId: string | null) => void;
}

export interface OperatorActions {
  /** How everything runs; `not_found` for who is no operator. */
  figures: () => Promise<Result<{ figures: Figures }>>;
}

export type Actions = OperatorActions &
  AccountActions &
  PeopleActions &
  RoomActions &
  MessageActions &
  ConnectionActions;
