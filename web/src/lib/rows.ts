// The rows of a room's list: its lines, what surrounds them, and what is still to be sent.

import type { Pending } from "./outbox";
import type { Happening, Line, ChatMessage } from "./segment";

/** Messages of one person within this time are one group under one name. */
const GROUP_MS = 5 * 60_000;

interface Surroundings {
  key: string;
  at: number;
  /** The first of its day. */
  newDay: boolean;
  /** The first that was not read. */
  unread: boolean;
}

export type Row =
  | (Surroundings & { kind: "message"; message: ChatMessage; head: boolean })
  | (Surroundings & { kind: "happening"; happening: Happening })
  | (Surroundings & { kind: "pending"; pending: Pending; head: boolean });

export interface RowsInput {
  lines: readonly Line[];
  pending: readonly Pending[];
  self: string;
  /** The first unread entry's `seq`. */
  dividerSeq: number | null;
  /** Pending messages belong to the newest messages only. */
  atTail: boolean;
}

export function rowsOf({ lines, pending, self, dividerSeq, atTail }: RowsInput): Row[] {
  const rows: Row[] = [];
  const shownOwn = new Set<string>();
  let divided = dividerSeq === null;
  for (const line of lines) {
    const previous = rows.at(-1);
    // The divider stands before the first line at or behind its place, even if that very line is gone.
    const unread = !divided && line.seq >= (dividerSeq ?? 0);
    divided ||= unread;
    const around = { at: line.at, newDay: !sameDay(previous?.at, line.at), unread };
    if (line.kind === "happening") {
      rows.push({ ...around, kind: "happening", key: `h${line.seq}`, happening: line });
      continue;
    }
    if (line.user === self && line.clientId !== undefined) shownOwn.add(line.clientId);
    const head = around.newDay || unread || line.replyTo !== undefined || !continues(previous, line.user, line.at);
    rows.push({ ...around, kind: "message", key: line.id, message: line, head });
  }
  if (atTail) rows.push(...pendingRows(pending, rows.at(-1), shownOwn, self));
  return rows;
}

function pendingRows(pending: readonly Pending[], before: Row | undefined, shownOwn: ReadonlySet<string>, self: string): Row[] {
  const rows: Row[] = [];
  for (const one of pending) {
    if (shownOwn.has(one.clientId)) continue;
    const previous = rows.at(-1) ?? before;
    // This device's clock may be behind the server's: a pending message is never older than what is above it.
    const at = Math.max(one.writtenAt, previous?.at ?? 0);
    const newDay = !sameDay(previous?.at, at);
    const head = newDay || one.replyTo !== undefined || !continues(previous, self, at);
    rows.push({ kind: "pending", key: one.clientId, at, newDay, unread: false, pending: one, head });
  }
  return rows;
}

function continues(previous: Row | undefined, user: string, at: number): boolean {
  if (previous === undefined || at - previous.at > GROUP_MS) return false;
  switch (previous.kind) {
    case "message":
      return previous.message.user === user;
    case "pending":
      return true;
    case "happening":
      return false;
  }
}

function sameDay(one: number | undefined, other: number): boolean {
  if (one === undefined) return false;
  const [a, b] = [new Date(one), new Date(other)];
  return a.getDate() === b.getDate() && a.getMonth() === b.getMonth() && a.getFullYear() === b.getFullYear();
}
