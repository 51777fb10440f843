// The users who are typing in a room. Each one expires 15 s after the last event.
const EXPIRY = 15_000;

export class TypingUsers {
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
      setTimeout(() => this.stop(userId), EXPIRY),
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

/** Sends typing events: at the start, repeatedly while it lasts, and at the end. */
export class TypingNotifier {
  readonly #send: (roomId: string, typing: boolean) => void;
  readonly #now: () => number;
  readonly #sentAt = new Map<string, number>();

  constructor(send: (roomId: string, typing: boolean) => void, now: () => number) {
    this.#send = send;
    this.#now = now;
  }

  set(roomId: string, typing: boolean): void {
    const sentAt = this.#sentAt.get(roomId);
    if (typing && (sentAt === undefined || this.#now() - sentAt > EXPIRY / 3)) {
      this.#sentAt.set(roomId, this.#now());
      this.#send(roomId, true);
    } else if (!typing && sentAt !== undefined) {
      this.#sentAt.delete(roomId);
      this.#send(roomId, false);
    }
  }
}
