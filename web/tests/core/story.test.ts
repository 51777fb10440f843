import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Client } from "../../src/core/index.ts";
import {
  expectAsServer,
  expectRoomAsServer,
  expectWhole,
  ME,
  messagesOf,
  useFakeTime,
  OTHER,
  start,
  runTasks,
} from "./browser.ts";
import type { Browser, Tab } from "./browser.ts";
import type { ModelServer } from "./model-server.ts";

useFakeTime();
beforeEach(() => void vi.spyOn(console, "warn").mockReturnValue());
afterEach(() => void vi.restoreAllMocks());

const roomId = fc.constantFrom("r1", "r2");
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant("other writes" as const), roomId }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("other edits" as const), roomId, seq: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("other reads" as const), roomId }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("rename" as const), roomId }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("third comes or goes" as const), roomId }) },
  { weight: 1, arbitrary: fc.constant({ does: "new room" as const }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant("write" as const), roomId, tab: fc.nat(1) }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant("read" as const), roomId, tab: fc.nat(1), seq: fc.nat(30) }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("open" as const), roomId, tab: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("close" as const), roomId, tab: fc.nat(1) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constantFrom("before" as const, "after" as const, "latest" as const, "jump" as const),
      roomId,
      tab: fc.nat(1),
      seq: fc.integer({ min: 1, max: 30 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("break" as const), tab: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("drop" as const), tab: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("reload" as const), tab: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constant({ does: "lose logs" as const }) },
  {
    weight: 8,
    arbitrary: fc.record({
      does: fc.constant("pump" as const),
      picks: fc.array(fc.nat(20), { maxLength: 30 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("time" as const), passes: fc.nat(3_000) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

class Story {
  readonly server: ModelServer;
  readonly browser: Browser;
  readonly written: Record<string, string[]> = { r1: [], r2: [], r3: [] };
  readonly opened: [Client, string][] = [];
  #count = 0;

  constructor(server: ModelServer, browser: Browser) {
    this.server = server;
    this.browser = browser;
  }

  async take(taken: Step): Promise<void> {
    const tab = this.browser.tabs[("tab" in taken ? taken.tab : 0) % this.browser.tabs.length];
    if (!tab) return;
    const { client } = tab;
    if (taken.does === "pump") return this.#pump(taken.picks);
    if (taken.does === "reload") return this.browser.reload(taken.tab);
    if (taken.does === "time") vi.advanceTimersByTime(taken.passes);
    else if (taken.does === "break") tab.sockets.at(-1)?.break(1006);
    else if (taken.does === "drop") this.#drop(tab);
    else if (taken.does === "lose logs") this.server.loseLogs();
    else if (taken.does === "new room") for (const user of [OTHER, ME]) this.server.room("r3").join(user);
    else if (/^other|^third|^rename/.test(taken.does)) this.#other(taken);
    else if ("roomId" in taken) this.#own(taken, client);
    await runTasks(3);
  }

  async #pump(picks: readonly number[]): Promise<void> {
    for (const pick of picks) {
      const busy = [...this.server.sockets].filter((socket) => socket.busy);
      busy[pick % Math.max(1, busy.length)]?.step(pick);
      await runTasks(1);
    }
  }

  #drop({ sockets }: Tab): void {
    const socket = sockets.at(-1);
    if (socket) socket.dropsNextEvent = true;
  }

  /** Let each room have another event. Without it, nobody notices that the last one was lost. */
  async end(): Promise<void> {
    await this.browser.quiet();
    for (const socket of this.server.sockets) socket.dropsNextEvent = false;
    for (const room of this.server.rooms.values())
      room.add({ op: "room.updated", by: OTHER, title: "The end" });
    await this.browser.quiet();
  }

  #other({ does, roomId, ...more }: Step & { roomId: string }): void {
    const room = this.server.room(roomId);
    this.#count += 1;
    if (does === "other writes") room.send(OTHER, `other ${this.#count}`, `o${this.#count}`);
    else if (does === "other reads") room.read(OTHER, room.messages.length);
    else if (does === "third comes or goes") {
      if (room.members.has("third")) room.add({ op: "member.left", user_id: "third", by: OTHER });
      else room.join("third");
    } else if (does === "rename") room.add({ op: "room.updated", by: OTHER, title: `${this.#count}` });
    else if ("seq" in more && room.messages.length > 0) {
      const seq = 1 + (more.seq % room.messages.length);
      room.add({ op: "message.edited", seq, body: `edit ${this.#count}`, edited_at: "", by: OTHER });
    }
  }

  #own({ does, roomId, ...more }: Step & { roomId: string; seq?: number }, client: Client): void {
    const room = client.room(roomId);
    const seq = more.seq ?? 1;
    if (does === "write") {
      this.#count += 1;
      this.written[roomId]?.push(`mine ${this.#count}`);
      client.actions.send(roomId, { body: `mine ${this.#count}` });
      if (!room.getSnapshot().window.hasAfter)
        expect(messagesOf(room.getSnapshot()).at(-1)).toBe(`mine ${this.#count}`);
    } else if (does === "read") client.actions.markRead(roomId, Math.min(seq, room.getSnapshot().lastSeq));
    else if (does === "open") {
      room.open();
      this.opened.push([client, roomId]);
    } else if (does === "close") room.close();
    else if (does === "before") void room.loadBefore();
    else if (does === "after") void room.loadAfter();
    else if (does === "latest") void room.toLatest();
    else void room.jumpTo({ seq });
  }
}

describe("the client, in any sequence of events", () => {
  it("ends in the server's state, with each message once and in one order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60, size: "max" }),
        fc.integer({ min: 1, max: 2 }),
        async (steps, tabs) => {
          const { server, browser } = await start(tabs);
          const story = new Story(server, browser);
          for (const taken of steps) {
            await story.take(taken);
            for (const tab of browser.tabs)
              for (const id of server.rooms.keys()) expectWhole(tab.client.room(id).getSnapshot());
          }
          await story.end();
          const gaps = browser.tabs.map(({ client }) => client.state.getSnapshot().gaps);
          expect(gaps.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(server.dropped);
          for (const [id, room] of server.rooms) {
            const mine = room.messages.filter((message) => message.sender_id === ME);
            const bodies = room.events.flatMap((event) =>
              event.op === "message.created" && event.sender_id === ME ? [event.body] : [],
            );
            expect(bodies).toEqual(story.written[id]);
            expect(mine).toHaveLength(bodies.length);
          }
          for (const { client } of browser.tabs) {
            for (const id of server.rooms.keys()) client.room(id).open();
            await browser.quiet();
            expectAsServer(server, client);
            for (const id of server.rooms.keys()) expectRoomAsServer(server, client, id);
          }
          await browser.end();
        },
      ),
      { numRuns: Number(process.env["FUZZ_RUNS"] ?? 40), endOnFailure: true },
    );
  }, 120_000);
});
