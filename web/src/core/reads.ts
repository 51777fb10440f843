// Where one has read to: shown at once, told to the server a few times a second at most, and again after a break.
import type { Reply } from "./requests.ts";

const PAUSE = 250;
/** So long another tab has to tell what was read there. */
const TRUST = 3_000;

export interface ReadsHost {
  request: (roomId: string, seq: number) => Promise<Reply>;
  online: () => boolean;
}

type Timers = Map<string, ReturnType<typeof setTimeout>>;

export class Reads {
  readonly #host: ReadsHost;
  readonly #read = new Map<string, number>();
  /** What the server may not know yet. */
  readonly #untold = new Set<string>();
  readonly #pauses: Timers = new Map();
  readonly #trusted: Timers = new Map();

  constructor(host: ReadsHost) {
    this.#host = host;
  }

  /** As far as this tab knows; only ever higher. */
  readTo(roomId: string): number {
    return this.#read.get(roomId) ?? 0;
  }

  read(roomId: string, seq: number): void {
    if (seq <= this.readTo(roomId)) return;
    this.#read.set(roomId, seq);
    this.#untold.add(roomId);
    this.#send(roomId);
  }

  /** Read in another tab, which tells the server unless it is closed before. */
  readElsewhere(roomId: string, seq: number): void {
    if (seq <= this.readTo(roomId)) return;
    this.#read.set(roomId, seq);
    this.#untold.add(roomId);
    if (!this.#trusted.has(roomId)) wait(this.#trusted, roomId, TRUST, () => this.#send(roomId));
  }

  /** The server knows. */
  told(roomId: string, seq: number): void {
    if (seq >= this.readTo(roomId)) this.#untold.delete(roomId);
  }

  /** The line is back: what may not have arrived is told again. */
  resume(): void {
    for (const roomId of this.#untold) this.#send(roomId);
  }

  end(): void {
    for (const timers of [this.#pauses, this.#trusted]) {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    }
    this.#untold.clear();
  }

  #send(roomId: string): void {
    if (this.#pauses.has(roomId) || !this.#untold.has(roomId) || !this.#host.online()) return;
    const seq = this.readTo(roomId);
    wait(this.#pauses, roomId, PAUSE, () => {
      if (this.readTo(roomId) > seq) this.#send(roomId);
    });
    void this.#host.request(roomId, seq).then((reply) => {
      const done = reply.ok || reply.error.code === "not_found" || reply.error.code === "forbidden";
      if (done && this.readTo(roomId) === seq) this.#untold.delete(roomId);
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
