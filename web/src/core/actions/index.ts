// The actions that views can call. Expected errors are returned as results and never thrown.
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
    /** null removes the picture. */
    avatarAttachmentId?: string | null;
  }) => Promise<Result<{ profile: Profile }>>;
}

export interface PeopleActions {
  searchProfiles: (webchatId: string, cursor?: string) => Promise<Result<{ page: Page<Profile> }>>;
  listFollowers: (cursor?: string) => Promise<Result<{ page: Page<Profile> }>>;
  listBlocked: (cursor?: string) => Promise<Result<{ page: Page<Profile> }>>;
  /** Load the profiles that are not in `profiles` yet. */
  loadProfiles: (userIds: readonly string[]) => void;
  follow: (userId: string) => Promise<Result>;
  unfollow: (userId: string) => Promise<Result>;
  block: (userId: string) => Promise<Result>;
  unblock: (userId: string) => Promise<Result>;
  /**
   * Watch the presence of users. Each view has its own list, and an empty list ends it. At most 200 users in total.
   */
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
  /** Show the message at once and send it in the background. Fails if it is empty or too long. */
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
  /** Delete a message after five seconds, during which `undoRemove` can undo it. */
  remove: (roomId: string, seq: number) => void;
  undoRemove: (roomId: string, seq: number) => void;
  react: (roomId: string, seq: number, emoji: string, remove?: boolean) => Promise<Result>;
  /** Called when a message is on screen and the window has the focus. The cursor only moves forward. */
  markRead: (roomId: string, seq: number) => void;
  setTyping: (roomId: string, typing: boolean) => void;
  /** null, or an empty text without a quote, deletes the draft. */
  setDraft: (roomId: string, draft: Draft | null) => void;
  searchMessages: (query: {
    q: string;
    roomId?: string;
    cursor?: string;
  }) => Promise<Result<{ page: Page<Message> }>>;
  /** Return messages with attachments, newest first. The returned `before` continues the list, null ends it. */
  listFiles: (
    roomId: string,
    before?: number,
  ) => Promise<Result<{ items: readonly Message[]; before: number | null }>>;
  /** Upload a file. Without a room it becomes a profile picture. */
  upload: (file: File, roomId?: string) => Upload;
}

export interface ConnectionActions {
  /** Reconnect now instead of waiting. */
  reconnect: () => void;
  dismissNotice: (id: string) => void;
  /** Set the room that this tab shows while it has the focus, or null. It gets no notifications. */
  setFocus: (roomId: string | null) => void;
}

export interface OperatorActions {
  /** Return the operating figures. The error is `not_found` if the user is no operator. */
  figures: () => Promise<Result<{ figures: Figures }>>;
}

export type Actions = OperatorActions &
  AccountActions &
  PeopleActions &
  RoomActions &
  MessageActions &
  ConnectionActions;
