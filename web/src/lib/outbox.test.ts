import { beforeEach, describe, expect, it } from "vitest";
import { settle, VirtualClock } from "./clock";
import { CommandFailed } from "./connection";
import { browserStorage, Outbox, type Pending } from "./outbox";
import type { MessageAck } from "./protocol";

class MapStorage implements Storage {
  #map = new Map<string, string>();
  get length() {
    return this.#map.size;
  }
  clear = () => this.#map.clear();
  getItem = (key: string) => this.#map.get(key) ?? null;
  key = (index: number) => [...this.#map.keys()][index] ?? null;
  removeItem = (key: string) => void this.#map.delete(key);
  setItem = (key: string, value: string) => void this.#map.set(key, value);
}

interface Sending {
  pending: Pending;
  acks: (seq: number) => Promise<void>;
  fails: (error: CommandFailed) => Promise<void>;
}

class World {
  clock = new VirtualClock();
  browser = new MapStorage();
  connected = true;
  sendings: Sending[] = [];
  outbox = this.open();

  open(): Outbox {
    return new Outbox({
      clock: this.clock,
      storage: browserStorage("u_ann", this.browser),
      ready: () => this.connected,
      onchange: () => {},
      send: (pending) =>
        new Promise<MessageAck>((resolve, reject) => {
          const ack = (seq: number) => ({ room: pending.room, epoch: "e", seq, id: "m", timestamp: "", duplicate: false });
          this.sendings.push({
            pending,
            acks: (seq) => (resolve(ack(seq)), settle()),
            fails: (error) => (reject(error), settle()),
          });
        }),
    });
  }

  writes(content: string, room = "general"): void {
    const clientId = `c-${content}`;
    this.outbox.write({ clientId, room, content, replyTo: undefined, writtenAt: this.clock.now(), state: "waiting" });
  }

  get sent(): string[] {
    return this.sendings.map((sending) => sending.pending.content);
  }

  last(): Sending {
    const sending = this.sendings.at(-1);
    if (sending === undefined) throw new Error("nothing was sent");
    return sending;
  }

  states(room = "general"): string[] {
    return this.outbox.of(room).map((pending) => `${pending.content} ${pending.state}`);
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

describe("the outbox", () => {
  it("sends the messages of a room one after the other", async () => {
    world.writes("one");
    world.writes("two");
    world.writes("elsewhere", "other");
    expect(world.sent).toEqual(["one", "elsewhere"]);
    await world.sendings[0]?.acks(7);
    expect(world.sent).toEqual(["one", "elsewhere", "two"]);
  });

  it("shows a message until the log has it, whether the acknowledgement or the entry comes first", async () => {
    world.writes("one");
    await world.last().acks(7);
    expect(world.states()).toEqual(["one sent"]);
    world.outbox.seen("general", undefined, 7);
    expect(world.states()).toEqual([]);

    world.writes("two");
    world.outbox.seen("general", "c-two", 8);
    expect(world.states()).toEqual(["two sending"]);
    await world.last().acks(8);
    expect(world.states()).toEqual([]);
    expect(world.browser.length).toBe(0);
  });

  it("keeps what is written without a connection and sends it once there is one", async () => {
    world.connected = false;
    world.writes("one");
    world.writes("two");
    expect(world.sent).toEqual([]);
    world.connected = true;
    world.outbox.flush();
    await world.last().acks(1);
    expect(world.sent).toEqual(["one", "two"]);
  });

  it("sends again under the same client_id when the answer was lost", async () => {
    world.writes("one");
    world.connected = false;
    await world.last().fails(new CommandFailed("lost", ""));
    await world.clock.advance(10);
    expect(world.states()).toEqual(["one waiting"]);
    world.connected = true;
    world.outbox.flush();
    expect(world.sendings.map((sending) => sending.pending.clientId)).toEqual(["c-one", "c-one"]);
  });

  it("waits as long as the server asks for, and keeps the order meanwhile", async () => {
    world.writes("one");
    world.writes("two");
    await world.last().fails(new CommandFailed("rate_limited", "", undefined, 700));
    await world.clock.advance(699);
    expect(world.sent).toEqual(["one"]);
    await world.clock.advance(1);
    expect(world.sent).toEqual(["one", "one"]);
  });

  it("shows what was refused, goes on with the next, and tries again or forgets on request", async () => {
    world.writes("one");
    world.writes("two");
    await world.last().fails(new CommandFailed("forbidden", ""));
    expect(world.states()).toEqual(["one failed", "two sending"]);
    await world.last().acks(1);
    world.outbox.retry("c-one");
    expect(world.sent).toEqual(["one", "two", "one"]);
    await world.last().fails(new CommandFailed("forbidden", ""));
    world.outbox.discard("c-one");
    expect(world.states()).toEqual(["two sent"]);
    expect(world.browser.length).toBe(0);
  });

  it("survives a reload of the page", async () => {
    world.connected = false;
    world.writes("one");
    await world.clock.advance(5);
    world.writes("two");
    world.outbox = world.open();
    expect(world.states()).toEqual(["one waiting", "two waiting"]);
    expect(browserStorage("u_bob", world.browser).load()).toEqual([]);
  });
});
