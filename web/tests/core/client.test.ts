import { describe, expect, it, vi } from "vitest";
import { openDatabase } from "../../src/core/database.ts";
import {
  Browser,
  expectRoomAsServer,
  expectWhole,
  ME,
  messagesOf,
  useFakeTime,
  OTHER,
  start,
  runTasks,
  deleteDatabase,
} from "./browser.ts";
import type { Tab } from "./browser.ts";
import { ModelServer } from "./model-server.ts";

useFakeTime();

describe("a room", () => {
  it("opens at the first unread message, whose mark stays while the user reads on", async () => {
    const { server, browser, tab } = await start();
    const room = server.room("r1");
    for (let count = 1; count <= 40; count += 1) room.send(OTHER, `${count}`, `o${count}`);
    await browser.quiet();
    tab.client.actions.markRead("r1", 10);
    await browser.quiet();
    const store = tab.client.room("r1");
    store.open();
    await browser.quiet();
    const state = store.getSnapshot();
    expect(state.firstUnreadSeq).toBe(11);
    expect(messagesOf(state)).toContain("11");
    expect(state.window.hasAfter).toBe(true);
    tab.client.actions.markRead("r1", 40);
    await browser.quiet();
    expect(store.getSnapshot().firstUnreadSeq).toBe(11);
    expect(tab.client.state.getSnapshot().totalUnread).toBe(0);
    expect(room.members.get(ME)?.read_seq).toBe(40);
  });

  it("counts recently read messages as read although the server's reply is older", async () => {
    const { server, browser, tab } = await start();
    const room = server.room("r1");
    for (let count = 1; count <= 5; count += 1) room.send(OTHER, `${count}`, `o${count}`);
    await browser.quiet();
    const socket = tab.sockets.at(-1);
    room.read = (userId) => room.members.get(userId)?.read_seq ?? 0; // The server has not seen the cursor yet.
    tab.client.actions.markRead("r1", 3);
    tab.client.room("r1").open();
    while (socket?.busy) socket.step(0);
    await runTasks();
    expect(tab.client.room("r1").getSnapshot()).toMatchObject({ status: "open", firstUnreadSeq: 4 });
  });

  it("is gone after the user was removed, and loads again when the user is back", async () => {
    const { server, browser, tab } = await start();
    const room = server.room("r1");
    const store = tab.client.room("r1");
    store.open();
    await browser.quiet();
    room.add({ op: "member.left", user_id: ME, by: OTHER });
    server.send(ME, { op: "room.removed", room_id: "r1" });
    await browser.quiet();
    expect(store.getSnapshot().status).toBe("gone");
    expect(tab.client.state.getSnapshot().order).toEqual(["r2"]);
    tab.client.actions.send("r1", { body: "too late" });
    await browser.quiet();
    expect(store.getSnapshot().entries.at(-1)).toMatchObject({ pending: { status: "failed" } });
    room.send(OTHER, "not for me", "o1");
    room.join(ME);
    room.send(OTHER, "hello again", "o2");
    await browser.quiet();
    expect(store.getSnapshot().status).toBe("open");
    expect(
      store
        .getSnapshot()
        .members.map((member) => member.user_id)
        .sort(),
    ).toEqual([ME, OTHER]);
    expect(messagesOf(store.getSnapshot())).toEqual(["too late", "system", "1", "system", "2"]);
  });

  it("lowers the unread counts with every reader", async () => {
    const { server, browser, tab } = await start();
    const room = server.room("r1");
    tab.client.room("r1").open();
    tab.client.actions.send("r1", { body: "hello" });
    await browser.quiet();
    const { cursors } = tab.client.room("r1").getSnapshot();
    expect(cursors.unreadCount(1)).toBe(1);
    expect(cursors.who(1)).toEqual({ read: [ME], unread: [OTHER] });
    room.read(OTHER, 1);
    await browser.quiet();
    expect(tab.client.room("r1").getSnapshot().cursors.unreadCount(1)).toBe(0);
  });

  it("jumps to a message while it is loading or reloading", async () => {
    const { server, browser, tab } = await start();
    for (let count = 1; count <= 60; count += 1) server.room("r1").send(OTHER, `${count}`, `o${count}`);
    await browser.quiet();
    const store = tab.client.room("r1");
    store.open();
    const [jumped] = await Promise.all([store.jumpTo({ seq: 30 }), browser.quiet()]);
    expect(jumped).toEqual({ ok: true, seq: 30 });
    expect(messagesOf(store.getSnapshot())).toContain("30");
    const again = store.jumpTo({ seq: 10 });
    await runTasks();
    const socket = tab.sockets.at(-1);
    socket?.event({ op: "room.reset", room_id: "r1" });
    while (socket?.busy) socket.step(1);
    const [result] = await Promise.all([again, browser.quiet()]);
    expect(result).toEqual({ ok: true, seq: 10 });
    expect(messagesOf(store.getSnapshot())).toContain("10");
    expectWhole(store.getSnapshot());
  });

  it("is entered again automatically after the server was unavailable", async () => {
    const { server, browser, tab } = await start();
    server.room("r1").send(OTHER, "hello", "o1");
    const answer = server.reply.bind(server);
    let away = true;
    server.reply = (userId, frame) =>
      away && frame.op === "room.enter"
        ? { op: "error", code: "unavailable", detail: "Away." }
        : answer(userId, frame);
    const store = tab.client.room("r1");
    store.open();
    await browser.quiet();
    expect(store.getSnapshot()).toMatchObject({
      status: "loading",
      window: { error: { code: "unavailable" } },
    });
    away = false;
    await browser.quiet();
    expect(messagesOf(store.getSnapshot())).toEqual(["1"]);
    expect(store.getSnapshot().window.error).toBeNull();
  });

  it("is unloaded a while after it was closed, and complete when it is opened again", async () => {
    const { server, browser, tab } = await start();
    server.room("r1").send(OTHER, "hello", "o1");
    const store = tab.client.room("r1");
    store.open();
    await browser.quiet();
    store.close();
    for (let count = 10; count < 32; count += 1) {
      for (const user of [OTHER, ME]) server.room(`r${count}`).join(user);
      await browser.quiet();
      tab.client.room(`r${count}`).open();
      tab.client.room(`r${count}`).close();
    }
    await browser.quiet();
    expect(store.getSnapshot().entries).toEqual([]);
    server.room("r1").send(OTHER, "again", "o2");
    store.open();
    await browser.quiet();
    expect(messagesOf(store.getSnapshot())).toEqual(["1", "2"]);
    expectRoomAsServer(server, tab.client, "r1");
  });

  it("keeps the scroll position when its log is lost", async () => {
    const { server, browser, tab } = await start();
    const room = server.room("r1");
    for (let count = 1; count <= 60; count += 1) room.send(OTHER, `${count}`, `o${count}`);
    const store = tab.client.room("r1");
    await browser.quiet();
    tab.client.actions.markRead("r1", 60);
    store.open();
    await browser.quiet();
    await Promise.all([store.jumpTo({ seq: 20 }), browser.quiet()]);
    store.setVisibleRange(18, 22);
    server.loseLogs();
    await browser.quiet();
    expect(messagesOf(store.getSnapshot())).toContain("20");
    expectWhole(store.getSnapshot());
  });

  it("deletes a message after five seconds unless that is undone", async () => {
    const { browser, tab } = await start();
    const { client } = tab;
    const store = client.room("r1");
    store.open();
    client.actions.send("r1", { body: "one" });
    await browser.quiet();
    client.actions.remove("r1", 1);
    expect(store.getSnapshot().entries.at(-1)).toMatchObject({ removingUntil: Date.now() + 5_000 });
    client.actions.undoRemove("r1", 1);
    vi.advanceTimersByTime(6_000);
    await browser.quiet();
    expect(store.getSnapshot().entries.at(-1)).toMatchObject({ message: { body: "one" } });
    expect(store.getSnapshot().entries.at(-1)).not.toHaveProperty("removingUntil");
    client.actions.remove("r1", 1);
    vi.advanceTimersByTime(5_000);
    await browser.quiet();
    expect(store.getSnapshot().entries.at(-1)).toMatchObject({ message: { body: "", deleted: true } });
  });
});

describe("the start", () => {
  it("shows the cached state before the server has answered", async () => {
    const { server, browser, tab } = await start();
    const room = server.room("r1");
    room.send(OTHER, "kept", "o1");
    room.add({ op: "room.updated", by: OTHER, title: "New" });
    room.send(OTHER, "kept too", "o2");
    tab.client.room("r1").open();
    await browser.quiet();
    tab.client.stop();
    browser.tabs.splice(0);
    await runTasks();
    const { client } = await browser.open();
    client.room("r1").open();
    await runTasks(30);
    expect(client.state.getSnapshot()).toMatchObject({
      phase: "ready",
      connection: { status: "connecting" },
    });
    expect([...client.state.getSnapshot().rooms.keys()].sort()).toEqual(["r1", "r2"]);
    const kept = client.room("r1").getSnapshot().entries;
    expect(messagesOf(client.room("r1").getSnapshot())).toEqual(["1", "system", "2"]);
    await browser.quiet();
    expect(client.room("r1").getSnapshot().entries).toBe(kept);
  });

  it("works offline right after the first sign-in", async () => {
    await deleteDatabase();
    const server = new ModelServer();
    server.room("r1").join(ME);
    const browser = new Browser(server);
    const tab = await browser.open();
    for (let step = 0; step < 6; step += 1) tab.sockets.at(-1)?.step(step);
    await runTasks(4);
    expect(tab.client.state.getSnapshot().phase).toBe("ready");
    tab.client.stop();
    browser.tabs.splice(0);
    const { client } = await browser.open();
    expect(client.state.getSnapshot()).toMatchObject({ phase: "ready", order: ["r1"] });
  });

  it("asks the server who is signed in if nothing is stored, and shows the sign-in without a cookie", async () => {
    await deleteDatabase();
    const server = new ModelServer();
    const browser = new Browser(server);
    server.session = "expired";
    const { client } = await browser.open();
    expect(client.state.getSnapshot()).toMatchObject({ phase: "signed_out", signedOutBecause: null });
    server.session = "active";
    const second = await browser.open();
    await browser.quiet();
    expect(second.client.state.getSnapshot()).toMatchObject({ phase: "ready", me: { user_id: ME } });
  });

  it("shows the sign-in if nothing is stored and there is no network", async () => {
    await deleteDatabase();
    const server = new ModelServer();
    const browser = new Browser(server);
    server.fetch = () => {
      throw new TypeError("No network.");
    };
    const { client } = await browser.open();
    expect(client.state.getSnapshot()).toMatchObject({ phase: "signed_out", signedOutBecause: null });
  });

  it("keeps messages that were written offline over a reload, in position and in order", async () => {
    const { server, browser, tab } = await start();
    tab.client.room("r1").open();
    await browser.quiet();
    tab.events.networkChanged(false);
    for (const body of ["one", "two", "three"]) tab.client.actions.send("r1", { body });
    expect(messagesOf(tab.client.room("r1").getSnapshot())).toEqual(["one", "two", "three"]);
    await runTasks(3);
    await browser.reload(0);
    const client = browser.tabs[0]?.client;
    client?.room("r1").open();
    await runTasks(30);
    expect(client && messagesOf(client.room("r1").getSnapshot())).toEqual(["one", "two", "three"]);
    await browser.quiet();
    expect(server.room("r1").messages.map((message) => message.body)).toEqual(["one", "two", "three"]);
  });

  it("sends read cursors that moved offline before the tab was closed", async () => {
    const { server, browser, tab } = await start();
    server.room("r1").send(OTHER, "hello", "o1");
    await browser.quiet();
    tab.events.networkChanged(false);
    tab.client.actions.markRead("r1", 1);
    await browser.reload(0);
    await browser.quiet();
    expect(server.room("r1").members.get(ME)?.read_seq).toBe(1);
    expect(browser.tabs[0]?.client.state.getSnapshot().totalUnread).toBe(0);
  });
});

describe("two tabs", () => {
  async function two(): Promise<{ server: ModelServer; browser: Browser; a: Tab; b: Tab }> {
    const { server, browser } = await start(2);
    const [a, b] = browser.tabs;
    if (!a || !b) throw new Error("Two tabs.");
    return { server, browser, a, b };
  }

  it("elect one leader, and another one when it is closed", async () => {
    const { browser, a, b } = await two();
    const leaders = (): boolean[] => [a, b].map(({ client }) => client.state.getSnapshot().leader);
    expect(leaders().filter(Boolean)).toHaveLength(1);
    const [first, second] = leaders()[0] ? [a, b] : [b, a];
    first.client.stop();
    await browser.quiet();
    expect(second.client.state.getSnapshot().leader).toBe(true);
  });

  it("share read cursors at once", async () => {
    const { server, browser, a, b } = await two();
    server.room("r1").send(OTHER, "hello", "o1");
    await browser.quiet();
    expect([a, b].map(({ client }) => client.state.getSnapshot().totalUnread)).toEqual([1, 1]);
    a.client.actions.markRead("r1", 1);
    await runTasks(20);
    expect([a, b].map(({ client }) => client.state.getSnapshot().totalUnread)).toEqual([0, 0]);
  });

  it("notify once, not for a room that either shows, and withdraw what was read elsewhere", async () => {
    const { server, browser, a, b } = await two();
    const events: string[] = [];
    for (const { client } of [a, b])
      client.alerts.subscribe((change) => events.push(`${change.kind} ${change.roomId}`));
    server.room("r1").send(OTHER, "hello", "o1");
    await browser.quiet();
    expect(events).toEqual(["show r1"]);
    server.room("r1").read(ME, 1);
    await browser.quiet();
    expect(events).toEqual(["show r1", "withdraw r1"]);
    for (const { client } of [a, b]) {
      client.actions.setFocus("r2");
      await runTasks(20);
      server.room("r2").send(OTHER, "seen", `o${events.length}${client === a.client ? "a" : "b"}`);
      await browser.quiet();
      client.actions.setFocus(null);
      await runTasks(20);
    }
    expect(events).toEqual(["show r1", "withdraw r1"]);
  });

  it("both sign out when the session ends, and delete all data of the user", async () => {
    const { server, browser, a, b } = await two();
    a.client.actions.setDraft("r1", { text: "secret" });
    vi.advanceTimersByTime(400);
    expect(browser.storage.getItem("webchat.draft.r1")).toContain("secret");
    a.client.actions.send("r1", { body: "secret" });
    await browser.quiet();
    for (const line of [...server.sockets]) line.event({ op: "session.revoked" });
    await browser.quiet();
    for (const { client } of [a, b]) {
      const state = client.state.getSnapshot();
      expect(state).toMatchObject({ phase: "signed_out", signedOutBecause: "revoked", me: null });
      expect([state.rooms.size, state.profiles.size, state.drafts.size]).toEqual([0, 0, 0]);
    }
    expect(browser.storage.length).toBe(0);
    const database = await openDatabase();
    expect([
      await database.loadUserState(),
      await database.listMessages(),
      await database.loadPage("r1"),
    ]).toEqual([undefined, [], undefined]);
    database.close();
  });
});

describe("a burst", () => {
  it("of 1,000 events notifies listeners once per frame", async () => {
    const { server, browser, tab } = await start();
    const store = tab.client.room("r1");
    store.open();
    await browser.quiet();
    let calls = 0;
    store.subscribe(() => (calls += 1));
    for (let count = 0; count < 1_000; count += 1) server.room("r1").send(OTHER, `${count}`, `o${count}`);
    const socket = tab.sockets.at(-1);
    while (socket?.busy) socket.step(0);
    expect(calls).toBe(0);
    vi.advanceTimersByTime(20);
    expect(calls).toBe(1);
    expect(store.getSnapshot().lastSeq).toBe(1_000);
  });
});
