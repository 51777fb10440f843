// Messages that others quote. Those outside the window are fetched one at a time.
import type { RequestFrame, Reply } from "./requests.ts";
import type { Timeline } from "./timeline.ts";
import type { Message } from "./types.ts";

interface QuotedMessagesHost {
  request: (frame: RequestFrame) => Promise<Reply>;
  online: () => boolean;
}

export class QuotedMessages {
  readonly #roomId: string;
  readonly #host: QuotedMessagesHost;
  readonly #changed: () => void;
  readonly #fetched = new Map<number, Message | null>();
  readonly #wanted = new Set<number>();
  #fetching = false;

  constructor(roomId: string, host: QuotedMessagesHost, changed: () => void) {
    this.#roomId = roomId;
    this.#host = host;
    this.#changed = changed;
  }

  /** Return the known quotes of the window and of `also`, and fetch the missing ones. */
  resolve(
    timeline: Timeline,
    also: readonly (number | null | undefined)[],
    before: ReadonlyMap<number, Message | null> | undefined,
  ): ReadonlyMap<number, Message | null> {
    const quoted = new Map<number, Message | null>();
    this.#wanted.clear();
    for (const seq of [...timeline.messages.map((message) => message.reply_to), ...also]) {
      if (seq == null || quoted.has(seq)) continue;
      const message = timeline.find(seq) ?? this.#fetched.get(seq);
      if (message === undefined) this.#wanted.add(seq);
      else quoted.set(seq, message);
    }
    if (this.#wanted.size > 0 && !this.#fetching && timeline.loaded && this.#host.online())
      void this.#fetch();
    return before && isSame(before, quoted) ? before : quoted;
  }

  change(seq: number, change: (message: Message) => Message): void {
    const message = this.#fetched.get(seq);
    if (message) this.#fetched.set(seq, change(message));
  }

  clear(): void {
    this.#fetched.clear();
  }

  async #fetch(): Promise<void> {
    this.#fetching = true;
    for (const seq of this.#wanted) {
      const answered = await this.#host.request({
        op: "message.list",
        room_id: this.#roomId,
        around: seq,
        limit: 1,
      });
      if (!answered.ok && answered.error.code !== "not_found") break;
      const messages = answered.ok ? (answered.reply.messages ?? []) : [];
      this.#fetched.set(seq, messages.find((message) => message.seq === seq) ?? null);
      this.#changed();
    }
    this.#fetching = false;
  }
}

function isSame<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean {
  return a.size === b.size && [...b].every(([key, value]) => a.get(key) === value && a.has(key));
}
