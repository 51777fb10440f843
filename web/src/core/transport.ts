// Performs the effects of the connection's state machine: the socket, its frames and the timer.
import { Connection } from "./connection.ts";
import type { Effect, Input } from "./connection.ts";
import type { Hello, Ready, ServerFrame } from "./generated/protocol.ts";
import type { Platform } from "./platform.ts";
import { Requests } from "./requests.ts";
import type { RequestFrame, Reply } from "./requests.ts";
import type { ConnectionState } from "./types.ts";

export interface TransportListener {
  hello: () => Omit<Hello, "op" | "id">;
  ready: (frame: Ready) => void;
  /** Every server frame except replies and `ready`. */
  frame: (frame: ServerFrame) => void;
  stateChanged: (state: ConnectionState) => void;
  checkSession: () => void;
}

export class Transport {
  readonly #platform: Platform;
  readonly #listener: TransportListener;
  readonly #connection: Connection;
  readonly #requests = new Requests((text) => this.#write(text));
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;

  constructor(platform: Platform, listener: TransportListener) {
    this.#platform = platform;
    this.#listener = listener;
    this.#connection = new Connection(platform.now(), platform.random);
  }

  get online(): boolean {
    return this.#connection.online;
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  request(frame: RequestFrame): Promise<Reply> {
    return this.#requests.request(frame);
  }

  send(frame: RequestFrame): boolean {
    return this.#requests.send(frame);
  }

  input(input: Input): void {
    const before = this.#connection.state;
    const effects = this.#connection.receive(input, this.#platform.now());
    for (const effect of effects) this.#perform(effect);
    this.#scheduleTick();
    if (this.#connection.state !== before) this.#listener.stateChanged(this.#connection.state);
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "open":
        return this.#open();
      case "close":
        return this.#closeSocket();
      case "hello":
        return this.#socket?.send(JSON.stringify({ op: "hello", ...this.#listener.hello() }));
      case "ping":
        void this.#requests.request({ op: "ping" });
        return;
      case "lost":
        return this.#requests.lost();
      case "check_session":
        return this.#listener.checkSession();
    }
  }

  #open(): void {
    this.#closeSocket();
    const socket = this.#platform.openSocket();
    this.#socket = socket;
    socket.onopen = () => this.input({ type: "opened" });
    socket.onclose = (event) => {
      this.#socket = null;
      this.input({ type: "closed", code: event.code });
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (typeof event.data === "string") this.#receive(JSON.parse(event.data) as ServerFrame);
    };
  }

  /** Close the socket and ignore its later events. Without a network, closing can take a minute. */
  #closeSocket(): void {
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket.close();
    this.#socket = null;
  }

  #receive(frame: ServerFrame): void {
    this.input({ type: "received" });
    if (frame.op === "ok" || frame.op === "error") {
      this.#requests.settle(frame);
    } else if (frame.op === "ready") {
      this.input({ type: "ready" });
      this.#listener.ready(frame);
    } else {
      this.#listener.frame(frame);
    }
  }

  #write(text: string): boolean {
    if (!this.#connection.online || this.#socket?.readyState !== 1) return false;
    this.#socket.send(text);
    return true;
  }

  /** Set the timer. Each frame postpones the deadline, so a timer that fires early only checks and is set again. */
  #scheduleTick(): void {
    const due = this.#connection.due ?? Infinity;
    if (due >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = due;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Infinity;
        this.input({ type: "tick" });
      },
      Math.max(0, due - this.#platform.now()),
    );
  }
}
