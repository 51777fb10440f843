import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isRoomEvent } from "../../src/core/events.ts";
import type { RoomEvent } from "../../src/core/events.ts";
import { foldRoom } from "../../src/core/fold.ts";
import type { Message, ServerFrame } from "../../src/core/generated/protocol.ts";
import { Members } from "../../src/core/members.ts";
import { Timeline } from "../../src/core/timeline.ts";
import type { Role, Room } from "../../src/core/types.ts";

interface Snapshot {
  version: number;
  from_seq: number;
  messages: Record<string, Message>;
  title: string;
  pinned_seq: number | null;
  members: Record<string, { role: Role; read_seq: number }>;
}

interface Transcript {
  snapshot: Snapshot;
  events: RoomEvent[];
  folded: Snapshot;
}

function document(path: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../../docs/protocol/${path}`, import.meta.url), "utf8"));
}

const transcripts = document("transcripts/fold.json") as Transcript[];

/** Start the client's parts from a snapshot of the server. */
function start(snapshot: Snapshot): { timeline: Timeline; members: Members; room: Room } {
  const messages = Object.values(snapshot.messages).sort((a, b) => a.seq - b.seq);
  const last = messages.at(-1)?.seq ?? snapshot.from_seq - 1;
  const timeline = new Timeline(snapshot.version, last);
  timeline.merge(timeline.ticket("newest"), { messages, hasMore: false, version: snapshot.version });
  const members = new Members();
  const listed = Object.entries(snapshot.members).map(([user_id, member]) => ({
    user_id,
    ...member,
    joined_at: "",
  }));
  members.replace(listed, snapshot.version);
  const room: Room = {
    room_id: "r",
    kind: "group",
    title: snapshot.title,
    member_count: listed.length,
    version: snapshot.version,
    last_seq: last,
    read_seq: 0,
    unread: last,
    muted: false,
    role: "member",
    pinned_seq: snapshot.pinned_seq,
  };
  return { timeline, members, room };
}

/** Reactions are sets, so their order does not matter. */
function unordered(message: Message): Message {
  if (!message.reactions) return message;
  const sorted = Object.entries(message.reactions).map(([emoji, users]) => [emoji, [...users].sort()]);
  return { ...message, reactions: Object.fromEntries(sorted) as Record<string, string[]> };
}

function expectFolded({ timeline, members, room }: ReturnType<typeof start>, folded: Snapshot): void {
  const messages = Object.values(folded.messages).sort((a, b) => a.seq - b.seq);
  expect(timeline.version).toBe(folded.version);
  expect(timeline.messages.map(unordered)).toEqual(messages.map(unordered));
  const shown = members.list.map(({ user_id, role, read_seq }) => [user_id, { role, read_seq }]);
  expect(Object.fromEntries(shown)).toEqual(folded.members);
  expect(room.version).toBe(folded.version);
  expect(room.title).toBe(folded.title);
  expect(room.pinned_seq ?? null).toBe(folded.pinned_seq);
  expect(room.member_count).toBe(Object.keys(folded.members).length);
}

describe("the server's golden transcripts", () => {
  it.each(transcripts.map((transcript, index) => [index, transcript] as const))(
    "number %i folds to the server's state, and folding it twice changes nothing",
    (_, { snapshot, events, folded }) => {
      const parts = start(snapshot);
      for (const event of [...events, ...events]) {
        parts.timeline.apply(event);
        parts.members.apply(event);
        parts.room = foldRoom(parts.room, event, "nobody");
      }
      expectFolded(parts, folded);
    },
  );

  it("contain events of every kind", () => {
    const kinds = new Set(transcripts.flatMap(({ events }) => events.map((event) => event.op)));
    expect(kinds.size).toBe(8);
  });
});

describe("the server's golden frames", () => {
  const frames = Object.values(document("events.json") as Record<string, string>).map(
    (text) => JSON.parse(text) as ServerFrame,
  );

  it("are room events if and only if they carry a version", () => {
    for (const frame of frames)
      expect(isRoomEvent(frame)).toBe(frame.op !== "ok" && "version" in frame && "room_id" in frame);
  });
});
