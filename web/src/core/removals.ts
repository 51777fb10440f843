// Deletions that can still be undone: held back here for five seconds, or until the tab goes.
const UNDO = 5_000;

export interface RemovalsHost {
  now: () => number;
  /** Until when it can be undone; null: no longer being removed. */
  mark: (roomId: string, seq: number, until: number | null) => void;
  remove: (roomId: string, seq: number) => Promise<unknown>;
}

interface Removal {
  roomId: string;
  seq: number;
  timer: ReturnType<typeof setTimeout>;
}

export class Removals {
  readonly #host: RemovalsHost;
  readonly #held = new Map<string, Removal>();

  constructor(host: RemovalsHost) {
    this.#host = host;
  }

  hold(roomId: string, seq: number): void {
    const key = `${roomId}/${seq}`;
    if (this.#held.has(key)) return;
    const timer = setTimeout(() => this.#finish(key), UNDO);
    this.#held.set(key, { roomId, seq, timer });
    this.#host.mark(roomId, seq, this.#host.now() + UNDO);
  }

  undo(roomId: string, seq: number): void {
    const key = `${roomId}/${seq}`;
    const held = this.#held.get(key);
    if (!held) return;
    clearTimeout(held.timer);
    this.#held.delete(key);
    this.#host.mark(roomId, seq, null);
  }

  /** The tab goes: now or never. */
  flush(): void {
    for (const key of [...this.#held.keys()]) this.#finish(key);
  }

  end(): void {
    for (const { timer } of this.#held.values()) clearTimeout(timer);
    this.#held.clear();
  }

  #finish(key: string): void {
    const held = this.#held.get(key);
    if (!held) return;
    clearTimeout(held.timer);
    this.#held.delete(key);
    const { roomId, seq } = held;
    void this.#host.remove(roomId, seq).then(() => this.#host.mark(roomId, seq, null));
  }
}
