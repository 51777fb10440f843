/** Rates, increases and quantiles of the last minutes of figures. They exist only in the page. */
import type { Figures, ServiceFigures } from "../../core/index.ts";

/** The figures of the last five minutes, oldest first. */
export type History = readonly Figures[];
/** The value at one point in time, or null without data. */
export type Value = number | null;

export const KEPT_SECONDS = 300;
/** The window of rates. Quantiles use ten times that. */
export const RATE_SECONDS = 6;
const QUANTILE_SECONDS = 60;

/** Append figures. Replies can overtake each other, so older ones are dropped. */
export function appended(history: History, next: Figures): History {
  const last = history.at(-1);
  if (last && next.at <= last.at) return history;
  return [...history.filter((one) => one.at > next.at - KEPT_SECONDS), next];
}

export function serviceOf(figures: Figures, name: string): ServiceFigures | undefined {
  return figures.services.find((service) => service.name === name);
}

function numberAt(figures: Figures | undefined, service: string, key: string): Value {
  return (figures && serviceOf(figures, service)?.numbers[key]) ?? null;
}

/** Return the figures of the last `seconds` up to `index`, and the one before them. */
function lastSeconds(history: History, index: number, seconds: number): History {
  const until = history[index]?.at ?? 0;
  let first = index;
  while (first > 0 && until - (history[first]?.at ?? 0) < seconds) first -= 1;
  return history.slice(first, index + 1);
}

/** Return how much a counter rose. After a restart it is lower, so that step counts as unknown (null). */
function difference(now: Value, then: Value): Value {
  return now === null || then === null || now < then ? null : now - then;
}

export type Series = (history: History, index: number) => Value;

export function level(service: string, key: string): Series {
  return (history, index) => numberAt(history[index], service, key);
}

export function rate(service: string, key: string): Series {
  return (history, index) => {
    const steps = lastSeconds(history, index, RATE_SECONDS);
    let rose = 0;
    let seconds = 0;
    steps.forEach((now, step) => {
      const then = steps[step - 1];
      if (!then) return;
      // A counter that was never incremented is absent.
      const more = difference(numberAt(now, service, key) ?? 0, numberAt(then, service, key) ?? 0);
      rose += more ?? 0;
      seconds += more === null ? 0 : now.at - then.at;
    });
    return seconds > 0 ? rose / seconds : null;
  };
}

/** Return how much a counter rose in the whole history. */
export function increaseOf(history: History, service: string, key: string): number {
  let sum = 0;
  history.forEach((now, index) => {
    const then = history[index - 1];
    if (then) sum += difference(numberAt(now, service, key), numberAt(then, service, key)) ?? 0;
  });
  return sum;
}

/** Return the error counts of a service in the whole history, most frequent first. */
export function codesOf(history: History, service: string): [string, number][] {
  const sums = new Map<string, number>();
  history.forEach((now, index) => {
    const then = history[index - 1];
    if (!then) return;
    const earlier = serviceOf(then, service)?.codes ?? {};
    for (const [code, count] of Object.entries(serviceOf(now, service)?.codes ?? {}))
      sums.set(code, (sums.get(code) ?? 0) + (difference(count, earlier[code] ?? 0) ?? 0));
  });
  return [...sums].filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
}

interface Histogram {
  bounds: readonly number[];
  /** The count of each bucket. The last bucket is above all bounds. */
  counts: readonly number[];
  sum: number;
}

function histogramOf(history: History, index: number, service: string, key: string): Histogram {
  const steps = lastSeconds(history, index, QUANTILE_SECONDS);
  const found: Histogram = { bounds: [], counts: [], sum: 0 };
  steps.forEach((moment, step) => {
    const earlier = steps[step - 1];
    const now = serviceOf(moment, service)?.histograms[key];
    if (!earlier || !now) return;
    const then = serviceOf(earlier, service)?.histograms[key];
    const cumulative = now.counts.map((count, i) => count - (then?.counts[i] ?? 0));
    if (cumulative.some((count) => count < 0)) return;
    found.bounds = now.bounds;
    found.counts = cumulative.map((count, i) => (found.counts[i] ?? 0) + count - (cumulative[i - 1] ?? 0));
    found.sum += now.sum - (then?.sum ?? 0);
  });
  return found;
}

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/** Return a quantile of the observations of one minute, interpolated within its bucket. */
export function quantile(service: string, key: string, share: number): Series {
  return (history, index) => {
    const { bounds, counts } = histogramOf(history, index, service, key);
    const all = sumOf(counts);
    if (all <= 0) return null;
    let rank = share * all;
    for (const [bucket, count] of counts.entries()) {
      const upper = bounds[bucket];
      const lower = bounds[bucket - 1] ?? 0;
      if (upper === undefined) return lower;
      if (rank <= count && count > 0) return lower + (upper - lower) * (rank / count);
      rank -= count;
    }
    return null;
  };
}

/** Return the lowest bound of a histogram. Smaller values cannot be distinguished. */
export function smallestBound(history: History, service: string, key: string): number {
  const last = history.at(-1);
  return (last && serviceOf(last, service)?.histograms[key]?.bounds[0]) ?? 0;
}

/** Return the mean of the observations of one minute. */
export function mean(service: string, key: string): Series {
  return (history, index) => {
    const { counts, sum } = histogramOf(history, index, service, key);
    const all = sumOf(counts);
    return all > 0 ? sum / all : null;
  };
}

export const latest = (history: History, series: Series): Value => series(history, history.length - 1);
export const valuesOf = (history: History, series: Series): Value[] =>
  history.map((_, index) => series(history, index));

export type CanaryStatus = "none" | "silent" | "starting" | "cries" | "waits" | "away" | "late" | "well";

const WAITING_SECONDS = 5;

/** Return the status of the canary, the most severe first. `cries`: a promise was broken within the history. */
export function canaryStatusOf(history: History): CanaryStatus {
  const last = history.at(-1);
  const canary = last && serviceOf(last, "canary");
  if (!last || !canary || canary.replicas.length === 0) return "none";
  if (!canary.replicas.some((replica) => replica.up)) return "silent";
  const rose = (among: History, keys: string[]) => keys.some((key) => increaseOf(among, "canary", key) > 0);
  if (rose(history, ["lost", "repeated", "gaps"])) return "cries";
  const { numbers } = canary;
  if ((numbers["waiting_seconds"] ?? 0) > WAITING_SECONDS) return "waits";
  if (!numbers["acked"]) return "starting";
  const gateways = serviceOf(last, "chat-gateway")?.replicas.length ?? 0;
  if ((numbers["up"] ?? 0) < gateways) return "away";
  const recent = history.filter((one) => one.at > last.at - QUANTILE_SECONDS);
  return rose(recent, ["late", "unacked"]) ? "late" : "well";
}
