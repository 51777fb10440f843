import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  completeMention,
  matchesOf,
  mentionAt,
  mentionedIn,
  rank,
  splitMentions,
} from "../../src/format/mentions.ts";

const people = [
  { userId: "1", name: "김민지", webchatId: "minji" },
  { userId: "2", name: "이준호", webchatId: "junho" },
  { userId: "3", name: "김민", webchatId: "min" },
  { userId: "4", name: "Emma Clarke", webchatId: "emma" },
];

describe("the word at the caret", () => {
  it("begins with @ at the start or after a space", () => {
    expect(mentionAt("@민", 2)).toEqual({ start: 0, query: "민" });
    expect(mentionAt("안녕 @ㅁ", 5)).toEqual({ start: 3, query: "ㅁ" });
    expect(mentionAt("mail@example", 12)).toBeNull();
    expect(mentionAt("no", 2)).toBeNull();
  });

  it("ends with the line, and can contain one space", () => {
    expect(mentionAt("@Emma Cl", 8)).toEqual({ start: 0, query: "Emma Cl" });
    expect(mentionAt("@Emma\nCl", 8)).toBeNull();
    expect(mentionAt("@a long story", 13)).toBeNull();
  });
});

describe("matches", () => {
  it("are found by name, WebChat ID and initial consonants", () => {
    const found = (query: string) => matchesOf(query, people).map((one) => one.userId);
    expect(found("김민")).toEqual(["3", "1"]);
    expect(found("jun")).toEqual(["2"]);
    expect(found("ㅇㅈㅎ")).toEqual(["2"]);
    expect(found("ㅁㅈ")).toEqual(["1"]);
    expect(found("clarke")).toEqual(["4"]);
    expect(found("zzz")).toEqual([]);
  });

  it("rank the start of a name before its middle", () => {
    expect(rank("ㄱㅁ", people[0] ?? { name: "", webchatId: "" })).toBe(1);
    expect(rank("ㅁㅈ", people[0] ?? { name: "", webchatId: "" })).toBe(2);
  });
});

it("completes in place, with one space after the name", () => {
  expect(completeMention("안녕 @ㅇㅈ 반가워", 3, 6, "이준호")).toEqual({
    text: "안녕 @이준호 반가워",
    caret: 8,
  });
  expect(completeMention("@j", 0, 2, "이준호")).toEqual({ text: "@이준호 ", caret: 5 });
});

describe("mentions in a text", () => {
  it("use the longest name", () => {
    expect(mentionedIn("@김민지 @김민!", people)).toEqual(["1", "3"]);
    expect(mentionedIn("@김민지님 안녕", people)).toEqual(["1"]);
  });

  it("count once, and not without @", () => {
    expect(mentionedIn("@이준호 @이준호 김민지", people)).toEqual(["2"]);
  });

  it("lose no character of the text", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("@", "김민지", "김민", " ", "a", "@김민", "\n")), (parts) => {
        const text = parts.join("");
        expect(
          splitMentions(text, people)
            .map((piece) => piece.text)
            .join(""),
        ).toBe(text);
      }),
    );
  });
});
