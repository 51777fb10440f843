/** Error texts for users. They say what to do and when to retry, and never show a code. */
import type { DomainError } from "../core/index.ts";
import type { Texts } from "../i18n/index.ts";

export function errorText({ code, retryAfter }: DomainError, { errors }: Texts): string {
  switch (code) {
    case "offline":
      return errors.network;
    case "unavailable":
      return errors.unavailable;
    case "rate_limited":
      return retryAfter === undefined ? errors.rateLimited : errors.rateLimitedFor(Math.ceil(retryAfter));
    case "forbidden":
      return errors.forbidden;
    case "member_removed":
      return errors.memberRemoved;
    case "not_found":
      return errors.notFound;
    case "conflict":
      return errors.conflict;
    case "too_large":
      return errors.tooLarge;
    case "invalid":
    case "unsupported_type":
      return errors.invalid;
    case "unauthenticated":
      return errors.unauthenticated;
    case "cancelled":
    case "failed":
      return errors.other;
  }
}

export function hasFieldError(error: DomainError, field: string): boolean {
  return error.errors?.some((one) => one.field.split(".").pop() === field) ?? false;
}
