// One draft per room, in the browser's text storage. Drafts are written at each pause and when the tab is hidden.
// Storage events carry them to the other tabs.
import type { TextStorage } from "./platform.ts";
import { ObservableMap } from "./store.ts";
import type { Draft } from "./types.ts";

const PREFIX = "webchat.draft.";
const PAUSE = 300;

export class Drafts {
  readonly byRoom: ObservableMap<string, Draft>;
  readonly #storage: TextStorage | null;
  readonly #replyChanged: (roomId: string) => void;
  readonly #unwritten = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(storage: TextStorage | null, changed: () => void, replyChanged: (roomId: string) => void) {
    this.#storage = storage;
    this.#replyChanged = replyChanged;
    this.byRoom = new ObservableMap(changed, this.#read());
  }

  set(roomId: string, draft: Draft | null): void {
    const before = this.byRoom.get(roomId);
    if (draft && (draft.text !== "" || draft.replyTo !== undefined)) this.byRoom.set(roomId, draft);
    else this.byRoom.delete(roomId);
    clearTimeout(this.#unwritten.get(roomId));
    this.#unwritten.set(
      roomId,
      setTimeout(() => this.#write(roomId), PAUSE),
    );
    if (before?.replyTo !== draft?.replyTo) this.#replyChanged(roomId);
  }

  flush(): void {
    for (const roomId of [...this.#unwritten.keys()]) this.#write(roomId);
  }

  /** Another tab wrote. A draft that is being written in this tab takes precedence. */
  storageChanged(key: string | null): void {
    if (key === null) this.byRoom.replace(this.#read());
    if (!key?.startsWith(PREFIX)) return;
    const roomId = key.slice(PREFIX.length);
    if (this.#unwritten.has(roomId)) return;
    const draft = parsed(this.#storage?.getItem(key) ?? null);
    if (draft) this.byRoom.set(roomId, draft);
    else this.byRoom.delete(roomId);
  }

  clear(): void {
    for (const timer of this.#unwritten.values()) clearTimeout(timer);
    this.#unwritten.clear();
    for (const key of this.#keys()) this.#storage?.removeItem(key);
    this.byRoom.replace([]);
  }

  #write(roomId: string): void {
    clearTimeout(this.#unwritten.get(roomId));
    this.#unwritten.delete(roomId);
    const draft = this.byRoom.get(roomId);
    try {
      if (draft) this.#storage?.setItem(PREFIX + roomId, JSON.stringify(draft));
      else this.#storage?.removeItem(PREFIX + roomId);
    } catch {
      return; // With a full storage, the draft exists only in this tab.
    }
  }

  #keys(): string[] {
    const storage = this.#storage;
    if (!storage) return [];
    const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
    return keys.filter((key): key is string => key?.startsWith(PREFIX) ?? false);
  }

  #read(): [string, Draft][] {
    return this.#keys().flatMap((key) => {
      const draft = parsed(this.#storage?.getItem(key) ?? null);
      return draft ? [[key.slice(PREFIX.length), draft]] : [];
    });
  }
}

function parsed(text: string | null): Draft | null {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    return isDraft(value) ? value : null;
  } catch {
    return null;
  }
}

function isDraft(value: unknown): value is Draft {
  return typeof value === "object" && value !== null && "text" in value && typeof value.text === "string";
}
