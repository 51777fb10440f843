import fc from "fast-check";
import { renderToStaticMarkup } from "react-dom/server";
import { beforeAll, describe, expect, it } from "vitest";

import { splitLinks } from "../../src/format/links.ts";
import { parseMarkup, plainText } from "../../src/format/markup.ts";
import { MessageText } from "../../src/ui/MessageText.tsx";
import { linkFinder } from "../../src/ui/linkFinder.ts";

const people = [{ userId: "me", name: "김민지" }];
const html = (body: string) =>
  renderToStaticMarkup(<MessageText body={body} people={people} me="me" />).replace(
    /^<div class="prose" dir="auto">|<\/div>$/g,
    "",
  );

beforeAll(
  () =>
    new Promise<void>((resolve) => {
      linkFinder.subscribe(resolve);
    }),
);

describe("marks", () => {
  it("are code, bold, strikethrough and links", () => {
    expect(html("**굵게** `x < y`")).toBe("<strong>굵게</strong> <code>x &lt; y</code>");
    expect(html("```js\nif (a < b) {}\n```")).toBe('<pre tabindex="0"><code>if (a &lt; b) {}</code></pre>');
    expect(html("~~지움~~")).toBe("<del>지움</del>");
    expect(html("[글](https://example.com)")).toContain('href="https://example.com"');
    expect(html("**굵고 `코드`**")).toBe("<strong>굵고 <code>코드</code></strong>");
    expect(html("이건 **중요**해요")).toBe("이건 <strong>중요</strong>해요");
  });

  it.each([
    "5*3*2=30",
    "2**3**4",
    ">_<",
    "¯\\_(ツ)_/¯",
    "C:\\temp\\*.txt",
    "+ 1",
    "- 안녕\n- 하이",
    "1. 하나\n2. 둘",
    "2026. 11. 24. 점심",
    "# 제목 아님",
    "> 인용 아님",
    "제목\n---",
    "| a | b |\n|---|---|",
    "snake_case_name",
    "*별* _밑줄_",
    "안녕~~ 반가워~~",
    "** 5 **",
    "~~~~",
    "``",
    "    들여쓰기",
    "&amp; &copy;",
    "가  나\n\n\n다",
  ])("leave %j as typed", (body) => {
    expect(parseMarkup(body)).toEqual([{ kind: "text", text: body }]);
  });

  it("lose no character of any text without marks", () => {
    const plain = fc
      .string({ unit: fc.constantFrom(...Array.from("ab 가*_~>#-+|\\\n()1.")) })
      .filter((body) => !/\*\*|~~/.test(body));
    fc.assert(
      fc.property(plain, (body) =>
        parseMarkup(body).every((one) => one.kind === "text" && one.text === body),
      ),
    );
  });

  it("show HTML as text", () => {
    for (const body of [
      "<img src=x onerror=alert(1)>",
      "<script>alert(1)</script>",
      "a <b onclick=x>b</b>",
    ]) {
      expect(html(body)).not.toMatch(/<(?:img|script|b)\b/);
      expect(html(body)).toContain("&lt;");
    }
  });

  it("highlight mentions", () => {
    expect(html("**@김민지** 안녕")).toContain('<span class="mention me">@김민지</span>');
  });

  it("are not in previews", () => {
    expect(plainText("**굵게** `code` [글](https://example.com)\n둘째 줄")).toBe("굵게 code 글 둘째 줄");
    expect(plainText("```\na\n\nb\n```")).toBe("a b");
    expect(plainText("<b>not bold</b> 5*3*2")).toBe("<b>not bold</b> 5*3*2");
  });
});

describe("links", () => {
  const hrefs = (body: string) => [...html(body).matchAll(/href="([^"]*)"/g)].map((match) => match[1]);

  it("lead only to the web and to mail", () => {
    for (const body of [
      "[x](javascript:alert(1))",
      "[x](data:text/html,x)",
      "javascript:alert(1)",
      "ftp://example.com",
    ])
      expect(hrefs(body).filter((href) => !href?.startsWith("https://"))).toEqual([]);
    expect(html("![x](https://example.com/a.png)")).not.toContain("<img");
    expect(hrefs("[메일](mailto:a@example.com)")).toEqual(["mailto:a@example.com"]);
  });

  it("are found in addresses, also without a scheme", () => {
    expect(hrefs("https://example.com/a**b**c 봐요")).toEqual(["https://example.com/a**b**c"]);
    expect(hrefs("www.example.com 과 example.com/길?")).toEqual([
      "https://www.example.com",
      "https://example.com/길",
    ]);
    expect(hrefs("me@example.com 으로")).toEqual(["mailto:me@example.com"]);
    expect(hrefs("**https://example.com**")).toEqual(["https://example.com"]);
  });

  it("are not found in names of files, versions and amounts", () => {
    for (const body of [
      "README.md",
      "main.py 수정",
      "v1.2.3",
      "3.14",
      "12.000원",
      "좋아요.그래요",
      "`example.com`",
    ])
      expect(hrefs(body)).toEqual([]);
  });

  it("keep the whole text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from("ab.@/: 가com-")) }), (text) => {
        expect(
          splitLinks(text)
            .map((piece) => piece.text)
            .join(""),
        ).toBe(text);
      }),
    );
  });
});
