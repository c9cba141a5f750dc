import { beforeEach, describe, expect, it } from "vitest";
import { settle, VirtualClock } from "./clock";
import { CommandFailed, Connection, type ConnectionState, type SocketLike } from "./connection";
import type { Entry, ErrorData } from "./protocol";

class FakeSocket implements SocketLike {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: { event: string; id?: number; data: Record<string, unknown> }[] = [];
  closedWith: number | undefined;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code?: number): void {
    this.closedWith = code;
  }

  says(event: string, data: object, id?: number): void {
    this.onmessage?.({ data: JSON.stringify({ event, id, data }) });
  }

  welcomes(): void {
    const limits = { frame_bytes: 65536, content_bytes: 16384, commands_in_flight: 64 };
    this.says("welcome", {
      session: "s",
      user: { id: "u_a", name: "Ann" },
      heartbeat_ms: 25_000,
      limits,
      me: { epoch: "e", seq: 0 },
    });
  }

  dies(code = 1006): void {
    this.onclose?.({ code });
  }
}

class World {
  clock = new VirtualClock();
  sockets: FakeSocket[] = [];
  states: ConnectionState[] = [];
  entries: Entry[] = [];
  errors: ErrorData[] = [];
  refusals = 0;
  dice = 0.5;
  connection = new Connection({
    clock: this.clock,
    random: () => this.dice,
    open: () => {
      const socket = new FakeSocket();
      this.sockets.push(socket);
      return socket;
    },
    events: {
      onstate: (state) => this.states.push(state),
      onwelcome: () => {},
      onentry: (entry) => this.entries.push(entry),
      onephemeral: () => {},
      onerror: (error) => this.errors.push(error),
      onrefused: () => void (this.refusals += 1),
    },
  });

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  }

  get state(): ConnectionState {
    return this.connection.state;
  }
}

let world: World;
beforeEach(() => {
  world = new World();
  world.connection.start();
});

describe("a command", () => {
  it("is answered by the acknowledgement with its id", async () => {
    world.socket.welcomes();
    const one = world.connection.request("read", { room: "a", seq: 1 });
    const two = world.connection.request("read", { room: "b", seq: 2 });
    world.socket.says("ack", { room: "b", seq: 2, unread: 0 }, world.socket.sent[1]?.id);
    world.socket.says("ack", { room: "a", seq: 1, unread: 3 }, world.socket.sent[0]?.id);
    expect(await one).toEqual({ room: "a", seq: 1, unread: 3 });
    expect(await two).toEqual({ room: "b", seq: 2, unread: 0 });
  });

  it("is refused by the error with its id", async () => {
    world.socket.welcomes();
    const answer = world.connection.request("ping", {});
    world.socket.says(
      "error",
      { code: "rate_limited", message: "slow", retryable: true, retry_after_ms: 70 },
      world.socket.sent[0]?.id,
    );
    await expect(answer).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 70, retryable: true });
    expect(world.errors).toEqual([]);
  });

  it("is lost when the connection is", async () => {
    world.socket.welcomes();
    const answer = world.connection.request("ping", {});
    world.socket.dies();
    await expect(answer).rejects.toMatchObject({ code: "lost" });
    await expect(world.connection.request("ping", {})).rejects.toBeInstanceOf(CommandFailed);
  });

  it("is lost when no answer comes in time, and the late answer harms nobody", async () => {
    world.socket.welcomes();
    const answer = world.connection.request("ping", {});
    const failed = expect(answer).rejects.toMatchObject({ code: "lost" });
    await world.clock.advance(15_000);
    await failed;
    world.socket.says("ack", {}, world.socket.sent[0]?.id);
    expect(world.state.kind).toBe("connected");
  });

  it("waits its turn when many are in flight", async () => {
    world.socket.welcomes();
    const answers = Array.from({ length: 60 }, () => world.connection.request("ping", {}));
    expect(world.socket.sent).toHaveLength(48);
    for (let n = 0; n < 60; n++) world.socket.says("ack", {}, world.socket.sent[n]?.id);
    await Promise.all(answers);
    expect(world.socket.sent).toHaveLength(60);
  });
});

describe("reconnection", () => {
  it("backs off with full jitter and starts afresh after a good connection", async () => {
    const delays: number[] = [];
    for (let n = 0; n < 8; n++) {
      world.socket.dies();
      if (world.state.kind === "waiting") delays.push(world.state.until - world.clock.now());
      await world.clock.advance(30_000 * world.dice);
    }
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    world.socket.welcomes();
    await world.clock.advance(10_000);
    world.socket.dies();
    expect(world.state).toEqual({ kind: "waiting", until: world.clock.now() + 250 });
  });

  it("does not hammer a server that welcomes and hangs up", async () => {
    for (let n = 0; n < 4; n++) {
      world.socket.welcomes();
      world.socket.dies();
      await world.clock.advance(4000);
    }
    world.socket.dies();
    expect(world.state).toMatchObject({ kind: "waiting", until: world.clock.now() + 4000 });
  });

  it("comes when a draining server asks for it, not earlier", async () => {
    world.socket.welcomes();
    world.socket.says("closing", { code: 4001, reconnect_after_ms: 1700 });
    world.socket.dies(4001);
    await world.clock.advance(1699);
    expect(world.sockets).toHaveLength(1);
    await world.clock.advance(1);
    expect(world.sockets).toHaveLength(2);
  });

  it("never comes after a final close code", async () => {
    world.socket.welcomes();
    world.socket.dies(4502);
    await world.clock.advance(1_000_000);
    expect(world.state).toEqual({ kind: "stopped", code: 4502 });
    expect(world.sockets).toHaveLength(1);
  });

  it("follows two silent heartbeats", async () => {
    world.socket.welcomes();
    await world.clock.advance(49_000);
    world.socket.says("ping", {});
    await world.clock.advance(49_999);
    expect(world.state.kind).toBe("connected");
    const silent = world.socket;
    await world.clock.advance(1);
    expect(world.state.kind).toBe("waiting");
    expect(silent.closedWith).toBe(4000);
  });

  it("follows a handshake that leads nowhere", async () => {
    await world.clock.advance(15_000);
    expect(world.state.kind).toBe("waiting");
    expect(world.refusals).toBe(1);
  });

  it("can be asked for at once", () => {
    world.socket.dies();
    world.connection.retryNow();
    expect(world.state.kind).toBe("connecting");
    expect(world.sockets).toHaveLength(2);
  });
});

describe("the browser's network", () => {
  it("ends the connection when it goes and brings it back when it returns", async () => {
    world.socket.welcomes();
    world.connection.setNetwork(false);
    expect(world.state).toMatchObject({ kind: "offline" });
    await world.clock.advance(29_999);
    expect(world.sockets).toHaveLength(1);
    world.connection.setNetwork(true);
    expect(world.sockets).toHaveLength(2);
    world.socket.welcomes();
    expect(world.state.kind).toBe("connected");
  });

  it("is not believed for ever", async () => {
    world.socket.welcomes();
    world.connection.setNetwork(false);
    await world.clock.advance(30_000);
    world.socket.welcomes();
    expect(world.state.kind).toBe("connected");
  });
});

describe("frames", () => {
  it("that are entries keep their kind, and unknown ones their position", () => {
    world.socket.welcomes();
    world.socket.says("message", { room: "a", epoch: "e", seq: 1, id: "m_1", content: "hi" });
    world.socket.says("poll", { room: "a", epoch: "e", seq: 2, question: "?" });
    world.socket.says("weather", { room: "a" });
    expect(world.entries.map((entry) => [entry.event, entry.data.seq])).toEqual([
      ["message", 1],
      ["unknown", 2],
    ]);
  });

  it("of an ended connection are not heard any more", async () => {
    const old = world.socket;
    old.welcomes();
    world.connection.setNetwork(false);
    old.says("message", { room: "a", epoch: "e", seq: 1, id: "m_1", content: "hi" });
    expect(world.entries).toEqual([]);
    world.connection.stop();
    await settle();
    expect(world.state.kind).toBe("stopped");
  });

  it("that answer nothing are told", () => {
    world.socket.welcomes();
    world.socket.says("error", { code: "invalid", message: "typing: no such room", retryable: false });
    expect(world.errors).toMatchObject([{ code: "invalid" }]);
  });
});
