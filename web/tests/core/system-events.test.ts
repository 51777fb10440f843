import { describe, expect, it } from "vitest";
import { messagesOf, useFakeTime, OTHER, start } from "./browser.ts";

useFakeTime();

describe("a room", () => {
  it("shows the system messages of each page", async () => {
    const { server, browser, tab } = await start();
    const room = server.room("r1");
    for (let n = 1; n <= 15; n += 1) {
      room.send(OTHER, `${n}`, `o${n}`);
      if (n % 5 === 0) room.add({ op: "room.updated", by: OTHER, title: `After ${n}` });
    }
    const store = tab.client.room("r1");
    store.open();
    await browser.quiet();
    for (const load of [
      store.loadAfter,
      store.loadAfter,
      store.toLatest,
      store.loadBefore,
      store.loadBefore,
    ]) {
      void load();
      await browser.quiet();
    }
    const numbered = Array.from({ length: 15 }, (_, index) => `${index + 1}`);
    const wanted = numbered.flatMap((seq) => (Number(seq) % 5 === 0 ? [seq, "system"] : [seq]));
    expect(messagesOf(store.getSnapshot())).toEqual(wanted);
  });
});
