// A browser of one user for the tests of the whole client: tabs that share what a browser's tabs share, connected to
// a model of the server.
import "fake-indexeddb/auto";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { createClient } from "../../src/core/index.ts";
import type { Client, Platform, RoomState } from "../../src/core/index.ts";
import type { BrowserEvents } from "../../src/core/platform.ts";
import { MemoryStorage } from "./storage.ts";
import { ModelServer } from "./model-server.ts";
import type { FakeSocket, ModelRoom } from "./model-server.ts";

export const ME = "me";
export const OTHER = "other";

export async function runTasks(count = 12): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export interface Tab {
  client: Client;
  events: BrowserEvents;
  sockets: FakeSocket[];
}

const browsers = new Set<Browser>();

/** End all browsers, also after a failed test. */
async function endAll(): Promise<void> {
  for (const browser of browsers) await browser.end();
}

/** A browser of one user. Its tabs share IndexedDB, the text storage, channels and locks. */
export class Browser {
  readonly server: ModelServer;
  /** The user whose cookie the browser has. */
  userId = ME;
  readonly storage = new MemoryStorage();
  readonly tabs: Tab[] = [];

  constructor(server: ModelServer) {
    this.server = server;
    browsers.add(this);
  }

  async open(): Promise<Tab> {
    const sockets: FakeSocket[] = [];
    let events: BrowserEvents | undefined;
    const platform: Platform = {
      origin: "",
      fetch: (input) => Promise.resolve(this.server.fetch(this.userId, input as string)),
      openSocket: () => {
        const socket = this.server.connect(this.userId);
        sockets.push(socket);
        return socket as unknown as WebSocket;
      },
      now: () => Date.now(),
      random: () => 0.5,
      schedule: (flush) => void setTimeout(flush, 16),
      storage: this.storage,
      channel: (name) => new BroadcastChannel(name),
      locks: navigator.locks,
      listen: (handlers) => {
        events = handlers;
        return () => undefined;
      },
    };
    const client = createClient(platform);
    await runTasks();
    if (!events) throw new Error("The client does not listen to the browser.");
    const tab = { client, events, sockets };
    this.tabs.push(tab);
    return tab;
  }

  async reload(which: number): Promise<void> {
    const [tab] = this.tabs.splice(which % this.tabs.length, 1);
    tab?.client.stop();
    await runTasks();
    await this.open();
  }

  /** Run until all pending work is done. */
  async quiet(): Promise<void> {
    for (let round = 0; round < 30; round += 1) {
      await runTasks(6);
      for (let step = 0; step < 200; step += 1)
        for (const socket of [...this.server.sockets]) if (socket.busy) socket.step(step);
      await runTasks(6);
      vi.advanceTimersByTime(round < 20 ? 700 : 2_000);
    }
    await runTasks();
  }

  async end(): Promise<void> {
    browsers.delete(this);
    for (const tab of this.tabs.splice(0)) tab.client.stop();
    await runTasks();
  }
}

export function messagesOf(state: RoomState): string[] {
  return state.entries.map((entry) =>
    entry.kind === "message"
      ? `${entry.message.seq}`
      : entry.kind === "pending"
        ? entry.pending.body
        : "system",
  );
}

/** Check that the messages are consecutive and unique, with pending ones at the end. */
export function expectWhole(state: RoomState): void {
  const seqs = state.entries.flatMap((entry) => (entry.kind === "message" ? [entry.message.seq] : []));
  expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
  const keys = state.entries.map((entry) => entry.key);
  expect(new Set(keys).size).toBe(keys.length);
}

export function expectAsServer(server: ModelServer, client: Client): void {
  const state = client.state.getSnapshot();
  for (const room of server.rooms.values()) {
    const { activity: _, ...summary } = state.rooms.get(room.id) ?? { activity: 0 };
    expect(summary).toEqual(room.seenBy(ME));
  }
  expect(state.totalUnread).toBe([...state.rooms.values()].reduce((sum, room) => sum + room.unread, 0));
}

export function expectRoomAsServer(server: ModelServer, client: Client, roomId: string): void {
  const state = client.room(roomId).getSnapshot();
  const truth = server.room(roomId);
  expectWhole(state);
  const shown = state.entries.flatMap((entry) => (entry.kind === "message" ? [entry.message] : []));
  const first = shown[0]?.seq ?? 1;
  expect(shown).toEqual(truth.messages.slice(first - 1, first - 1 + shown.length));
  if (!state.window.hasAfter) expect(first - 1 + shown.length).toBe(truth.messages.length);
  if (!state.window.hasBefore) expect(first).toBe(1);
  expect(state.entries.filter((entry) => entry.kind === "pending")).toEqual([]);
  expectSystemEventsAsServer(truth, state);
  const cursors = Object.fromEntries(state.members.map((member) => [member.user_id, member.read_seq]));
  expect(cursors).toEqual(
    Object.fromEntries([...truth.members.values()].map((m) => [m.user_id, m.read_seq])),
  );
  for (const message of shown) {
    const unread = [...truth.members.values()].filter((member) => member.read_seq < message.seq);
    expect(state.cursors.unreadCount(message.seq)).toBe(unread.length);
  }
}

/** Check that all system events of the window are between its messages, in order. */
function expectSystemEventsAsServer(truth: ModelRoom, state: RoomState): void {
  const { hasBefore, hasAfter } = state.window;
  const versions = truth.messages.map(({ version }) => version);
  const shown = state.entries.map((entry) =>
    entry.kind === "message" ? entry.message.version : Number(entry.key.split("/")[1]),
  );
  const [first, last] = [hasBefore ? (shown[0] ?? 0) : 1, hasAfter ? (shown.at(-1) ?? 0) : truth.version];
  const systemEvents = truth.events.flatMap((event) => (truth.isSystemEvent(event) ? [event.version] : []));
  const within = [...versions, ...systemEvents].filter((version) => version >= first && version <= last);
  expect(shown).toEqual(within.sort((a, b) => a - b));
}

export async function deleteDatabase(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase("webchat");
    request.onsuccess = () => resolve();
    request.onerror = () => reject(new Error("The database is still in use."));
    request.onblocked = () => reject(new Error("The database is still in use."));
  });
}

export async function start(tabs = 1): Promise<{ server: ModelServer; browser: Browser; tab: Tab }> {
  await deleteDatabase();
  const server = new ModelServer();
  for (const id of ["r1", "r2"]) for (const user of [OTHER, ME]) server.room(id).join(user);
  const browser = new Browser(server);
  for (let opened = 0; opened < tabs; opened += 1) await browser.open();
  await browser.quiet();
  const [tab] = browser.tabs;
  if (!tab) throw new Error("No tab.");
  return { server, browser, tab };
}

/** Use fake time that only advances by the test. All tabs end with their test. */
export function useFakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  });

  afterEach(async () => {
    await endAll();
    vi.useRealTimers();
  });
}
