import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Drafts } from "../../src/core/drafts.ts";
import { MemoryStorage } from "./storage.ts";

function drafts(storage: MemoryStorage): Drafts {
  return new Drafts(
    storage,
    () => undefined,
    () => undefined,
  );
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a draft", () => {
  it("is saved at a pause", () => {
    const storage = new MemoryStorage();
    const tab = drafts(storage);
    tab.set("r", { text: "안" });
    vi.advanceTimersByTime(200);
    tab.set("r", { text: "안녕", replyTo: 3 });
    vi.advanceTimersByTime(200);
    expect(storage.length).toBe(0);
    vi.advanceTimersByTime(200);
    expect(drafts(storage).byRoom.get("r")).toEqual({ text: "안녕", replyTo: 3 });
  });

  it("is saved at once when the tab is hidden", () => {
    const storage = new MemoryStorage();
    const tab = drafts(storage);
    tab.set("r", { text: "half a sen" });
    tab.flush();
    expect(drafts(storage).byRoom.get("r")).toEqual({ text: "half a sen" });
  });

  it("reaches the other tab, but does not replace a draft that is being written there", () => {
    const storage = new MemoryStorage();
    const [a, b] = [drafts(storage), drafts(storage)];
    a.set("r", { text: "from a" });
    a.flush();
    b.storageChanged("webchat.draft.r");
    expect(b.byRoom.get("r")).toEqual({ text: "from a" });
    b.set("r", { text: "from b" });
    a.set("r", { text: "from a again" });
    a.flush();
    b.storageChanged("webchat.draft.r");
    expect(b.byRoom.get("r")).toEqual({ text: "from b" });
  });

  it("is deleted with its last character, in both tabs", () => {
    const storage = new MemoryStorage();
    const [a, b] = [drafts(storage), drafts(storage)];
    a.set("r", { text: "x" });
    a.flush();
    b.storageChanged("webchat.draft.r");
    a.set("r", { text: "" });
    a.flush();
    b.storageChanged("webchat.draft.r");
    expect([a.byRoom.get("r"), b.byRoom.get("r"), storage.length]).toEqual([undefined, undefined, 0]);
  });

  it("that cannot be parsed is ignored", () => {
    const storage = new MemoryStorage();
    storage.setItem("webchat.draft.r", "{");
    storage.setItem("webchat.draft.s", '"text"');
    expect([...drafts(storage).byRoom.keys()]).toEqual([]);
  });
});
