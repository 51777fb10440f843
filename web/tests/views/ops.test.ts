// The calculations of the operations page: rates, increases and quantiles of figures every two seconds.
import { describe, expect, it } from "vitest";

import type { Figures, ServiceFigures } from "../../src/core/index.ts";
import {
  codesOf,
  appended,
  KEPT_SECONDS,
  level,
  valuesOf,
  mean,
  canaryStatusOf,
  latest,
  quantile,
  rate,
  increaseOf,
  type History,
} from "../../src/views/ops/series.ts";

const up = { address: "10.0.0.1:8000", up: true, missing: [] };

function service(name: string, more: Partial<ServiceFigures> = {}): ServiceFigures {
  return { name, replicas: [up], numbers: {}, codes: {}, histograms: {}, ...more };
}

/** Return a history of one service with a value every two seconds. */
function answers(name: string, moments: Partial<ServiceFigures>[]): History {
  return moments.map((moment, index) => ({ at: 100 + 2 * index, services: [service(name, moment)] }));
}

const counted = (key: string, ...values: number[]): History =>
  answers(
    "rooms",
    values.map((value) => ({ numbers: { [key]: value } })),
  );

describe("the history", () => {
  it("has five minutes in order, without duplicates", () => {
    let history: History = [];
    for (let at = 0; at <= 2 * KEPT_SECONDS; at += 2) history = appended(history, { at, services: [] });
    expect(history.length).toBe(KEPT_SECONDS / 2);
    expect(appended(history, { at: 500, services: [] })).toBe(history);
  });
});

describe("counts", () => {
  it("have a rate over some seconds, none at first, without the step of a restart", () => {
    const history = counted("requests", 10, 14, 18, 22, 26, 3, 7);
    expect(valuesOf(history, rate("rooms", "requests"))).toEqual([null, 2, 2, 2, 2, 2, 2]);
    expect(valuesOf(counted("requests", 10, 3), rate("rooms", "requests"))).toEqual([null, null]);
  });

  it("that were never incremented are 0", () => {
    const history = answers("rooms", [{}, { numbers: { requests: 4 } }]);
    expect(latest(history, rate("rooms", "requests"))).toBe(2);
    expect(latest(history, level("rooms", "sockets"))).toBeNull();
  });

  it("rise across restarts", () => {
    expect(increaseOf(counted("lost", 5, 6, 0, 2), "rooms", "lost")).toBe(3);
  });

  it("of errors are listed by code, most frequent first", () => {
    const history = answers("rooms", [
      { codes: { invalid: 7 } },
      { codes: { invalid: 8, unavailable: 3 } },
      { codes: { invalid: 8, unavailable: 5 } },
    ]);
    expect(codesOf(history, "rooms")).toEqual([
      ["unavailable", 5],
      ["invalid", 1],
    ]);
  });
});

describe("a histogram", () => {
  const at = (counts: number[], sum: number) => ({
    histograms: { redis: { bounds: [1, 2, 4], counts, sum } },
  });

  it("is interpolated within its bucket", () => {
    const history = answers("rooms", [at([90, 90, 90, 90], 0), at([95, 99, 100, 100], 20)]);
    expect(latest(history, quantile("rooms", "redis", 0.5))).toBe(1);
    expect(latest(history, quantile("rooms", "redis", 0.7))).toBeCloseTo(1.5);
    expect(latest(history, mean("rooms", "redis"))).toBe(2);
  });

  it("returns its last bound for values above it, and null without values", () => {
    const beyond = answers("rooms", [at([0, 0, 0, 0], 0), at([0, 0, 0, 3], 30)]);
    expect(latest(beyond, quantile("rooms", "redis", 0.99))).toBe(4);
    const quiet = answers("rooms", [at([5, 5, 5, 5], 5), at([5, 5, 5, 5], 5)]);
    expect(latest(quiet, quantile("rooms", "redis", 0.99))).toBeNull();
    const anew = answers("rooms", [at([5, 5, 5, 5], 5), at([1, 1, 1, 1], 1), at([1, 3, 3, 3], 4)]);
    expect(latest(anew, quantile("rooms", "redis", 0.5))).toBeCloseTo(1.5);
    expect(latest(anew, mean("rooms", "redis"))).toBe(1.5);
  });
});

describe("the canary", () => {
  const fine = { acked: 9, up: 2, lost: 1, repeated: 0, gaps: 0, late: 0, unacked: 0, waiting_seconds: 0 };

  function said(...moments: (Partial<typeof fine> | null)[]): History {
    return moments.map((moment, index): Figures => {
      const canary = service("canary", moment ? { numbers: { ...fine, ...moment } } : { replicas: [] });
      const gateways = service("chat-gateway", { replicas: [up, { ...up, address: "10.0.0.2:8000" }] });
      return { at: 100 + 2 * index, services: [canary, gateways] };
    });
  }

  it("is well while nothing breaks", () => {
    expect(canaryStatusOf(said({}, {}))).toBe("well");
  });

  it.each(["lost", "repeated", "gaps"])("cries if something is %s", (key) => {
    expect(canaryStatusOf(said({}, { [key]: 2 }, { [key]: 2 }))).toBe("cries");
  });

  it("reports waiting, late and unreachable", () => {
    expect(canaryStatusOf(said({ waiting_seconds: 12 }))).toBe("waits");
    expect(canaryStatusOf(said({}, { late: 1 }))).toBe("late");
    expect(canaryStatusOf(said({}, { unacked: 1 }))).toBe("late");
    expect(canaryStatusOf(said({ up: 1 }))).toBe("away");
    expect(canaryStatusOf(said({ acked: 0 }))).toBe("starting");
  });

  it("can be absent or not respond", () => {
    expect(canaryStatusOf([])).toBe("none");
    expect(canaryStatusOf(said(null))).toBe("none");
    const silent = service("canary", { replicas: [{ ...up, up: false }] });
    expect(canaryStatusOf([{ at: 1, services: [silent] }])).toBe("silent");
  });
});
