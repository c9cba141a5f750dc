// One WebSocket that comes back by itself. It knows frames, replies and close codes; it knows nothing of rooms.

import type { Clock, Timer } from "./clock";
import { isFinalClose, parseFrame } from "./protocol";
import type { CommandName, Commands, Entry, Ephemeral, ErrorCode, ErrorData, Welcome } from "./protocol";

/** The first retry comes within this time, the next within twice of it, and so on. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** A connection that lived this long was a good one: the next failure starts from the first back-off again. */
const STABLE_MS = 10_000;
/** From the first byte to `welcome`. */
const WELCOME_TIMEOUT_MS = 15_000;
/** The server answers within 10 s, even if only by `unavailable`; beyond this the answer was lost. */
const REPLY_TIMEOUT_MS = 15_000;
/** The server allows 64; the rest is left to commands that nobody waits for. */
const COMMANDS_IN_FLIGHT_MAX = 48;
const COMMANDS_WAITING_MAX = 256;
/** The close code of a client that gives a silent connection up. */
const CLOSE_SILENT = 4000;

/** The part of the browser's WebSocket that is used here. */
export interface SocketLike {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export type ConnectionState =
  | { kind: "connecting" }
  | { kind: "connected" }
  /** The next attempt comes at this time of the clock. */
  | { kind: "waiting"; until: number }
  /** The browser says that there is no network; attempts go on, slowly. */
  | { kind: "offline"; until: number }
  /** The server does not want to see this client again, and said why. */
  | { kind: "stopped"; code: number };

export interface ConnectionEvents {
  onstate(state: ConnectionState): void;
  onwelcome(welcome: Welcome): void;
  onentry(entry: Entry): void;
  onephemeral(event: Ephemeral): void;
  /** An error that answers no command in particular. */
  onerror(error: ErrorData): void;
  /** The server hung up before it said welcome: perhaps the login has ended. */
  onrefused(): void;
}

export interface ConnectionOptions {
  open: () => SocketLike;
  clock: Clock;
  random: () => number;
  events: ConnectionEvents;
}

/** A command that was refused, or whose answer was lost (`lost`: it may have taken effect). */
export class CommandFailed extends Error {
  readonly code: ErrorCode | "lost";
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode | "lost", message: string, field?: string, retryAfterMs?: number) {
    super(message);
    this.name = "CommandFailed";
    this.code = code;
    this.field = field;
    this.retryAfterMs = retryAfterMs;
  }

  /** True where the same command may succeed later. */
  get retryable(): boolean {
    return this.code === "lost" || this.code === "unavailable" || this.code === "rate_limited";
  }
}

interface Waiting {
  event: CommandName;
  data: unknown;
  resolve: (data: unknown) => void;
  reject: (error: CommandFailed) => void;
}

interface InFlight extends Waiting {
  timer: Timer;
}

export class Connection {
  readonly #options: ConnectionOptions;
  #state: ConnectionState = { kind: "connecting" };
  #socket: SocketLike | null = null;
  #welcomed = false;
  #welcomedAt = 0;
  #attempt = 0;
  #reconnectAfterMs = 0;
  #nextId = 1;
  #inFlight = new Map<number, InFlight>();
  #waiting: Waiting[] = [];
  #retry: Timer | null = null;
  #silence: Timer | null = null;
  #silenceMs = 0;
  #networkDown = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  start(): void {
    if (this.#socket === null && this.#state.kind !== "stopped") this.#connect();
  }

  /** Ends for good; nothing is reported any more. */
  stop(): void {
    this.#clear();
    const socket = this.#socket;
    this.#detach();
    this.#state = { kind: "stopped", code: 1000 };
    this.#failAll("the connection was ended");
    socket?.close(1000);
  }

  /** Tries at once instead of waiting for the back-off. */
  retryNow(): void {
    if (this.#state.kind !== "waiting" && this.#state.kind !== "offline") return;
    this.#attempt = 0;
    this.#connect();
  }

  /** The browser's opinion of the network. */
  setNetwork(up: boolean): void {
    this.#networkDown = !up;
    if (up) {
      this.retryNow();
    } else if (this.#state.kind === "waiting") {
      this.#wait();
    } else if (this.#state.kind === "connected" || this.#state.kind === "connecting") {
      this.#drop();
    }
  }

  /** Sends a command; resolves with the data of its acknowledgement. */
  request<Name extends CommandName>(event: Name, data: Commands[Name]["data"]): Promise<Commands[Name]["ack"]> {
    return new Promise((resolve, reject) => {
      if (!this.#welcomed) return reject(new CommandFailed("lost", "not connected"));
      const waiting: Waiting = { event, data, resolve: resolve as (data: unknown) => void, reject };
      if (this.#inFlight.size < COMMANDS_IN_FLIGHT_MAX) return this.#dispatch(waiting);
      if (this.#waiting.length >= COMMANDS_WAITING_MAX) return reject(new CommandFailed("unavailable", "too much at once"));
      this.#waiting.push(waiting);
    });
  }

  /** Sends a command whose answer nobody waits for, and which is not worth keeping while there is no connection. */
  tell<Name extends CommandName>(event: Name, data: Commands[Name]["data"]): void {
    if (this.#welcomed) this.#socket?.send(JSON.stringify({ event, data }));
  }

  #dispatch(waiting: Waiting): void {
    const id = this.#nextId++;
    const timer = this.#options.clock.after(REPLY_TIMEOUT_MS, () => {
      this.#settle(id)?.reject(new CommandFailed("lost", "no answer in time"));
    });
    this.#inFlight.set(id, { ...waiting, timer });
    this.#socket?.send(JSON.stringify({ event: waiting.event, id, data: waiting.data }));
  }

  #settle(id: number): InFlight | undefined {
    const settled = this.#inFlight.get(id);
    if (settled === undefined) return undefined;
    this.#inFlight.delete(id);
    this.#options.clock.cancel(settled.timer);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#dispatch(next);
    return settled;
  }

  #connect(): void {
    this.#clear();
    this.#reconnectAfterMs = 0;
    this.#become({ kind: "connecting" });
    const socket = this.#options.open();
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.#receive(data);
    };
    socket.onclose = ({ code }) => this.#closed(code);
    this.#silenceMs = WELCOME_TIMEOUT_MS;
    this.#watch();
  }

  #receive(text: string): void {
    this.#watch();
    const frame = parseFrame(text);
    if (frame === null) return;
    const { events } = this.#options;
    switch (frame.kind) {
      case "welcome":
        return this.#welcome(frame.welcome);
      case "ack":
        return this.#settle(frame.id)?.resolve(frame.data);
      case "error":
        return this.#refuse(frame.id, frame.error);
      case "closing":
        this.#reconnectAfterMs = frame.reconnectAfterMs ?? 0;
        return;
      case "entry":
        return events.onentry(frame.entry);
      case "ephemeral":
        return events.onephemeral(frame.ephemeral);
      case "ping":
        return;
    }
  }

  #welcome(welcome: Welcome): void {
    this.#welcomed = true;
    this.#welcomedAt = this.#options.clock.now();
    // The server is never silent for longer than one heartbeat; after two of them nobody is there.
    this.#silenceMs = welcome.heartbeat_ms * 2;
    this.#watch();
    this.#become({ kind: "connected" });
    this.#options.events.onwelcome(welcome);
  }

  #refuse(id: number | undefined, error: ErrorData): void {
    const failed = id === undefined ? undefined : this.#settle(id);
    if (failed === undefined) return this.#options.events.onerror(error);
    failed.reject(new CommandFailed(error.code, error.message, error.field, error.retry_after_ms));
  }

  #closed(code: number): void {
    const welcomed = this.#welcomed;
    if (welcomed && this.#options.clock.now() - this.#welcomedAt >= STABLE_MS) this.#attempt = 0;
    this.#clear();
    this.#detach();
    if (isFinalClose(code)) {
      this.#become({ kind: "stopped", code });
    } else {
      this.#wait();
    }
    this.#failAll("the connection was lost");
    if (!welcomed) this.#options.events.onrefused();
  }

  /** Gives a connection up without waiting for its close handshake: there may be nobody to shake hands with. */
  #drop(): void {
    const socket = this.#socket;
    this.#closed(1006);
    socket?.close(CLOSE_SILENT);
  }

  /** Full jitter: after a restart of the server, its clients do not come back all at once. */
  #wait(): void {
    const { clock, random } = this.#options;
    if (this.#retry !== null) clock.cancel(this.#retry);
    const ceiling = this.#networkDown ? BACKOFF_MAX_MS : Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#attempt);
    const delay = Math.max(this.#networkDown ? BACKOFF_MAX_MS : random() * ceiling, this.#reconnectAfterMs);
    this.#attempt += 1;
    this.#retry = clock.after(delay, () => this.#connect());
    this.#become({ kind: this.#networkDown ? "offline" : "waiting", until: clock.now() + delay });
  }

  #watch(): void {
    const { clock } = this.#options;
    if (this.#silence !== null) clock.cancel(this.#silence);
    this.#silence = clock.after(this.#silenceMs, () => this.#drop());
  }

  #clear(): void {
    const { clock } = this.#options;
    if (this.#retry !== null) clock.cancel(this.#retry);
    if (this.#silence !== null) clock.cancel(this.#silence);
    this.#retry = null;
    this.#silence = null;
  }

  #detach(): void {
    this.#welcomed = false;
    if (this.#socket === null) return;
    this.#socket.onopen = null;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket = null;
  }

  #failAll(message: string): void {
    const lost = [...this.#inFlight.values()];
    const never = this.#waiting;
    this.#inFlight.clear();
    this.#waiting = [];
    for (const command of lost) this.#options.clock.cancel(command.timer);
    for (const command of [...lost, ...never]) command.reject(new CommandFailed("lost", message));
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#options.events.onstate(state);
  }
}
