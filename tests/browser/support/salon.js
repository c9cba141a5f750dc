// A server of its own for every test: `salon serve` on a free port, with an empty folder for its data.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { Person } from "./person.js";

const READY_TIMEOUT_MS = 20_000;
const PASSWORD = "correct horse battery";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const CHROMIUM_ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

function binary() {
  const root = resolve(import.meta.dirname, "../../..");
  const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  const path = process.env.SALON_BIN ?? join(target, "debug/salon");
  if (!existsSync(path))
    throw new Error(`there is no ${path}: run \`cargo build -p salon\` first, or name the program in SALON_BIN`);
  return path;
}

export class Salon {
  #dir;
  #process;
  #stderr = [];
  #browser;
  #people = [];
  #address;
  url;
  setupLink;

  /** Starts a server and a browser. `t` is the test: it ends both, and on failure gets pictures. */
  static async start(t) {
    const salon = new Salon();
    salon.#dir = await mkdtemp(join(tmpdir(), "salon-browser-"));
    t.after(() => salon.#end(t));
    await salon.#serve("127.0.0.1:0");
    salon.#browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
    return salon;
  }

  async #serve(address) {
    const args = ["serve", "--data-dir", this.#dir, "--http-addr", address, "--grpc-addr", "127.0.0.1:0"];
    const env = { ...process.env, SALON_SIGNUP: "invite" };
    this.#process = spawn(binary(), args, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process.stderr.setEncoding("utf8").on("data", (text) => this.#stderr.push(text));
    const lines = createInterface({ input: this.#process.stdout });
    await new Promise((ready, failed) => {
      const timer = setTimeout(
        () => failed(new Error(`no "salon ready" in ${READY_TIMEOUT_MS} ms\n${this.log}`)),
        READY_TIMEOUT_MS,
      );
      this.#process.once("exit", (code) => failed(new Error(`the server ended with ${code}\n${this.log}`)));
      lines.on("line", (line) => {
        const link = line.match(/https?:\/\/\S+\/#\/setup\/\S+/);
        if (link !== null) this.setupLink = link[0];
        const http = line.match(/^salon ready .*?http=(\S+)/);
        if (http === null) return;
        clearTimeout(timer);
        this.#address = new URL(http[1]).host;
        // Cookies belong to a host name: the one that the printed links use.
        this.url = `http://localhost:${new URL(http[1]).port}`;
        ready();
      });
    });
  }

  get log() {
    return this.#stderr.join("").slice(-4000);
  }

  /** Ends the server as a power cut would. */
  async kill() {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await gone;
  }

  /** Starts it again where it was. */
  async restart() {
    await this.#serve(this.#address);
  }

  /** A window of its own, with nobody in it yet. `options` are those of a browser context. */
  async window(name, options = {}) {
    const context = await this.#browser.newContext({
      locale: "en-GB",
      viewport: { width: 1280, height: 800 },
      baseURL: this.url,
      ...options,
    });
    const person = await Person.at(context, name, PASSWORD);
    this.#people.push(person);
    return person;
  }

  /** The administrator, arrived through the printed link. */
  async admin(name = "Ann", options = {}) {
    const person = await this.window(name, options);
    await person.opens(this.setupLink);
    await person.createsAccount();
    return person;
  }

  /** Somebody who has an account and is in the room `general`, without having filled any form. */
  async person(name, host, options = {}) {
    const person = await this.account(name, host, options);
    await person.opens(`${this.url}/#/r/general`);
    await person.entersOrJoins();
    return person;
  }

  /** Somebody who has an account, and a window without the page in it. */
  async account(name, host, options = {}) {
    const person = await this.window(name, options);
    const { code } = await host.post("rooms/general/invites", {});
    await person.post("auth/signup", { email: person.email, password: person.password, name, invite: code });
    return person;
  }

  async #end(t) {
    for (const person of this.#people) await person.leavesEvidence(t);
    await this.#browser?.close();
    this.#process?.kill("SIGKILL");
    await rm(this.#dir, { recursive: true, force: true });
  }
}
