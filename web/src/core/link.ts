// The socket and its timer, driven by the connection's effects.
import { Connection } from "./connection.ts";
import type { Effect, Input } from "./connection.ts";
import type { Hello, Ready, ServerFrame } from "./generated/protocol.ts";
import type { Platform } from "./platform.ts";
import { Requests } from "./requests.ts";
import type { Ask, Reply } from "./requests.ts";
import type { Link } from "./types.ts";

export interface LinkListener {
  hello: () => Omit<Hello, "op" | "id">;
  ready: (frame: Ready) => void;
  /** Everything from the server but replies and `ready`. */
  frame: (frame: ServerFrame) => void;
  linkChanged: (link: Link) => void;
  checkSession: () => void;
}

export class SocketLink {
  readonly #platform: Platform;
  readonly #listener: LinkListener;
  readonly #connection: Connection;
  readonly #requests = new Requests((text) => this.#write(text));
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;

  constructor(platform: Platform, listener: LinkListener) {
    this.#platform = platform;
    this.#listener = listener;
    this.#connection = new Connection(platform.now(), platform.random);
  }

  get online(): boolean {
    return this.#connection.online;
  }

  get link(): Link {
    return this.#connection.link;
  }

  ask(frame: Ask): Promise<Reply> {
    return this.#requests.ask(frame);
  }

  tell(frame: Ask): boolean {
    return this.#requests.tell(frame);
  }

  input(input: Input): void {
    const before = this.#connection.link;
    const effects = this.#connection.receive(input, this.#platform.now());
    for (const effect of effects) this.#do(effect);
    this.#arm();
    if (this.#connection.link !== before) this.#listener.linkChanged(this.#connection.link);
  }

  #do(effect: Effect): void {
    switch (effect.type) {
      case "open":
        return this.#open();
      case "close":
        return this.#drop();
      case "hello":
        return this.#socket?.send(JSON.stringify({ op: "hello", ...this.#listener.hello() }));
      case "ping":
        void this.#requests.ask({ op: "ping" });
        return;
      case "lost":
        return this.#requests.lost();
      case "check_session":
        return this.#listener.checkSession();
    }
  }

  #open(): void {
    this.#drop();
    const socket = this.#platform.openSocket();
    this.#socket = socket;
    socket.onopen = () => this.input({ type: "opened" });
    socket.onclose = (event) => {
      this.#socket = null;
      this.input({ type: "closed", code: event.code });
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (typeof event.data === "string") this.#received(JSON.parse(event.data) as ServerFrame);
    };
  }

  /** Deaf to what an abandoned socket still says: its closing can take a minute without a network. */
  #drop(): void {
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket.close();
    this.#socket = null;
  }

  #received(frame: ServerFrame): void {
    this.input({ type: "received" });
    if (frame.op === "ok" || frame.op === "error") {
      this.#requests.answered(frame);
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

  /** Frames put the time off more often than a timer should be set: an early one looks again. */
  #arm(): void {
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
