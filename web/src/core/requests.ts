// Frames that expect a reply, matched by `id`. Without a reply in time, or when the connection is lost, the result is
// `unavailable`: the server may have executed the request.
import type { ClientFrame, ErrorFrame, Ok } from "./generated/protocol.ts";
import type { DomainError, ErrorCode, Result } from "./types.ts";

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A frame without its `id`. */
export type RequestFrame = DistributiveOmit<ClientFrame, "id">;
export type Reply = Result<{ reply: Ok }>;

const TIMEOUT = 20_000;
const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "invalid",
  "unauthenticated",
  "forbidden",
  "member_removed",
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

  /** `write` returns false without a connection. */
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

  /** Send a frame that gets no reply. */
  send(frame: RequestFrame): boolean {
    return this.#write(JSON.stringify(frame));
  }

  settle(frame: Ok | ErrorFrame): void {
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

function rejected(frame: ErrorFrame): Reply {
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
