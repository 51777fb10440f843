// The state machine of one client's connection: when to open, shake hands, ping, give up and reconnect. It does no
// I/O: it takes inputs with the time in milliseconds and returns effects. `due` is the time of the next tick.
import type { ConnectionState } from "./types.ts";

export type Input =
  | { type: "start" | "stop" | "opened" | "ready" | "received" | "tick" | "wake" | "reconnect" }
  /** Events are missing, so the client has to resume on another connection. */
  | { type: "gap" }
  | { type: "closed"; code: number }
  | { type: "network"; online: boolean };

export type Effect =
  | { type: "open" | "close" | "hello" | "ping" }
  /** Ask over HTTP whether the session is still valid. */
  | { type: "check_session" }
  /** The connection is lost, so the outcome of pending requests is unknown. */
  | { type: "lost" };

type Phase = "idle" | "waiting" | "opening" | "handshake" | "online" | "stopped";

export const TIMES = {
  minDelay: 500,
  maxDelay: 30_000,
  /** The time limit for opening the socket, and for the handshake. */
  openTimeout: 15_000,
  /** Send a ping after this time without a frame. Scripts cannot see the server's own heartbeat. */
  idle: 25_000,
  pongTimeout: 10_000,
  pongTimeoutAfterWake: 4_000,
  /** A connection that lasted this long resets the backoff. */
  stable: 10_000,
  /** The retry delay while the browser reports no network, which can be wrong. */
  offline: 30_000,
  /** The shortest pause after the server closed this connection because the user has too many; the longest is twice. */
  tooMany: 60_000,
} as const;

export class Connection {
  #phase: Phase = "idle";
  #state: ConnectionState;
  #everOnline = false;
  #network = true;
  #failures = 0;
  #onlineAt = 0;
  #pongDue: number | null = null;
  #due: number | null = null;
  readonly #random: () => number;

  constructor(now: number, random: () => number) {
    this.#random = random;
    this.#state = { status: "connecting", since: now };
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get due(): number | null {
    return this.#due;
  }

  get online(): boolean {
    return this.#phase === "online";
  }

  receive(input: Input, now: number): Effect[] {
    const effects = this.#step(input, now);
    this.#updateState(now);
    return effects;
  }

  #step(input: Input, now: number): Effect[] {
    switch (input.type) {
      case "start":
        return this.#start(now);
      case "stop":
        return this.#stop();
      case "opened":
        if (this.#phase !== "opening") return [];
        this.#enter("handshake", now + TIMES.openTimeout);
        return [{ type: "hello" }];
      case "ready":
        return this.#handshakeDone(now);
      case "received":
        return this.#frameReceived(now);
      case "gap":
        return this.#drop(now);
      case "closed":
        return this.#closed(input.code, now);
      case "network":
        return this.#networkChanged(input.online, now);
      case "wake":
        return this.#network ? this.#wake(now, this.#state.stopped === "too_many_tabs") : [];
      case "reconnect":
        return this.#wake(now, true);
      case "tick":
        return this.#due !== null && now >= this.#due ? this.#timeout(now) : [];
    }
  }

  #enter(phase: Phase, due: number | null): void {
    this.#phase = phase;
    this.#due = due;
  }

  #start(now: number): Effect[] {
    if (this.#phase !== "idle") return [];
    this.#everOnline = false;
    this.#failures = 0;
    this.#state = { status: "connecting", since: now };
    if (this.#network) return this.#open(now);
    this.#enter("waiting", now + TIMES.offline);
    return [];
  }

  #open(now: number): Effect[] {
    const { stopped: _, ...state } = this.#state;
    this.#state = state;
    this.#enter("opening", now + TIMES.openTimeout);
    return [{ type: "open" }];
  }

  #stop(): Effect[] {
    const open = this.#isOpen();
    this.#enter("idle", null);
    return open ? [{ type: "close" }, { type: "lost" }] : [];
  }

  #isOpen(): boolean {
    return this.#phase === "opening" || this.#phase === "handshake" || this.#phase === "online";
  }

  #handshakeDone(now: number): Effect[] {
    if (this.#phase !== "handshake") return [];
    this.#everOnline = true;
    this.#onlineAt = now;
    this.#pongDue = null;
    this.#enter("online", now + TIMES.idle);
    return [];
  }

  #frameReceived(now: number): Effect[] {
    if (this.#phase !== "online") return [];
    this.#pongDue = null;
    this.#due = now + TIMES.idle;
    return [];
  }

  #closed(code: number, now: number): Effect[] {
    if (!this.#isOpen()) return [];
    const neverOpened = this.#phase === "opening";
    if (code === 4409) return this.#halt("too_many_tabs", now + TIMES.tooMany * (1 + this.#random()));
    if (code >= 4500 && code <= 4599) return this.#halt(code === 4500 ? "outdated" : "rejected", null);
    const cause = neverOpened || (code >= 4400 && code <= 4499);
    return [
      ...this.#waitToRetry(now, code === 1001 ? 2 : 0),
      ...(cause ? [{ type: "check_session" } as const] : []),
    ];
  }

  #halt(stopped: NonNullable<ConnectionState["stopped"]>, retryAt: number | null): Effect[] {
    this.#enter("stopped", retryAt);
    this.#state = { ...this.#state, stopped };
    return [{ type: "lost" }];
  }

  /** Full jitter, so that the clients of a restarted gateway do not reconnect at the same moment. */
  #waitToRetry(now: number, atLeast: number): Effect[] {
    if (this.#phase === "online" && now - this.#onlineAt >= TIMES.stable) this.#failures = 0;
    const most = Math.min(TIMES.maxDelay, TIMES.minDelay * 2 ** Math.max(this.#failures + 1, atLeast));
    this.#failures += 1;
    const delay = TIMES.minDelay + this.#random() * (most - TIMES.minDelay);
    this.#enter("waiting", now + (this.#network ? delay : TIMES.offline));
    return [{ type: "lost" }];
  }

  #networkChanged(online: boolean, now: number): Effect[] {
    if (this.#network === online) return [];
    this.#network = online;
    if (online) {
      this.#failures = 0;
      return this.#wake(now, false);
    }
    if (this.#phase === "waiting") this.#due = now + TIMES.offline;
    return this.#drop(now);
  }

  #drop(now: number): Effect[] {
    return this.#isOpen() ? [{ type: "close" }, ...this.#waitToRetry(now, 0)] : [];
  }

  #wake(now: number, evenStopped: boolean): Effect[] {
    if (this.#phase === "waiting" || (this.#phase === "stopped" && evenStopped)) return this.#open(now);
    return this.#phase === "online" ? this.#ping(now, TIMES.pongTimeoutAfterWake) : [];
  }

  #ping(now: number, timeout: number): Effect[] {
    const before = this.#pongDue;
    this.#pongDue = this.#due = Math.min(before ?? Infinity, now + timeout);
    if (before !== null) return [];
    return [{ type: "ping" }];
  }

  #timeout(now: number): Effect[] {
    if (this.#phase === "waiting" || this.#phase === "stopped") return this.#open(now);
    if (this.#phase === "online" && this.#pongDue === null) return this.#ping(now, TIMES.pongTimeout);
    return this.#drop(now);
  }

  #updateState(now: number): void {
    const status = this.#status();
    const { retryAt: before, ...state } = this.#state;
    const retryAt = this.#phase === "waiting" ? (this.#due ?? undefined) : undefined;
    const wasOnline = state.status === "online";
    if (status === state.status && retryAt === before) return;
    const since = wasOnline === (status === "online") ? state.since : now;
    this.#state = { ...state, status, since, ...(retryAt === undefined ? {} : { retryAt }) };
  }

  #status(): ConnectionState["status"] {
    if (this.#phase === "online") return "online";
    if (!this.#network || this.#phase === "stopped") return "offline";
    return this.#everOnline ? "reconnecting" : "connecting";
  }
}
