// Somebody at a browser, in the product's words.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";

const OUT = resolve(import.meta.dirname, "../out");
const WAIT_MS = 10_000;

export class Person {
  #expectedErrors = [];
  problems = [];

  static async at(context, name, password) {
    const person = new Person();
    person.context = context;
    person.name = name;
    person.password = password;
    person.email = `${name.toLowerCase().replace(/\W+/g, ".")}@example.org`;
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) =>
        console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
      );
    });
    person.page = await context.newPage();
    person.page.setDefaultTimeout(WAIT_MS);
    person.page.on("console", (message) => {
      if (message.type() === "error") person.problems.push(`${message.text()} (${message.location().url})`);
    });
    person.page.on("pageerror", (error) => person.problems.push(`uncaught ${error.stack ?? error.message}`));
    return person;
  }

  // What is there.

  get messages() {
    return this.page.getByTestId("messages");
  }

  get composer() {
    return this.page.locator("#composer");
  }

  message(text) {
    return this.saying(text).last();
  }

  /** Quotes do not count: they are not what the message itself says. */
  saying(text) {
    return this.messages.locator("article").filter({ has: this.page.locator(".text, .deleted").filter({ hasText: text }) });
  }

  room(title) {
    return this.page.getByRole("navigation").getByRole("link", { name: title });
  }

  member(name) {
    return this.page.locator("aside li[data-user]", { hasText: name });
  }

  // What is done.

  async opens(url) {
    await this.page.goto(url);
  }

  async createsAccount() {
    await this.page.locator("#name").fill(this.name);
    await this.page.locator("#email").fill(this.email);
    await this.page.locator("#password").fill(this.password);
    await this.page.locator("form button.primary").click();
    await this.isConnected();
  }

  async logsIn(password = this.password) {
    await this.page.locator("#email").fill(this.email);
    await this.page.locator("#password").fill(password);
    await this.page.locator("form button.primary").click();
  }

  async entersOrJoins() {
    await this.isConnected();
    const join = this.page.locator(".prompt button.primary");
    await this.composer.or(join).first().waitFor();
    if (await join.isVisible()) await join.click();
    await this.composer.waitFor();
  }

  async goesTo(title) {
    await this.room(title).click();
    await this.composer.waitFor();
  }

  async says(text) {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  async usesTool(text, tool) {
    const message = this.message(text);
    await message.hover();
    await message.getByRole("button", { name: tool, exact: true }).click();
  }

  async edits(text, better) {
    await this.usesTool(text, "Edit");
    const editor = this.messages.locator("textarea");
    await editor.fill(better);
    await editor.press("Enter");
  }

  async deletes(text) {
    await this.usesTool(text, "Delete");
    await this.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  }

  async reacts(text, emoji) {
    await this.usesTool(text, "React");
    await this.message(text)
      .getByRole("button", { name: `React with ${emoji}` })
      .click();
  }

  /** The REST side, with this person's cookie. */
  async post(path, data) {
    const origin = new URL(this.page.url() === "about:blank" ? "http://none" : this.page.url()).origin;
    const headers = origin === "http://none" ? {} : { origin };
    const response = await this.context.request.post(`/api/v1/${path}`, { data, headers });
    assert.ok(response.ok(), `POST ${path}: ${response.status()} ${await response.text()}`);
    return response.json();
  }

  // What is seen.

  async isConnected() {
    await this.connectionSays("Connected");
  }

  async connectionSays(text) {
    await this.page.getByTestId("connection").filter({ hasText: text }).waitFor({ state: "attached" });
  }

  async hears(text) {
    await this.message(text).waitFor();
  }

  async hearsNot(text) {
    await this.saying(text).first().waitFor({ state: "detached" });
  }

  async hearsOnce(text) {
    await this.hears(text);
    assert.equal(await this.saying(text).count(), 1, `"${text}" is there once`);
  }

  /** What stands in the document, in order, as one string per message. */
  async texts() {
    return this.messages.locator("article .text").allTextContents();
  }

  // What must not go wrong.

  /** Something is about to fail on purpose: the browser will complain about it. */
  expects(pattern) {
    this.#expectedErrors.push(pattern);
  }

  hasNoProblems() {
    const real = this.problems.filter((problem) => !this.#expectedErrors.some((pattern) => pattern.test(problem)));
    assert.deepEqual(real, [], `${this.name}'s console`);
  }

  async isAccessible(where) {
    const { violations } = await new AxeBuilder({ page: this.page })
      .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
      .analyze();
    const found = violations.map(
      ({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => `  ${node.html}\n  ${node.failureSummary}`).join("\n")}`,
    );
    assert.deepEqual(found, [], `axe, ${where}`);
  }

  /** A picture for people to look at. */
  async picture(name) {
    await mkdir(OUT, { recursive: true });
    await this.page.screenshot({ path: join(OUT, `${name}.png`) });
  }

  async leavesEvidence(t) {
    const name = `${t.name}-${this.name}`.replace(/\W+/g, "-").toLowerCase();
    if (!this.page.isClosed()) await this.picture(`${name}-end`);
    if (t.passed === false || t.error)
      t.diagnostic(`${this.name} saw: ${(await this.texts()).slice(-10).join(" | ")}; console: ${this.problems.join("; ")}`);
  }
}

/** The browser says these when a server is gone or refuses on purpose. */
export const NETWORK_FAILURE = /WebSocket connection to|net::ERR_|Failed to load resource/;
