/** Dates, times, sizes and numbers in the user's language and time zone. */
import type { Language, Texts } from "../i18n/index.ts";

const formats = new Map<string, Intl.DateTimeFormat>();

function format(language: Language, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${name}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(localeOf(language), options);
    formats.set(key, found);
  }
  return found;
}

/** Return the browser's regional variant of the language if it has one: en-GB has a 24-hour clock. */
export function localeOf(language: Language): string {
  const offered = typeof navigator === "undefined" ? [] : navigator.languages;
  return (
    offered.find((tag) => tag.toLowerCase().startsWith(language)) ?? (language === "ko" ? "ko-KR" : "en-US")
  );
}

export function timeOf(at: Date, language: Language): string {
  return format(language, "time", { hour: "numeric", minute: "2-digit" }).format(at);
}

export function exactTime(at: Date, language: Language): string {
  return format(language, "exact", { dateStyle: "full", timeStyle: "medium" }).format(at);
}

export function dayOf(at: Date, language: Language): string {
  return format(language, "day", { year: "numeric", month: "long", day: "numeric", weekday: "long" }).format(
    at,
  );
}

export function shortDayOf(at: Date, language: Language, now: Date): string {
  const sameYear = at.getFullYear() === now.getFullYear();
  return sameYear
    ? format(language, "short", { month: "short", day: "numeric" }).format(at)
    : format(language, "long", { year: "numeric", month: "short", day: "numeric" }).format(at);
}

/** Return the calendar day in the local time zone, to compare days and to fill a date field. */
export function dayKey(at: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** Return the local midnight at which a day begins. */
export function startOfDay(key: string): Date | null {
  const [year, month, day] = key.split("-").map(Number);
  if (!year || !month || !day) return null;
  return new Date(year, month - 1, day);
}

function daysBetween(at: Date, now: Date): number {
  const midnight = (d: Date) => Date.UTC(d.getFullYear(), d.getMonth(), d.getDate());
  return Math.round((midnight(now) - midnight(at)) / 86_400_000);
}

/** Return the time for a list: the time of day, then "yesterday", then the date. */
export function listTime(at: Date, language: Language, texts: Texts, now: Date): string {
  const days = daysBetween(at, now);
  if (days <= 0) return timeOf(at, language);
  return days === 1 ? texts.time.yesterday : shortDayOf(at, language, now);
}

export function relativeTime(at: Date, language: Language, texts: Texts, now: Date): string {
  const minutes = Math.floor((now.getTime() - at.getTime()) / 60_000);
  if (minutes < 1) return texts.time.now;
  const relative = new Intl.RelativeTimeFormat(localeOf(language), { numeric: "auto" });
  if (minutes < 60) return relative.format(-minutes, "minute");
  if (minutes < 60 * 24) return relative.format(-Math.floor(minutes / 60), "hour");
  return relative.format(-Math.floor(minutes / 60 / 24), "day");
}

export function sizeOf(bytes: number, language: Language): string {
  const units = ["B", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 1 && value < 100 ? 1 : 0;
  return `${numberOf(Number(value.toFixed(digits)), language)} ${units[unit] ?? ""}`;
}

export function numberOf(n: number, language: Language): string {
  return new Intl.NumberFormat(localeOf(language)).format(n);
}

export function badgeText(n: number): string {
  return n > 999 ? "999+" : String(n);
}
