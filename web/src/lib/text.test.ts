import { describe, expect, it } from "vitest";
import { hueOf, initials, isEmojiOnly, pieces, slugOf, utf8Bytes } from "./text";

const ann = { text: "Ann", me: true };
const annLee = { text: "Ann Lee", me: false };

describe("pieces of a message", () => {
  it("are links without the punctuation behind them", () => {
    expect(pieces("see https://example.org/a?b=c#d, and (http://x.test/y).", [])).toEqual([
      { kind: "text", text: "see " },
      { kind: "link", text: "https://example.org/a?b=c#d", href: "https://example.org/a?b=c#d" },
      { kind: "text", text: ", and (" },
      { kind: "link", text: "http://x.test/y", href: "http://x.test/y" },
      { kind: "text", text: ")." },
    ]);
  });

  it("are never links of another scheme", () => {
    expect(pieces("javascript:alert(1) data:text/html,x", []).map((piece) => piece.kind)).toEqual(["text"]);
  });

  it("are mentions, the longest name first, in any case", () => {
    expect(pieces("@ann lee and @ANN, not ann@ann.org or @anna", [ann, annLee])).toEqual([
      { kind: "mention", text: "@ann lee", me: false },
      { kind: "text", text: " and " },
      { kind: "mention", text: "@ANN", me: true },
      { kind: "text", text: ", not ann@ann.org or @anna" },
    ]);
  });

  it("survive names that look like patterns", () => {
    expect(pieces("hi @a.b (c) [d]", [{ text: "a.b (c) [d]", me: false }])).toHaveLength(2);
  });
});

it("emoji alone are recognised", () => {
  for (const text of ["👍", "❤️", "👨‍👩‍👧 🎉", "🇫🇷", "👋🏽"]) expect(isEmojiOnly(text), text).toBe(true);
  for (const text of ["", "ok 👍", "1", "👍👍👍👍", "#"]) expect(isEmojiOnly(text), text).toBe(false);
});

it("text is measured in bytes", () => {
  expect(utf8Bytes("é👍")).toBe(6);
});

it("slugs are made of titles", () => {
  expect(slugOf("  Café & Thé — à l’étage ")).toBe("cafe-the-a-l-etage");
  expect(slugOf("Œuvre")).toBe("oeuvre");
  expect(slugOf("日本")).toBe("");
  expect(slugOf("x".repeat(80))).toHaveLength(64);
  expect(slugOf(`${"x".repeat(63)} y`)).toBe("x".repeat(63));
});

it("people have initials and a colour", () => {
  expect(initials("ann lee")).toBe("AL");
  expect(initials("jean-paul")).toBe("JP");
  expect(initials("")).toBe("?");
  expect(hueOf("u_a", 8)).toBe(hueOf("u_a", 8));
  expect(hueOf("u_abc", 8)).toBeLessThan(8);
});
