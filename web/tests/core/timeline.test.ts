import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Entries } from "../../src/core/entries.ts";
import type { RoomEvent } from "../../src/core/events.ts";
import { changedMessage, messageOf } from "../../src/core/fold.ts";
import type { Message } from "../../src/core/generated/protocol.ts";
import type { OutboxItem } from "../../src/core/outbox.ts";
import { Timeline, MAX_WINDOW } from "../../src/core/timeline.ts";
import type { MessagesPage, PageAnchor, PageTicket } from "../../src/core/timeline.ts";

const AT = "2026-11-24T07:42:44.123Z";

type Happening =
  { does: "create" } | { does: "edit" | "delete" | "react"; which: number } | { does: "rename" };

/** The server's room. Every version can be read again. */
class Room {
  readonly events: RoomEvent[] = [];
  readonly states: Message[][] = [[]];

  happen(happening: Happening): void {
    const messages = this.states.at(-1) ?? [];
    const event = this.#event(happening, messages);
    this.events.push(event);
    this.states.push(afterwards(messages, event));
  }

  get version(): number {
    return this.events.length;
  }

  at(version: number): Message[] {
    return this.states[version] ?? [];
  }

  page(choice: { place: PageAnchor; edge: number }, limit: number, version: number): MessagesPage {
    const all = this.at(version);
    if (choice.place === "before")
      return side(
        all.filter((m) => m.seq < choice.edge),
        -limit,
        version,
      );
    if (choice.place === "after")
      return side(
        all.filter((m) => m.seq > choice.edge),
        limit,
        version,
      );
    if (choice.place === "newest") return side(all, -limit, version);
    const half = Math.max(1, limit >> 1);
    const messages = all.filter((m) => m.seq > choice.edge - half && m.seq <= choice.edge + half);
    return { messages, hasMore: messages.length < all.length, version };
  }

  #event(happening: Happening, messages: readonly Message[]): RoomEvent {
    const base = { room_id: "r", version: this.version + 1, at: AT };
    if (happening.does === "rename")
      return { op: "room.updated", ...base, by: "u", title: String(base.version) };
    const which = "which" in happening ? messages[happening.which % Math.max(1, messages.length)] : undefined;
    if (happening.does === "create" || !which) {
      const seq = messages.length + 1;
      const client_id = `c${seq}`;
      return { op: "message.created", ...base, seq, sender_id: "u", client_id, kind: "text", body: `${seq}` };
    }
    const { seq } = which;
    if (happening.does === "edit")
      return { op: "message.edited", ...base, seq, body: `edit ${base.version}`, edited_at: AT, by: "u" };
    if (happening.does === "delete") return { op: "message.deleted", ...base, seq, by: "u" };
    const removed = which.reactions?.["👍"]?.includes("u") ?? false;
    return { op: "message.reacted", ...base, seq, user_id: "u", emoji: "👍", removed };
  }
}

function afterwards(messages: readonly Message[], event: RoomEvent): Message[] {
  if (event.op === "message.created") return [...messages, messageOf(event)];
  if (event.op !== "message.edited" && event.op !== "message.deleted" && event.op !== "message.reacted")
    return [...messages];
  return messages.map((message) => (message.seq === event.seq ? changedMessage(message, event) : message));
}

function side(messages: Message[], limit: number, version: number): MessagesPage {
  const page = limit < 0 ? messages.slice(limit) : messages.slice(0, limit);
  return { messages: page, hasMore: page.length < messages.length, version };
}

interface Asked {
  ticket: PageTicket;
  page: MessagesPage;
}

/** A client of that room. Events come in order but late, replies at any time, and sometimes the log is lost. */
class Reader {
  readonly room: Room;
  readonly timeline: Timeline;
  readonly asked: Asked[] = [];
  #seen: number;

  constructor(room: Room) {
    this.room = room;
    this.#seen = room.version;
    this.timeline = new Timeline(room.version, room.at(room.version).length);
  }

  /** Read a page now. Its reply arrives later. */
  ask(place: PageAnchor, around: number, limit: number): void {
    const { timeline, room } = this;
    if (place === "before" && !(timeline.loaded && timeline.hasBefore)) return;
    if (place === "after" && !(timeline.loaded && timeline.hasAfter)) return;
    const edge = place === "before" ? timeline.first : place === "after" ? timeline.last : around;
    const version = this.#seen + Math.floor(((room.version - this.#seen) * (around % 4)) / 3);
    const page = room.page({ place, edge: edge ?? 0 }, limit, Math.min(version, room.version));
    this.asked.push({ ticket: timeline.ticket(place), page });
  }

  answer(which: number): void {
    const [asked] = this.asked.splice(which % Math.max(1, this.asked.length), 1);
    if (asked) this.timeline.merge(asked.ticket, asked.page);
  }

  hear(count: number): void {
    for (let received = 0; received < count && this.#seen < this.room.version; received += 1) {
      const event = this.room.events[this.#seen];
      if (event) this.timeline.apply(event);
      this.#seen += 1;
    }
  }

  loseLog(): void {
    this.#seen = this.room.version;
    this.timeline.reset(this.room.version, this.room.at(this.room.version).length);
  }

  /** Check that the window is consecutive and without duplicates. */
  expectConsistent(): void {
    const seqs = this.timeline.messages.map((message) => message.seq);
    expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
  }

  /** Check, after everything has arrived, that the window equals the server's messages. */
  expectSettled(): void {
    this.expectConsistent();
    if (!this.timeline.loaded) return;
    const truth = this.room.at(this.room.version);
    const [first, last] = [this.timeline.first ?? 1, this.timeline.last ?? truth.length];
    expect(this.timeline.messages).toEqual(truth.slice(first - 1, last));
    if (!this.timeline.hasAfter) expect(last).toBe(truth.length);
    if (!this.timeline.hasBefore) expect(first).toBe(1);
    expect(this.timeline.version).toBe(this.room.version);
  }
}

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ does: "create" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constantFrom("edit" as const, "delete" as const, "react" as const),
      which: fc.nat(60),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ does: "rename" as const }) },
);

const step = fc.oneof(
  { weight: 5, arbitrary: happening.map((what) => ({ step: "happen" as const, what })) },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constant("ask" as const),
      place: fc.constantFrom<PageAnchor>("newest", "around", "before", "after"),
      around: fc.integer({ min: 1, max: 60 }),
      limit: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ step: fc.constant("answer" as const), which: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({ step: fc.constant("hear" as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ step: "lose" as const }) },
);

function take(reader: Reader, taken: typeof step extends fc.Arbitrary<infer S> ? S : never): void {
  switch (taken.step) {
    case "happen":
      return reader.room.happen(taken.what);
    case "ask":
      return reader.ask(taken.place, taken.around, taken.limit);
    case "answer":
      return reader.answer(taken.which);
    case "hear":
      return reader.hear(taken.count);
    case "lose":
      return reader.loseLog();
  }
}

describe("pages, events and lost logs in any order", () => {
  it("never duplicate a message, never hide a gap, and end in the server's state", () => {
    fc.assert(
      fc.property(
        fc.array(happening, { maxLength: 40 }),
        fc.array(step, { maxLength: 80 }),
        (before, steps) => {
          const room = new Room();
          for (const what of before) room.happen(what);
          const reader = new Reader(room);
          for (const taken of steps) {
            take(reader, taken);
            reader.expectConsistent();
          }
          while (reader.asked.length > 0) reader.answer(0);
          reader.hear(Infinity);
          reader.expectSettled();
        },
      ),
      { numRuns: 1_500 },
    );
  });

  it("reach both ends of the room", () => {
    fc.assert(
      fc.property(
        fc.array(happening, { minLength: 5, maxLength: 60 }),
        fc.nat(60),
        fc.integer({ min: 1, max: 9 }),
        (before, around, limit) => {
          const room = new Room();
          for (const what of before) room.happen(what);
          const reader = new Reader(room);
          reader.ask("around", around + 1, limit);
          reader.answer(0);
          for (let page = 0; page < 130; page += 1) {
            reader.ask(page % 2 ? "before" : "after", 0, limit);
            reader.answer(0);
          }
          expect([reader.timeline.hasBefore, reader.timeline.hasAfter]).toEqual([false, false]);
          reader.expectSettled();
        },
      ),
    );
  });
});

describe("a page that is newer or older than the events", () => {
  function edited(): Room {
    const room = new Room();
    for (let count = 0; count < 5; count += 1) room.happen({ does: "create" });
    return room;
  }

  it("is brought up to date with the events since then", () => {
    const room = edited();
    const reader = new Reader(room);
    reader.ask("newest", 0, 10);
    room.happen({ does: "edit", which: 2 });
    room.happen({ does: "create" });
    reader.hear(2);
    reader.answer(0);
    reader.expectSettled();
    expect(reader.timeline.messages.map((m) => m.body)).toEqual(["1", "2", "edit 6", "4", "5", "6"]);
  });

  it("ignores an event that the page contains", () => {
    const room = edited();
    const reader = new Reader(room);
    room.happen({ does: "edit", which: 2 });
    room.happen({ does: "edit", which: 2 });
    reader.ask("newest", 3, 10);
    reader.answer(0);
    reader.hear(1);
    expect(reader.timeline.find(3)?.body).toBe("edit 7");
  });

  it("is rejected if it is older than the stored events", () => {
    const room = edited();
    const reader = new Reader(room);
    const page = room.page({ place: "newest", edge: 0 }, 10, 3);
    expect(reader.timeline.merge(reader.timeline.ticket("newest"), page)).toBe("stale");
  });

  it("is rejected if its edge has moved", () => {
    const room = edited();
    const reader = new Reader(room);
    reader.ask("newest", 0, 2);
    reader.answer(0);
    const ticket = reader.timeline.ticket("before");
    const page = room.page({ place: "before", edge: 4 }, 2, 5);
    reader.ask("around", 2, 2);
    reader.answer(0);
    expect(reader.timeline.merge(ticket, page)).toBe("superseded");
    reader.expectSettled();
  });
});

describe("a long window", () => {
  it("is trimmed far from the visible range, and can be loaded again", () => {
    const room = new Room();
    for (let count = 0; count < MAX_WINDOW + 400; count += 1) room.happen({ does: "create" });
    const reader = new Reader(room);
    reader.ask("newest", 0, MAX_WINDOW + 300);
    reader.answer(0);
    expect(reader.timeline.trim(150, 170)).toBe(true);
    expect(reader.timeline.messages).toHaveLength(MAX_WINDOW);
    expect(reader.timeline.hasAfter).toBe(true);
    expect(reader.timeline.first).toBe(101);
    room.happen({ does: "create" });
    reader.hear(1);
    reader.expectConsistent();
    for (let page = 0; page < 6; page += 1) {
      reader.ask("after", 0, 100);
      reader.answer(0);
    }
    reader.expectSettled();
    expect(reader.timeline.trim(1_300, 1_320)).toBe(true);
    expect(reader.timeline.hasBefore).toBe(true);
    expect(reader.timeline.last).toBe(MAX_WINDOW + 401);
    reader.expectSettled();
  });

  it("applies 1,000 events quickly", () => {
    const room = new Room();
    for (let count = 0; count < 50; count += 1) room.happen({ does: "create" });
    const reader = new Reader(room);
    reader.ask("newest", 0, 50);
    reader.answer(0);
    for (let count = 0; count < 1_000; count += 1) room.happen({ does: "create" });
    const started = performance.now();
    reader.hear(1_000);
    expect(reader.timeline.messages).toHaveLength(1_050);
    expect(performance.now() - started).toBeLessThan(250);
  });
});

describe("entries", () => {
  const item = (clientId: string, change: Partial<OutboxItem> = {}): OutboxItem => ({
    pending: {
      clientId,
      roomId: "r",
      body: clientId,
      mentions: [],
      attachments: [],
      at: 0,
      status: "pending",
    },
    stored: null,
    seq: null,
    afterSeq: null,
    ...change,
  });
  const messages = [1, 2, 3].map((seq): Message => ({
    room_id: "r",
    seq,
    version: seq,
    sender_id: "u",
    client_id: `c${seq}`,
    kind: "text",
    body: `${seq}`,
    at: AT,
  }));
  const parts = {
    me: "u",
    messages,
    systemEvents: [],
    removing: new Map(),
    hasBefore: false,
    hasAfter: false,
  };
  const keys = (outbox: OutboxItem[], change: object = {}): string[] =>
    new Entries().build({ ...parts, ...change, outbox }).map((entry) => entry.key);

  it("show a message once, no matter whether the room or the outbox has it first", () => {
    expect(keys([item("c3"), item("c4")])).toEqual(["u/c1", "u/c2", "u/c3", "u/c4"]);
  });

  it("keep the position of a failed message, and pending ones at the end", () => {
    expect(keys([item("f", { afterSeq: 2 }), item("p")])).toEqual(["u/c1", "u/c2", "u/f", "u/c3", "u/p"]);
  });

  it("show no pending messages after a window that does not reach the end", () => {
    expect(keys([item("f", { afterSeq: 3 }), item("p")], { hasAfter: true })).toEqual([
      "u/c1",
      "u/c2",
      "u/c3",
    ]);
  });

  it("keep their identity without a change", () => {
    const entries = new Entries();
    const outbox = [item("p")];
    const first = entries.build({ ...parts, outbox });
    const second = entries.build({ ...parts, outbox });
    expect(second.every((entry, index) => entry === first[index])).toBe(true);
  });
});
