// A stretch of a room's log without holes, as lines to show.

import type { EntryData, MessageData, Quote, Reaction } from "./protocol";

/** Characters of a message that are shown where it is quoted; the server cuts there, too. */
export const EXCERPT_CHARS_MAX = 120;

export interface ChatMessage {
  kind: "message";
  seq: number;
  id: string;
  user: string;
  name: string;
  at: number;
  content: string;
  clientId: string | undefined;
  replyTo: Quote | undefined;
  mentions: readonly string[];
  edited: boolean;
  deleted: boolean;
  reactions: readonly Reaction[];
  /** Entries up to here are in this state already; applying them again would count a reaction twice. */
  asOf: number;
}

/** Something that happened and is worth a line, but that nobody said. */
export interface Happening {
  kind: "happening";
  seq: number;
  at: number;
  user: string;
  name: string;
  what:
    | { kind: "member"; target: string; targetName: string; change: "joined" | "left" | "removed" | "banned" }
    | { kind: "title"; title: string };
}

export type Line = ChatMessage | Happening;

/** Where a page continues: at the server's cursor, at a time where we have no cursor, or nowhere. */
export type Edge = { kind: "cursor"; cursor: string } | { kind: "time"; at: number } | { kind: "end" };

export function messageOf(data: MessageData, asOf: number): ChatMessage {
  return {
    kind: "message",
    seq: data.seq,
    id: data.id,
    user: data.user,
    name: data.name,
    at: Date.parse(data.timestamp),
    content: data.content,
    clientId: data.client_id,
    replyTo: data.reply_to,
    mentions: data.mentions ?? [],
    edited: data.edited_at !== undefined,
    deleted: data.deleted ?? false,
    reactions: data.reactions ?? [],
    asOf,
  };
}

type ChangeEntry =
  | { event: "edit"; data: EntryData["edit"] }
  | { event: "delete"; data: EntryData["delete"] }
  | { event: "react"; data: EntryData["react"] };

/** The message after an entry that is about it; the same object where nothing changes. */
export function changed(message: ChatMessage, entry: ChangeEntry, self: string): ChatMessage {
  const { seq } = entry.data;
  if (seq <= message.asOf || message.deleted) return message;
  switch (entry.event) {
    case "edit":
      return { ...message, content: entry.data.content, edited: true, asOf: seq };
    case "delete":
      return { ...message, content: "", deleted: true, reactions: [], asOf: seq };
    case "react": {
      const { emoji, remove, user } = entry.data;
      return { ...message, reactions: reacted(message.reactions, emoji, remove ?? false, user === self), asOf: seq };
    }
  }
}

function reacted(reactions: readonly Reaction[], emoji: string, remove: boolean, mine: boolean): Reaction[] {
  const known = reactions.find((reaction) => reaction.emoji === emoji);
  if (known === undefined) return remove ? [...reactions] : [...reactions, { emoji, count: 1, mine }];
  const next = { emoji, count: known.count + (remove ? -1 : 1), mine: mine ? !remove : (known.mine ?? false) };
  return reactions.map((reaction) => (reaction === known ? next : reaction)).filter((reaction) => reaction.count > 0);
}

export class Segment {
  /** Ascending by `seq`. Lines are replaced, never changed, so that a list can compare them by identity. */
  lines: Line[];
  prev: Edge;
  next: Edge;

  constructor(lines: Line[] = [], prev: Edge = { kind: "end" }, next: Edge = { kind: "end" }) {
    this.lines = lines;
    this.prev = prev;
    this.next = next;
  }

  get first(): Line | undefined {
    return this.lines[0];
  }

  get last(): Line | undefined {
    return this.lines.at(-1);
  }

  append(line: Line): void {
    if (line.seq > (this.last?.seq ?? 0)) this.lines.push(line);
  }

  /** Puts lines where they belong; what is there already stays, for it may be newer. Returns how many were new. */
  merge(lines: readonly Line[]): number {
    const known = new Set(this.lines.map((line) => line.seq));
    const fresh = lines.filter((line) => !known.has(line.seq));
    if (fresh.length > 0) this.lines = [...this.lines, ...fresh].sort((a, b) => a.seq - b.seq);
    return fresh.length;
  }

  find(id: string): number {
    return this.lines.findLastIndex((line) => line.kind === "message" && line.id === id);
  }

  change(entry: ChangeEntry, self: string): boolean {
    const quotes = entry.event === "react" ? false : this.#requote(entry);
    const index = this.find(entry.data.id);
    const line = this.lines[index];
    if (line?.kind !== "message") return quotes;
    const next = changed(line, entry, self);
    this.lines[index] = next;
    return quotes || next !== line;
  }

  /** What was deleted must not live on where it was quoted, nor what was corrected. */
  #requote(entry: Exclude<ChangeEntry, { event: "react" }>): boolean {
    const excerpt = entry.event === "delete" ? "" : [...entry.data.content].slice(0, EXCERPT_CHARS_MAX).join("");
    let found = false;
    for (const [index, line] of this.lines.entries()) {
      if (line.kind !== "message" || line.replyTo?.id !== entry.data.id || line.replyTo.excerpt === excerpt) continue;
      this.lines[index] = { ...line, replyTo: { ...line.replyTo, excerpt } };
      found = true;
    }
    return found;
  }
}
