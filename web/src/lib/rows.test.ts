import { expect, it } from "vitest";
import type { Pending } from "./outbox";
import { rowsOf, type RowsInput } from "./rows";
import type { ChatMessage, Happening } from "./segment";

const NOON = new Date(2026, 0, 5, 12).getTime();
const MINUTE = 60_000;

function message(seq: number, user: string, minutes: number, more: Partial<ChatMessage> = {}): ChatMessage {
  const at = NOON + minutes * MINUTE;
  const fixed = {
    clientId: undefined,
    replyTo: undefined,
    mentions: [],
    edited: false,
    deleted: false,
    reactions: [],
    asOf: seq,
  };
  return { kind: "message", seq, id: `m_${seq}`, user, name: user, at, content: "", ...fixed, ...more };
}

function pending(clientId: string, minutes: number): Pending {
  return { clientId, room: "r", content: "", replyTo: undefined, writtenAt: NOON + minutes * MINUTE, state: "waiting" };
}

function rows(input: Partial<RowsInput>) {
  return rowsOf({ lines: [], pending: [], self: "u_ann", dividerSeq: null, atTail: true, ...input });
}

function heads(input: Partial<RowsInput>): boolean[] {
  return rows(input).map((row) => row.kind !== "happening" && row.head);
}

it("groups what one person says within five minutes", () => {
  const lines = [message(1, "a", 0), message(2, "a", 4), message(3, "b", 5), message(4, "b", 11), message(5, "b", 12)];
  expect(heads({ lines })).toEqual([true, false, true, true, false]);
});

it("starts a group at an answer, after a happening and on a new day", () => {
  const joined: Happening = {
    kind: "happening",
    seq: 3,
    at: NOON + 2 * MINUTE,
    user: "b",
    name: "b",
    what: { kind: "member", target: "b", targetName: "b", change: "joined" },
  };
  const quote = { id: "m_1", user: "a", name: "a", excerpt: "" };
  const lines = [
    message(1, "a", 0),
    message(2, "a", 1, { replyTo: quote }),
    joined,
    message(4, "a", 3),
    message(5, "a", 24 * 60),
  ];
  expect(heads({ lines })).toEqual([true, true, false, true, true]);
  expect(rows({ lines }).map((row) => row.newDay)).toEqual([true, false, false, false, true]);
});

it("puts one divider before the first unread line", () => {
  const lines = [message(1, "a", 0), message(3, "a", 1), message(4, "a", 2)];
  expect(rows({ lines, dividerSeq: 2 }).map((row) => row.unread)).toEqual([false, true, false]);
  expect(rows({ lines, dividerSeq: 9 }).map((row) => row.unread)).toEqual([false, false, false]);
});

it("ends with what is still to be sent, each once", () => {
  const lines = [message(1, "u_ann", 0, { clientId: "c1" }), message(2, "u_bob", 1, { clientId: "c2" })];
  const all = rows({ lines, pending: [pending("c1", 0), pending("c2", -30), pending("c3", 2)] });
  expect(all.map((row) => row.key)).toEqual(["m_1", "m_2", "c2", "c3"]);
  expect(all.map((row) => row.kind !== "happening" && row.head)).toEqual([true, true, true, false]);
  expect(all[2]?.newDay).toBe(false);
  expect(rows({ lines, pending: [pending("c3", 2)], atTail: false })).toHaveLength(2);
});
