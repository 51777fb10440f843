// The user's own read cursors. They are shown at once, sent to the server a few times per second at most, and sent
// again after a reconnect.
import type { Reply } from "./requests.ts";

const PAUSE = 250;
/** The time that another tab has to send its own cursor. */
const OTHER_TAB_TIMEOUT = 3_000;

export interface OwnReadCursorsHost {
  request: (roomId: string, seq: number) => Promise<Reply>;
  online: () => boolean;
}

type Timers = Map<string, ReturnType<typeof setTimeout>>;

export class OwnReadCursors {
  readonly #host: OwnReadCursorsHost;
  readonly #cursors = new Map<string, number>();
  /** Rooms whose cursor the server may not know yet. */
  readonly #unconfirmed = new Set<string>();
  readonly #pauses: Timers = new Map();
  readonly #deferred: Timers = new Map();

  constructor(host: OwnReadCursorsHost) {
    this.#host = host;
  }

  /** Return the cursor, as far as this tab knows. It only moves forward. */
  get(roomId: string): number {
    return this.#cursors.get(roomId) ?? 0;
  }

  advance(roomId: string, seq: number): void {
    if (seq <= this.get(roomId)) return;
    this.#cursors.set(roomId, seq);
    this.#unconfirmed.add(roomId);
    this.#send(roomId);
  }

  /** The cursor moved in another tab. That tab sends it, unless it is closed first. */
  advancedInOtherTab(roomId: string, seq: number): void {
    if (seq <= this.get(roomId)) return;
    this.#cursors.set(roomId, seq);
    this.#unconfirmed.add(roomId);
    if (!this.#deferred.has(roomId))
      wait(this.#deferred, roomId, OTHER_TAB_TIMEOUT, () => this.#send(roomId));
  }

  /** The server knows the cursor up to `seq`. */
  confirm(roomId: string, seq: number): void {
    if (seq >= this.get(roomId)) this.#unconfirmed.delete(roomId);
  }

  /** Send all unconfirmed cursors again after a reconnect. */
  resume(): void {
    for (const roomId of this.#unconfirmed) this.#send(roomId);
  }

  end(): void {
    for (const timers of [this.#pauses, this.#deferred]) {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    }
    this.#unconfirmed.clear();
  }

  #send(roomId: string): void {
    if (this.#pauses.has(roomId) || !this.#unconfirmed.has(roomId) || !this.#host.online()) return;
    const seq = this.get(roomId);
    wait(this.#pauses, roomId, PAUSE, () => {
      if (this.get(roomId) > seq) this.#send(roomId);
    });
    void this.#host.request(roomId, seq).then((reply) => {
      const done = reply.ok || reply.error.code === "not_found" || reply.error.code === "forbidden";
      if (done && this.get(roomId) === seq) this.#unconfirmed.delete(roomId);
    });
  }
}

function wait(timers: Timers, roomId: string, milliseconds: number, then: () => void): void {
  const timer = setTimeout(() => {
    timers.delete(roomId);
    then();
  }, milliseconds);
  timers.set(roomId, timer);
}
