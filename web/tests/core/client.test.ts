import "fake-indexeddb/auto";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createClient } from "../../src/core/index.ts";
import type { Client, Platform, RoomState } from "../../src/core/index.ts";
import type { Surroundings, TextStorage } from "../../src/core/platform.ts";
import { World } from "./world.ts";
import type { Line } from "./world.ts";

const ME = "me";
const OTHER = "other";

async function turns(count = 12): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

class MemoryStorage implements TextStorage {
  readonly #map = new Map<string, string>();
  getItem = (key: string): string | null => this.#map.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.#map.set(key, value);
  removeItem = (key: string): void => void this.#map.delete(key);
  key = (index: number): string | null => [...this.#map.keys()][index] ?? null;
  get length(): number {
    return this.#map.size;
  }
}

interface Tab {
  client: Client;
  heard: Surroundings;
  lines: Line[];
}

/** One person's browser: its tabs share IndexedDB, the text storage, channels and locks. */
class Browser {
  readonly world: World;
  readonly storage = new MemoryStorage();
  readonly tabs: Tab[] = [];

  constructor(world: World) {
    this.world = world;
  }

  async open(): Promise<Tab> {
    const lines: Line[] = [];
    let heard: Surroundings | undefined;
    const platform: Platform = {
      origin: "",
      fetch: (input) => Promise.resolve(this.world.fetch(ME, input as string)),
      openSocket: () => {
        const line = this.world.connect(ME);
        lines.push(line);
        return line as unknown as WebSocket;
      },
      now: () => Date.now(),
      random: () => 0.5,
      schedule: (flush) => void setTimeout(flush, 16),
      storage: this.storage,
      channel: (name) => new BroadcastChannel(name),
      locks: navigator.locks,
      surroundings: (surroundings) => {
        heard = surroundings;
        return () => undefined;
      },
    };
    const client = createClient(platform);
    await turns();
    if (!heard) throw new Error("The client does not listen to its surroundings.");
    const tab = { client, heard, lines };
    this.tabs.push(tab);
    return tab;
  }

  async reload(which: number): Promise<void> {
    const [tab] = this.tabs.splice(which % this.tabs.length, 1);
    tab?.client.stop();
    await turns();
    await this.open();
  }

  /** Lets everything happen that is under way. */
  async quiet(): Promise<void> {
    for (let round = 0; round < 30; round += 1) {
      await turns(6);
      for (let step = 0; step < 200; step += 1)
        for (const line of [...this.world.lines]) if (line.busy) line.step(step);
      await turns(6);
      vi.advanceTimersByTime(round < 20 ? 700 : 2_000);
    }
    await turns();
  }

  async end(): Promise<void> {
    for (const tab of this.tabs.splice(0)) tab.client.stop();
    await turns();
  }
}

function messagesOf(state: RoomState): string[] {
  return state.entries.map((entry) =>
    entry.kind === "message"
      ? `${entry.message.seq}`
      : entry.kind === "pending"
        ? entry.pending.body
        : "line",
  );
}

/** One run of seqs without doubles; whatever is still on its way comes after it. */
function expectWhole(state: RoomState): void {
  const seqs = state.entries.flatMap((entry) => (entry.kind === "message" ? [entry.message.seq] : []));
  expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
  const keys = state.entries.map((entry) => entry.key);
  expect(new Set(keys).size).toBe(keys.length);
}

function expectAsServer(world: World, client: Client): void {
  const state = client.state.getSnapshot();
  for (const room of world.rooms.values()) {
    const { activity: _, ...summary } = state.rooms.get(room.id) ?? { activity: 0 };
    expect(summary).toEqual(room.seenBy(ME));
  }
  expect(state.totalUnread).toBe([...state.rooms.values()].reduce((sum, room) => sum + room.unread, 0));
}

function expectRoomAsServer(world: World, client: Client, roomId: string): void {
  const state = client.room(roomId).getSnapshot();
  const truth = world.room(roomId);
  expectWhole(state);
  const shown = state.entries.flatMap((entry) => (entry.kind === "message" ? [entry.message] : []));
  const first = shown[0]?.seq ?? 1;
  expect(shown).toEqual(truth.messages.slice(first - 1, first - 1 + shown.length));
  if (!state.window.hasAfter) expect(first - 1 + shown.length).toBe(truth.messages.length);
  if (!state.window.hasBefore) expect(first).toBe(1);
  expect(state.entries.filter((entry) => entry.kind === "pending")).toEqual([]);
  const cursors = Object.fromEntries(state.members.map((member) => [member.user_id, member.read_seq]));
  expect(cursors).toEqual(
    Object.fromEntries([...truth.members.values()].map((m) => [m.user_id, m.read_seq])),
  );
  for (const message of shown) {
    const unread = [...truth.members.values()].filter((member) => member.read_seq < message.seq);
    expect(state.cursors.unreadCount(message.seq)).toBe(unread.length);
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

async function wiped(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase("webchat");
    request.onsuccess = () => resolve();
    request.onerror = () => reject(new Error("The database is still in use."));
    request.onblocked = () => reject(new Error("The database is still in use."));
  });
}

async function start(tabs = 1): Promise<{ world: World; browser: Browser; tab: Tab }> {
  await wiped();
  const world = new World();
  for (const id of ["r1", "r2"]) for (const user of [OTHER, ME]) world.room(id).join(user);
  const browser = new Browser(world);
  for (let opened = 0; opened < tabs; opened += 1) await browser.open();
  await browser.quiet();
  const [tab] = browser.tabs;
  if (!tab) throw new Error("No tab.");
  return { world, browser, tab };
}

const roomId = fc.constantFrom("r1", "r2");
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant("other writes" as const), roomId }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("other edits" as const), roomId, seq: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("other reads" as const), roomId }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("rename" as const), roomId }) },
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
  readonly world: World;
  readonly browser: Browser;
  readonly written: Record<string, string[]> = { r1: [], r2: [] };
  readonly opened: [Client, string][] = [];
  #count = 0;

  constructor(world: World, browser: Browser) {
    this.world = world;
    this.browser = browser;
  }

  async take(taken: Step): Promise<void> {
    const tab = this.browser.tabs[("tab" in taken ? taken.tab : 0) % this.browser.tabs.length];
    if (!tab) return;
    const { client } = tab;
    if (taken.does === "pump") return this.#pump(taken.picks);
    if (taken.does === "reload") return this.browser.reload(taken.tab);
    if (taken.does === "time") vi.advanceTimersByTime(taken.passes);
    else if (taken.does === "break") tab.lines.at(-1)?.break(1006);
    else if (taken.does === "lose logs") this.world.loseLogs();
    else if (taken.does.startsWith("other") || taken.does === "rename") this.#other(taken);
    else if ("roomId" in taken) this.#own(taken, client);
    await turns(3);
  }

  async #pump(picks: readonly number[]): Promise<void> {
    for (const pick of picks) {
      const busy = [...this.world.lines].filter((line) => line.busy);
      busy[pick % Math.max(1, busy.length)]?.step(pick);
      await turns(1);
    }
  }

  #other({ does, roomId, ...more }: Step & { roomId: string }): void {
    const room = this.world.room(roomId);
    this.#count += 1;
    if (does === "other writes") room.send(OTHER, `other ${this.#count}`, `o${this.#count}`);
    else if (does === "other reads") room.read(OTHER, room.messages.length);
    else if (does === "rename") room.add({ op: "room.updated", by: OTHER, title: `${this.#count}` });
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

describe("the client, whatever happens between it and the server", () => {
  it("shows the server's state in the end, each message once and in one order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 2 }),
        async (steps, tabs) => {
          const { world, browser } = await start(tabs);
          const story = new Story(world, browser);
          for (const taken of steps) {
            await story.take(taken);
            for (const tab of browser.tabs)
              for (const id of world.rooms.keys()) expectWhole(tab.client.room(id).getSnapshot());
          }
          await browser.quiet();
          for (const [id, room] of world.rooms) {
            const mine = room.messages.filter((message) => message.sender_id === ME);
            const bodies = room.events.flatMap((event) =>
              event.op === "message.created" && event.sender_id === ME ? [event.body] : [],
            );
            expect(bodies).toEqual(story.written[id]);
            expect(mine).toHaveLength(bodies.length);
          }
          for (const { client } of browser.tabs) {
            for (const id of world.rooms.keys()) client.room(id).open();
            await browser.quiet();
            expectAsServer(world, client);
            for (const id of world.rooms.keys()) expectRoomAsServer(world, client, id);
          }
          await browser.end();
        },
      ),
      { numRuns: Number(process.env["FUZZ_RUNS"] ?? 40), endOnFailure: true },
    );
  }, 120_000);
});
