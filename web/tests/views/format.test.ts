import { describe, expect, it } from "vitest";

import type { Message, DomainError, RoomSummary } from "../../src/core/index.ts";
import { en } from "../../src/i18n/en.ts";
import { preferredLanguage } from "../../src/i18n/index.ts";
import { ko } from "../../src/i18n/ko.ts";
import { deviceOf } from "../../src/views/settings/device.ts";
import { extensionOf, fileErrorOf, reservedSize } from "../../src/views/room/files.ts";
import { relativeTime, badgeText, dayKey, listTime, sizeOf, startOfDay } from "../../src/format/locale.ts";
import { errorFrom } from "../../src/core/api.ts";
import { errorText } from "../../src/format/errors.ts";
import { isEmojiOnly, initialOf, splitMatches, previewOf, titleOf, toneOf } from "../../src/format/text.ts";
import { stableOrder } from "../../src/views/rooms/order.ts";

const message = (change: Partial<Message>): Message => ({
  room_id: "r",
  seq: 1,
  version: 1,
  sender_id: "a",
  client_id: "c",
  kind: "text",
  body: "",
  at: "2026-11-24T01:00:00Z",
  ...change,
});

describe("initials and colours", () => {
  it("use a whole character", () => {
    expect(initialOf(" 민지")).toBe("민");
    expect(initialOf("emma")).toBe("E");
    expect(initialOf("👩‍🚀 Ana")).toBe("👩‍🚀");
    expect(initialOf("  ")).toBe("?");
  });

  it("are one of eight for every id", () => {
    const tones = Array.from({ length: 400 }, (_, i) => toneOf(`01930000-0000-7000-8000-${i.toString(16)}`));
    expect(new Set(tones)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]));
  });
});

describe("previews", () => {
  it("describe attachments", () => {
    const file = {
      attachment_id: "x",
      filename: "a.pdf",
      content_type: "application/pdf",
      size: 1,
      url: "/u",
    };
    const photo = { ...file, content_type: "image/png" };
    expect(previewOf(message({ attachments: [file] }), ko)).toBe("a.pdf");
    expect(previewOf(message({ attachments: [photo] }), ko)).toBe("사진");
    expect(previewOf(message({ attachments: [photo, photo] }), ko)).toBe("사진 2장");
    expect(previewOf(message({ deleted: true }), ko)).toBe("삭제된 메시지예요");
  });

  it("highlight matches by word", () => {
    expect(splitMatches("오늘 점심 (점심) 뭐", "점심 뭐")).toEqual([
      { text: "오늘 ", hit: false },
      { text: "점심", hit: true },
      { text: " (", hit: false },
      { text: "점심", hit: true },
      { text: ") ", hit: false },
      { text: "뭐", hit: true },
    ]);
    expect(splitMatches("a+b", "+").map((piece) => piece.text)).toEqual(["a", "+", "b"]);
  });
});

it("shows up to three emoji large, but not digits", () => {
  expect(isEmojiOnly("👍")).toBe(true);
  expect(isEmojiOnly("👩‍👩‍👧 ❤️ 🎉")).toBe(true);
  expect(isEmojiOnly("👍👍👍👍")).toBe(false);
  expect(isEmojiOnly("3")).toBe(false);
  expect(isEmojiOnly("ok 👍")).toBe(false);
});

it("titles a direct room with the other user's name", () => {
  const room = { kind: "direct", title: "", peer_id: "b" } as RoomSummary;
  const profile = {
    user_id: "b",
    webchat_id: "junho",
    display_name: "이준호",
    status_message: "",
    avatar_url: null,
    followed: true,
  };
  expect(titleOf(room, new Map([["b", profile]]), ko)).toBe("이준호");
  expect(titleOf(room, new Map(), ko)).toBe("알 수 없는 사람");
});

describe("times", () => {
  const now = new Date("2026-11-24T15:00:00");

  it("in lists are the time, then yesterday, then the date", () => {
    expect(listTime(new Date("2026-11-24T09:12:00"), "ko", ko, now)).toMatch(/9:12/);
    expect(listTime(new Date("2026-11-23T23:59:00"), "ko", ko, now)).toBe("어제");
    expect(listTime(new Date("2026-11-02T10:00:00"), "ko", ko, now)).toBe("11월 2일");
    expect(listTime(new Date("2025-01-02T10:00:00"), "ko", ko, now)).toMatch(/2025/);
  });

  it("can be relative", () => {
    expect(relativeTime(new Date("2026-11-24T14:59:40"), "en", en, now)).toBe("just now");
    expect(relativeTime(new Date("2026-11-24T14:50:00"), "en", en, now)).toBe("10 minutes ago");
    expect(relativeTime(new Date("2026-11-22T14:50:00"), "en", en, now)).toBe("2 days ago");
  });

  it("of a day start at the local midnight", () => {
    expect(startOfDay("2026-11-24")).toEqual(new Date(2026, 10, 24));
    expect(dayKey(new Date(2026, 10, 4, 23, 59))).toBe("2026-11-04");
    expect(startOfDay("")).toBeNull();
  });
});

describe("files", () => {
  const file = (size: number, name = "notes.txt", type = "") => ({ name, type, size });

  it("are checked before the upload", () => {
    expect(fileErrorOf(file(10), 0)).toBeNull();
    expect(fileErrorOf(file(0), 0)).toBe("empty");
    expect(fileErrorOf(file(50 * 1024 * 1024 + 1), 0)).toBe("too_big");
    expect(fileErrorOf(file(10), 10)).toBe("too_many");
    expect(fileErrorOf(file(10, "IMG_0001.HEIC"), 0)).toBe("unreadable");
    expect(fileErrorOf(file(10, "picture", "image/heif"), 0)).toBe("unreadable");
    expect(fileErrorOf(file(10, "heic.png", "image/png"), 0)).toBeNull();
  });

  it("have a size, an extension and reserved dimensions", () => {
    expect(sizeOf(1_234_567, "en")).toBe("1.2 MB");
    expect(sizeOf(980, "en")).toBe("980 B");
    expect(extensionOf("제주_일정.pdf")).toBe("PDF");
    expect(extensionOf("README")).toBe("···");
    expect(reservedSize(1600, 1200)).toEqual({ width: 300, ratio: 4 / 3 });
    expect(reservedSize(null, null)).toEqual({ width: 300, ratio: 4 / 3 });
    expect(reservedSize(100, 1000).ratio).toBe(0.5);
  });
});

it("names devices by browser and system", () => {
  const windows =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140";
  const phone =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile/15E148 Safari/604.1";
  expect(deviceOf(windows)).toEqual({ browser: "Edge", system: "Windows", phone: false });
  expect(deviceOf(phone)).toEqual({ browser: "Safari", system: "iPhone", phone: true });
  expect(deviceOf("python-httpx/0.28")).toBeNull();
});

it("says when to retry, and never shows a code", () => {
  const error: DomainError = { code: "rate_limited", detail: "Too many.", retryAfter: 2.2 };
  expect(errorText(error, en)).toBe("That was too fast. Try again in 3 s");
  expect(errorText({ code: "unavailable", detail: "x" }, ko)).not.toMatch(/unavailable|503/);
});

it("says who can invite somebody who was removed", () => {
  const body = JSON.stringify({
    type: "urn:webchat:problem:member_removed",
    status: 403,
    detail: "Removed.",
  });
  const error = errorFrom(403, body, null);
  expect(error.code).toBe("member_removed");
  expect(errorText(error, en)).toContain("Only the owner or an admin");
  expect(errorText(error, ko)).toContain("방장이나 관리자만");
  expect(errorFrom(403, "{}", null).code).toBe("forbidden");
});

it("keeps the order of the rows under the pointer", () => {
  expect(stableOrder(["a", "b", "c"], ["c", "d", "a", "b"])).toEqual(["a", "b", "c", "d"]);
  expect(stableOrder(["a", "b", "c"], ["c", "a"])).toEqual(["a", "c"]);
});

it("counts to 999 in a badge", () => {
  expect(badgeText(7)).toBe("7");
  expect(badgeText(1000)).toBe("999+");
});

describe("the language", () => {
  it("is the user's choice, else the browser's, else English", () => {
    expect(preferredLanguage("en", ["ko-KR"])).toBe("en");
    expect(preferredLanguage(null, ["fr-FR", "ko-KR", "en-US"])).toBe("ko");
    expect(preferredLanguage("xx", ["fr-FR"])).toBe("en");
  });

  it("has each text in both languages", () => {
    const keys = (texts: object): string[] =>
      Object.entries(texts).flatMap(([key, value]) =>
        typeof value === "object" && value !== null
          ? keys(value as object).map((sub) => `${key}.${sub}`)
          : [key],
      );
    expect(keys(en).sort()).toEqual(keys(ko).sort());
    expect(en.room.typing(["A", "B"], 0)).toBe("A, B are typing");
    expect(en.room.typing(["A", "B", "C"], 2)).toBe("A, B, C and 2 others are typing");
    expect(ko.room.typing(["가", "나", "다"], 2)).toBe("가, 나, 다 님 외 2명이 입력 중");
  });
});
