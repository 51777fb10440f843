// Deletions that can still be undone: held back here for five seconds, or until the tab goes.
const UNDO_TIME = 5_000;

export interface PendingDeletionsHost {
  now: () => number;
  /** Until when it can be undone; null: no longer being removed. */
  mark: (roomId: string, seq: number, until: number | null) => void;
  remove: (roomId: string, seq: number) => Promise<unknown>;
}

interface Deletion {
  roomId: string;
  seq: number;
  timer: ReturnType<typeof setTimeout>;
}

export class PendingDeletions {
  readonly #host: PendingDeletionsHost;
  readonly #pending = new Map<string, Deletion>();

  constructor(host: PendingDeletionsHost) {
    this.#host = host;
  }

  schedule(roomId: string, seq: number): void {
    const key = `${roomId}/${seq}`;
    if (this.#pending.has(key)) return;
    const timer = setTimeout(() => this.#finish(key), UNDO_TIME);
    this.#pending.set(key, { roomId, seq, timer });
    this.#host.mark(roomId, seq, this.#host.now() + UNDO_TIME);
  }

  undo(roomId: string, seq: number): void {
    const key = `${roomId}/${seq}`;
    const deletion = this.#pending.get(key);
    if (!deletion) return;
    clearTimeout(deletion.timer);
    this.#pending.delete(key);
    this.#host.mark(roomId, seq, null);
  }

  /** The tab goes: now or never. */
  flush(): void {
    for (const key of [...this.#pending.keys()]) this.#finish(key);
  }

  end(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }

  #finish(key: string): void {
    const deletion = this.#pending.get(key);
    if (!deletion) return;
    clearTimeout(deletion.timer);
    this.#pending.delete(key);
    const { roomId, seq } = deletion;
    void this.#host.remove(roomId, seq).then(() => this.#host.mark(roomId, seq, null));
  }
}
