import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";

import { Markdown, safeHref } from "../../src/ui/markdown.tsx";

const people = [{ userId: "me", name: "김민지" }];
const html = (body: string) => renderToStaticMarkup(<Markdown body={body} people={people} me="me" />);

describe("markdown", () => {
  it("renders bold, code, links and lists", () => {
    expect(html("**굵게** `x < y`")).toBe("<p><strong>굵게</strong> <code>x &lt; y</code></p>");
    expect(html("```js\nif (a < b) {}\n```")).toContain("<code>if (a &lt; b) {}</code>");
    expect(html("[글](https://example.com)")).toContain('href="https://example.com"');
    expect(html("- 하나\n- 둘")).toBe("<ul><li>하나</li><li>둘</li></ul>");
  });

  it("shows HTML as text", () => {
    for (const body of [
      "<img src=x onerror=alert(1)>",
      "<script>alert(1)</script>",
      "a <b onclick=x>b</b>",
    ]) {
      expect(html(body)).not.toMatch(/<(?:img|script|b)\b/);
      expect(html(body)).toContain("&lt;");
    }
  });

  it("links only to the web and to mail, and loads no pictures", () => {
    expect(html("[x](javascript:alert(1))")).not.toContain("<a");
    expect(html("[x](data:text/html,x)")).not.toContain("<a");
    expect(html("![x](https://example.com/a.png)")).not.toContain("<img");
    expect(safeHref("mailto:a@example.com")).toBe("mailto:a@example.com");
    expect(safeHref("JAVASCRIPT:x")).toBeNull();
  });

  it("ignores Korean tildes, dates and lines of dashes", () => {
    expect(html("안녕~ 반가워~")).toBe("<p>안녕~ 반가워~</p>");
    expect(html("~~지움~~")).toBe("<p><del>지움</del></p>");
    expect(html("2026. 11. 24. 점심")).toBe("<p>2026. 11. 24. 점심</p>");
    expect(html("제목\n---")).not.toContain("<h2");
  });

  it("highlights mentions", () => {
    expect(html("**@김민지** 안녕")).toContain('<span class="mention me">@김민지</span>');
  });
});
