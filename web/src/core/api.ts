// Calls of the HTTP API, typed by its OpenAPI document. They return a result for every outcome and throw nothing.
import type { paths } from "./generated/openapi.ts";
import type { Platform } from "./platform.ts";
import { failure } from "./requests.ts";
import type { FieldError, DomainError, ErrorCode, Result } from "./types.ts";

const TIMEOUT = 20_000;
const SESSION_ENDED = "urn:webchat:problem:session_ended";

/** Problem types that distinguish errors of one status. */
const CODES_OF_TYPES: Readonly<Record<string, ErrorCode>> = {
  "urn:webchat:problem:member_removed": "member_removed",
};
const CODES: Readonly<Record<number, ErrorCode>> = {
  400: "invalid",
  401: "unauthenticated",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  413: "too_large",
  415: "unsupported_type",
  422: "invalid",
  429: "rate_limited",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
};

interface ProblemDetails {
  type?: string;
  detail?: string;
  errors?: FieldError[];
}

type Method = "get" | "post" | "put" | "patch" | "delete";
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
type Json<T> = T extends { content: { "application/json": infer J } } ? J : undefined;
type ResponsesOf<O> = O extends { responses: infer R } ? R : never;
/** The body of a successful response. */
export type ResponseBody<P extends keyof paths, M extends Method> = Json<
  ResponsesOf<Operation<P, M>>[keyof ResponsesOf<Operation<P, M>> & (200 | 201)]
>;
type RequestBody<O> = O extends { requestBody: { content: { "application/json": infer B } } } ? B : never;
type Query<O> = O extends { parameters: { query?: infer Q } } ? Q : never;
type InPath<O> = O extends { parameters: { path: infer P } } ? P : never;

export interface CallOptions<O> {
  path?: InPath<O>;
  query?: Query<O>;
  body?: RequestBody<O>;
}

export class Api {
  readonly #platform: Platform;
  readonly #unauthenticated: (ended: boolean) => void;

  /**
   * `unauthenticated` is called when a request finds that the session is gone. `ended` is true if it was revoked,
   * false if it expired.
   */
  constructor(platform: Platform, unauthenticated: (ended: boolean) => void) {
    this.#platform = platform;
    this.#unauthenticated = unauthenticated;
  }

  async call<P extends keyof paths, M extends Method & keyof paths[P]>(
    method: M,
    path: P,
    options: CallOptions<Operation<P, M>> = {},
  ): Promise<Result<{ value: ResponseBody<P, M> }>> {
    const result = await this.#fetch(method, urlOf(path, options), options.body);
    if (result.ok) return { ok: true, value: result.value as ResponseBody<P, M> };
    if (result.error.code === "unauthenticated" && path !== "/api/auth/login")
      this.#reportMissingSession(path, result.error);
    return result;
  }

  /** Report a missing session. Only auth knows the reason, so calls of other services ask it first. */
  #reportMissingSession(path: keyof paths, error: DomainError): void {
    if (path.startsWith("/api/auth/")) this.#unauthenticated(error.sessionEnded === true);
    else void this.call("get", "/api/auth/me");
  }

  async #fetch(method: string, path: string, body?: unknown): Promise<Result<{ value: unknown }>> {
    try {
      const response = await this.#platform.fetch(this.#platform.origin + path, {
        method: method.toUpperCase(),
        credentials: "same-origin",
        signal: AbortSignal.timeout(TIMEOUT),
        ...(body ? { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } } : {}),
      });
      if (!response.ok) return { ok: false, error: await errorOf(response) };
      const value: unknown = response.status === 204 ? undefined : await response.json();
      return { ok: true, value };
    } catch (error) {
      const late = error instanceof DOMException && error.name === "TimeoutError";
      return late
        ? failure("unavailable", "No answer came in time.")
        : failure("offline", "The server was not reached.");
    }
  }
}

export function errorFrom(status: number, body: string, retryAfter: string | null): DomainError {
  const { type, detail, errors } = parsed(body);
  const seconds = Number(retryAfter ?? NaN);
  return {
    code: CODES_OF_TYPES[type ?? ""] ?? CODES[status] ?? "failed",
    detail: detail ?? `The server answered with ${status}.`,
    ...(Number.isFinite(seconds) ? { retryAfter: seconds } : {}),
    ...(errors ? { errors } : {}),
    ...(type === SESSION_ENDED ? { sessionEnded: true } : {}),
  };
}

async function errorOf(response: Response): Promise<DomainError> {
  return errorFrom(response.status, await response.text(), response.headers.get("Retry-After"));
}

function parsed(body: string): ProblemDetails {
  try {
    return JSON.parse(body) as ProblemDetails;
  } catch {
    return {};
  }
}

function urlOf(path: string, { path: names = {}, query = {} }: { path?: object; query?: object }): string {
  const named = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((names as Record<string, unknown>)[name])),
  );
  const given = Object.entries(query).flatMap(([key, value]) =>
    value == null ? [] : [[key, String(value)]],
  );
  return given.length > 0 ? `${named}?${new URLSearchParams(given).toString()}` : named;
}
