// One's own messages until the server has them: stored before they are sent, in each room one at a time and in the
// order written, again with the same client_id after an unknown outcome. Several tabs share the queue.
import { v7 as uuid } from "uuid";
import type { Database, StoredMessage } from "./database.ts";
import type { Reply } from "./requests.ts";
import type { PendingMessage, DomainError } from "./types.ts";

/** Codes after which the same message may still get through. */
const PASSING: ReadonlySet<string> = new Set(["rate_limited", "unavailable", "offline", "unauthenticated"]);
const LEAST_PAUSE = 1_000;
const MOST_PAUSE = 15_000;
/** The order of what the database would not take. */
const NOT_KEPT = Number.MAX_SAFE_INTEGER;

export type NewMessage = Pick<PendingMessage, "roomId" | "body" | "mentions" | "attachments" | "replyTo">;

/** `afterSeq`: a failed message stands behind the message with that seq. */
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
  /** To the other tabs: the stored queue has changed, perhaps because the server has a message. */
  announce: (done?: Acknowledged) => void;
  /** Runs one tab at a time. */
  withLock: (name: string, work: () => Promise<void>) => Promise<void>;
  pause: (milliseconds: number) => Promise<void>;
  /** Milliseconds to wait before the next message may go out. */
  sendDelay: () => number;
  /** The message is not kept over a reload. */
  notKept: () => void;
}

export class Outbox {
  readonly #database: Database;
  readonly #host: OutboxHost;
  readonly #userId: string;
  readonly #items = new Map<string, OutboxItem>();
  readonly #draining = new Set<string>();
  /** Done with, though perhaps still being removed from the database. */
  readonly #gone = new Set<string>();
  #ended = false;

  constructor(database: Database, host: OutboxHost, userId: string) {
    this.#database = database;
    this.#host = host;
    this.#userId = userId;
  }

  /** Those of the room, in the order written. */
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

  /** What all tabs have stored, after a start or when another tab has changed it. */
  async load(): Promise<void> {
    const before = [...this.#items.values()].filter(({ stored }) => stored && isKept(stored));
    const stored = (await this.#listStored()).filter((message) => message.userId === this.#userId);
    if (this.#ended) return;
    const kept = new Set(stored.map((message) => message.clientId));
    for (const { pending } of before)
      if (!kept.has(pending.clientId) && this.#items.get(pending.clientId)?.seq === null)
        this.#drop(pending.clientId);
    for (const message of stored) this.#take(message);
    this.resume();
  }

  /** Another tab had the answer; the message keeps its place until it is seen in the room. */
  acknowledged({ clientId, seq }: Acknowledged): void {
    const item = this.#items.get(clientId);
    if (item) this.#store(item, seq);
  }

  /** Sends what waits; called whenever the line is there. */
  resume(): void {
    const waiting = [...this.#items.values()].filter((item) => isWaiting(item));
    for (const roomId of new Set(waiting.map((item) => item.pending.roomId))) void this.#drain(roomId);
  }

  /** The message was seen in the room: it is stored, whether or not a reply came. */
  settle(clientId: string): void {
    const item = this.#items.get(clientId);
    if (!item) return;
    this.#drop(clientId);
    this.#forget(item);
  }

  /** Messages up to `lastSeq` have been seen, so those stored there need no place of their own. */
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

  /** Only what is not on its way: failed, or never sent. */
  discard(clientId: string): void {
    const item = this.#items.get(clientId);
    if (!item || item.pending.status === "sent" || item.pending.status === "stored") return;
    this.#drop(clientId);
    this.#forget(item);
  }

  end(): void {
    this.#ended = true;
    this.#items.clear();
  }

  /** Begun at once: the database keeps the order of what is begun, also when the tab goes. Then the room's turn. */
  #write(item: OutboxItem, write: (stored: StoredMessage) => Promise<StoredMessage>): void {
    const { clientId, roomId } = item.pending;
    void this.#kept(item, write).then(async (stored) => {
      if (this.#ended) return;
      const current = this.#items.get(clientId);
      // A list read before a retry was stored may have shown it as failed again.
      if (current) this.#items.set(clientId, { ...(isFailed(current) ? item : current), stored });
      else await this.#removeStored(stored);
      this.#host.announce();
      void this.#drain(roomId);
    });
  }

  /** Where storing fails (a full disk), the message lives on in this tab. */
  async #kept(
    { pending, stored }: OutboxItem,
    write: (stored: StoredMessage) => Promise<StoredMessage>,
  ): Promise<StoredMessage> {
    const { status: _, error: __, ...fields } = pending;
    const { failed: ___, ...waiting } = stored ?? { ...fields, n: NOT_KEPT, userId: this.#userId };
    try {
      return await write(waiting);
    } catch {
      this.#host.notKept();
      return { ...waiting, n: NOT_KEPT };
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
    let pause = LEAST_PAUSE;
    for (;;) {
      const next = await this.#next(roomId);
      if (!next || !this.#host.online()) return;
      const wait = this.#host.sendDelay();
      if (wait > 0) await this.#host.pause(wait);
      const reply = await this.#send(next);
      if (reply === null) {
        pause = LEAST_PAUSE;
        continue;
      }
      if (!this.#host.online()) return;
      await this.#host.pause(reply.retryAfter === undefined ? pause : reply.retryAfter * 1_000);
      pause = Math.min(MOST_PAUSE, pause * 2);
    }
  }

  /** The first that waits, of whichever tab; what only this tab holds comes last. */
  async #next(roomId: string): Promise<StoredMessage | undefined> {
    if (this.#ended) return undefined;
    const stored = await this.#listStored();
    const own = (message: StoredMessage): boolean =>
      message.userId === this.#userId && message.roomId === roomId && !message.failed;
    const unkept = this.list(roomId).flatMap(({ stored: kept }) => (kept && !isKept(kept) ? [kept] : []));
    const next = [...stored, ...unkept].find((message) => own(message) && !this.#isDone(message.clientId));
    if (next) this.#take(next);
    return next;
  }

  #isDone(clientId: string): boolean {
    if (this.#gone.has(clientId)) return true;
    const status = this.#items.get(clientId)?.pending.status;
    return status === "stored" || status === "failed";
  }

  /** The error when the same message has to be sent again; null when it is done with. */
  async #send(message: StoredMessage): Promise<DomainError | null> {
    this.#mark(message.clientId, { status: "sent" });
    const reply = await this.#host.transmit(message);
    if (reply.ok) {
      const done = { clientId: message.clientId, seq: reply.reply.seq ?? 0 };
      this.acknowledged(done);
      this.#host.announce(done);
      await this.#removeStored(message);
      return null;
    }
    if (PASSING.has(reply.error.code)) {
      this.#mark(message.clientId, { status: "pending" });
      return reply.error;
    }
    await this.#reject(message, reply.error);
    this.#host.announce();
    return null;
  }

  #store(item: OutboxItem, seq: number): void {
    const { clientId, roomId } = item.pending;
    this.#items.set(clientId, { ...item, seq });
    this.#mark(clientId, { status: "stored" });
    if (seq <= this.#host.lastSeq(roomId)) this.#drop(clientId);
  }

  async #reject(message: StoredMessage, error: DomainError): Promise<void> {
    const afterSeq = this.#host.lastSeq(message.roomId);
    const failed = { ...message, failed: { problem: error, afterSeq } };
    if (!this.#items.has(message.clientId)) return;
    this.#take(failed);
    await this.#database.updateMessage(failed).catch(() => this.#host.notKept());
  }

  #mark(clientId: string, change: Partial<PendingMessage>): void {
    const item = this.#items.get(clientId);
    if (!item) return;
    this.#items.set(clientId, { ...item, pending: { ...item.pending, ...change } });
    this.#host.changed(item.pending.roomId);
  }

  #take(message: StoredMessage): void {
    if (this.#gone.has(message.clientId)) return;
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
    this.#gone.add(clientId);
    if (this.#items.delete(clientId) && item) this.#host.changed(item.pending.roomId);
  }

  #forget(item: OutboxItem): void {
    const { stored } = item;
    if (!stored) return; // Its write finds it gone.
    void this.#removeStored(stored).then(() => this.#host.announce());
  }

  async #listStored(): Promise<StoredMessage[]> {
    return this.#database.listMessages().catch(() => []);
  }

  async #removeStored(message: StoredMessage): Promise<void> {
    await this.#database.removeMessage(message.n).catch(() => undefined);
  }
}

function isKept(stored: StoredMessage): boolean {
  return stored.n !== NOT_KEPT;
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
