import type { TextStorage } from "../../src/core/platform.ts";

/** A text storage in memory. */
export class MemoryStorage implements TextStorage {
  readonly #map = new Map<string, string>();
  getItem = (key: string): string | null => this.#map.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.#map.set(key, value);
  removeItem = (key: string): void => void this.#map.delete(key);
  key = (index: number): string | null => [...this.#map.keys()][index] ?? null;
  get length(): number {
    return this.#map.size;
  }
}
