// A room as this page knows it: the log's projection up to a position, and the pages of history read so far.
//
// The tail ends at the head of the log and follows it. Whoever jumps far back looks at a window of its own, which
// becomes one with the tail when reading on has closed the distance.

import type { Entry, HistoryPage, JoinAck, Position } from "./protocol";
import { type ChatMessage, type Edge, type Happening, type Line, messageOf, Segment } from "./segment";

/** Lines kept of one room. Who scrolls back further loses the newest ones, which are read again on the way back. */
export const LINES_HELD_MAX = 20_000;
/** What stays of the tail when the view moves far away from it. */
const TAIL_KEPT_LINES = 200;

export type Applied =
  /** Nothing that can be seen. */
  | { kind: "nothing" }
  | { kind: "changed" }
  | { kind: "message"; message: ChatMessage }
  /** An entry is missing in between: join again with `since`. */
  | { kind: "hole" };

export type Direction = "older" | "newer";

export class Timeline {
  readonly #self: string;
  #tail = new Segment();
  #window: Segment | null = null;
  #position: Position | null = null;
  #caughtUp = false;

  constructor(self: string) {
    this.#self = self;
  }

  /** Where to resume; absent until something of the room is known. */
  get position(): Position | null {
    return this.#position;
  }

  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** What is to be seen. */
  get lines(): readonly Line[] {
    return this.#shown.lines;
  }

  /** True while new messages appear at the end of the lines. */
  get atTail(): boolean {
    return this.#window === null;
  }

  get hasOlder(): boolean {
    return this.#shown.prev.kind !== "end";
  }

  get newest(): Line | undefined {
    return this.#tail.last;
  }

  get #shown(): Segment {
    return this.#window ?? this.#tail;
  }

  /** The acknowledgement of a join. Returns false where what we knew does not continue and was dropped. */
  joined(ack: JoinAck): boolean {
    this.#caughtUp = false;
    const continues = this.#position !== null && !ack.gap && this.#position.epoch === ack.epoch;
    if (continues) return true;
    this.#tail = new Segment();
    this.#window = null;
    this.#position = null;
    return false;
  }

  /** The end of what a join replays. `epoch` is that of its acknowledgement. */
  caught(epoch: string, seq: number): void {
    this.#caughtUp = true;
    if (this.#position === null || this.#position.seq < seq) this.#position = { epoch, seq };
    // What lies before the first replayed line is asked for by its time: a join gives no cursor.
    const { first } = this.#tail;
    if (this.#tail.prev.kind === "end" && first !== undefined && first.seq > 1) this.#tail.prev = before(first);
  }

  apply(entry: Entry): Applied {
    const { epoch, seq } = entry.data;
    const here = this.#position;
    if (here !== null && here.epoch === epoch) {
      if (seq <= here.seq) return { kind: "nothing" };
      if (this.#caughtUp && seq !== here.seq + 1) return { kind: "hole" };
    } else if (this.#caughtUp) {
      return { kind: "hole" };
    }
    this.#position = { epoch, seq };
    return this.#project(entry);
  }

  /** The connection is gone: what comes next begins with a join. */
  disconnected(): void {
    this.#caughtUp = false;
  }

  #project(entry: Entry): Applied {
    switch (entry.event) {
      case "message": {
        const message = messageOf(entry.data, entry.data.seq);
        this.#tail.append(message);
        return { kind: "message", message };
      }
      case "edit":
      case "delete":
      case "react": {
        const inTail = this.#tail.change(entry, this.#self);
        const inWindow = this.#window?.change(entry, this.#self) ?? false;
        return { kind: inTail || inWindow ? "changed" : "nothing" };
      }
      case "member":
      case "room": {
        const happening = happeningOf(entry);
        if (happening === null) return { kind: "nothing" };
        this.#tail.append(happening);
        return { kind: "changed" };
      }
      case "call":
      case "room_added":
      case "room_removed":
      case "mention":
      case "notice":
      case "read":
      case "unknown":
        return { kind: "nothing" };
    }
  }

  /** What to ask `history` for next, or nothing where the log ends. */
  pageWanted(direction: Direction): { before: string } | { after: string } | null {
    const edge = direction === "older" ? this.#shown.prev : this.#shown.next;
    if (edge.kind === "end") return null;
    const place = edge.kind === "cursor" ? edge.cursor : new Date(edge.at).toISOString();
    return direction === "older" ? { before: place } : { after: place };
  }

  /** A page that continues what is shown. Returns how many of its lines were new. */
  addPage(page: HistoryPage, direction: Direction): number {
    const shown = this.#shown;
    const added = shown.merge(this.#linesOf(page));
    if (direction === "older") {
      shown.prev = edgeOf(page.prev);
    } else {
      shown.next = edgeOf(page.next);
      this.#reunite(page.next === undefined);
    }
    return added;
  }

  /** Forgets the newest of too many lines. Returns true where it did. */
  bound(): boolean {
    const shown = this.#shown;
    if (shown.lines.length <= LINES_HELD_MAX) return false;
    const kept = shown.lines.slice(0, LINES_HELD_MAX / 2);
    const last = kept.at(-1);
    if (last === undefined) return false;
    if (this.#window === null) {
      const lines = this.#tail.lines.slice(-TAIL_KEPT_LINES);
      const first = lines[0];
      this.#tail = new Segment(lines, first === undefined ? { kind: "end" } : before(first));
    }
    this.#window = new Segment(kept, shown.prev, after(last));
    return true;
  }

  /** Shows another place: the page that ends with the message one wants to see. */
  openWindow(page: HistoryPage): void {
    const lines = this.#linesOf(page);
    const last = lines.at(-1);
    const next: Edge = last === undefined ? { kind: "end" } : page.next === undefined ? after(last) : edgeOf(page.next);
    this.#window = new Segment(lines, edgeOf(page.prev), next);
    this.#reunite(false);
  }

  /** Back to the newest messages. */
  closeWindow(): void {
    this.#window = null;
  }

  /** The message's place among the shown lines, or -1. */
  find(id: string): number {
    return this.#shown.find(id);
  }

  /** True if it is in the tail, though another place may be shown. */
  tailHolds(id: string): boolean {
    return this.#tail.find(id) !== -1;
  }

  /** One's own newest message that can still be edited. */
  lastOwn(): ChatMessage | undefined {
    const own = this.#tail.lines.findLast((line) => line.kind === "message" && line.user === this.#self && !line.deleted);
    return own?.kind === "message" ? own : undefined;
  }

  /** The first of the last `count` messages: where the unread ones begin. */
  unreadFrom(count: number): number | null {
    if (count <= 0) return null;
    const messages = this.#tail.lines.filter((line) => line.kind === "message");
    return messages.at(-count)?.seq ?? messages[0]?.seq ?? null;
  }

  /** Other people's messages behind a read mark, as far as the tail goes back. */
  unreadAfter(mark: number): { count: number; first: number | null } {
    const unread: number[] = [];
    for (let index = this.#tail.lines.length - 1; index >= 0; index--) {
      const line = this.#tail.lines[index];
      if (line === undefined || line.seq <= mark) break;
      if (line.kind === "message" && line.user !== this.#self) unread.push(line.seq);
    }
    return { count: unread.length, first: unread.at(-1) ?? null };
  }

  #linesOf(page: HistoryPage): Line[] {
    return page.messages.map((data) => messageOf(data, page.seq ?? Math.max(data.seq, this.#position?.seq ?? 0)));
  }

  /** The window and the tail become one when they touch. */
  #reunite(windowReachesHead: boolean): void {
    const window = this.#window;
    if (window === null) return;
    const tailFirst = this.#tail.first?.seq;
    const windowLast = window.last?.seq;
    const touches = tailFirst === undefined || (windowLast !== undefined && windowLast >= tailFirst);
    if (!touches && !windowReachesHead) return;
    this.#tail.merge(window.lines);
    if (this.#tail.first?.seq === window.first?.seq) this.#tail.prev = window.prev;
    this.#window = null;
  }
}

// Several messages may have been written in one millisecond: the page asked for by time overlaps, and merging tells.
function before(line: Line): Edge {
  return { kind: "time", at: line.at + 1 };
}

function after(line: Line): Edge {
  return { kind: "time", at: line.at - 1 };
}

function edgeOf(cursor: string | undefined): Edge {
  return cursor === undefined ? { kind: "end" } : { kind: "cursor", cursor };
}

function happeningOf(entry: Extract<Entry, { event: "member" | "room" }>): Happening | null {
  const { seq, user, name, timestamp } = entry.data;
  const header = { kind: "happening", seq, user, name, at: Date.parse(timestamp) } as const;
  if (entry.event === "room") {
    const { title } = entry.data;
    return title === undefined ? null : { ...header, what: { kind: "title", title } };
  }
  const { target, target_name: targetName, change } = entry.data;
  if (change === "invited" || change === "role") return null;
  return { ...header, what: { kind: "member", target, targetName, change } };
}
