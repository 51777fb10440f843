import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withRead } from "../../src/core/fold.ts";
import { readCursors, Members } from "../../src/core/members.ts";
import type { Member, Room } from "../../src/core/types.ts";

const member = (user_id: string, read_seq: number): Member => ({
  user_id,
  role: "member",
  read_seq,
  joined_at: "",
});
const USERS = ["a", "b", "c"];

describe("cursors", () => {
  const news = fc.oneof(
    fc
      .dictionary(fc.constantFrom(...USERS), fc.nat(50))
      .map((cursors) => ({ kind: "moved" as const, cursors })),
    fc.tuple(fc.array(fc.nat(50), { minLength: 3, maxLength: 3 }), fc.nat(40)).map(([seqs, version]) => ({
      kind: "list" as const,
      version,
      members: USERS.map((user, index) => member(user, seqs[index] ?? 0)),
    })),
    fc.record({
      kind: fc.constant("message" as const),
      seq: fc.integer({ min: 1, max: 50 }),
      sender: fc.constantFrom(...USERS),
    }),
  );

  it("only move forward in any order of events, so unread counts only fall", () => {
    fc.assert(
      fc.property(fc.array(news, { maxLength: 30 }), (all) => {
        const members = new Members();
        members.replace(
          USERS.map((user) => member(user, 0)),
          0,
        );
        const highest = new Map(USERS.map((user) => [user, 0]));
        let version = 0;
        for (const item of all) {
          const before = members.cursors.unreadCount(25);
          if (item.kind === "moved") {
            members.moveCursors(item.cursors);
            for (const [user, seq] of Object.entries(item.cursors)) raise(highest, user, seq);
          } else if (item.kind === "list") {
            members.replace(item.members, item.version);
            version = Math.max(version, item.version);
            for (const { user_id, read_seq } of item.members) raise(highest, user_id, read_seq);
          } else {
            version = version + 1;
            const { seq, sender } = item;
            const base = { room_id: "r", version, seq, sender_id: sender, client_id: "c", at: "" };
            members.apply({ op: "message.created", ...base, kind: "text", body: "" });
            raise(highest, sender, seq);
          }
          expect(members.cursors.unreadCount(25)).toBeLessThanOrEqual(before);
        }
        for (const { user_id, read_seq } of members.list) expect(read_seq).toBe(highest.get(user_id));
      }),
    );
  });

  it("that arrive before the members are applied with them", () => {
    const members = new Members();
    members.moveCursors({ a: 7 });
    members.show([member("a", 1), member("b", 2)]);
    members.replace([member("a", 3), member("b", 3)], 4);
    expect(members.list.map((m) => m.read_seq)).toEqual([7, 3]);
  });

  it("of a list older than an event do not restore a member who left", () => {
    const members = new Members();
    members.apply({ op: "member.left", room_id: "r", version: 9, at: "", user_id: "b", by: "b" });
    members.replace([member("a", 3), member("b", 3)], 8);
    expect(members.list.map((m) => m.user_id)).toEqual(["a"]);
    members.replace([member("a", 5), member("b", 3)], 8);
    expect(members.list).toEqual([member("a", 5)]);
  });

  it("count the members who have not read a message", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), fc.nat(21), (seqs, seq) => {
        const { unreadCount, who } = readCursors(seqs.map((read, index) => member(`${index}`, read)));
        const unread = seqs.filter((read) => read < seq).length;
        expect(unreadCount(seq)).toBe(unread);
        expect([who(seq).unread.length, who(seq).read.length]).toEqual([unread, seqs.length - unread]);
      }),
    );
  });

  it("of the user never pass the last message and never move back", () => {
    const room = { last_seq: 10, read_seq: 4, unread: 6 } as Room;
    expect(withRead(room, 99)).toMatchObject({ read_seq: 10, unread: 0 });
    expect(withRead(room, 2)).toMatchObject({ read_seq: 4, unread: 6 });
  });
});

function raise(highest: Map<string, number>, user: string, seq: number): void {
  highest.set(user, Math.max(seq, highest.get(user) ?? 0));
}
