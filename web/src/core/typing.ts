// Who is typing in a room: for 15 s at most after they were last heard of.
const LASTS = 15_000;

export class Typists {
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  start(userId: string): void {
    clearTimeout(this.#timers.get(userId));
    const isNew = !this.#timers.has(userId);
    this.#timers.set(
      userId,
      setTimeout(() => this.stop(userId), LASTS),
    );
    if (isNew) this.#changed();
  }

  stop(userId: string): void {
    clearTimeout(this.#timers.get(userId));
    if (this.#timers.delete(userId)) this.#changed();
  }

  list(before: readonly string[] | undefined): readonly string[] {
    const now = [...this.#timers.keys()];
    return before?.join() === now.join() ? before : now;
  }

  end(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** Tells the others that one is typing: at its start, again while it lasts, and at its end. */
export class OwnTyping {
  readonly #tell: (roomId: string, typing: boolean) => void;
  readonly #now: () => number;
  readonly #told = new Map<string, number>();

  constructor(tell: (roomId: string, typing: boolean) => void, now: () => number) {
    this.#tell = tell;
    this.#now = now;
  }

  set(roomId: string, typing: boolean): void {
    const told = this.#told.get(roomId);
    if (typing && (told === undefined || this.#now() - told > LASTS / 3)) {
      this.#told.set(roomId, this.#now());
      this.#tell(roomId, true);
    } else if (!typing && told !== undefined) {
      this.#told.delete(roomId);
      this.#tell(roomId, false);
    }
  }
}
