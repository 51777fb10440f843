// The user's own messages until the server has them. They are stored before they are sent (if the browser can store
// them), sent one at a time per room in the order in which they were written, and repeated with the same client_id
// after an unknown outcome. Tabs share the queue.
import { v7 as uuid } from "uuid";
import type { Database, StoredMessage } from "./database.ts";
import type { Reply } from "./requests.ts";
import type { PendingMessage, DomainError } from "./types.ts";

/** Errors after which the same message can still succeed. */
const TRANSIENT: ReadonlySet<string> = new Set(["rate_limited", "unavailable", "offline", "unauthenticated"]);
const MIN_DELAY = 1_000;
const MAX_DELAY = 15_000;
/** The order of a message that could not be stored. */
const UNSTORED = Number.MAX_SAFE_INTEGER;

export type NewMessage = Pick<PendingMessage, "roomId" | "body" | "mentions" | "attachments" | "replyTo">;

/** `afterSeq`: a failed message is shown after the message with that seq. */
export interface OutboxItem {
  pending: PendingMessage;
  stored: StoredMessage | null;
  seq: number | null;
  afterSeq: number | null;
}

export interface Acknowledged {
  clientId: string;
  seq: number;
}

export interface OutboxHost {
  now: () => number;
  online: () => boolean;
  transmit: (message: StoredMessage) => Promise<Reply>;
  lastSeq: (roomId: string) => number;
  changed: (roomId: string) => void;
  /** Notify the other tabs that the stored queue changed, and if so, which message was acknowledged. */
  notifyTabs: (done?: Acknowledged) => void;
  /** Run `work` in one tab at a time. */
  withLock: (name: string, work: () => Promise<void>) => Promise<void>;
  sleep: (milliseconds: number) => Promise<void>;
  /** Return the milliseconds to wait before the next message may be sent. */
  sendDelay: () => number;
  /** A message could not be stored, so it would not survive a reload. */
  storageFailed: () => void;
}

export class Outbox {
  readonly #database: Database;
  readonly #host: OutboxHost;
  readonly #userId: string;
  readonly #items = new Map<string, OutboxItem>();
  readonly #draining = new Set<string>();
  /** Messages that are finished, although they may still be in the database. */
  readonly #finished = new Set<string>();
  #ended = false;

  constructor(database: Database, host: OutboxHost, userId: string) {
    this.#database = database;
    this.#host = host;
    this.#userId = userId;
  }

  /** Return the messages of a room in the order in which they were written. */
  list(roomId: string): OutboxItem[] {
    return [...this.#items.values()].filter((item) => item.pending.roomId === roomId).sort(byOrder);
  }

  failedRooms(): ReadonlySet<string> {
    const failed = [...this.#items.values()].filter(isFailed);
    return new Set(failed.map((item) => item.pending.roomId));
  }

  get unsent(): number {
    return [...this.#items.values()].filter((item) => item.seq === null).length;
  }

  add(message: NewMessage): string {
    const clientId = uuid();
    const pending = { ...message, clientId, at: this.#host.now(), status: "pending" as const };
    const item = { pending, stored: null, seq: null, afterSeq: null };
    this.#items.set(clientId, item);
    this.#write(item, ({ n: _, ...fields }) => this.#database.addMessage(fields));
    this.#host.changed(message.roomId);
    return clientId;
  }

  /** Load what all tabs have stored, after a start or a change in another tab. */
  async load(): Promise<void> {
    const before = [...this.#items.values()].filter(({ stored }) => stored && isStored(stored));
    const stored = (await this.#listStored()).filter((message) => message.userId === this.#userId);
    if (this.#ended) return;
    const storedIds = new Set(stored.map((message) => message.clientId));
    for (const { pending } of before)
      if (!storedIds.has(pending.clientId) && this.#items.get(pending.clientId)?.seq === null)
        this.#drop(pending.clientId);
    for (const message of stored) this.#adopt(message);
    this.resume();
  }

  /** Another tab received the acknowledgement. The message keeps its entry until the room contains it. */
  acknowledged({ clientId, seq }: Acknowledged): void {
    const item = this.#items.get(clientId);
    if (item) this.#markStored(item, seq);
  }

  /** Send the waiting messages. Called whenever the connection is ready. */
  resume(): void {
    const waiting = [...this.#items.values()].filter((item) => isWaiting(item));
    for (const roomId of new Set(waiting.map((item) => item.pending.roomId))) void this.#drain(roomId);
  }

  /** The room contains the message, so it is stored, with or without a reply. */
  settle(clientId: string): void {
    const item = this.#items.get(clientId);
    if (!item) return;
    this.#drop(clientId);
    this.#removeFromDatabase(item);
  }

  /** The room contains all messages up to `lastSeq`, so those need no pending entry. */
  settleUpTo(roomId: string, lastSeq: number): void {
    for (const item of this.list(roomId))
      if (item.seq !== null && item.seq <= lastSeq) this.#drop(item.pending.clientId);
  }

  retry(clientId: string): void {
    const item = this.#items.get(clientId);
    if (item?.pending.status !== "failed") return;
    const { error: _, ...pending } = item.pending;
    const waiting = { ...item, pending: { ...pending, status: "pending" as const }, afterSeq: null };
    this.#items.set(clientId, waiting);
    this.#host.changed(pending.roomId);
    this.#write(waiting, async (stored) => {
      await this.#database.updateMessage(stored);
      return stored;
    });
  }

  /** Discard a message that failed or was never sent. */
  discard(clientId: string): void {
    const item = this.#items.get(clientId);
    if (!item || item.pending.status === "sent" || item.pending.status === "stored") return;
    this.#drop(clientId);
    this.#removeFromDatabase(item);
  }

  end(): void {
    this.#ended = true;
    this.#items.clear();
  }

  /**
   * Store a message. The write starts synchronously, because the database keeps the order in which writes start, even
   * if the tab closes. Then the room's queue continues.
   */
  #write(item: OutboxItem, write: (stored: StoredMessage) => Promise<StoredMessage>): void {
    const { clientId, roomId } = item.pending;
    void this.#persist(item, write).then(async (stored) => {
      if (this.#ended) return;
      const current = this.#items.get(clientId);
      // A list that was read before the retry was stored may have marked it as failed again.
      if (current) this.#items.set(clientId, { ...(isFailed(current) ? item : current), stored });
      else await this.#removeStored(stored);
      this.#host.notifyTabs();
      void this.#drain(roomId);
    });
  }

  /** Store a message. If that fails, for example because the disk is full, it exists only in this tab. */
  async #persist(
    { pending, stored }: OutboxItem,
    write: (stored: StoredMessage) => Promise<StoredMessage>,
  ): Promise<StoredMessage> {
    const { status: _, error: __, ...fields } = pending;
    const { failed: ___, ...waiting } = stored ?? { ...fields, n: UNSTORED, userId: this.#userId };
    try {
      return await write(waiting);
    } catch {
      this.#host.storageFailed();
      return { ...waiting, n: UNSTORED };
    }
  }

  async #drain(roomId: string): Promise<void> {
    if (this.#draining.has(roomId) || !this.#host.online() || this.#ended) return;
    this.#draining.add(roomId);
    await this.#host.withLock(`${this.#userId}/${roomId}`, () => this.#sendAll(roomId));
    this.#draining.delete(roomId);
    if (this.#host.online() && (await this.#next(roomId))) void this.#drain(roomId);
  }

  async #sendAll(roomId: string): Promise<void> {
    let pause = MIN_DELAY;
    for (;;) {
      const next = await this.#next(roomId);
      if (!next || !this.#host.online()) return;
      const wait = this.#host.sendDelay();
      if (wait > 0) await this.#host.sleep(wait);
      const reply = await this.#send(next);
      if (reply === null) {
        pause = MIN_DELAY;
        continue;
      }
      if (!this.#host.online()) return;
      await this.#host.sleep(reply.retryAfter === undefined ? pause : reply.retryAfter * 1_000);
      pause = Math.min(MAX_DELAY, pause * 2);
    }
  }

  /** Return the first waiting message of all tabs. Messages that could not be stored come last. */
  async #next(roomId: string): Promise<StoredMessage | undefined> {
    if (this.#ended) return undefined;
    const stored = await this.#listStored();
    const own = (message: StoredMessage): boolean =>
      message.userId === this.#userId && message.roomId === roomId && !message.failed;
    const unstored = this.list(roomId).flatMap(({ stored: one }) => (one && !isStored(one) ? [one] : []));
    const next = [...stored, ...unstored].find(
      (message) => own(message) && !this.#isFinished(message.clientId),
    );
    if (next) this.#adopt(next);
    return next;
  }

  #isFinished(clientId: string): boolean {
    if (this.#finished.has(clientId)) return true;
    const status = this.#items.get(clientId)?.pending.status;
    return status === "stored" || status === "failed";
  }

  /** Send a message. Return the error if it has to be sent again, or null if it is finished. */
  async #send(message: StoredMessage): Promise<DomainError | null> {
    this.#update(message.clientId, { status: "sent" });
    const reply = await this.#host.transmit(message);
    if (reply.ok) {
      const done = { clientId: message.clientId, seq: reply.reply.seq ?? 0 };
      this.acknowledged(done);
      this.#host.notifyTabs(done);
      await this.#removeStored(message);
      return null;
    }
    if (TRANSIENT.has(reply.error.code)) {
      this.#update(message.clientId, { status: "pending" });
      return reply.error;
    }
    await this.#reject(message, reply.error);
    this.#host.notifyTabs();
    return null;
  }

  #markStored(item: OutboxItem, seq: number): void {
    const { clientId, roomId } = item.pending;
    this.#items.set(clientId, { ...item, seq });
    this.#update(clientId, { status: "stored" });
    if (seq <= this.#host.lastSeq(roomId)) this.#drop(clientId);
  }

  async #reject(message: StoredMessage, error: DomainError): Promise<void> {
    const afterSeq = this.#host.lastSeq(message.roomId);
    const failed = { ...message, failed: { problem: error, afterSeq } };
    if (!this.#items.has(message.clientId)) return;
    this.#adopt(failed);
    await this.#database.updateMessage(failed).catch(() => this.#host.storageFailed());
  }

  #update(clientId: string, change: Partial<PendingMessage>): void {
    const item = this.#items.get(clientId);
    if (!item) return;
    this.#items.set(clientId, { ...item, pending: { ...item.pending, ...change } });
    this.#host.changed(item.pending.roomId);
  }

  #adopt(message: StoredMessage): void {
    if (this.#finished.has(message.clientId)) return;
    const { n: _, userId: __, failed, ...fields } = message;
    const known = this.#items.get(message.clientId);
    if (known?.stored && known.pending.status !== "failed" && !failed) return;
    const pending: PendingMessage = failed
      ? { ...fields, status: "failed", error: failed.problem }
      : { ...fields, status: "pending" };
    const seq = known?.seq ?? null;
    this.#items.set(message.clientId, { pending, stored: message, seq, afterSeq: failed?.afterSeq ?? null });
    this.#host.changed(message.roomId);
  }

  #drop(clientId: string): void {
    const item = this.#items.get(clientId);
    this.#finished.add(clientId);
    if (this.#items.delete(clientId) && item) this.#host.changed(item.pending.roomId);
  }

  #removeFromDatabase(item: OutboxItem): void {
    const { stored } = item;
    if (!stored) return; // The pending write will find the item removed.
    void this.#removeStored(stored).then(() => this.#host.notifyTabs());
  }

  async #listStored(): Promise<StoredMessage[]> {
    return this.#database.listMessages().catch(() => []);
  }

  async #removeStored(message: StoredMessage): Promise<void> {
    await this.#database.removeMessage(message.n).catch(() => undefined);
  }
}

function isStored(stored: StoredMessage): boolean {
  return stored.n !== UNSTORED;
}

function isFailed(item: OutboxItem): boolean {
  return item.pending.status === "failed";
}

function isWaiting(item: OutboxItem): boolean {
  return item.pending.status === "pending" || item.pending.status === "sent";
}

function byOrder(a: OutboxItem, b: OutboxItem): number {
  return (a.stored?.n ?? Infinity) - (b.stored?.n ?? Infinity) || 0;
}
