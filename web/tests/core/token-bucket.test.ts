import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TokenBucket } from "../../src/core/token-bucket.ts";

/** The server's bucket: bursts of 60 and 20 per second. Returns the number of rejected messages. */
function rejected(sentAt: readonly number[]): number {
  let [tokens, filled, count] = [60, sentAt[0] ?? 0, 0];
  for (const at of sentAt) {
    tokens = Math.min(60, tokens + ((at - filled) / 1_000) * 20);
    filled = at;
    if (tokens < 1) count += 1;
    else tokens -= 1;
  }
  return count;
}

describe("a queue of any length", () => {
  it("is never rejected for its rate, and does not wait while it is short", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200), { maxLength: 400, size: "max" }), (gaps) => {
        let now = 0;
        const bucket = new TokenBucket(() => now);
        const sentAt: number[] = [];
        for (const [index, gap] of gaps.entries()) {
          now += gap % 7 === 0 ? gap : 1;
          const wait = bucket.take();
          if (index < 30) expect(wait).toBe(0);
          now += wait;
          sentAt.push(now);
        }
        expect(rejected(sentAt)).toBe(0);
      }),
    );
  });
});
