// Stores the user state and the newest page of rooms for the next start, shortly after they changed.
import type { Database, StoredUserState, StoredPage } from "./database.ts";

const PAUSE = 2_000;
/** As many as the server's newest page has, so that the cached and the loaded list are equal. */
const CACHED_MESSAGES = 50;

export interface SnapshotCacheHost {
  userState: () => StoredUserState | null;
  /** Return null if the newest messages are not in memory. */
  page: (roomId: string) => Omit<StoredPage, "savedAt"> | null;
  now: () => number;
}

export class SnapshotCache {
  readonly #database: Database;
  readonly #host: SnapshotCacheHost;
  readonly #duePages = new Set<string>();
  /** Rooms with a page of this visit. The first page is saved at once. */
  readonly #saved = new Set<string>();
  #userStateDue = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(database: Database, host: SnapshotCacheHost) {
    this.#database = database;
    this.#host = host;
  }

  userStateChanged(): void {
    this.#userStateDue = true;
    this.#timer ??= setTimeout(() => this.flush(), PAUSE);
  }

  pageChanged(roomId: string): void {
    if (this.#saved.has(roomId)) {
      this.#duePages.add(roomId);
      this.#timer ??= setTimeout(() => this.flush(), PAUSE);
    } else this.#savePage(roomId);
  }

  /** Save the user state now, in any tab, because the next start may come at any time. */
  saveUserState(): void {
    this.#userStateDue = true;
    this.flush();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const state = this.#userStateDue ? this.#host.userState() : null;
    const pages = [...this.#duePages];
    this.#userStateDue = false;
    this.#duePages.clear();
    if (state) void this.#database.saveUserState(state).catch(() => undefined);
    for (const roomId of pages) this.#savePage(roomId);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#userStateDue = false;
    this.#duePages.clear();
  }

  /** A failed write is ignored: with a full disk the next start is only slower. */
  #savePage(roomId: string): void {
    const page = this.#host.page(roomId);
    if (!page) return;
    this.#saved.add(roomId);
    const messages = page.messages.slice(-CACHED_MESSAGES);
    const first = messages[0]?.version ?? 0;
    const recent = page.lines?.filter(({ version }) => version > first) ?? [];
    void this.#database
      .savePage({ ...page, messages, lines: recent, savedAt: this.#host.now() })
      .catch(() => undefined);
  }
}
