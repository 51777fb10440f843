/** Mentions: completing a name after `@`, also by Hangul initial consonants, and finding names in a text. */
import { getChoseong } from "es-hangul";

export interface Candidate {
  userId: string;
  name: string;
  webchatId: string;
}

const CONSONANTS = /^[ㄱ-ㅎ]+$/;

/** Return the `@word` that ends at the caret. */
export function mentionAt(text: string, caret: number): { start: number; query: string } | null {
  const before = text.slice(0, caret);
  const start = before.lastIndexOf("@");
  if (start < 0) return null;
  const previous = before[start - 1];
  if (previous !== undefined && !/[\s(]/.test(previous)) return null;
  const query = before.slice(start + 1);
  return query.length <= 30 && !/[\n@]/.test(query) && !/\s.*\s/.test(query) ? { start, query } : null;
}

/** Return how well a name matches. Lower is better, null is no match. */
export function rank(query: string, { name, webchatId }: { name: string; webchatId: string }): number | null {
  const wanted = query.trim().toLocaleLowerCase();
  if (wanted === "") return 3;
  const lower = name.toLocaleLowerCase();
  if (lower.startsWith(wanted)) return 0;
  if (webchatId.startsWith(wanted)) return 1;
  if (CONSONANTS.test(wanted)) {
    const index = getChoseong(name).replaceAll(" ", "").indexOf(wanted);
    if (index >= 0) return index === 0 ? 1 : 2;
  }
  return lower.includes(wanted) ? 2 : null;
}

export function matchesOf<T extends { name: string; webchatId: string }>(
  query: string,
  all: readonly T[],
): T[] {
  return all
    .flatMap((one) => {
      const score = rank(query, one);
      return score === null ? [] : [{ one, score }];
    })
    .sort((a, b) => a.score - b.score || a.one.name.localeCompare(b.one.name))
    .map(({ one }) => one);
}

export function completeMention(
  text: string,
  start: number,
  caret: number,
  name: string,
): { text: string; caret: number } {
  const inserted = `@${name} `;
  return {
    text: text.slice(0, start) + inserted + text.slice(caret).replace(/^ /, ""),
    caret: start + inserted.length,
  };
}

/** Split a text into mentions and the rest. If several names match, the longest wins. */
export function splitMentions<T extends { name: string }>(
  text: string,
  people: readonly T[],
): { text: string; person: T | null }[] {
  if (people.length === 0 || !text.includes("@")) return [{ text, person: null }];
  const sorted = [...people].sort((a, b) => b.name.length - a.name.length);
  const pieces: { text: string; person: T | null }[] = [];
  let rest = 0;
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    if (at < rest) continue;
    const person = sorted.find(({ name }) => name !== "" && text.startsWith(name, at + 1));
    if (!person) continue;
    if (at > rest) pieces.push({ text: text.slice(rest, at), person: null });
    rest = at + 1 + person.name.length;
    pieces.push({ text: text.slice(at, rest), person });
  }
  if (rest < text.length) pieces.push({ text: text.slice(rest), person: null });
  return pieces;
}

/** Return the mentioned user IDs, at most 50, which is the protocol's limit. */
export function mentionedIn(text: string, people: readonly Candidate[]): string[] {
  const found = splitMentions(text, people).flatMap(({ person }) => (person ? [person.userId] : []));
  return [...new Set(found)].slice(0, 50);
}
