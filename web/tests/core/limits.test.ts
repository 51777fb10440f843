import { expect, it } from "vitest";
import { countCharacters } from "../../src/core/limits.ts";

it("counts code points, as the server does", () => {
  expect([countCharacters(""), countCharacters("안녕"), countCharacters("🦊".repeat(3))]).toEqual([0, 2, 3]);
});
