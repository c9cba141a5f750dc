// The conversation of one person: the connection, the rooms, and whatever concerns more than one of them.

import { SvelteMap } from "svelte/reactivity";
import { attention } from "./attention.svelte";
import { systemClock, type Timer } from "./clock";
import { CommandFailed, Connection, type ConnectionState, type SocketLike } from "./connection";
import { i18n } from "./i18n/index.svelte";
import { notices } from "./notices.svelte";
import { browserStorage, Outbox } from "./outbox";
import type { About, Entry, EntryData, Ephemeral, Person, Position, RoomSummary, Status, Welcome } from "./protocol";
import { RoomView, type Surroundings } from "./room.svelte";

/** Rooms that stay joined after one has gone elsewhere, so that coming back is instant. */
const ROOMS_JOINED_MAX = 10;
/** The public room that exists from the first start of a server. */
const FIRST_ROOM = "general";
const ROOMS_PAGE = 200;
/** Pages of the list of rooms that are read. */
const ROOMS_PAGES_MAX = 10;
/** News about rooms comes in bursts; the list is read again once per this time. */
const REFRESH_MS = 300;

export type SettableStatus = Exclude<Status, "offline">;

export interface ChatOptions {
  user: Person;
  /** The login has ended: whoever owns this conversation asks for a new one. */
  onloggedout: () => void;
  /** The handshake failed: perhaps the login has ended. */
  onrefused: () => void;
}

export class Chat implements Surroundings {
  readonly #options: ChatOptions;
  readonly user: Person;
  readonly self: string;
  readonly connection: Connection;
  readonly outbox: Outbox;
  state = $state.raw<ConnectionState>({ kind: "connecting" });
  outboxVersion = $state(0);
  contentBytesMax = $state(16 * 1024);
  readonly rooms = new SvelteMap<string, RoomSummary>();
  roomsLoaded = $state(false);
  #firstRoomTried = false;
  open = $state.raw<RoomView | null>(null);
  /** The room of the address, which may be one that cannot be opened. */
  openId = $state<string | null>(null);
  ownStatus = $state<SettableStatus>("online");
  /** The views of rooms that are joined, the latest last. */
  #views: RoomView[] = [];
  #mePosition: Position | null = null;
  #meCaughtUp = false;
  #refreshTimer: Timer | null = null;
  #stopEffects: () => void;

  readonly #list = $derived([...this.rooms.values()].sort((a, b) => a.title.localeCompare(b.title, i18n.locale)));
  readonly #mine = $derived(this.#list.filter((room) => this.#belongs(room.room)));
  readonly memberRooms = $derived(this.#mine.filter((room) => room.kind !== "direct"));
  readonly directRooms = $derived(this.#mine.filter((room) => room.kind === "direct"));
  readonly invitations = $derived(this.#list.filter((room) => room.role === "invited"));
  readonly joinableRooms = $derived(this.#list.filter((room) => room.role === "none"));
  readonly unread = $derived(this.#mine.reduce((sum, room) => sum + room.unread, 0));
  readonly openSummary = $derived(this.openId === null ? undefined : this.rooms.get(this.openId));

  constructor(options: ChatOptions) {
    this.#options = options;
    this.user = options.user;
    this.self = options.user.id;
    this.connection = new Connection({
      open: openSocket,
      clock: systemClock,
      random: Math.random,
      events: {
        onstate: (state) => this.#onState(state),
        onwelcome: (welcome) => void this.#onWelcome(welcome),
        onentry: (entry) => this.#onEntry(entry),
        onephemeral: (event) => this.#onEphemeral(event),
        onerror: (error) => notices.show(i18n.error(error)),
        onrefused: () => options.onrefused(),
      },
    });
    this.outbox = new Outbox({
      clock: systemClock,
      storage: browserStorage(this.self, localStorage),
      ready: () => this.connection.state.kind === "connected",
      onchange: () => (this.outboxVersion += 1),
      send: ({ room, content, clientId, replyTo }) => {
        const command = { room, content, client_id: clientId };
        return this.connection.request("message", replyTo === undefined ? command : { ...command, reply_to: replyTo.id });
      },
    });
    this.#stopEffects = this.#follow();
  }

  start(): void {
    addEventListener("online", this.#networkUp);
    addEventListener("offline", this.#networkDown);
    this.connection.start();
  }

  stop(): void {
    removeEventListener("online", this.#networkUp);
    removeEventListener("offline", this.#networkDown);
    this.#stopEffects();
    if (this.#refreshTimer !== null) systemClock.cancel(this.#refreshTimer);
    for (const view of this.#views) view.close();
    this.outbox.stop();
    this.connection.stop();
  }

  readonly #networkUp = (): void => this.connection.setNetwork(true);
  readonly #networkDown = (): void => this.connection.setNetwork(false);

  /** What follows from where the person's attention is. */
  #follow(): () => void {
    return $effect.root(() => {
      $effect(() => {
        if (!attention.here) this.open?.lookedAway();
      });
      $effect(() => {
        const status = attention.idle && this.ownStatus === "online" ? "away" : this.ownStatus;
        if (this.state.kind === "connected") this.connection.tell("presence", { status });
      });
    });
  }

  #onState(state: ConnectionState): void {
    this.state = state;
    if (state.kind === "connected") return;
    for (const view of this.#views) view.disconnected();
    if (state.kind === "stopped") this.#options.onloggedout();
  }

  async #onWelcome(welcome: Welcome): Promise<void> {
    this.contentBytesMax = welcome.limits.content_bytes;
    this.#meCaughtUp = false;
    const { connection } = this;
    // What is in view comes first; the commands leave at once, in this order.
    const views = [...this.#views].reverse().map((view) => this.#join(view));
    const since = this.#mePosition ?? welcome.me;
    const news = connection.request("join", { room: "@me", since }).then((ack) => {
      this.#mePosition = ack.gap || this.#mePosition === null ? { epoch: ack.epoch, seq: ack.seq } : this.#mePosition;
    });
    this.outbox.flush();
    const results = await Promise.allSettled([...views, news, this.refreshRooms()]);
    for (const result of results) {
      if (result.status === "rejected" && !(result.reason instanceof CommandFailed)) throw result.reason;
    }
  }

  #onEntry(entry: Entry): void {
    const { room, epoch, seq } = entry.data;
    if (room === "@me") {
      this.#mePosition = { epoch, seq };
      return this.#onNews(entry);
    }
    this.#views.find((view) => view.id === room)?.apply(entry);
    if (entry.event === "message") this.#onMessage(entry.data);
    if (entry.event === "room") this.#patch(room, pick(entry.data));
  }

  #onMessage(message: EntryData["message"]): void {
    this.#patch(message.room, { last: message });
    const isOpen = this.open?.id === message.room && this.open.phase === "ready";
    if (isOpen && message.user !== this.self) notices.announce(i18n.t.saysAloud(message.name, message.content));
  }

  #onNews(entry: Entry): void {
    // Old news: the list of rooms, which is read after every welcome, knows better.
    if (!this.#meCaughtUp && entry.event !== "notice") return;
    switch (entry.event) {
      case "room_added":
        this.#refreshSoon();
        return;
      case "room_removed":
        if (entry.data.about.room !== undefined) this.lost(entry.data.about.room);
        return;
      case "read":
        this.#readElsewhere(entry.data.about);
        return;
      case "notice":
        if (entry.data.about.text !== undefined) notices.show(entry.data.about.text);
        return;
      case "message":
      case "edit":
      case "delete":
      case "react":
      case "member":
      case "room":
      case "call":
      case "mention":
      case "unknown":
        // A mention is counted by its room: in the message itself where we listen, by an `activity` elsewhere.
        return;
    }
  }

  #readElsewhere({ room, seq, unread }: About): void {
    if (room === undefined || seq === undefined || unread === undefined) return;
    const view = this.#views.find((one) => one.id === room);
    if (view !== undefined) view.seenElsewhere(seq, unread);
    else this.#patch(room, unread === 0 ? { unread, mentions: 0 } : { unread });
  }

  #onEphemeral(event: Ephemeral): void {
    switch (event.event) {
      case "activity": {
        const { room, seq, unread, mentions } = event.data;
        if (!this.rooms.has(room)) return this.#refreshSoon();
        return this.#patch(room, { seq, unread, mentions });
      }
      case "presence":
        for (const view of this.#views) {
          view.setStatus(event.data);
          if (view.id === event.data.room) view.hear(event);
        }
        return;
      case "caught_up":
        if (event.data.room === "@me") this.#meCaughtUp = true;
        this.#views.find((view) => view.id === event.data.room)?.hear(event);
        return;
      case "typing":
      case "mark":
        this.#views.find((view) => view.id === event.data.room)?.hear(event);
        return;
    }
  }

  /** Reads the list of rooms again. */
  async refreshRooms(): Promise<void> {
    const all = new Map<string, RoomSummary>();
    let cursor: string | undefined;
    for (let page = 0; page < ROOMS_PAGES_MAX; page++) {
      const query = { limit: ROOMS_PAGE };
      const answer = await this.connection.request("rooms", cursor === undefined ? query : { ...query, cursor });
      for (const room of answer.rooms) all.set(room.room, room.title === "" ? { ...room, title: room.room } : room);
      cursor = answer.next;
      if (cursor === undefined) break;
    }
    for (const room of this.rooms.keys()) if (!all.has(room)) this.rooms.delete(room);
    for (const [room, summary] of all) this.rooms.set(room, this.#asSeenHere(summary));
    this.roomsLoaded = true;
    this.show(this.openId);
    await this.#enterFirstRoom();
  }

  /** Who belongs nowhere yet finds themselves where everybody begins. */
  async #enterFirstRoom(): Promise<void> {
    const belongs = [...this.rooms.keys()].some((room) => this.#belongs(room));
    if (this.#firstRoomTried || belongs || this.rooms.get(FIRST_ROOM)?.role !== "none") return;
    this.#firstRoomTried = true;
    await this.joinRoom(FIRST_ROOM);
  }

  /** What was read in this window may not have reached the server yet: of a room in view, the view knows better. */
  #asSeenHere(summary: RoomSummary): RoomSummary {
    const known = this.rooms.get(summary.room);
    const view = this.#views.find((one) => one.id === summary.room && one.phase === "ready");
    if (known === undefined || view === undefined) return summary;
    return { ...summary, unread: known.unread, mentions: known.mentions };
  }

  /** There is a room more than this window knows of. */
  async roomAdded(): Promise<void> {
    try {
      await this.refreshRooms();
    } catch (error) {
      // A lost connection reads the list again when it is back.
      if (!(error instanceof CommandFailed)) throw error;
    }
  }

  #refreshSoon(): void {
    this.#refreshTimer ??= systemClock.after(REFRESH_MS, () => {
      this.#refreshTimer = null;
      void this.roomAdded();
    });
  }

  /** Puts a room in view; rooms one does not belong to are shown as such. */
  show(room: string | null): void {
    this.openId = room;
    if (this.open?.id !== room) {
      this.open?.lookedAway();
      this.open = null;
    }
    if (room === null) return;
    if (this.#belongs(room)) this.#enter(room);
  }

  #belongs(room: string): boolean {
    const role = this.rooms.get(room)?.role;
    return role === "owner" || role === "moderator" || role === "member";
  }

  /** Becomes a member where that takes nothing but the wish. */
  async joinRoom(room: string): Promise<boolean> {
    const view = new RoomView(room, this);
    this.#views.push(view);
    const joined = await this.#join(view);
    if (!joined) this.#forget(room);
    await this.refreshRooms();
    return joined;
  }

  async part(room: string): Promise<void> {
    await this.connection.request("part", { room });
    this.lost(room);
  }

  #enter(room: string): RoomView {
    const known = this.#views.find((view) => view.id === room);
    const view = known ?? new RoomView(room, this);
    this.#views = [...this.#views.filter((one) => one !== view), view];
    if (known === undefined && this.connection.state.kind === "connected") void this.#join(view);
    if (this.openId === room) this.open = view;
    if (this.#views.length > ROOMS_JOINED_MAX) {
      const oldest = this.#views[0];
      if (oldest !== undefined) this.#leave(oldest);
    }
    return view;
  }

  #join(view: RoomView): Promise<boolean> {
    const summary = this.rooms.get(view.id);
    return view.join(summary?.unread ?? 0, summary?.mentions ?? 0);
  }

  #leave(view: RoomView): void {
    this.connection.tell("leave", { room: view.id });
    this.#forget(view.id);
  }

  #forget(room: string): void {
    this.#views.find((view) => view.id === room)?.close();
    this.#views = this.#views.filter((view) => view.id !== room);
    if (this.open?.id === room) this.open = null;
  }

  lost(room: string): void {
    this.#forget(room);
    this.rooms.delete(room);
    this.#refreshSoon();
  }

  setUnread(room: string, unread: number, mentions: number): void {
    const known = this.rooms.get(room);
    if (known !== undefined && (known.unread !== unread || known.mentions !== mentions)) this.#patch(room, { unread, mentions });
  }

  #patch(room: string, change: Partial<RoomSummary>): void {
    const known = this.rooms.get(room);
    if (known !== undefined) this.rooms.set(room, { ...known, ...change });
  }

  setStatus(status: SettableStatus): void {
    this.ownStatus = status;
  }

  /** Forgets what this browser keeps of the person. */
  forgetEverything(): void {
    this.outbox.clear();
  }
}

function pick({ title, topic, archived }: EntryData["room"]): Partial<RoomSummary> {
  const change: Partial<RoomSummary> = {};
  if (title !== undefined) change.title = title;
  if (topic !== undefined) change.topic = topic;
  if (archived !== undefined) change.archived = archived;
  return change;
}

function openSocket(): SocketLike {
  const url = new URL("/ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(url, "salon.v1.json") as SocketLike;
}
