// The tabs of one browser: messages between them, the election of the leading tab, and locks. Without the browser's
// support each tab works alone, which doubles notifications but loses nothing.
import type { Acknowledged } from "./outbox.ts";
import type { Platform } from "./platform.ts";

export type TabMessage =
  | { type: "outbox"; done?: Acknowledged }
  | { type: "read"; roomId: string; seq: number }
  /** The room that another tab shows while it has the focus. */
  | { type: "focus"; tab: string; roomId: string | null }
  | { type: "signed_in" }
  | { type: "signed_out"; because: "expired" | "revoked" | "closed" | "elsewhere" };

/** A frozen tab that holds a lock blocks the others no longer than this. */
const LOCK_TIMEOUT = 30_000;

export class Tabs {
  readonly #channel: BroadcastChannel | null;
  readonly #locks: LockManager | null;
  readonly #ended = new AbortController();

  constructor(platform: Platform, onMessage: (message: TabMessage) => void) {
    this.#locks = platform.locks;
    this.#channel = platform.channel("webchat");
    if (this.#channel)
      this.#channel.onmessage = (event: MessageEvent<unknown>) => onMessage(event.data as TabMessage);
  }

  broadcast(message: TabMessage): void {
    if (!this.#ended.signal.aborted) this.#channel?.postMessage(message);
  }

  /** Call `elected` in the leading tab. Without locks, every tab leads. */
  lead(elected: () => void): void {
    if (!this.#locks) {
      elected();
      return;
    }
    const { signal } = this.#ended;
    const held = this.#locks.request("webchat/leader", { signal }, () => {
      elected();
      return new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    });
    held.catch(() => undefined); // The tab was closed while it waited.
  }

  async withLock(name: string, work: () => Promise<void>): Promise<void> {
    if (!this.#locks) return work();
    const timeout = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(LOCK_TIMEOUT)]);
    try {
      await this.#locks.request(`webchat/${name}`, { signal: timeout }, work);
    } catch {
      if (timeout.aborted && !this.#ended.signal.aborted)
        await this.#locks.request(`webchat/${name}`, { steal: true }, work).catch(() => undefined);
    }
  }

  end(): void {
    this.#ended.abort();
    this.#channel?.close();
  }
}
