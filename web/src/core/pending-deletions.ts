// Deletions that can still be undone. They are sent after five seconds, or when the tab is hidden.
const UNDO_TIME = 5_000;

export interface PendingDeletionsHost {
  now: () => number;
  /** `until` is the time until which the deletion can be undone, or null when it is over. */
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

  /** Send all deletions now, because the tab may be closing. */
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
