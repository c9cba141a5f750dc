// What was written and is not in the log yet. It survives a lost connection and a reload of the page; every message
// keeps its `client_id`, so sending it again never makes it appear twice.

import type { Clock, Timer } from "./clock";
import { CommandFailed } from "./connection";
import type { ErrorCode, MessageAck } from "./protocol";

/** Unsent messages kept per person; beyond it, writing is refused until some are sent. */
export const OUTBOX_MESSAGES_MAX = 200;
/** The pause before a message is tried again that the server could not take. */
const RETRY_MS = 2_000;

export interface Pending {
  clientId: string;
  room: string;
  content: string;
  replyTo: { id: string; user: string; name: string; excerpt: string } | undefined;
  /** Milliseconds since 1970, by this device's clock. */
  writtenAt: number;
  state: "waiting" | "sending" | "sent" | "failed";
  /** Why it failed. */
  error?: ErrorCode | undefined;
  /** Its place in the log, once it was acknowledged. */
  seq?: number | undefined;
}

export interface OutboxStorage {
  load(): Pending[];
  save(pending: Pending): void;
  forget(clientId: string): void;
}

export interface OutboxOptions {
  clock: Clock;
  storage: OutboxStorage;
  send: (pending: Pending) => Promise<MessageAck>;
  /** True while there is a connection to send on. */
  ready: () => boolean;
  /** Something changed in this room. */
  onchange: (room: string) => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  /** In the order of writing. */
  #pending: Pending[];
  #busy = new Set<string>();
  #timers = new Map<string, Timer>();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#pending = options.storage.load().slice(0, OUTBOX_MESSAGES_MAX);
  }

  of(room: string): readonly Pending[] {
    return this.#pending.filter((pending) => pending.room === room);
  }

  get full(): boolean {
    return this.#pending.length >= OUTBOX_MESSAGES_MAX;
  }

  write(pending: Pending): void {
    this.#pending.push(pending);
    this.#options.storage.save(pending);
    this.#options.onchange(pending.room);
    void this.#flush(pending.room);
  }

  /** Sends what waits, now that there is a connection. */
  flush(): void {
    for (const timer of this.#timers.values()) this.#options.clock.cancel(timer);
    this.#timers.clear();
    for (const room of new Set(this.#pending.map((pending) => pending.room))) void this.#flush(room);
  }

  retry(clientId: string): void {
    const pending = this.#update(clientId, { state: "waiting", error: undefined });
    if (pending === undefined) return;
    this.#options.storage.save(pending);
    void this.#flush(pending.room);
  }

  discard(clientId: string): void {
    const pending = this.#pending.find((one) => one.clientId === clientId);
    if (pending === undefined || pending.state === "sending") return;
    this.#remove(pending);
  }

  /** The message is in the log that we have: it need not be shown as pending any more. */
  seen(room: string, clientId: string | undefined, seq: number): void {
    for (const pending of this.of(room)) {
      const inLog = pending.clientId === clientId || (pending.seq !== undefined && pending.seq <= seq);
      if (inLog && pending.state !== "sending") this.#remove(pending);
      else if (inLog) this.#update(pending.clientId, { seq });
    }
  }

  /** Forgets everything, here and in the browser. */
  clear(): void {
    for (const pending of this.#pending) this.#options.storage.forget(pending.clientId);
    this.stop();
  }

  stop(): void {
    for (const timer of this.#timers.values()) this.#options.clock.cancel(timer);
    this.#timers.clear();
    this.#pending = [];
  }

  /** One message of a room at a time: what was written first is first in the log, whatever goes wrong. */
  async #flush(room: string): Promise<void> {
    if (this.#busy.has(room) || this.#timers.has(room)) return;
    this.#busy.add(room);
    try {
      for (;;) {
        const next = this.of(room).find((pending) => pending.state === "waiting");
        if (next === undefined || !this.#options.ready()) return;
        if (!(await this.#sendOne(next))) return;
      }
    } finally {
      this.#busy.delete(room);
    }
  }

  /** Returns false where the room has to wait. */
  async #sendOne(pending: Pending): Promise<boolean> {
    const { clientId, room } = pending;
    this.#update(clientId, { state: "sending" });
    try {
      const ack = await this.#options.send(pending);
      this.#options.storage.forget(clientId);
      const alreadySeen = this.#pending.find((one) => one.clientId === clientId)?.seq !== undefined;
      const sent = this.#update(clientId, { state: "sent", seq: ack.seq });
      if (alreadySeen && sent !== undefined) this.#remove(sent);
      return true;
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      if (!error.retryable) {
        this.#update(clientId, { state: "failed", error: error.code === "lost" ? undefined : error.code });
        return true;
      }
      this.#update(clientId, { state: "waiting" });
      this.#tryLater(room, error.retryAfterMs ?? RETRY_MS);
      return false;
    }
  }

  #tryLater(room: string, ms: number): void {
    const timer = this.#options.clock.after(ms, () => {
      this.#timers.delete(room);
      void this.#flush(room);
    });
    this.#timers.set(room, timer);
  }

  #update(clientId: string, change: Partial<Pending>): Pending | undefined {
    const index = this.#pending.findIndex((pending) => pending.clientId === clientId);
    const known = this.#pending[index];
    if (known === undefined) return undefined;
    const next = { ...known, ...change };
    this.#pending[index] = next;
    this.#options.onchange(next.room);
    return next;
  }

  #remove(pending: Pending): void {
    this.#pending = this.#pending.filter((one) => one.clientId !== pending.clientId);
    this.#options.storage.forget(pending.clientId);
    this.#options.onchange(pending.room);
  }
}

/** Keeps unsent messages in the browser, one key each: two windows never overwrite each other's. */
export function browserStorage(user: string, storage: Storage): OutboxStorage {
  const prefix = `salon.outbox.${user}.`;
  return {
    load() {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
      const kept = keys.filter((key): key is string => key?.startsWith(prefix) ?? false).map((key) => storage.getItem(key));
      const pending = kept.flatMap((text) => (text === null ? [] : [JSON.parse(text) as Pending]));
      return pending.map((one): Pending => ({ ...one, state: "waiting" })).sort((a, b) => a.writtenAt - b.writtenAt);
    },
    save: (pending) => storage.setItem(prefix + pending.clientId, JSON.stringify(pending)),
    forget: (clientId) => storage.removeItem(prefix + clientId),
  };
}
