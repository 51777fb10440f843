// The dependencies of the actions.
import type { Api } from "../api.ts";
import type { Session } from "../session.ts";
import { failure } from "../requests.ts";
import type { ClientState, Notice, Page, DomainError, Result, User } from "../types.ts";

export interface Context {
  readonly api: Api;
  /** null if nobody is signed in. */
  session: () => Session | null;
  signedIn: (user: User) => void;
  signedOut: (because: ClientState["signedOutBecause"]) => void;
  notice: (notice: Omit<Notice, "id">) => void;
}

export function unauthenticated(): { ok: false; error: DomainError } {
  return failure("unauthenticated", "Nobody is signed in.");
}

export function done(result: Result<{ value: unknown }>): Result {
  return result.ok ? { ok: true } : result;
}

export function paged<T>(
  result: Result<{ value: { items: readonly T[]; next?: string | null } }>,
): Result<{ page: Page<T> }> {
  if (!result.ok) return result;
  return { ok: true, page: { items: result.value.items, next: result.value.next ?? null } };
}
