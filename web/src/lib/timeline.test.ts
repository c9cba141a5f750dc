import { beforeEach, describe, expect, it } from "vitest";
import type { Entry, EntryData, HistoryPage, JoinAck, MessageData } from "./protocol";
import type { ChatMessage } from "./segment";
import { LINES_HELD_MAX, Timeline } from "./timeline";

const START = Date.parse("2026-01-01T12:00:00Z");

function header(seq: number, user = "u_bob", epoch = "e1") {
  return { room: "general", epoch, seq, user, name: user.slice(2), timestamp: new Date(START + seq * 1000).toISOString() };
}

function said(seq: number, more: Partial<MessageData> = {}): MessageData {
  return { ...header(seq), id: `m_${seq}`, content: `message ${seq}`, ...more };
}

function message(seq: number, more: Partial<MessageData> = {}): Entry {
  return { event: "message", data: said(seq, more) };
}

function edit(seq: number, of: number, content: string): Entry {
  return { event: "edit", data: { ...header(seq), id: `m_${of}`, content } };
}

function deletion(seq: number, of: number): Entry {
  return { event: "delete", data: { ...header(seq), id: `m_${of}` } };
}

function react(seq: number, of: number, user: string, remove = false): Entry {
  return { event: "react", data: { ...header(seq, user), id: `m_${of}`, emoji: "👍", remove } };
}

function ack(seq: number, more: Partial<JoinAck> = {}): JoinAck {
  return { room: "general", epoch: "e1", seq, role: "member", gap: false, members: 2, online: 1, unread: 0, ...more };
}

function page(from: number, to: number, more: Partial<HistoryPage> = {}): HistoryPage {
  return { room: "general", messages: Array.from({ length: to - from + 1 }, (_, n) => said(from + n)), ...more };
}

function contents(timeline: Timeline): string[] {
  return timeline.lines.map((line) => (line.kind === "message" ? line.content : line.what.kind));
}

function only(timeline: Timeline): ChatMessage {
  const [line] = timeline.lines;
  if (line?.kind !== "message") throw new Error("no message");
  return line;
}

/** A room joined at `head`, of which the entries from `from` on were replayed. */
function joined(from: number, head: number): Timeline {
  const timeline = new Timeline("u_ann");
  timeline.joined(ack(head));
  for (let seq = from; seq <= head; seq++) timeline.apply(message(seq));
  timeline.caught("e1", head);
  return timeline;
}

describe("the tail", () => {
  it("follows the log and tells its position", () => {
    const timeline = joined(41, 42);
    expect(timeline.position).toEqual({ epoch: "e1", seq: 42 });
    expect(timeline.apply(message(43)).kind).toBe("message");
    expect(contents(timeline)).toEqual(["message 41", "message 42", "message 43"]);
  });

  it("takes every entry once", () => {
    const timeline = joined(1, 2);
    timeline.apply(react(3, 1, "u_bob"));
    expect(timeline.apply(react(3, 1, "u_bob")).kind).toBe("nothing");
    expect(timeline.apply(message(2)).kind).toBe("nothing");
    expect(timeline.lines).toHaveLength(2);
    expect(timeline.lines[0]).toMatchObject({ reactions: [{ emoji: "👍", count: 1 }] });
  });

  it("moves past entries it does not know", () => {
    const timeline = joined(1, 1);
    timeline.apply({ event: "unknown", data: header(2) });
    expect(timeline.apply(message(3)).kind).toBe("message");
  });

  it("notices a hole and stays before it", () => {
    const timeline = joined(1, 5);
    expect(timeline.apply(message(7)).kind).toBe("hole");
    expect(timeline.position).toEqual({ epoch: "e1", seq: 5 });
  });

  it("shows who came and what a room is called, but not invitations", () => {
    const timeline = joined(1, 1);
    const member = (seq: number, change: EntryData["member"]["change"]): Entry => ({
      event: "member",
      data: { ...header(seq), target: "u_cleo", target_name: "Cleo", change },
    });
    timeline.apply(member(2, "invited"));
    timeline.apply(member(3, "joined"));
    timeline.apply({ event: "room", data: { ...header(4), title: "Hall" } });
    timeline.apply({ event: "room", data: { ...header(5), topic: "…" } });
    expect(contents(timeline)).toEqual(["message 1", "member", "title"]);
  });
});

describe("changes to a message", () => {
  let timeline: Timeline;
  beforeEach(() => {
    timeline = joined(1, 1);
  });

  it("are edits", () => {
    timeline.apply(edit(2, 1, "better"));
    expect(only(timeline)).toMatchObject({ content: "better", edited: true });
  });

  it("end with its deletion", () => {
    timeline.apply(react(2, 1, "u_ann"));
    timeline.apply(deletion(3, 1));
    timeline.apply(edit(4, 1, "too late"));
    expect(only(timeline)).toMatchObject({ content: "", deleted: true, reactions: [] });
  });

  it("are reactions, one's own among them", () => {
    timeline.apply(react(2, 1, "u_bob"));
    timeline.apply(react(3, 1, "u_ann"));
    expect(only(timeline).reactions).toEqual([{ emoji: "👍", count: 2, mine: true }]);
    timeline.apply(react(4, 1, "u_ann", true));
    expect(only(timeline).reactions).toEqual([{ emoji: "👍", count: 1, mine: false }]);
    timeline.apply(react(5, 1, "u_bob", true));
    expect(only(timeline).reactions).toEqual([]);
  });

  it("reach those who quote it", () => {
    const quote = { id: "m_1", user: "u_bob", name: "bob", excerpt: "message 1" };
    timeline.apply(message(2, { reply_to: quote }));
    timeline.apply(edit(3, 1, "better"));
    expect(timeline.lines[1]).toMatchObject({ replyTo: { excerpt: "better" } });
    timeline.apply(deletion(4, 1));
    expect(timeline.lines[1]).toMatchObject({ content: "message 2", replyTo: { excerpt: "" } });
  });

  it("replace the line, so that a list sees them", () => {
    const before = only(timeline);
    timeline.apply(edit(2, 1, "better"));
    expect(only(timeline)).not.toBe(before);
    expect(before.content).toBe("message 1");
  });
});

describe("catching up", () => {
  it("shows a message in its present state and applies the later entries without harm", () => {
    const timeline = new Timeline("u_ann");
    timeline.joined(ack(4));
    timeline.apply(message(1, { content: "final", edited_at: "2026-01-01T12:10:00.000Z" }));
    timeline.apply(message(2, { content: "", deleted: true }));
    timeline.apply(edit(3, 1, "final"));
    timeline.apply(deletion(4, 2));
    timeline.caught("e1", 4);
    expect(timeline.lines).toMatchObject([{ content: "final", edited: true }, { deleted: true }]);
  });

  it("continues after a reconnection", () => {
    const timeline = joined(1, 3);
    timeline.disconnected();
    expect(timeline.joined(ack(5))).toBe(true);
    timeline.apply(message(4));
    timeline.apply(message(5));
    timeline.caught("e1", 5);
    expect(timeline.lines).toHaveLength(5);
  });

  it.each([
    ["the server cannot continue", ack(900, { gap: true })],
    ["the log is another one", ack(900, { epoch: "e2" })],
  ])("starts afresh when %s", (_, answer) => {
    const timeline = joined(1, 3);
    timeline.disconnected();
    expect(timeline.joined(answer)).toBe(false);
    timeline.apply(message(900, { epoch: answer.epoch }));
    timeline.caught(answer.epoch, 900);
    expect(contents(timeline)).toEqual(["message 900"]);
    expect(timeline.position).toEqual({ epoch: answer.epoch, seq: 900 });
  });

  it("knows the position of an empty room", () => {
    const timeline = joined(1, 0);
    expect(timeline.position).toEqual({ epoch: "e1", seq: 0 });
    expect(timeline.hasOlder).toBe(false);
    expect(timeline.apply(message(1)).kind).toBe("message");
  });
});

describe("scrolling back", () => {
  it("asks by time first and by cursor then, until the beginning", () => {
    const timeline = joined(6, 9);
    expect(timeline.pageWanted("older")).toEqual({ before: new Date(START + 6001).toISOString() });
    expect(timeline.addPage(page(4, 6, { prev: "c4" }), "older")).toBe(2);
    expect(timeline.pageWanted("older")).toEqual({ before: "c4" });
    timeline.addPage(page(1, 3), "older");
    expect(timeline.pageWanted("older")).toBeNull();
    expect(timeline.lines.map((line) => line.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("does not count reactions again that a page has counted", () => {
    const timeline = joined(6, 9);
    timeline.addPage({ room: "general", messages: [said(5, { reactions: [{ emoji: "👍", count: 1 }] })], seq: 10 }, "older");
    timeline.apply(react(10, 5, "u_bob"));
    expect(only(timeline).reactions).toEqual([{ emoji: "👍", count: 1 }]);
    timeline.apply(react(11, 5, "u_cleo"));
    expect(only(timeline).reactions).toEqual([{ emoji: "👍", count: 2, mine: false }]);
  });

  it("keeps a bound and reads the newest again on the way back", () => {
    const timeline = joined(LINES_HELD_MAX + 1, LINES_HELD_MAX + 10);
    timeline.addPage(page(1, LINES_HELD_MAX), "older");
    expect(timeline.bound()).toBe(true);
    expect(timeline.bound()).toBe(false);
    expect(timeline.atTail).toBe(false);
    expect(timeline.lines).toHaveLength(LINES_HELD_MAX / 2);
    const at = START + (LINES_HELD_MAX / 2) * 1000 - 1;
    expect(timeline.pageWanted("newer")).toEqual({ after: new Date(at).toISOString() });
    timeline.addPage(page(LINES_HELD_MAX / 2, LINES_HELD_MAX + 10), "newer");
    expect(timeline.atTail).toBe(true);
    expect(timeline.lines).toHaveLength(LINES_HELD_MAX + 10);
  });
});

describe("a window on another place", () => {
  let timeline: Timeline;
  beforeEach(() => {
    timeline = joined(96, 100);
    timeline.openWindow(page(10, 20, { prev: "p", next: "n" }));
  });

  it("does not show new messages, and loses none", () => {
    timeline.apply(message(101));
    expect(timeline.atTail).toBe(false);
    expect(timeline.lines.at(-1)?.seq).toBe(20);
    timeline.closeWindow();
    expect(timeline.lines.at(-1)?.seq).toBe(101);
  });

  it("sees changes to its messages", () => {
    timeline.apply(edit(101, 15, "better"));
    expect(timeline.lines[5]).toMatchObject({ content: "better" });
  });

  it("becomes one with the tail when they touch", () => {
    timeline.addPage(page(21, 90, { next: "n2" }), "newer");
    expect(timeline.atTail).toBe(false);
    timeline.addPage(page(91, 97, { next: "n3" }), "newer");
    expect(timeline.atTail).toBe(true);
    expect(timeline.lines).toHaveLength(91);
    expect(timeline.pageWanted("older")).toEqual({ before: "p" });
  });
});

describe("what is unread", () => {
  it("begins at the last so many messages", () => {
    const timeline = joined(1, 3);
    timeline.apply({ event: "room", data: { ...header(4), title: "Hall" } });
    timeline.apply(message(5));
    expect(timeline.unreadFrom(0)).toBeNull();
    expect(timeline.unreadFrom(2)).toBe(3);
    expect(timeline.unreadFrom(99)).toBe(1);
  });

  it("is what others said behind the mark", () => {
    const timeline = joined(1, 3);
    timeline.apply(message(4, { user: "u_ann" }));
    timeline.apply(message(5));
    expect(timeline.unreadAfter(2)).toEqual({ count: 2, first: 3 });
    expect(timeline.unreadAfter(5)).toEqual({ count: 0, first: null });
  });
});
