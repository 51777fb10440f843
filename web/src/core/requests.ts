// Frames that want a reply, told apart by id. What is not answered in time, or before the line broke, is `unavailable`:
// it may have happened.
import type { ClientFrame, ErrorReply, Ok } from "./generated/protocol.ts";
import type { DomainError, ErrorCode, Result } from "./types.ts";

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A frame before it has its id. */
export type RequestFrame = DistributiveOmit<ClientFrame, "id">;
export type Reply = Result<{ reply: Ok }>;

const TIMEOUT = 20_000;
const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "invalid",
  "unauthenticated",
  "forbidden",
  "not_found",
  "conflict",
  "too_large",
  "rate_limited",
  "unavailable",
]);

export class Requests {
  readonly #waiting = new Map<string, (reply: Reply) => void>();
  readonly #write: (text: string) => boolean;
  #next = 0;

  /** `write` says whether there is a line to write to. */
  constructor(write: (text: string) => boolean) {
    this.#write = write;
  }

  request(frame: RequestFrame): Promise<Reply> {
    this.#next += 1;
    const id = String(this.#next);
    const { op, ...fields } = frame;
    if (!this.#write(JSON.stringify({ op, id, ...fields }))) return Promise.resolve(offline());
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(id, unknown("No answer came in time.")), TIMEOUT);
      this.#waiting.set(id, (reply) => {
        clearTimeout(timer);
        resolve(reply);
      });
    });
  }

  /** Without an answer. */
  send(frame: RequestFrame): boolean {
    return this.#write(JSON.stringify(frame));
  }

  settle(frame: Ok | ErrorReply): void {
    if (typeof frame.id !== "string") return;
    this.#settle(frame.id, frame.op === "ok" ? { ok: true, reply: frame } : rejected(frame));
  }

  lost(): void {
    for (const id of [...this.#waiting.keys()]) this.#settle(id, unknown("The connection was lost."));
  }

  #settle(id: string, reply: Reply): void {
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    resolve?.(reply);
  }
}

function rejected(frame: ErrorReply): Reply {
  const code = CODES.has(frame.code) ? (frame.code as ErrorCode) : "failed";
  return failure(code, frame.detail, frame.retry_after ?? undefined);
}

function unknown(detail: string): Reply {
  return failure("unavailable", detail);
}

export function offline(): { ok: false; error: DomainError } {
  return failure("offline", "There is no connection.");
}

export function failure(
  code: ErrorCode,
  detail: string,
  retryAfter?: number,
): { ok: false; error: DomainError } {
  return { ok: false, error: { code, detail, ...(retryAfter === undefined ? {} : { retryAfter }) } };
}
