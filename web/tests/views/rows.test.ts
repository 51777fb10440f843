import { describe, expect, it } from "vitest";

import type { Entry, Message } from "../../src/core/index.ts";
import { overlaps, rowsOf, stepsBetween, type Row } from "../../src/views/room/rows.ts";

const ME = "me";

function said(seq: number, at: string, sender = "a"): Entry {
  const message: Message = {
    room_id: "r",
    seq,
    version: seq,
    sender_id: sender,
    client_id: `c${seq}`,
    kind: "text",
    body: `text ${seq}`,
    at,
  };
  return { kind: "message", key: `k${seq}`, message, mine: sender === ME };
}

const at = (time: string, day = 24) => new Date(`2026-11-${day}T${time}:00`).toISOString();

describe("groups", () => {
  it("contain the messages of one sender within five minutes", () => {
    const rows = rowsOf([said(1, at("10:00")), said(2, at("10:04")), said(3, at("10:09"))], ME, null);
    expect(rows.map((row) => row.first)).toEqual([true, false, true]);
  });

  it("end with another sender, another day or a system message", () => {
    const line: Entry = {
      kind: "system",
      key: "l",
      at: at("10:02"),
      event: { type: "left", userId: "b", by: "b" },
    };
    const rows = rowsOf(
      [
        said(1, at("10:00")),
        said(2, at("10:01"), "b"),
        line,
        said(3, at("10:03"), "b"),
        said(4, at("23:59"), "b"),
        said(5, at("00:01", 25), "b"),
      ],
      ME,
      null,
    );
    expect(rows.map((row) => row.first)).toEqual([true, true, true, true, true, true]);
  });

  it("continue from a stored to a pending message", () => {
    const pending: Entry = {
      kind: "pending",
      key: "p",
      pending: {
        clientId: "c",
        roomId: "r",
        body: "more",
        mentions: [],
        attachments: [],
        at: new Date(at("10:01")).getTime(),
        status: "pending",
      },
    };
    const rows = rowsOf([said(1, at("10:00"), ME), pending], ME, null);
    expect(rows[1]?.first).toBe(false);
  });
});

describe("days and the unread divider", () => {
  it("start each day once", () => {
    const rows = rowsOf([said(1, at("10:00")), said(2, at("11:00")), said(3, at("09:00", 25))], ME, null);
    expect(rows.map((row) => row.day)).toEqual(["2026-11-24", null, "2026-11-25"]);
  });

  it("put the divider above the first unread message only, and start a group there", () => {
    const rows = rowsOf([said(1, at("10:00")), said(2, at("10:01")), said(3, at("10:02"))], ME, 2);
    expect(rows.map((row) => row.divider)).toEqual([false, true, false]);
    expect(rows[1]?.first).toBe(true);
  });
});

describe("identity", () => {
  it("is kept by unchanged rows", () => {
    const entries = [said(1, at("10:00")), said(2, at("10:01"))];
    const before = rowsOf(entries, ME, null);
    const known = new Map(before.map((row) => [row.key, row]));
    const after = rowsOf([...entries, said(3, at("10:02"))], ME, null, known);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).toBe(before[1]);
  });

  it("changes when a row is no longer the first of its day", () => {
    const second = said(2, at("10:01"));
    const before = rowsOf([second], ME, null);
    const after = rowsOf(
      [said(1, at("10:00")), second],
      ME,
      null,
      new Map(before.map((row) => [row.key, row])),
    );
    expect(after[1]).not.toBe(before[0]);
    expect(after[1]?.first).toBe(false);
  });
});

describe("steps of a changing window", () => {
  const row = (n: number): Row => ({
    key: `k${n}`,
    entry: said(n, at("10:00")),
    first: true,
    day: null,
    divider: false,
  });
  const rows = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => row(from + i));
  const keys = (step: { rows: readonly Row[]; shift: boolean }) => [
    step.rows[0]?.key,
    step.rows.at(-1)?.key,
    step.shift,
  ];

  it("is one if only the end moves", () => {
    expect(stepsBetween(rows(1, 5), rows(1, 7)).map(keys)).toEqual([["k1", "k7", false]]);
  });

  it("shifts when history is loaded or dropped", () => {
    expect(stepsBetween(rows(5, 9), rows(1, 9)).map(keys)).toEqual([["k1", "k9", true]]);
    expect(stepsBetween(rows(1, 9), rows(4, 9)).map(keys)).toEqual([["k4", "k9", true]]);
  });

  it("changes the end before the start", () => {
    expect(stepsBetween(rows(5, 9), rows(1, 7)).map(keys)).toEqual([
      ["k5", "k7", false],
      ["k1", "k7", true],
    ]);
    expect(stepsBetween(rows(1, 9), rows(4, 12)).map(keys)).toEqual([
      ["k1", "k12", false],
      ["k4", "k12", true],
    ]);
  });

  it("detects a jump by having nothing in common", () => {
    expect(overlaps(rows(1, 5), rows(5, 9))).toBe(true);
    expect(overlaps(rows(1, 5), rows(6, 9))).toBe(false);
    expect(overlaps([], rows(6, 9))).toBe(false);
    expect(overlaps([], [])).toBe(true);
  });
});
