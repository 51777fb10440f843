// The data that this browser stores about one user: the outbox, the user state and the newest page of recent rooms.
// Without IndexedDB, the same data lives in memory as long as the tab does.
import { openDB } from "idb";
import type { DBSchema, IDBPDatabase } from "idb";
import type { SystemEvent } from "./timeline.ts";
import type { Attachment, Member, Message, DomainError, Profile, RoomSummary, User } from "./types.ts";

const NAME = "webchat";
const MAX_PAGES = 60;

/** `n` is the order in which the messages of all tabs were written. */
export interface StoredMessage {
  n: number;
  userId: string;
  roomId: string;
  clientId: string;
  body: string;
  replyTo?: number;
  mentions: readonly string[];
  attachments: readonly Attachment[];
  at: number;
  failed?: { problem: DomainError; afterSeq: number };
}

export interface StoredUserState {
  user: User;
  friends: readonly string[];
  profiles: readonly Profile[];
  rooms: readonly RoomSummary[];
}

export interface StoredPage {
  roomId: string;
  savedAt: number;
  members: readonly Member[];
  messages: readonly Message[];
  /** Absent in pages of earlier releases. */
  lines?: readonly SystemEvent[];
}

export interface Database {
  addMessage: (message: Omit<StoredMessage, "n">) => Promise<StoredMessage>;
  /** Return all messages in the order in which they were written. */
  listMessages: () => Promise<StoredMessage[]>;
  /** Update a message. Does nothing if it was removed. */
  updateMessage: (message: StoredMessage) => Promise<void>;
  removeMessage: (n: number) => Promise<void>;
  loadUserState: () => Promise<StoredUserState | undefined>;
  saveUserState: (state: StoredUserState) => Promise<void>;
  loadPage: (roomId: string) => Promise<StoredPage | undefined>;
  savePage: (page: StoredPage) => Promise<void>;
  /** Delete the user state and pages, but not the outbox. */
  wipeCache: () => Promise<void>;
  wipe: () => Promise<void>;
  close: () => void;
}

interface Schema extends DBSchema {
  outbox: { key: number; value: StoredMessage };
  home: { key: string; value: StoredUserState };
  pages: { key: string; value: StoredPage; indexes: { savedAt: number } };
}

const CACHE_STORES = ["home", "pages"] as const;
const STORES = ["outbox", ...CACHE_STORES] as const;

export async function openDatabase(): Promise<Database> {
  try {
    return indexedDatabase(
      await openDB<Schema>(NAME, 1, {
        upgrade(db) {
          db.createObjectStore("outbox", { keyPath: "n", autoIncrement: true });
          db.createObjectStore("home");
          db.createObjectStore("pages", { keyPath: "roomId" }).createIndex("savedAt", "savedAt");
        },
        blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
      }),
    );
  } catch {
    return memoryDatabase(); // Some browsers refuse IndexedDB in private windows.
  }
}

function indexedDatabase(db: IDBPDatabase<Schema>): Database {
  return {
    addMessage: async (message) => {
      const tx = db.transaction("outbox", "readwrite");
      const added = tx.store.add(message as StoredMessage);
      tx.commit(); // Commit now, because the tab may be closing.
      const [n] = await Promise.all([added, tx.done]);
      return { ...message, n };
    },
    listMessages: () => db.getAll("outbox"),
    updateMessage: async (message) => {
      const tx = db.transaction("outbox", "readwrite");
      if ((await tx.store.getKey(message.n)) !== undefined) await tx.store.put(message);
      await tx.done;
    },
    removeMessage: (n) => db.delete("outbox", n),
    loadUserState: () => db.get("home", "home"),
    saveUserState: async (state) => {
      const tx = db.transaction("home", "readwrite");
      const put = tx.store.put(state, "home");
      tx.commit();
      await Promise.all([put, tx.done]);
    },
    loadPage: (roomId) => db.get("pages", roomId),
    savePage: (page) => savePage(db, page),
    wipeCache: () => clear(db, CACHE_STORES),
    wipe: () => clear(db, STORES),
    close: () => db.close(),
  };
}

async function clear(db: IDBPDatabase<Schema>, stores: readonly (typeof STORES)[number][]): Promise<void> {
  const tx = db.transaction(stores, "readwrite");
  await Promise.all([...stores.map((name) => tx.objectStore(name).clear()), tx.done]);
}

async function savePage(db: IDBPDatabase<Schema>, page: StoredPage): Promise<void> {
  const saving = db.transaction("pages", "readwrite");
  const put = saving.store.put(page);
  saving.commit(); // Commit now, because the tab may be closing.
  await Promise.all([put, saving.done]);
  const tx = db.transaction("pages", "readwrite");
  const excess = (await tx.store.count()) - MAX_PAGES;
  const oldest = tx.store.index("savedAt").iterate();
  let dropped = 0;
  for await (const cursor of oldest) {
    if (dropped >= excess) break;
    await cursor.delete();
    dropped += 1;
  }
  await tx.done;
}

export function memoryDatabase(): Database {
  const messages = new Map<number, StoredMessage>();
  const pages = new Map<string, StoredPage>();
  let userState: StoredUserState | undefined;
  let next = 0;
  const wipeCache = (): Promise<void> => {
    pages.clear();
    userState = undefined;
    return Promise.resolve();
  };
  return {
    addMessage: (message) => {
      next += 1;
      const kept = { ...message, n: next };
      messages.set(next, kept);
      return Promise.resolve(kept);
    },
    listMessages: () => Promise.resolve([...messages.values()]),
    updateMessage: (message) => {
      if (messages.has(message.n)) messages.set(message.n, message);
      return Promise.resolve();
    },
    removeMessage: (n) => Promise.resolve(void messages.delete(n)),
    loadUserState: () => Promise.resolve(userState),
    saveUserState: (saved) => {
      userState = saved;
      return Promise.resolve();
    },
    loadPage: (roomId) => Promise.resolve(pages.get(roomId)),
    savePage: (page) => Promise.resolve(void pages.set(page.roomId, page)),
    wipeCache,
    wipe: () => {
      messages.clear();
      return wipeCache();
    },
    close: () => undefined,
  };
}
