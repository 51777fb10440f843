// Where one has read to: shown at once, told to the server a few times a second at most, and again after a break.
import type { Reply } from "./requests.ts";

const PAUSE = 250;
/** So long another tab has to tell what was read there. */
const OTHER_TAB_TIMEOUT = 3_000;

export interface OwnReadCursorsHost {
  request: (roomId: string, seq: number) => Promise<Reply>;
  online: () => boolean;
}

type Timers = Map<string, ReturnType<typeof setTimeout>>;

export class OwnReadCursors {
  readonly #host: OwnReadCursorsHost;
  readonly #cursors = new Map<string, number>();
  /** What the server may not know yet. */
  readonly #unconfirmed = new Set<string>();
  readonly #pauses: Timers = new Map();
  readonly #deferred: Timers = new Map();

  constructor(host: OwnReadCursorsHost) {
    this.#host = host;
  }

  /** As far as this tab knows; only ever higher. */
  get(roomId: string): number {
    return this.#cursors.get(roomId) ?? 0;
  }

  advance(roomId: string, seq: number): void {
    if (seq <= this.get(roomId)) return;
    this.#cursors.set(roomId, seq);
    this.#unconfirmed.add(roomId);
    this.#send(roomId);
  }

  /** Read in another tab, which tells the server unless it is closed before. */
  advancedInOtherTab(roomId: string, seq: number): void {
    if (seq <= this.get(roomId)) return;
    this.#cursors.set(roomId, seq);
    this.#unconfirmed.add(roomId);
    if (!this.#deferred.has(roomId)) wait(this.#deferred, roomId, OTHER_TAB_TIMEOUT, () => this.#send(roomId));
  }

  /** The server knows. */
  confirm(roomId: string, seq: number): void {
    if (seq >= this.get(roomId)) this.#unconfirmed.delete(roomId);
  }

  /** The line is back: what may not have arrived is told again. */
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
