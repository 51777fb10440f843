/**
 * The two languages of the client. Each is loaded separately. Texts are strings and functions, so keys and arguments
 * are type-checked.
 */
import { useSyncExternalStore } from "react";

import type { ko } from "./ko.ts";

type Widened<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : { readonly [K in keyof T]: Widened<T[K]> };

export type Texts = Widened<typeof ko>;
export type Language = "ko" | "en";

const STORED = "webchat.language";
const listeners = new Set<() => void>();
let current: { language: Language; texts: Texts } | undefined;

async function load(language: Language): Promise<Texts> {
  return language === "ko" ? (await import("./ko.ts")).ko : (await import("./en.ts")).en;
}

export function isLanguage(value: unknown): value is Language {
  return value === "ko" || value === "en";
}

/** Return the user's choice, else the first supported language of the browser, else English. */
export function preferredLanguage(stored: string | null, offered: readonly string[]): Language {
  if (isLanguage(stored)) return stored;
  return offered.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage) ?? "en";
}

export function startLanguage(): Promise<void> {
  return use(preferredLanguage(localStorage.getItem(STORED), navigator.languages));
}

async function use(language: Language): Promise<void> {
  current = { language, texts: await load(language) };
  document.documentElement.lang = language;
  for (const listener of listeners) listener();
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(STORED, language);
  await use(language);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

function get(): { language: Language; texts: Texts } {
  if (!current) throw new Error("No language is loaded.");
  return current;
}

export const currentTexts = (): Texts => get().texts;
export const currentLanguage = (): Language => get().language;

export function useTexts(): Texts {
  return useSyncExternalStore(subscribe, currentTexts);
}

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, currentLanguage);
}
