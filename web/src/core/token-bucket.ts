// Limits how fast queued messages are sent to less than the server's limit per socket, so that a long queue is never
// rejected.
const BURST = 30;
const PER_SECOND = 12;

export class TokenBucket {
  readonly #now: () => number;
  #tokens = BURST;
  #filled: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#filled = now();
  }

  /** Take a token. Return the milliseconds to wait before using it. */
  take(): number {
    const now = this.#now();
    const gained = (Math.max(0, now - this.#filled) / 1_000) * PER_SECOND;
    this.#tokens = Math.min(BURST, this.#tokens + gained) - 1;
    this.#filled = now;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / PER_SECOND) * 1_000;
  }
}
