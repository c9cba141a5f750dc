// One room that is, or was lately, in view: its timeline, its people, and what is being done in it.

import { tick } from "svelte";
import { SvelteMap } from "svelte/reactivity";
import { attention } from "./attention.svelte";
import { type Clock, systemClock, type Timer } from "./clock";
import { CommandFailed, type Connection } from "./connection";
import type { Outbox } from "./outbox";
import type { Entry, Ephemeral, JoinAck, MemberSummary, PresenceData, Quote, Role } from "./protocol";
import { clientId } from "./random";
import { type Row, rowsOf } from "./rows";
import type { ChatMessage } from "./segment";
import { type Direction, Timeline } from "./timeline";

/** Messages that a fresh join begins with, at least and at most. */
const FIRST_MESSAGES_MIN = 50;
const FIRST_MESSAGES_MAX = 200;
const PAGE_MESSAGES = 100;
const MEMBERS_PAGE = 200;
/** A burst of entries is shown in steps of this length. */
const REDRAW_MS = 40;
/** Somebody who stops typing without saying so. */
const TYPING_EXPIRES_MS = 6_000;
/** How often "is typing" is repeated while one types. */
const TYPING_REPEAT_MS = 3_000;
/** Read marks are told at most this often. */
const READ_MS = 400;
/** Pages of `PAGE_MESSAGES` that are searched for a quoted message. */
const QUOTE_PAGES_MAX = 10;

/** What a room needs of the conversation around it. */
export interface Surroundings {
  readonly self: string;
  readonly connection: Connection;
  readonly outbox: Outbox;
  /** Changes with everything in the outbox. */
  readonly outboxVersion: number;
  setUnread(room: string, unread: number, mentions: number): void;
  /** The membership ended, or never was. */
  lost(room: string): void;
}

export type Phase = "joining" | "ready" | "refused";
export type ScrollTarget = { kind: "bottom" } | { kind: "message"; id: string };

export class RoomView {
  readonly id: string;
  readonly #around: Surroundings;
  readonly #clock: Clock = systemClock;
  readonly #timeline: Timeline;
  #version = $state(0);
  #redrawTimer: Timer | null = null;
  #redrawnAt = Number.NEGATIVE_INFINITY;
  #epoch = "";
  #generation = 0;
  #joining = false;
  /** Everything up to here was read. */
  #marked = 0;
  /** What the last join said is unread; absent once it was taken into account. */
  #unreadAtJoin: number | null = null;
  #readTimer: Timer | null = null;
  #typedAt = Number.NEGATIVE_INFINITY;
  #typingTimers = new Map<string, Timer>();
  #mentions = 0;

  phase = $state<Phase>("joining");
  role = $state<Role>("member");
  /** The first unread entry, as it was when the room was opened or the person looked away. */
  dividerSeq = $state<number | null>(null);
  loading = $state<Direction | null>(null);
  loadFailed = $state(false);
  members = $state.raw<readonly MemberSummary[]>([]);
  moreMembers = $state<string | undefined>();
  memberCount = $state(0);
  typing = $state.raw<readonly { user: string; name: string }[]>([]);
  /** How far the others have read, where the room is small enough for that. */
  readonly marks = new SvelteMap<string, number>();
  replyTo = $state.raw<Quote | null>(null);
  editing = $state<string | null>(null);
  scrollTo = $state.raw<ScrollTarget | null>(null);
  /** Changes when the list shows another place altogether, of which it knows no sizes. */
  place = $state(0);
  /** A found message is marked for a moment. */
  highlighted = $state<string | null>(null);
  draft = $state("");
  /** The newest message is in view. Kept by the list. */
  following = false;
  #counted = $state<{ online: number } | null>(null);

  readonly rows: readonly Row[] = $derived.by(() => {
    void this.#version;
    void this.#around.outboxVersion;
    return rowsOf({
      lines: this.#timeline.lines,
      pending: this.#around.outbox.of(this.id),
      self: this.#around.self,
      dividerSeq: this.dividerSeq,
      atTail: this.#timeline.atTail,
    });
  });
  readonly hasOlder = $derived.by(() => {
    void this.#version;
    return this.#timeline.hasOlder;
  });
  readonly atTail = $derived.by(() => {
    void this.#version;
    return this.#timeline.atTail;
  });
  readonly online = $derived.by(() => {
    if (this.#counted !== null && this.moreMembers !== undefined) return this.#counted.online;
    if (this.members.length > 0) return this.members.filter((member) => member.status !== "offline").length;
    return this.#counted?.online ?? 0;
  });

  constructor(id: string, around: Surroundings) {
    this.id = id;
    this.#around = around;
    this.#timeline = new Timeline(around.self);
  }

  /** Listens to the room, from where we are if we were here before. Returns false where that was refused. */
  async join(unread: number, mentions: number): Promise<boolean> {
    if (this.#joining) return true;
    this.#joining = true;
    this.#mentions = mentions;
    const since = this.#timeline.position;
    const last = Math.min(FIRST_MESSAGES_MAX, Math.max(FIRST_MESSAGES_MIN, unread + 20));
    try {
      const ack = await this.#around.connection.request(
        "join",
        since === null ? { room: this.id, last } : { room: this.id, since },
      );
      this.#joined(ack);
      return true;
    } catch (error) {
      const refused = error instanceof CommandFailed && (error.code === "not_found" || error.code === "forbidden");
      if (refused) this.phase = "refused";
      return !refused;
    } finally {
      this.#joining = false;
    }
  }

  #joined(ack: JoinAck): void {
    this.#epoch = ack.epoch;
    this.role = ack.role;
    this.memberCount = ack.members;
    this.#counted = { online: ack.online };
    if (!this.#timeline.joined(ack)) {
      this.#generation += 1;
      this.place += 1;
      this.#unreadAtJoin = ack.unread;
    }
    void this.loadMembers();
  }

  /** The connection is gone; a join will follow when it is back. */
  disconnected(): void {
    this.#timeline.disconnected();
    this.typing = [];
  }

  apply(entry: Entry): void {
    const applied = this.#timeline.apply(entry);
    if (applied.kind === "hole") return this.#rejoin();
    if (entry.event === "message") this.#around.outbox.seen(this.id, entry.data.client_id, entry.data.seq);
    if (entry.event === "member") this.#memberChanged(entry);
    if (applied.kind === "message") this.#heard(applied.message);
    if (applied.kind !== "nothing") this.#redraw();
  }

  hear(event: Ephemeral): void {
    switch (event.event) {
      case "caught_up":
        return this.#caughtUp(event.data.seq);
      case "typing":
        return this.#setTyping(event.data.user, event.data.name, event.data.typing);
      case "mark":
        this.marks.set(event.data.user, event.data.seq);
        return;
      case "presence":
        return this.#present(event.data);
      case "activity":
        return;
    }
  }

  /** Somebody's status, wherever it was said. */
  setStatus({ user, status }: PresenceData): void {
    if (user === undefined || status === undefined) return;
    if (!this.members.some((member) => member.user === user && member.status !== status)) return;
    this.members = this.members.map((member) => (member.user === user ? { ...member, status } : member));
  }

  #present(data: PresenceData): void {
    if (data.members !== undefined) this.memberCount = data.members;
    if (data.online !== undefined) this.#counted = { online: data.online };
  }

  #caughtUp(seq: number): void {
    this.#timeline.caught(this.#epoch, seq);
    const fresh = this.#unreadAtJoin;
    this.#unreadAtJoin = null;
    // A join does not tell the read mark, but how many messages lie behind it.
    if (fresh !== null) this.#marked = (this.#timeline.unreadFrom(fresh) ?? seq + 1) - 1;
    const { count, first } = this.#timeline.unreadAfter(this.#marked);
    if (fresh !== null || !this.#watched) this.dividerSeq ??= first;
    this.#around.setUnread(this.id, Math.max(count, fresh ?? 0), this.#mentions);
    this.phase = "ready";
    if (fresh !== null && this.following) this.scrollTo = { kind: "bottom" };
    this.#redrawNow();
  }

  /** Somebody sees what arrives. */
  get #watched(): boolean {
    return attention.here && this.following;
  }

  #rejoin(): void {
    this.#around.connection.tell("leave", { room: this.id });
    void this.join(0, this.#mentions);
  }

  #heard(message: ChatMessage): void {
    this.#setTyping(message.user, message.name, false);
    if (message.user === this.#around.self) {
      this.#marked = Math.max(this.#marked, message.seq);
      return this.#around.setUnread(this.id, 0, 0);
    }
    if (!this.#timeline.caughtUp || message.seq <= this.#marked) return;
    if (message.mentions.includes(this.#around.self)) this.#mentions += 1;
    if (!this.#watched) this.dividerSeq ??= message.seq;
    this.#around.setUnread(this.id, this.#timeline.unreadAfter(this.#marked).count, this.#mentions);
  }

  /** Everything up to here was in view of somebody who looked. */
  seen(seq: number): void {
    if (seq <= this.#marked || !this.#timeline.caughtUp) return;
    this.#marked = seq;
    const unread = this.#timeline.unreadAfter(seq).count;
    if (unread === 0) this.#mentions = 0;
    this.#around.setUnread(this.id, unread, this.#mentions);
    this.#readTimer ??= this.#clock.after(READ_MS, () => {
      this.#readTimer = null;
      this.#around.connection.tell("read", { room: this.id, seq: this.#marked });
    });
  }

  /** The mark was set on another device. */
  seenElsewhere(seq: number, unread: number): void {
    if (seq <= this.#marked) return;
    this.#marked = seq;
    if (unread === 0) this.#mentions = 0;
    this.#around.setUnread(this.id, unread, this.#mentions);
  }

  /** The person looks elsewhere: the next unread message gets a divider of its own. */
  lookedAway(): void {
    if (this.#timeline.unreadAfter(this.#marked).count === 0) this.dividerSeq = null;
  }

  async load(direction: Direction): Promise<void> {
    const wanted = this.#timeline.pageWanted(direction);
    if (wanted === null || this.loading !== null || this.phase !== "ready") return;
    this.loading = direction;
    const generation = this.#generation;
    try {
      const page = await this.#around.connection.request("history", { room: this.id, ...wanted, limit: PAGE_MESSAGES });
      // The list keeps its place while lines are put before the first one, if that is all that happens in that step.
      await this.#redrawn();
      if (generation !== this.#generation) return;
      this.#timeline.addPage(page, direction);
      await this.#redrawn();
      if (direction === "older" && this.#timeline.bound()) await this.#redrawn();
      this.loadFailed = false;
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      this.loadFailed = true;
    } finally {
      this.loading = null;
    }
  }

  /** Goes to a message that a search has found. */
  async jumpTo(message: { id: string; at: number }): Promise<void> {
    if (this.#timeline.find(message.id) === -1 && this.#timeline.tailHolds(message.id)) this.#closeWindow();
    if (this.#timeline.find(message.id) === -1) {
      const before = new Date(message.at + 1).toISOString();
      const page = await this.#around.connection.request("history", { room: this.id, before, limit: PAGE_MESSAGES });
      this.#timeline.openWindow(page);
      this.place += 1;
    }
    this.#show(message.id);
  }

  /** Goes to a quoted message, of which only the id is known: back page by page. Returns false where it is too far. */
  async jumpToQuoted(id: string): Promise<boolean> {
    for (let pages = 0; this.#timeline.find(id) === -1; pages++) {
      if (pages >= QUOTE_PAGES_MAX || !this.#timeline.hasOlder) return false;
      await this.load("older");
      if (this.loadFailed) return false;
    }
    this.#show(id);
    return true;
  }

  #show(id: string): void {
    this.#redrawNow();
    this.scrollTo = { kind: "message", id };
    this.highlighted = id;
    this.#clock.after(2_500, () => {
      if (this.highlighted === id) this.highlighted = null;
    });
  }

  #closeWindow(): void {
    if (this.#timeline.atTail) return;
    this.#timeline.closeWindow();
    this.place += 1;
  }

  jumpToNewest(): void {
    this.#closeWindow();
    this.#redrawNow();
    this.scrollTo = { kind: "bottom" };
  }

  async loadMembers(more = false): Promise<void> {
    const cursor = more ? this.moreMembers : undefined;
    try {
      const query = { room: this.id, limit: MEMBERS_PAGE };
      const page = await this.#around.connection.request("members", cursor === undefined ? query : { ...query, cursor });
      const before = more ? this.members : [];
      const known = new Set(before.map((member) => member.user));
      this.members = [...before, ...page.members.filter((member) => !known.has(member.user))];
      this.moreMembers = page.next;
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
    }
  }

  #memberChanged(entry: Extract<Entry, { event: "member" }>): void {
    const { target, target_name: name, change, role } = entry.data;
    switch (change) {
      case "joined":
        this.#addMember({ user: target, name, role: role ?? "member", status: "offline" });
        return;
      case "left":
      case "removed":
      case "banned":
        if (this.#timeline.caughtUp) this.memberCount -= 1;
        this.members = this.members.filter((member) => member.user !== target);
        if (target === this.#around.self) this.#around.lost(this.id);
        return;
      case "role":
        this.members = this.members.map((member) => (member.user === target ? { ...member, role: role ?? member.role } : member));
        if (target === this.#around.self && role !== undefined) this.role = role;
        return;
      case "invited":
        return;
    }
  }

  #addMember(member: MemberSummary): void {
    if (!this.#timeline.caughtUp || this.members.some((known) => known.user === member.user)) return;
    this.memberCount += 1;
    // Who has just joined is here; presence says otherwise soon enough if not.
    this.members = [...this.members, { ...member, status: "online" }];
  }

  #setTyping(user: string, name: string, typing: boolean): void {
    if (user === this.#around.self) return;
    const timer = this.#typingTimers.get(user);
    if (timer !== undefined) this.#clock.cancel(timer);
    this.#typingTimers.delete(user);
    const others = this.typing.filter((one) => one.user !== user);
    if (typing) {
      this.#typingTimers.set(
        user,
        this.#clock.after(TYPING_EXPIRES_MS, () => this.#setTyping(user, name, false)),
      );
      this.typing = [...others, { user, name }];
    } else if (others.length !== this.typing.length) {
      this.typing = others;
    }
  }

  /** A key was pressed in the composer. */
  typed(empty: boolean): void {
    const now = this.#clock.now();
    if (empty) return this.#stoppedTyping();
    if (now - this.#typedAt < TYPING_REPEAT_MS) return;
    this.#typedAt = now;
    this.#around.connection.tell("typing", { room: this.id, typing: true });
  }

  #stoppedTyping(): void {
    if (this.#typedAt === Number.NEGATIVE_INFINITY) return;
    this.#typedAt = Number.NEGATIVE_INFINITY;
    this.#around.connection.tell("typing", { room: this.id, typing: false });
  }

  send(content: string): void {
    const replyTo = this.replyTo ?? undefined;
    this.replyTo = null;
    this.dividerSeq = null;
    // The server takes a message as the end of its writer's typing.
    this.#typedAt = Number.NEGATIVE_INFINITY;
    this.#closeWindow();
    this.#around.outbox.write({ clientId: clientId(), room: this.id, content, replyTo, writtenAt: Date.now(), state: "waiting" });
    this.scrollTo = { kind: "bottom" };
  }

  async edit(id: string, content: string): Promise<void> {
    await this.#around.connection.request("edit", { room: this.id, id, content });
  }

  async delete(id: string): Promise<void> {
    await this.#around.connection.request("delete", { room: this.id, id });
  }

  async react(message: ChatMessage, emoji: string): Promise<void> {
    const mine = message.reactions.some((reaction) => reaction.emoji === emoji && reaction.mine);
    const command = { room: this.id, id: message.id, emoji };
    await this.#around.connection.request("react", mine ? { ...command, remove: true } : command);
  }

  /** One's own newest message, to be edited from the composer. */
  lastOwn(): ChatMessage | undefined {
    return this.#timeline.lastOwn();
  }

  /** Everybody's read mark is at or behind this entry, but one's own. */
  seenByOthers(seq: number): boolean {
    return [...this.marks].some(([user, mark]) => user !== this.#around.self && mark >= seq);
  }

  #redraw(): void {
    const wait = this.#redrawnAt + REDRAW_MS - this.#clock.now();
    if (wait <= 0) return this.#redrawNow();
    this.#redrawTimer ??= this.#clock.after(wait, () => this.#redrawNow());
  }

  #redrawNow(): void {
    if (this.#redrawTimer !== null) this.#clock.cancel(this.#redrawTimer);
    this.#redrawTimer = null;
    this.#redrawnAt = this.#clock.now();
    this.#version += 1;
  }

  /** Shows what there is, and waits until it is in the document. */
  async #redrawn(): Promise<void> {
    this.#redrawNow();
    await tick();
  }

  close(): void {
    for (const timer of [this.#redrawTimer, this.#readTimer, ...this.#typingTimers.values()]) {
      if (timer !== null) this.#clock.cancel(timer);
    }
  }
}
