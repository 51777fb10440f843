/** Turns the entries of a room into rows of the log, with days, groups of one sender and the unread divider. */
import type { Entry } from "../../core/index.ts";
import { dayKey } from "../../format/locale.ts";

const GROUP_MS = 5 * 60_000;

export interface Row {
  key: string;
  entry: Entry;
  /** True for the first row of a group, which shows the avatar and the name. */
  first: boolean;
  /** The day that starts with this row. */
  day: string | null;
  /** True if the unread divider is above this row. */
  divider: boolean;
}

export function timeOfEntry(entry: Entry): Date {
  if (entry.kind === "pending") return new Date(entry.pending.at);
  return new Date(entry.kind === "system" ? entry.at : entry.message.at);
}

export function seqOfEntry(entry: Entry): number | null {
  return entry.kind === "message" ? entry.message.seq : null;
}

function senderOf(entry: Entry, me: string): string | null {
  if (entry.kind === "system") return null;
  return entry.kind === "pending" ? me : entry.message.sender_id;
}

function startsGroup(entry: Entry, before: Entry, me: string): boolean {
  const sender = senderOf(entry, me);
  if (sender === null || sender !== senderOf(before, me)) return true;
  return timeOfEntry(entry).getTime() - timeOfEntry(before).getTime() >= GROUP_MS;
}

function same(a: Row | undefined, b: Row): boolean {
  return a?.entry === b.entry && a.first === b.first && a.day === b.day && a.divider === b.divider;
}

/** Return the rows of the entries. Unchanged rows keep their identity from `earlier`. */
export function rowsOf(
  entries: readonly Entry[],
  me: string,
  firstUnreadSeq: number | null,
  earlier: ReadonlyMap<string, Row> = new Map(),
): Row[] {
  const rows: Row[] = [];
  let before: Entry | null = null;
  let dayBefore: string | null = null;
  let divided = false;
  for (const entry of entries) {
    const day = dayKey(timeOfEntry(entry));
    const newDay = day !== dayBefore;
    const seq = seqOfEntry(entry);
    const divider: boolean = !divided && firstUnreadSeq !== null && seq !== null && seq >= firstUnreadSeq;
    divided ||= divider;
    const first = newDay || divider || before === null || startsGroup(entry, before, me);
    const row: Row = { key: entry.key, entry, first, day: newDay ? day : null, divider };
    const known = earlier.get(entry.key);
    rows.push(known && same(known, row) ? known : row);
    before = entry;
    dayBefore = day;
  }
  return rows;
}

/**
 * Split a change of the window into steps: first the end, then the start. The list can only keep its position if one
 * end changes at a time.
 */
export function stepsBetween(
  shown: readonly Row[],
  next: readonly Row[],
): { rows: readonly Row[]; shift: boolean }[] {
  const firstShown = shown[0];
  const firstNext = next[0];
  if (!firstShown || !firstNext || firstShown.key === firstNext.key) return [{ rows: next, shift: false }];
  const inNext = next.findIndex((row) => row.key === firstShown.key);
  const inShown = shown.findIndex((row) => row.key === firstNext.key);
  if (inNext < 0 && inShown < 0) return [{ rows: next, shift: false }];
  const oldStart = inNext >= 0 ? next.slice(inNext) : [...shown.slice(0, inShown), ...next];
  const endUnchanged = oldStart.length === shown.length;
  return endUnchanged
    ? [{ rows: next, shift: true }]
    : [
        { rows: oldStart, shift: false },
        { rows: next, shift: true },
      ];
}

/** Return whether the lists have a row in common. Otherwise the window jumped. */
export function overlaps(shown: readonly Row[], next: readonly Row[]): boolean {
  if (shown.length === 0 || next.length === 0) return shown.length === next.length;
  const keys = new Set(next.map((row) => row.key));
  return shown.some((row) => keys.has(row.key));
}
