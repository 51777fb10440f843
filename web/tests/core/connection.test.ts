import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Connection, TIMES } from "../../src/core/connection.ts";
import type { Effect, Input } from "../../src/core/connection.ts";

const START = 1_000_000;

function online(random = () => 0.5): { connection: Connection; now: number } {
  const connection = new Connection(START, random);
  for (const type of ["start", "opened", "ready"] as const) connection.receive({ type }, START);
  return { connection, now: START };
}

function types(effects: Effect[]): string[] {
  return effects.map((effect) => effect.type);
}

describe("handshake", () => {
  it("opens, sends hello, and is online after ready", () => {
    const connection = new Connection(START, () => 0);
    expect(types(connection.receive({ type: "start" }, START))).toEqual(["open"]);
    expect(connection.state.status).toBe("connecting");
    expect(types(connection.receive({ type: "opened" }, START + 5))).toEqual(["hello"]);
    expect(connection.online).toBe(false);
    connection.receive({ type: "ready" }, START + 9);
    expect(connection.state).toEqual({ status: "online", since: START + 9 });
  });

  it.each(["opened", "start"] as const)("gives up if nothing follows %s", (last) => {
    const connection = new Connection(START, () => 0);
    connection.receive({ type: "start" }, START);
    if (last === "opened") connection.receive({ type: "opened" }, START);
    expect(types(connection.receive({ type: "tick" }, START + TIMES.openTimeout - 1))).toEqual([]);
    expect(types(connection.receive({ type: "tick" }, START + TIMES.openTimeout))).toEqual(["close", "lost"]);
    expect(connection.due).toBe(START + TIMES.openTimeout + TIMES.minDelay);
  });

  it("checks the session if the socket does not open", () => {
    const connection = new Connection(START, () => 0);
    connection.receive({ type: "start" }, START);
    expect(types(connection.receive({ type: "closed", code: 1006 }, START))).toEqual([
      "lost",
      "check_session",
    ]);
  });
});

describe("close codes", () => {
  const closing = (code: number): { connection: Connection; effects: string[] } => {
    const { connection, now } = online();
    return { connection, effects: types(connection.receive({ type: "closed", code }, now + 1)) };
  };

  it.each([1000, 1001, 1005, 1006, 1009, 1013, 3000, 4300, 4308, 4309, 4310, 4399, 4600])(
    "%i: reconnects",
    (code) => {
      const { connection, effects } = closing(code);
      expect(effects).toEqual(["lost"]);
      expect(connection.state.status).toBe("reconnecting");
      expect(connection.due).not.toBeNull();
    },
  );

  it.each([4400, 4401, 4408, 4450, 4499])("%i: checks the session, then reconnects", (code) => {
    const { connection, effects } = closing(code);
    expect(effects).toEqual(["lost", "check_session"]);
    expect(connection.due).not.toBeNull();
  });

  it("4409: reconnects when this tab is visible", () => {
    const { connection, effects } = closing(4409);
    expect(effects).toEqual(["lost"]);
    expect(connection.state).toMatchObject({ status: "offline", stopped: "too_many_tabs" });
    expect(types(connection.receive({ type: "wake" }, START + 9))).toEqual(["open"]);
    expect(connection.state.stopped).toBeUndefined();
  });

  it("4409: reconnects after one to two minutes, because other tabs may be gone", () => {
    for (const random of [0, 0.5, 0.999]) {
      const { connection, now } = online(() => random);
      connection.receive({ type: "closed", code: 4409 }, now);
      const due = connection.due ?? NaN;
      expect(due).toBeCloseTo(now + TIMES.tooMany * (1 + random));
      expect(types(connection.receive({ type: "tick" }, due - 1))).toEqual([]);
      expect(types(connection.receive({ type: "tick" }, due))).toEqual(["open"]);
      expect(connection.state.stopped).toBeUndefined();
    }
  });

  it.each([
    [4500, "outdated"],
    [4501, "rejected"],
    [4529, "rejected"],
    [4599, "rejected"],
  ] as const)("%i: stays offline until the user reconnects", (code, stopped) => {
    const { connection } = closing(code);
    expect(connection.state).toMatchObject({ status: "offline", stopped });
    expect(connection.due).toBeNull();
    expect(types(connection.receive({ type: "wake" }, START + 9))).toEqual([]);
    expect(types(connection.receive({ type: "reconnect" }, START + 9))).toEqual(["open"]);
  });
});

/** A delay is the difference of two times in milliseconds, which are not exact as floating-point numbers. */
const ROUNDING = 1e-6;

describe("reconnecting", () => {
  it("waits 0.5 to 30 seconds with full jitter, longer after each failure", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
          minLength: 12,
          maxLength: 12,
        }),
        (randoms) => {
          let next = 0;
          const { connection } = online(() => randoms[next++ % randoms.length] ?? 0);
          let now = START + 1;
          connection.receive({ type: "closed", code: 1006 }, now);
          for (let failure = 1; failure < 12; failure += 1) {
            const delay = (connection.due ?? NaN) - now;
            const most = Math.min(TIMES.maxDelay, TIMES.minDelay * 2 ** failure);
            expect(delay).toBeGreaterThanOrEqual(TIMES.minDelay - ROUNDING);
            expect(delay).toBeLessThanOrEqual(most + ROUNDING);
            expect(delay).toBeCloseTo(
              TIMES.minDelay + (randoms[failure - 1] ?? 0) * (most - TIMES.minDelay),
              3,
            );
            now = connection.due ?? NaN;
            expect(types(connection.receive({ type: "tick" }, now))).toEqual(["open"]);
            connection.receive({ type: "closed", code: 1006 }, now);
          }
        },
      ),
    );
  });

  it("waits longer after a restart of the gateway", () => {
    const { connection, now } = online(() => 1);
    connection.receive({ type: "closed", code: 1001 }, now);
    expect(connection.due).toBe(now + TIMES.minDelay * 4);
  });

  it("resets the backoff after a stable connection", () => {
    const { connection } = online(() => 1);
    let now = START;
    for (let failure = 0; failure < 6; failure += 1) {
      connection.receive({ type: "closed", code: 1006 }, now);
      now = connection.due ?? NaN;
      connection.receive({ type: "tick" }, now);
    }
    connection.receive({ type: "opened" }, now);
    connection.receive({ type: "ready" }, now);
    now += TIMES.stable;
    connection.receive({ type: "closed", code: 1006 }, now);
    expect(connection.due).toBe(now + TIMES.minDelay * 2);
  });

  it("keeps the time of the disconnect over all retries", () => {
    const { connection } = online();
    connection.receive({ type: "closed", code: 1006 }, START + 100);
    const due = connection.due ?? NaN;
    expect(connection.state).toEqual({ status: "reconnecting", since: START + 100, retryAt: due });
    connection.receive({ type: "tick" }, due);
    expect(connection.state).toEqual({ status: "reconnecting", since: START + 100 });
  });

  it("does not connect without a network at the start, but retries after a while", () => {
    const connection = new Connection(START, () => 0);
    connection.receive({ type: "network", online: false }, START);
    expect(types(connection.receive({ type: "start" }, START))).toEqual([]);
    expect(types(connection.receive({ type: "wake" }, START + 9))).toEqual([]);
    expect(connection.state.status).toBe("offline");
    expect(types(connection.receive({ type: "tick" }, START + TIMES.offline))).toEqual(["open"]);
  });

  it("disconnects without a network, and reconnects at once with it", () => {
    const { connection, now } = online();
    expect(types(connection.receive({ type: "network", online: false }, now))).toEqual(["close", "lost"]);
    expect(connection.state.status).toBe("offline");
    expect(connection.due).toBe(now + TIMES.offline);
    expect(types(connection.receive({ type: "network", online: true }, now + 50))).toEqual(["open"]);
    expect(connection.state.status).toBe("reconnecting");
  });
});

describe("a gap", () => {
  it("closes the socket and fails requests, and each further one waits longer", () => {
    const { connection } = online(() => 1);
    let now = START;
    for (let gaps = 1; gaps <= 8; gaps += 1) {
      expect(types(connection.receive({ type: "gap" }, now))).toEqual(["close", "lost"]);
      expect(connection.state.status).toBe("reconnecting");
      expect(connection.due).toBe(now + Math.min(TIMES.maxDelay, TIMES.minDelay * 2 ** gaps));
      now = connection.due ?? NaN;
      for (const type of ["tick", "opened", "ready"] as const) connection.receive({ type }, now);
      expect(connection.online).toBe(true);
    }
  });

  it("changes nothing without a socket", () => {
    const { connection, now } = online();
    connection.receive({ type: "closed", code: 1006 }, now);
    const { due, state } = connection;
    expect(connection.receive({ type: "gap" }, now + 1)).toEqual([]);
    expect(connection).toMatchObject({ due, state });
    connection.receive({ type: "stop" }, now + 2);
    expect(connection.receive({ type: "gap" }, now + 3)).toEqual([]);
    expect(connection.due).toBeNull();
  });
});

describe("liveness", () => {
  it("pings an idle connection, and drops it without a reply", () => {
    const { connection } = online(() => 0);
    const silent = START + TIMES.idle;
    expect(types(connection.receive({ type: "tick" }, silent - 1))).toEqual([]);
    expect(types(connection.receive({ type: "tick" }, silent))).toEqual(["ping"]);
    expect(types(connection.receive({ type: "tick" }, silent + TIMES.pongTimeout))).toEqual([
      "close",
      "lost",
    ]);
    expect(connection.state.status).toBe("reconnecting");
  });

  it("counts any frame as a sign of life", () => {
    const { connection } = online();
    connection.receive({ type: "tick" }, START + TIMES.idle);
    connection.receive({ type: "received" }, START + TIMES.idle + 5);
    expect(connection.due).toBe(START + 2 * TIMES.idle + 5);
  });

  it("pings at once after a sleep, with a shorter timeout", () => {
    const { connection } = online();
    expect(types(connection.receive({ type: "wake" }, START + 99))).toEqual(["ping"]);
    expect(connection.due).toBe(START + 99 + TIMES.pongTimeoutAfterWake);
    expect(types(connection.receive({ type: "wake" }, START + 100))).toEqual([]);
  });
});

describe("any sequence of inputs", () => {
  const input: fc.Arbitrary<Input> = fc.oneof(
    fc.constantFrom<Input>(
      { type: "start" },
      { type: "opened" },
      { type: "ready" },
      { type: "received" },
      { type: "tick" },
      { type: "wake" },
      { type: "reconnect" },
      { type: "gap" },
      { type: "network", online: true },
      { type: "network", online: false },
    ),
    fc
      .constantFrom(1000, 1001, 1006, 1009, 4308, 4401, 4409, 4500, 4529)
      .map((code) => ({ type: "closed" as const, code })),
  );

  it("opens one socket at most, and always has a deadline unless it is stopped", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(input, fc.nat(40_000)), { maxLength: 60 }), (steps) => {
        const connection = new Connection(START, () => 0.3);
        let now = START;
        let sockets = 0;
        let started = false;
        for (const [step, passed] of steps) {
          now += passed;
          if (step.type === "start") started = true;
          if (step.type === "closed" && sockets === 0) continue; // Nothing to close.
          if (step.type === "closed") sockets -= 1;
          for (const effect of connection.receive(step, now)) {
            if (effect.type === "open") sockets += 1;
            if (effect.type === "close") sockets -= 1;
          }
          expect(sockets).toBeGreaterThanOrEqual(0);
          expect(sockets).toBeLessThanOrEqual(1);
          expect(connection.online).toBe(connection.state.status === "online");
          if (connection.online) expect(sockets).toBe(1);
          const stop = connection.state.stopped;
          const stopped = stop === "outdated" || stop === "rejected" || !started;
          expect(connection.due === null).toBe(stopped);
        }
      }),
      { numRuns: 500 },
    );
  });
});
