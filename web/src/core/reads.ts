// Where one has read to: shown at once, told to the server a few times a second at most, and again after a break.
import type { Reply } from "./requests.ts";

const PAUSE = 250;

export interface ReadsHost {
  ask: (roomId: string, seq: number) => Promise<Reply>;
  online: () => boolean;
}

export class Reads {
  readonly #host: ReadsHost;
  readonly #read = new Map<string, number>();
  /** What the server may not know yet. */
  readonly #untold = new Set<string>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

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

  /** The line is back: what may not have arrived is told again. */
  resume(): void {
    for (const roomId of this.#untold) this.#send(roomId);
  }

  end(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#untold.clear();
  }

  #send(roomId: string): void {
    if (this.#timers.has(roomId) || !this.#untold.has(roomId) || !this.#host.online()) return;
    const seq = this.readTo(roomId);
    this.#timers.set(
      roomId,
      setTimeout(() => {
        this.#timers.delete(roomId);
        if (this.readTo(roomId) > seq) this.#send(roomId);
      }, PAUSE),
    );
    void this.#host.ask(roomId, seq).then((reply) => {
      const done = reply.ok || reply.problem.code === "not_found" || reply.problem.code === "forbidden";
      if (done && this.readTo(roomId) === seq) this.#untold.delete(roomId);
    });
  }
}
