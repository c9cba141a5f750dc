import { describe, expect, it } from "vitest";
import { dayText, timeText } from "../format";
import { en, type Catalogue } from "./en";
import { errorText } from "./errors";
import { fr } from "./fr";

const catalogues: Record<string, Catalogue> = { en, fr };

/** What a catalogue says under a key, functions called with plausible arguments. */
function say(catalogue: Catalogue, key: keyof Catalogue): string {
  const entry = catalogue[key] as string | ((...args: unknown[]) => string);
  return typeof entry === "string" ? entry : entry(...Array.from({ length: entry.length }, (_, n) => 2 + n));
}

describe.each(Object.entries(catalogues))("the catalogue %s", (name, catalogue) => {
  const keys = Object.keys(catalogue) as (keyof Catalogue)[];

  it("says everything", () => {
    expect(keys.sort()).toEqual(Object.keys(en).sort());
    for (const key of keys) expect(say(catalogue, key).trim(), key).not.toBe("");
  });

  it("uses every argument it is given", () => {
    for (const key of keys) {
      const entry = catalogue[key];
      expect(typeof entry, key).toBe(typeof en[key]);
      if (typeof entry === "function") expect(entry.length, key).toBe((en[key] as (...args: never[]) => string).length);
    }
  });

  it("has typographic quotes and ellipses", () => {
    for (const key of keys) expect(say(catalogue, key), `${name}.${key}`).not.toMatch(/'|"|\.\.\./);
  });
});

it("French puts no plain space before its double punctuation", () => {
  for (const key of Object.keys(fr) as (keyof Catalogue)[]) expect(say(fr, key), key).not.toMatch(/ [?!;:»]|« /);
});

it("plurals follow the language", () => {
  expect([0, 1, 2].map(en.memberCount)).toEqual(["0 members", "1 member", "2 members"]);
  expect([0, 1, 2].map(fr.memberCount)).toEqual(["0 membre", "1 membre", "2 membres"]);
});

it("errors are told in the person's language, by what was tried", () => {
  expect(errorText(fr, "unauthenticated", undefined, "signIn")).toBe(fr.errorCredentials);
  expect(errorText(en, "invalid", "email")).toBe(en.errorEmail);
  expect(errorText(en, "conflict", undefined, "room")).toBe(en.errorRoomTaken);
  expect(errorText(en, "conflict", undefined, "signUp")).toBe(en.errorEmailTaken);
  expect(errorText(en, "never heard of")).toBe(en.errorUnknown);
});

it("days are named relative to now", () => {
  const now = new Date(2026, 2, 10, 9).getTime();
  const day = (year: number, month: number, date: number) => dayText("fr", new Date(year, month, date, 23).getTime(), now, fr);
  expect(day(2026, 2, 10)).toBe("Aujourd’hui");
  expect(day(2026, 2, 9)).toBe("Hier");
  expect(day(2026, 2, 8)).toBe("Dimanche 8 mars");
  expect(day(2025, 11, 31)).toBe("Mercredi 31 décembre 2025");
});

it("times are written as the place does", () => {
  const at = new Date(2026, 2, 10, 14, 5).getTime();
  expect(timeText("fr-FR", at)).toBe("14:05");
  expect(timeText("en-US", at)).toMatch(/^2:05\sPM$/);
});
