// The chosen language: the browser's at first, the person's once they have said so.

import { en, type Catalogue } from "./en";
import { fr } from "./fr";
import { type Doing, errorText } from "./errors";
import { dayText, fullTimeText, timeText } from "../format";

export type Language = "en" | "fr";
export const LANGUAGES: readonly { code: Language; name: string }[] = [
  { code: "en", name: "English" },
  { code: "fr", name: "Français" },
];

const KEY = "salon.language";
const catalogues: Record<Language, Catalogue> = { en, fr };

export function preferredLanguage(saved: string | null, wanted: readonly string[]): Language {
  const all = saved === null ? wanted : [saved, ...wanted];
  const known = all.map((tag) => tag.toLowerCase().split("-")[0]).find((code) => code === "en" || code === "fr");
  return known === "fr" ? "fr" : "en";
}

class I18n {
  language = $state<Language>(preferredLanguage(localStorage.getItem(KEY), navigator.languages));
  readonly t = $derived(catalogues[this.language]);

  /** Times and dates by the browser's regional variant where it is of this language: en-GB writes 14:05, en-US 2:05 PM. */
  readonly locale = $derived(navigator.languages.find((tag) => tag.toLowerCase().startsWith(this.language)) ?? this.language);

  choose(language: Language): void {
    this.language = language;
    localStorage.setItem(KEY, language);
  }

  time(at: number): string {
    return timeText(this.locale, at);
  }

  fullTime(at: number): string {
    return fullTimeText(this.locale, at);
  }

  day(at: number): string {
    return dayText(this.locale, at, Date.now(), this.t);
  }

  error(error: unknown, doing?: Doing): string {
    const { code, field } = error as { code?: unknown; field?: unknown };
    return errorText(this.t, typeof code === "string" ? code : "", typeof field === "string" ? field : undefined, doing);
  }
}

export const i18n = new I18n();
