import assert from "node:assert/strict";
import { test } from "node:test";
import { NETWORK_FAILURE } from "./support/person.js";
import { Salon } from "./support/salon.js";

test("a killed server costs nobody a message", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  const bob = await salon.person("Bob", ann);
  await ann.goesTo("general");
  await ann.says("before");
  await bob.hears("before");

  for (const person of [ann, bob]) person.expects(NETWORK_FAILURE);
  await salon.kill();
  await ann.connectionSays("Reconnecting in");
  await ann.says("written in the dark");
  await ann.says("and another");
  await ann.message("written in the dark").getByText("Waiting to be sent").waitFor();
  // A pending message survives a reload only where the page can be had; the window itself stays open here.
  await salon.restart();

  await ann.isConnected();
  await bob.isConnected();
  await bob.hearsOnce("written in the dark");
  await bob.hearsOnce("and another");
  await ann.messages.getByText("Waiting to be sent").first().waitFor({ state: "detached" });
  await ann.hearsOnce("written in the dark");
  assert.deepEqual((await bob.texts()).slice(-3), ["before", "written in the dark", "and another"]);

  await bob.page.reload();
  await bob.hears("and another");
  assert.deepEqual((await bob.texts()).slice(-3), ["before", "written in the dark", "and another"]);
  ann.hasNoProblems();
  bob.hasNoProblems();
});

test("what is written offline is sent once, in order, when the network is back", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  const bob = await salon.person("Bob", ann);
  await ann.goesTo("general");
  ann.expects(NETWORK_FAILURE);

  await ann.context.setOffline(true);
  await ann.connectionSays("Offline");
  await ann.says("one");
  await ann.says("two");
  await ann.says("three");
  await ann.message("three").getByText("Waiting to be sent").waitFor();
  await ann.message("two").getByRole("button", { name: "Discard" }).click();
  await bob.says("meanwhile");
  await bob.hears("meanwhile");

  await ann.context.setOffline(false);
  await ann.isConnected();
  await bob.hearsOnce("one");
  await bob.hearsOnce("three");
  await ann.hears("meanwhile");
  assert.deepEqual((await bob.texts()).slice(-3), ["meanwhile", "one", "three"]);
  assert.deepEqual((await ann.texts()).slice(-3), ["meanwhile", "one", "three"]);
  ann.hasNoProblems();
  bob.hasNoProblems();
});

test("logging out ends the session in every window", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  const second = await ann.context.newPage();
  await second.goto(`${salon.url}/#/r/general`);
  await second.locator("#composer").waitFor();
  ann.expects(NETWORK_FAILURE);

  await ann.page.getByRole("button", { name: "Settings" }).click();
  await ann.page.getByRole("button", { name: "Log out" }).click();
  await ann.page.locator("#password").waitFor();
  await second.locator("#password").waitFor();

  await ann.logsIn();
  await ann.isConnected();
  ann.hasNoProblems();
});
