// Snapshots with listeners. Changes that happen together notify each listener once, on the next animation frame.
import type { ReadonlyStore } from "./types.ts";

export type Schedule = (flush: () => void) => void;

interface Notifiable {
  notify: () => void;
}

/** Collects the changed stores and notifies their listeners together. */
export class UpdateBatch {
  readonly #changed = new Set<Notifiable>();
  readonly #schedule: Schedule;
  #due = false;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  add(store: Notifiable): void {
    this.#changed.add(store);
    if (this.#due) return;
    this.#due = true;
    this.#schedule(() => this.flush());
  }

  flush(): void {
    this.#due = false;
    const stores = [...this.#changed];
    this.#changed.clear();
    for (const store of stores) store.notify();
  }
}

/** A store whose snapshot is built lazily from the previous one. */
export class Store<S> implements ReadonlyStore<S> {
  readonly #listeners = new Set<() => void>();
  readonly #batch: UpdateBatch;
  readonly #build: (before: S | undefined) => S;
  #snapshot: S | undefined;
  #stale = true;

  constructor(batch: UpdateBatch, build: (before: S | undefined) => S) {
    this.#batch = batch;
    this.#build = build;
  }

  readonly getSnapshot = (): S => {
    if (this.#stale || this.#snapshot === undefined) {
      this.#snapshot = this.#build(this.#snapshot);
      this.#stale = false;
    }
    return this.#snapshot;
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  };

  invalidate(): void {
    this.#stale = true;
    this.#batch.add(this);
  }

  notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A map that is changed in place. `snapshot` returns an immutable copy, made only after a change. */
export class ObservableMap<K, V> {
  readonly #map: Map<K, V>;
  readonly #changed: () => void;
  #copy: ReadonlyMap<K, V> | null = null;

  constructor(changed: () => void, entries: Iterable<readonly [K, V]> = []) {
    this.#map = new Map(entries);
    this.#changed = changed;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  values(): IterableIterator<V> {
    return this.#map.values();
  }

  keys(): IterableIterator<K> {
    return this.#map.keys();
  }

  set(key: K, value: V): void {
    if (this.#map.get(key) === value && this.#map.has(key)) return;
    this.#map.set(key, value);
    this.#change();
  }

  delete(key: K): void {
    if (this.#map.delete(key)) this.#change();
  }

  replace(entries: Iterable<readonly [K, V]>): void {
    const next = [...entries];
    this.#map.clear();
    for (const [key, value] of next) this.#map.set(key, value);
    this.#change();
  }

  snapshot(): ReadonlyMap<K, V> {
    return (this.#copy ??= new Map(this.#map));
  }

  #change(): void {
    this.#copy = null;
    this.#changed();
  }
}
