import "fake-indexeddb/auto";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../src/core/database.ts";
import type { Database, StoredMessage } from "../../src/core/database.ts";
import { Outbox } from "../../src/core/outbox.ts";
import type { Acknowledged, OutboxHost } from "../../src/core/outbox.ts";
import { failure } from "../../src/core/requests.ts";
import type { Reply } from "../../src/core/requests.ts";

const ME = "me";

type Fate = "ok" | "lost_before" | "lost_after" | "rate_limited" | "unavailable" | "rejected";

/** The server's part: stores each client_id once, and replies or fails. */
class Server {
  readonly stored: StoredMessage[] = [];
  readonly #seqs = new Map<string, number>();
  readonly #rejected = new Set<string>();
  fates: Fate[] = [];
  online = true;
  sent = 0;

  async take(message: StoredMessage): Promise<Reply> {
    this.sent += 1;
    const fate = this.#rejected.has(message.clientId) ? "rejected" : (this.fates.shift() ?? "ok");
    await sleep();
    if (fate === "rejected") {
      this.#rejected.add(message.clientId);
      return failure("forbidden", "Blocked.");
    }
    if (fate === "rate_limited") return failure("rate_limited", "Slowly.", 1);
    if (fate === "unavailable") return failure("unavailable", "Away.");
    if (fate === "lost_before") return this.#cut();
    const seq = this.#store(message);
    if (fate === "lost_after") return this.#cut();
    return { ok: true, reply: { op: "ok", id: "1", seq } };
  }

  /** Accept rejected messages again. Only those that were never stored are affected. */
  acceptAgain(): void {
    this.#rejected.clear();
  }

  #store(message: StoredMessage): number {
    const known = this.#seqs.get(message.clientId);
    if (known !== undefined) return known;
    const seq = this.#seqs.size + 1;
    this.#seqs.set(message.clientId, seq);
    this.stored.push(message);
    return seq;
  }

  #cut(): Reply {
    this.online = false;
    return failure("unavailable", "The connection was lost.");
  }
}

async function sleep(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function settle(rounds = 40): Promise<void> {
  for (let round = 0; round < rounds; round += 1) await sleep();
}

const turns = new Map<string, Promise<void>>();

/** Run one task at a time, like the browser's locks across tabs. */
function withLock(name: string, work: () => Promise<void>): Promise<void> {
  const turn = (turns.get(name) ?? Promise.resolve()).then(work);
  turns.set(name, turn);
  return turn;
}

class Browser {
  readonly tabs: Outbox[] = [];
  readonly #databases: Database[] = [];
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async open(locked = true): Promise<Outbox> {
    const database = await openDatabase();
    const outbox: Outbox = new Outbox(
      database,
      this.#host(() => outbox, locked),
      ME,
    );
    this.tabs.push(outbox);
    this.#databases.push(database);
    await outbox.load();
    return outbox;
  }

  async reload(which: number, locked = true): Promise<void> {
    const index = which % this.tabs.length;
    await settle(3); // Let the started write finish.
    this.tabs[index]?.end();
    this.tabs.splice(index, 1);
    await this.open(locked);
  }

  async wipe(): Promise<void> {
    for (const tab of this.tabs) tab.end();
    await settle();
    await this.#databases[0]?.wipe();
    for (const database of this.#databases) database.close();
  }

  #host(self: () => Outbox, locked: boolean): OutboxHost {
    const server = this.#server;
    return {
      now: () => 0,
      online: () => server.online,
      transmit: (message) => server.take(message),
      lastSeq: () => 0,
      changed: () => undefined,
      notifyTabs: (done?: Acknowledged) => {
        for (const tab of this.tabs) {
          if (tab === self()) continue;
          if (done) tab.acknowledged(done);
          void tab.load();
        }
      },
      withLock: locked ? withLock : (_, work) => work(),
      sleep,
      sendDelay: () => 0,
      storageFailed: () => expect.unreachable("the database takes everything here"),
    };
  }
}

const open: Browser[] = [];
afterEach(async () => {
  for (const browser of open.splice(0)) await browser.wipe();
});

function browserFor(server: Server): Browser {
  const browser = new Browser(server);
  open.push(browser);
  return browser;
}

function write(outbox: Outbox, body: string, roomId = "r"): string {
  return outbox.add({ roomId, body, mentions: [], attachments: [] });
}

const fate = fc.constantFrom<Fate>(
  "ok",
  "ok",
  "ok",
  "lost_before",
  "lost_after",
  "rate_limited",
  "unavailable",
);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ step: fc.constant("write" as const), tab: fc.nat(3), room: fc.nat(1) }),
  },
  { weight: 2, arbitrary: fc.record({ step: fc.constant("network" as const), online: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ step: fc.constant("reload" as const), tab: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ step: fc.constant("wait" as const), rounds: fc.nat(8) }) },
);

describe("any sequence of replies, disconnects and tabs", () => {
  it.each([true, false])(
    "stores each message once, in the order in which it was written (locks: %s)",
    async (locked) => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 3 }),
          fc.array(fate, { maxLength: 30 }),
          fc.array(step, { maxLength: 25 }),
          async (tabs, fates, steps) => {
            const server = new Server();
            server.fates = fates;
            const browser = new Browser(server);
            for (let tab = 0; tab < tabs; tab += 1) await browser.open(locked);
            const written: string[] = [];
            for (const taken of steps) {
              if (taken.step === "write") {
                const tab = browser.tabs[taken.tab % tabs];
                if (tab) write(tab, `${written.length}`, `room ${taken.room}`);
                written.push(`room ${taken.room}/${written.length}`);
                await settle(2); // The user writes in one tab, then in another.
              } else if (taken.step === "network") {
                server.online = taken.online;
                if (taken.online) for (const tab of browser.tabs) tab.resume();
              } else if (taken.step === "reload") await browser.reload(taken.tab, locked);
              else await settle(taken.rounds);
            }
            for (let round = 0; round < 40 && server.stored.length < written.length; round += 1) {
              server.online = true;
              for (const tab of browser.tabs) tab.resume();
              await settle(25);
            }
            for (const room of ["room 0", "room 1"])
              expect(server.stored.filter((m) => m.roomId === room).map((m) => `${room}/${m.body}`)).toEqual(
                written.filter((name) => name.startsWith(room)),
              );
            await browser.wipe();
          },
        ),
        { numRuns: 60, endOnFailure: true },
      );
    },
    60_000,
  );
});

describe("a message", () => {
  it("written offline survives a reload and is sent once online", async () => {
    const server = new Server();
    server.online = false;
    const browser = browserFor(server);
    write(await browser.open(), "first");
    const [tab] = browser.tabs;
    if (tab) write(tab, "second");
    await browser.reload(0);
    const [after] = browser.tabs;
    expect(after?.list("r").map((item) => [item.pending.body, item.pending.status])).toEqual([
      ["first", "pending"],
      ["second", "pending"],
    ]);
    server.online = true;
    after?.resume();
    await settle();
    expect(server.stored.map((message) => message.body)).toEqual(["first", "second"]);
    expect(after?.list("r").map((item) => item.pending.status)).toEqual(["stored", "stored"]);
  });

  it("is shown at once, then sent, stored, and removed when the room contains it", async () => {
    const server = new Server();
    const tab = await browserFor(server).open();
    const clientId = write(tab, "hello");
    const status = (): string | undefined => tab.list("r")[0]?.pending.status;
    expect(status()).toBe("pending");
    while (status() === "pending") await sleep();
    expect(status()).toBe("sent");
    await settle();
    expect(status()).toBe("stored");
    tab.settle(clientId);
    expect(tab.list("r")).toEqual([]);
  });

  it("that was rejected keeps its position, lets others pass, and is sent again on request", async () => {
    const server = new Server();
    server.fates = ["ok", "rejected", "ok"];
    const tab = await browserFor(server).open();
    write(tab, "one");
    const rejected = write(tab, "two");
    write(tab, "three");
    await settle();
    expect(server.stored.map((m) => m.body)).toEqual(["one", "three"]);
    expect(tab.list("r")[1]).toMatchObject({
      afterSeq: 0,
      pending: { status: "failed", error: { code: "forbidden" } },
    });
    expect([...tab.failedRooms()]).toEqual(["r"]);
    server.acceptAgain();
    tab.retry(rejected);
    await settle();
    expect(server.stored.map((m) => m.body)).toEqual(["one", "three", "two"]);
    expect(tab.failedRooms().size).toBe(0);
  });

  it("that was rejected stays so after a reload", async () => {
    const server = new Server();
    server.fates = ["rejected"];
    const browser = browserFor(server);
    write(await browser.open(), "no");
    await settle();
    await browser.reload(0);
    await settle();
    expect(browser.tabs[0]?.list("r")[0]?.pending.status).toBe("failed");
    expect(server.sent).toBe(1);
  });

  it("that was discarded is never sent", async () => {
    const server = new Server();
    server.online = false;
    const browser = browserFor(server);
    const tab = await browser.open();
    const other = await browser.open();
    const clientId = write(tab, "no");
    await settle();
    expect(other.list("r")).toHaveLength(1);
    tab.discard(clientId);
    server.online = true;
    tab.resume();
    other.resume();
    await settle();
    expect(server.sent).toBe(0);
    expect([tab.list("r"), other.list("r")]).toEqual([[], []]);
  });

  it("is sent by one tab, and shown as stored in the others until the room contains it", async () => {
    const server = new Server();
    const browser = browserFor(server);
    const tab = await browser.open();
    const other = await browser.open();
    write(tab, "once");
    await settle();
    expect(server.sent).toBe(1);
    expect(other.list("r").map((item) => item.pending.status)).toEqual(["stored"]);
    other.settleUpTo("r", 1);
    expect(other.list("r")).toEqual([]);
  });

  it("whose reply was lost is not sent again once the room contains it", async () => {
    const server = new Server();
    server.fates = ["lost_after"];
    const tab = await browserFor(server).open();
    const clientId = write(tab, "once");
    await settle();
    server.online = true;
    tab.resume();
    tab.settle(clientId); // While the queue is being read.
    await settle();
    expect(server.sent).toBe(1);
    expect(tab.list("r")).toEqual([]);
  });

  it("of another user is neither shown nor sent", async () => {
    const server = new Server();
    server.online = false;
    const browser = browserFor(server);
    write(await browser.open(), "mine");
    await settle();
    server.online = true;
    const database = await openDatabase();
    const sent: StoredMessage[] = [];
    const host: OutboxHost = {
      now: () => 0,
      online: () => true,
      transmit: (message) => {
        sent.push(message);
        return Promise.resolve(failure("invalid", "Not expected."));
      },
      lastSeq: () => 0,
      changed: () => undefined,
      notifyTabs: () => undefined,
      withLock,
      sleep,
      sendDelay: () => 0,
      storageFailed: () => undefined,
    };
    const theirs = new Outbox(database, host, "someone else");
    await theirs.load();
    await settle();
    expect([theirs.list("r"), sent]).toEqual([[], []]);
    database.close();
  });
});
