// What a message says, cut into pieces that a template can print. No HTML is ever made of it.

export type Piece =
  { kind: "text"; text: string } | { kind: "link"; text: string; href: string } | { kind: "mention"; text: string; me: boolean };

// A link ends before the punctuation that ends its sentence.
const LINK = /https?:\/\/[^\s<>"]+[^\s<>"'.,;:!?)\]}»…]/giu;
/** Names beyond this many are plain text. */
const NAMES_MAX = 200;

export interface Name {
  text: string;
  me: boolean;
}

/** Cuts a message's text into links, mentions of the given names, and the rest. */
export function pieces(content: string, names: readonly Name[]): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of content.matchAll(LINK)) {
    found.push(...mentions(content.slice(end, match.index), names));
    end = match.index + match[0].length;
    found.push({ kind: "link", text: match[0], href: match[0] });
  }
  found.push(...mentions(content.slice(end), names));
  return found;
}

function mentions(text: string, names: readonly Name[]): Piece[] {
  if (text === "") return [];
  if (names.length === 0 || !text.includes("@")) return [{ kind: "text", text }];
  // The longest name first: "@Ann Lee" is not "@Ann" with a word behind it.
  const longest = [...names].sort((a, b) => b.text.length - a.text.length).slice(0, NAMES_MAX);
  const pattern = new RegExp(
    `(?<![\\p{L}\\p{N}])@(?:${longest.map((name) => escape(name.text)).join("|")})(?![\\p{L}\\p{N}])`,
    "giu",
  );
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) found.push({ kind: "text", text: text.slice(end, match.index) });
    const said = match[0].slice(1).toLowerCase();
    const me = longest.find((name) => name.text.toLowerCase() === said)?.me ?? false;
    found.push({ kind: "mention", text: match[0], me });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ kind: "text", text: text.slice(end) });
  return found;
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

/** True for up to three emoji and nothing else: those are shown large. */
export function isEmojiOnly(content: string): boolean {
  return /^(?:\s*(?:\p{Regional_Indicator}{2}|\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\uFE0F|\u200D\p{Extended_Pictographic})*)\s*){1,3}$/u.test(
    content,
  );
}

/** The bytes that a text takes in UTF-8, which is what the server counts. */
export function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** A room's permanent id from the title that somebody gave it: `[a-z0-9][a-z0-9-]{0,63}`. */
export function slugOf(title: string): string {
  const ascii = title
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/œ/g, "oe")
    .replace(/æ/g, "ae")
    .replace(/ß/g, "ss");
  return ascii
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64)
    .replace(/-+$/, "");
}

/** Up to two letters that stand for a name. */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/[\s._-]+/u)
    .filter((word) => word !== "");
  const first = [...(words[0] ?? "?")][0] ?? "?";
  const last = words.length > 1 ? ([...(words.at(-1) ?? "")][0] ?? "") : "";
  return (first + last).toLocaleUpperCase();
}

/** One of `count` colours, always the same for one person. */
export function hueOf(id: string, count: number): number {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return hash % count;
}
