import assert from "node:assert/strict";
import { test } from "node:test";
import { Salon } from "./support/salon.js";

test("two windows talk", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  await ann.goesTo("general");

  // The invitation is a link, made and shown by the page.
  await ann.page.getByRole("button", { name: "Invite people" }).click();
  await ann.page.getByRole("button", { name: "Create a link" }).click();
  const link = await ann.page.getByRole("dialog").locator("input[readonly]").inputValue();
  assert.match(link, /\/#\/invite\/./);
  await ann.page.keyboard.press("Escape");

  const bob = await salon.window("Bob");
  await bob.opens(link);
  await bob.createsAccount();
  await bob.composer.waitFor();
  assert.match(bob.page.url(), /#\/r\/general$/, "the invitation leads to its room, and its code is gone from the address");

  await ann.says("hello Bob");
  await bob.hearsOnce("hello Bob");
  await bob.says("hello Ann");
  await ann.hearsOnce("hello Ann");

  await bob.edits("hello Ann", "good morning Ann");
  await ann.hears("good morning Ann");
  await ann.message("good morning Ann").getByText("(edited)").waitFor();

  await ann.reacts("good morning Ann", "👍");
  const reaction = bob.message("good morning Ann").getByRole("button", { name: "👍, 1 person" });
  await reaction.click();
  await ann.message("good morning Ann").getByRole("button", { name: "👍, 2 people" }).waitFor();
  await ann.message("good morning Ann").getByRole("button", { name: "👍, 2 people" }).click();
  await bob.message("good morning Ann").getByRole("button", { name: "👍, 1 person" }).waitFor();

  await bob.usesTool("hello Bob", "Reply");
  await bob.says("a proper answer");
  await ann.message("a proper answer").locator(".quote", { hasText: "hello Bob" }).waitFor();

  await ann.deletes("hello Bob");
  await bob.message("Message deleted").waitFor();
  await bob.hearsNot("hello Bob");
  await bob.message("a proper answer").locator(".quote", { hasText: "Message deleted" }).waitFor();

  await ann.member("Bob").filter({ hasText: "Online" }).waitFor();
  await bob.member("Ann").filter({ hasText: "Online" }).waitFor();
  await ann.page.getByTestId("online").filter({ hasText: "2 online" }).waitFor();

  await bob.composer.pressSequentially("thinking");
  await ann.page.getByTestId("typing").filter({ hasText: "Bob is typing…" }).waitFor();
  await bob.composer.fill("");
  await ann.page.getByTestId("typing").filter({ hasText: /^$/ }).waitFor({ state: "attached" });

  await bob.page.close();
  await ann.member("Bob").filter({ hasText: "Offline" }).waitFor({ timeout: 20_000 });
  ann.hasNoProblems();
  bob.hasNoProblems();
});

test("a direct chat, unread counts and mentions", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  const bob = await salon.person("Bob", ann);
  await ann.goesTo("general");

  await ann.member("Bob").getByRole("button", { name: "Message Bob" }).click();
  await ann.page.getByRole("heading", { level: 1, name: "Bob" }).waitFor();
  await ann.says("between us");
  await bob.room(/Ann/).filter({ hasText: "1 unread message" }).waitFor();
  await bob.page.waitForFunction(() => document.title.startsWith("(1) "));
  await bob.goesTo(/Ann/);
  await bob.hears("between us");
  await bob.page.waitForFunction(() => !document.title.startsWith("("));
  await ann.message("between us").getByText("Seen").waitFor();

  await bob.goesTo("general");
  await bob.says("@Ann are you there?");
  await ann
    .room(/general/i)
    .filter({ hasText: "@1" })
    .waitFor();
  await ann.goesTo("general");
  await ann.page.getByTestId("divider").waitFor();
  await ann.messages.locator(".mention.me", { hasText: "@Ann" }).waitFor();
  ann.hasNoProblems();
  bob.hasNoProblems();
});

test("rooms are created, found, joined and left", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  const bob = await salon.person("Bob", ann);

  await ann.page.getByRole("button", { name: "New room" }).click();
  await ann.page.locator("#room-title").fill("Café & Thé");
  await ann.page.getByText("cafe-the").waitFor();
  await ann.page.getByRole("button", { name: "Create", exact: true }).click();
  await ann.page.getByRole("heading", { level: 1, name: "Café & Thé" }).waitFor();
  await ann.says("the first cup");

  await bob.page.reload();
  await bob.isConnected();
  await bob.page.getByRole("link", { name: "Café & Thé" }).click();
  await bob.page.getByRole("button", { name: "Join", exact: true }).click();
  await bob.hears("the first cup");
  await ann.message("the first cup").waitFor();
  await ann.page.getByText("Bob joined").waitFor();

  await ann.page.getByRole("button", { name: "New room" }).click();
  await ann.page.locator("#room-title").fill("Board");
  await ann.page.getByRole("radio", { name: /Private/ }).check();
  await ann.page.getByRole("button", { name: "Create", exact: true }).click();
  await ann.page.getByRole("heading", { level: 1, name: "Board" }).waitFor();
  await ann.page.getByRole("button", { name: "Invite people" }).click();
  await ann.page.locator("#people").fill("bo");
  await ann.page
    .getByRole("dialog")
    .getByRole("listitem")
    .filter({ hasText: "Bob" })
    .getByRole("button", { name: "Invite" })
    .click();
  await bob.page.getByRole("region", { name: "Invitations" }).getByRole("link", { name: "Board" }).click();
  await bob.page.getByRole("button", { name: "Join", exact: true }).click();
  await bob.composer.waitFor();

  await bob.page.getByRole("button", { name: "Leave room" }).click();
  await bob.page.getByRole("dialog").getByRole("button", { name: "Leave", exact: true }).click();
  await bob.room("Board").waitFor({ state: "detached" });
  ann.hasNoProblems();
  bob.hasNoProblems();
});

test("an invitation is followed by somebody new, by somebody at the door and by somebody inside", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  const bob = await salon.person("Bob", ann);
  const cleo = await salon.person("Cleo", ann);
  const { room } = await ann.post("rooms", { name: "board", title: "Board", kind: "private" });
  const { url } = await ann.post(`rooms/${room}/invites`, { uses: 3 });

  await bob.opens(url);
  await bob.page.getByText("You are logged in as Bob.").waitFor();
  await bob.page.getByRole("button", { name: "Accept" }).click();
  await bob.page.getByRole("heading", { level: 1, name: "Board" }).waitFor();
  await bob.composer.waitFor();

  const other = await salon.window("Cleo");
  await other.opens(url);
  await other.page.getByRole("button", { name: "I have an account" }).click();
  await other.logsIn();
  await other.page.getByRole("heading", { level: 1, name: "Board" }).waitFor();
  await other.composer.waitFor();
  await cleo.room("Board").waitFor();

  const dan = await salon.window("Dan");
  await dan.opens(url);
  await dan.createsAccount();
  await dan.says("thank you for having me");
  await bob.hears("thank you for having me");
  for (const person of [ann, bob, cleo, other, dan]) person.hasNoProblems();
});
