import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Client } from "../../src/core/index.ts";
import {
  expectAsServer,
  expectRoomAsServer,
  ME,
  messagesOf,
  OTHER,
  runTasks,
  start,
  useFakeTime,
} from "./browser.ts";
import type { Browser, Tab } from "./browser.ts";
import type { FakeSocket, ModelRoom, ModelServer } from "./model-server.ts";

useFakeTime();
beforeEach(() => void vi.spyOn(console, "warn").mockReturnValue());
afterEach(() => void vi.restoreAllMocks());

type Cursors = Record<string, number>;

/** What each change does to a room of two messages whose newest version is 4. */
const CHANGES: Record<string, (room: ModelRoom) => void> = {
  "message.created": (room) => void room.send(OTHER, "lost", "lost"),
  "message.edited": (room) =>
    void room.add({ op: "message.edited", seq: 1, body: "edited", edited_at: "", by: OTHER }),
  "message.deleted": (room) => void room.add({ op: "message.deleted", seq: 1, by: OTHER }),
  "message.reacted": (room) =>
    void room.add({ op: "message.reacted", seq: 1, user_id: OTHER, emoji: "👍", removed: false }),
  "member.joined": (room) => room.join("third"),
  "room.updated": (room) => void room.add({ op: "room.updated", by: OTHER, title: "Renamed" }),
};

interface Started {
  server: ModelServer;
  browser: Browser;
  tab: Tab;
  client: Client;
  room: ModelRoom;
  /** The cursors of each `hello` since the start. */
  hellos: Cursors[];
  alerts: string[];
}

/** Start with two messages in `r1`, which is open unless it is `closed`. */
async function started(closed = false): Promise<Started> {
  const { server, browser, tab } = await start();
  const { client } = tab;
  const room = server.room("r1");
  for (const body of ["one", "two"]) room.send(OTHER, body, body);
  await browser.quiet();
  if (!closed) client.room("r1").open();
  await browser.quiet();
  const [hellos, alerts]: [Cursors[], string[]] = [[], []];
  const hello = server.hello.bind(server);
  server.hello = (userId, cursors, epoch) => {
    hellos.push(cursors);
    return hello(userId, cursors, epoch);
  };
  client.alerts.subscribe((change) => {
    if (change.kind === "show") alerts.push(change.message.body);
  });
  return { server, browser, tab, client, room, hellos, alerts };
}

function socketOf({ sockets }: Tab): FakeSocket {
  const socket = sockets.at(-1);
  if (!socket) throw new Error("No socket.");
  return socket;
}

/** Deliver everything that the server has sent. */
function deliver(socket: FakeSocket): void {
  while (socket.busy) socket.step(0);
}

/** Change the server without sending anything about it. */
function withoutFrames(server: ModelServer, change: () => void): void {
  const send = server.send.bind(server);
  server.send = () => undefined;
  change();
  server.send = send;
}

/** Give the client a snapshot of the room in an answer over HTTP, which overtakes the socket. */
async function addOverHttp(server: ModelServer, client: Client, room: ModelRoom): Promise<void> {
  const fetch = server.fetch.bind(server);
  server.fetch = (userId, url) =>
    url === "/api/rooms" ? Response.json(room.seenBy(ME)) : fetch(userId, url);
  await client.actions.createDirect(OTHER);
}

function gapsOf(client: Client): number {
  return client.state.getSnapshot().gaps;
}

function expectComplete({ server, client }: Started): void {
  expectAsServer(server, client);
  expectRoomAsServer(server, client, "r1");
}

describe("an event that is lost on the wire", () => {
  it.each(Object.entries(CHANGES))("%s: stops all later ones until it has arrived", async (_, change) => {
    const all = await started();
    const { browser, tab, client, room, hellos, alerts } = all;
    const [before, summary] = [client.room("r1").getSnapshot(), client.state.getSnapshot().rooms.get("r1")];
    const socket = socketOf(tab);
    socket.dropsNextEvent = true;
    change(room);
    for (const body of ["next", "after"]) room.send(OTHER, body, body);
    deliver(socket);
    vi.advanceTimersByTime(20);
    expect(client.room("r1").getSnapshot().entries).toEqual(before.entries);
    expect(client.state.getSnapshot()).toMatchObject({ gaps: 1, connection: { status: "reconnecting" } });
    expect(client.state.getSnapshot().rooms.get("r1")).toEqual(summary);
    expect(alerts).toEqual([]);
    expect(socket.readyState).toBe(3);
    expect(vi.mocked(console.warn).mock.calls).toEqual([
      ["Room r1: expected version 5, received 6. Resuming."],
    ]);
    await browser.quiet();
    expect(hellos).toEqual([{ r1: 4 }]);
    expectComplete(all);
    expect(alerts.slice(-2)).toEqual(["next", "after"]);
    expect(gapsOf(client)).toBe(1);
  });

  it("stops a message of the user and sends it once", async () => {
    const all = await started();
    const { browser, tab, client, room } = all;
    socketOf(tab).dropsNextEvent = true;
    room.send(OTHER, "lost", "lost");
    client.actions.send("r1", { body: "mine" });
    await browser.quiet();
    expectComplete(all);
    expect(messagesOf(client.room("r1").getSnapshot())).toEqual(["1", "2", "3", "4"]);
    expect([gapsOf(client), client.state.getSnapshot().unsent]).toEqual([1, 0]);
  });

  it.each(["room.reset", "room.added"])("is an acknowledged message, which %s passes over", async (op) => {
    const { server, browser, tab, client, room } = await started();
    socketOf(tab).dropsNextEvent = true;
    client.actions.send("r1", { body: "mine" });
    await browser.quiet();
    expect(client.room("r1").getSnapshot().entries.at(-1)).toMatchObject({ pending: { status: "stored" } });
    if (op === "room.reset") server.loseLogs();
    withoutFrames(server, () => {
      for (let count = 0; count < 20; count += 1) room.send(OTHER, "later", `o${count}`);
    });
    if (op === "room.added") server.send(ME, { op, room: room.seenBy(ME) });
    await browser.quiet();
    expectRoomAsServer(server, client, "r1");
  });

  it("of a room that is not open: the next snapshot has it", async () => {
    const all = await started(true);
    const { server, browser, tab, client, room, hellos, alerts } = all;
    socketOf(tab).dropsNextEvent = true;
    for (const body of ["lost", "next"]) room.send(OTHER, body, body);
    deliver(socketOf(tab));
    expect(client.state.getSnapshot().rooms.get("r1")?.version).toBe(4);
    await browser.quiet();
    expect(hellos).toEqual([{}]);
    expectAsServer(server, client);
    expect([alerts, gapsOf(client)]).toEqual([["next"], 1]);
  });

  it("while resuming, when the summary is newer than the room", async () => {
    const all = await started();
    const { browser, tab, client, room, hellos } = all;
    socketOf(tab).break(1006);
    CHANGES["message.edited"]?.(room);
    for (const body of ["next", "after"]) room.send(OTHER, body, body);
    vi.advanceTimersByTime(2_000);
    const socket = socketOf(tab);
    socket.dropsNextEvent = true;
    deliver(socket);
    expect(client.state.getSnapshot().rooms.get("r1")?.version).toBe(7);
    expect(messagesOf(client.room("r1").getSnapshot())).toEqual(["1", "2"]);
    await browser.quiet();
    expect(hellos).toEqual([{ r1: 4 }, { r1: 4 }]);
    expectComplete(all);
    expect(gapsOf(client)).toBe(1);
  });

  it("again and again: the room is loaded from its snapshot", async () => {
    const all = await started();
    const { server, browser, tab, client, room, hellos } = all;
    const hello = server.hello.bind(server);
    server.hello = (...args) =>
      hello(...args).filter((frame) => !("version" in frame) || frame.version !== 5);
    socketOf(tab).dropsNextEvent = true;
    CHANGES["message.edited"]?.(room);
    room.send(OTHER, "next", "next");
    await browser.quiet();
    expect(hellos).toEqual([{ r1: 4 }, {}]);
    expectComplete(all);
    expect([gapsOf(client), tab.sockets.length]).toEqual([2, 3]);
    room.send(OTHER, "later", "later");
    await browser.quiet();
    socketOf(tab).break(1006);
    await browser.quiet();
    expect(hellos.at(-1)).toEqual({ r1: 7 });
    expectComplete(all);
    expect(gapsOf(client)).toBe(2);
  });
});

describe("a version that is not the next one, but no gap", () => {
  it("of a room that the client does not have", async () => {
    const { server, browser, client } = await started();
    const room = server.room("r9");
    for (const user of [OTHER, "third"]) room.join(user);
    for (const body of ["one", "two"]) room.send(OTHER, body, body);
    client.room("r9").open();
    await browser.quiet();
    expect(client.room("r9").getSnapshot().status).toBe("gone");
    room.join(ME); // The event of joining comes before `room.added` here.
    room.send(OTHER, "three", "three");
    await browser.quiet();
    expectRoomAsServer(server, client, "r9");
    expectAsServer(server, client);
    expect(gapsOf(client)).toBe(0);
  });

  it.each([true, false])("of a user who is back in a room, with room.removed: %s", async (announced) => {
    const all = await started();
    const { server, browser, client, room } = all;
    room.add({ op: "member.left", user_id: ME, by: OTHER });
    if (announced) server.send(ME, { op: "room.removed", room_id: "r1" });
    await browser.quiet();
    for (const body of ["three", "four"]) room.send(OTHER, body, body);
    withoutFrames(server, () => room.join(ME)); // A gateway delivers from `room.added` on.
    server.send(ME, { op: "room.added", room: room.seenBy(ME) });
    room.send(OTHER, "five", "five");
    await browser.quiet();
    const seqs = messagesOf(client.room("r1").getSnapshot()).filter((seq) => seq !== "system");
    expect(seqs).toEqual(["1", "2", "3", "4", "5"]);
    expectComplete(all);
    expect(gapsOf(client)).toBe(0);
  });

  it("of a user who is back in a room that only an answer over HTTP has announced", async () => {
    const all = await started();
    const { server, browser, client, room } = all;
    room.add({ op: "member.left", user_id: ME, by: OTHER });
    server.send(ME, { op: "room.removed", room_id: "r1" });
    await browser.quiet();
    for (const body of ["three", "four"]) room.send(OTHER, body, body);
    await addOverHttp(server, client, room);
    room.join(ME);
    room.send(OTHER, "five", "five");
    await browser.quiet();
    expectComplete(all);
    expect(gapsOf(client)).toBe(0);
  });

  it("because a snapshot over HTTP was faster", async () => {
    const all = await started();
    const { server, browser, tab, client, room } = all;
    for (const body of ["three", "four"]) room.send(OTHER, body, body);
    await addOverHttp(server, client, room);
    await runTasks();
    expect(client.state.getSnapshot().rooms.get("r1")?.version).toBe(6);
    room.send(OTHER, "five", "five");
    deliver(socketOf(tab));
    await browser.quiet();
    expectComplete(all);
    expect(gapsOf(client)).toBe(0);
  });

  it("because the log was lost, with and without the room loaded", async () => {
    const all = await started();
    const { server, browser, client, room } = all;
    server.room("r2").send(OTHER, "one", "r2");
    server.loseLogs();
    for (const id of ["r1", "r2"]) server.room(id).send(OTHER, "after", `${id} after`);
    await browser.quiet();
    room.send(OTHER, "later", "later");
    await browser.quiet();
    expectComplete(all);
    expect(gapsOf(client)).toBe(0);
  });

  it("because the cached state is older", async () => {
    const all = await started();
    const { server, browser, client, room } = all;
    client.stop();
    browser.tabs.splice(0);
    await runTasks();
    for (const body of ["three", "four"]) room.send(OTHER, body, body);
    const tab = await browser.open();
    tab.client.room("r1").open();
    await browser.quiet();
    room.send(OTHER, "five", "five");
    await browser.quiet();
    expectAsServer(server, tab.client);
    expectRoomAsServer(server, tab.client, "r1");
    expect(gapsOf(tab.client)).toBe(0);
  });
});
