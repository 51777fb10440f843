/** The finder of addresses without a scheme. It is loaded with the first text that may have one. */
import type { Piece } from "../format/links.ts";

type SplitLinks = (text: string) => Piece[];

class LinkFinder {
  #split: SplitLinks | null = null;
  #loading = false;
  readonly #listeners = new Set<() => void>();

  readonly current = (): SplitLinks | null => this.#split;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    void this.#load();
    return () => {
      this.#listeners.delete(listener);
    };
  };

  async #load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      this.#split = (await import("../format/links.ts")).splitLinks;
      for (const listener of this.#listeners) listener();
    } catch {
      // The text has no such links until the next message retries.
      this.#loading = false;
    }
  }
}

export const linkFinder = new LinkFinder();
