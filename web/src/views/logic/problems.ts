/** Words for what went wrong: what to do, and when to try again; never a code. */
import type { Problem } from "../../core/index.ts";
import type { Texts } from "../../i18n/index.ts";

export function problemText({ code, retryAfter }: Problem, { problem }: Texts): string {
  switch (code) {
    case "offline":
      return problem.network;
    case "unavailable":
      return problem.unavailable;
    case "rate_limited":
      return retryAfter === undefined ? problem.rateLimited : problem.rateLimitedFor(Math.ceil(retryAfter));
    case "forbidden":
      return problem.forbidden;
    case "not_found":
      return problem.notFound;
    case "conflict":
      return problem.conflict;
    case "too_large":
      return problem.tooLarge;
    case "invalid":
    case "unsupported_type":
      return problem.invalid;
    case "unauthenticated":
      return problem.unauthenticated;
    case "cancelled":
    case "failed":
      return problem.other;
  }
}

export function fieldProblem(problem: Problem, field: string): boolean {
  return problem.errors?.some((error) => error.field.split(".").pop() === field) ?? false;
}
