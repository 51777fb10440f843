import { describe, expect, it } from "vitest";
import { openDatabase } from "../../src/core/database.ts";
import { ME, useFakeTime, OTHER, start, runTasks } from "./browser.ts";
import type { Browser, Tab } from "./browser.ts";
import type { ModelServer } from "./model-server.ts";

useFakeTime();

describe("a missing session", () => {
  /** Write two messages and a draft offline, then reload the tab without a session. */
  async function left(
    session: "expired" | "ended",
  ): Promise<{ server: ModelServer; browser: Browser; tab: Tab }> {
    const { server, browser, tab } = await start();
    tab.events.networkChanged(false);
    tab.client.actions.setDraft("r2", { text: "half a thought" });
    for (const body of ["one", "two"]) tab.client.actions.send("r1", { body });
    await runTasks();
    expect(tab.client.state.getSnapshot().unsent).toBe(2);
    server.session = session;
    await browser.reload(0);
    await runTasks(30);
    const [again] = browser.tabs;
    if (!again) throw new Error("No tab.");
    return { server, browser, tab: again };
  }

  const kept = async (): Promise<unknown[]> => {
    const database = await openDatabase();
    const stored = [await database.loadUserState(), (await database.listMessages()).map(({ body }) => body)];
    database.close();
    return stored;
  };

  it("that expired keeps unsent messages until the same user signs in", async () => {
    const { server, browser, tab } = await left("expired");
    const { client } = tab;
    expect(client.state.getSnapshot()).toMatchObject({ phase: "signed_out", signedOutBecause: "expired" });
    expect(await kept()).toEqual([undefined, ["one", "two"]]);
    await client.actions.signIn(ME, "secret");
    await browser.quiet();
    expect(server.room("r1").messages.map((message) => message.body)).toEqual(["one", "two"]);
    expect(client.state.getSnapshot()).toMatchObject({ phase: "ready", unsent: 0 });
    expect(client.state.getSnapshot().drafts.get("r2")).toEqual({ text: "half a thought" });
  });

  it("that expired keeps nothing for another user", async () => {
    const { server, browser, tab } = await left("expired");
    browser.userId = OTHER;
    await tab.client.actions.signIn(OTHER, "secret");
    await browser.quiet();
    expect(tab.client.state.getSnapshot()).toMatchObject({ phase: "ready", me: { user_id: OTHER } });
    expect([server.room("r1").messages, tab.client.state.getSnapshot().drafts.size]).toEqual([[], 0]);
    expect((await kept())[1]).toEqual([]);
  });

  it("that was revoked keeps nothing", async () => {
    const { browser, tab } = await left("ended");
    expect(tab.client.state.getSnapshot()).toMatchObject({
      phase: "signed_out",
      signedOutBecause: "revoked",
    });
    expect(await kept()).toEqual([undefined, []]);
    expect(browser.storage.length).toBe(0);
  });

  it.each([
    ["expired", "half a thought"],
    ["ended", null],
  ] as const)("is noticed while the socket was open: %s", async (session, draft) => {
    const { server, browser, tab } = await start();
    tab.client.actions.setDraft("r2", { text: "half a thought" });
    server.session = session;
    tab.sockets.at(-1)?.break(4401);
    await browser.quiet();
    const because = session === "ended" ? "revoked" : "expired";
    expect(tab.client.state.getSnapshot()).toMatchObject({ phase: "signed_out", signedOutBecause: because });
    expect(browser.storage.getItem("webchat.draft.r2")).toEqual(draft && expect.stringContaining(draft));
  });
});
