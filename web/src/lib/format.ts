// Times as people of a place write them. Formatters are dear to make, so one of each kind is kept per locale.

import type { Catalogue } from "./i18n/en";

const DAY_MS = 86_400_000;
const formatters = new Map<string, Intl.DateTimeFormat>();

function format(locale: string, name: string, options: Intl.DateTimeFormatOptions, at: number): string {
  const key = `${locale} ${name}`;
  let formatter = formatters.get(key);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat(locale, options);
    formatters.set(key, formatter);
  }
  return formatter.format(at);
}

export function timeText(locale: string, at: number): string {
  return format(locale, "time", { hour: "numeric", minute: "2-digit" }, at);
}

export function fullTimeText(locale: string, at: number): string {
  return format(locale, "full", { dateStyle: "full", timeStyle: "medium" }, at);
}

/** Today, yesterday, or the date; with its year where that is not the present one. */
export function dayText(locale: string, at: number, now: number, t: Pick<Catalogue, "today" | "yesterday">): string {
  const day = new Date(at).toDateString();
  if (day === new Date(now).toDateString()) return t.today;
  if (day === new Date(now - DAY_MS).toDateString()) return t.yesterday;
  const thisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  const date = { weekday: "long", day: "numeric", month: "long" } as const;
  const text = thisYear ? format(locale, "day", date, at) : format(locale, "date", { ...date, year: "numeric" }, at);
  return text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);
}

/** Today's messages by their time, older ones by their date: for lists of search results. */
export function whenText(locale: string, at: number, now: number): string {
  if (new Date(at).toDateString() === new Date(now).toDateString()) return timeText(locale, at);
  return format(locale, "when", { dateStyle: "medium", timeStyle: "short" }, at);
}
