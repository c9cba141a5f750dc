import assert from "node:assert/strict";
import { test } from "node:test";
import { NETWORK_FAILURE } from "./support/person.js";
import { Salon } from "./support/salon.js";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

test("a wrong password is told in words", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  const other = await salon.window("Ann");
  other.expects(NETWORK_FAILURE);
  await other.opens(salon.url);
  await other.logsIn("wrong password");
  await other.page.getByRole("alert").filter({ hasText: "Wrong e-mail address or password." }).waitFor();
  await other.isAccessible("login with an error");
  await other.logsIn();
  await other.isConnected();
  other.hasNoProblems();
  ann.hasNoProblems();
});

test("a used set-up link is refused in words", async (t) => {
  const salon = await Salon.start(t);
  await salon.admin("Ann");
  const eve = await salon.window("Eve");
  eve.expects(NETWORK_FAILURE);
  await eve.opens(salon.setupLink);
  await eve.page.getByRole("alert").filter({ hasText: "This link is not valid any more." }).waitFor();
  eve.hasNoProblems();
});

test("French from the first word, and English on request", async (t) => {
  const salon = await Salon.start(t);
  const anne = await salon.window("Anne", { locale: "fr-FR" });
  await anne.opens(salon.setupLink);
  await anne.page.getByRole("heading", { name: "Bienvenue dans votre Salon" }).waitFor();
  assert.equal(await anne.page.locator("html").getAttribute("lang"), "fr");
  await anne.picture("setup-fr");
  await anne.page.locator("#name").fill("Anne");
  await anne.page.locator("#email").fill(anne.email);
  await anne.page.locator("#password").fill(anne.password);
  await anne.page.getByRole("button", { name: "Créer l’administrateur" }).click();
  await anne.connectionSays("Connecté");
  await anne.composer.waitFor();
  await anne.says("bonjour");
  await anne.hears("bonjour");
  await anne.messages.getByRole("heading", { name: "Aujourd’hui" }).waitFor();
  await anne.picture("room-fr");

  await anne.page.getByRole("button", { name: "Réglages" }).click();
  await anne.page.getByRole("button", { name: "English" }).click();
  await anne.connectionSays("Connected");
  await anne.page.reload();
  await anne.connectionSays("Connected");
  anne.hasNoProblems();
});

for (const [name, options] of [
  ["desktop light", { colorScheme: "light" }],
  ["desktop dark", { colorScheme: "dark" }],
  ["phone light", { ...PHONE, colorScheme: "light" }],
  ["phone dark", { ...PHONE, colorScheme: "dark" }],
]) {
  test(`every screen is accessible: ${name}`, async (t) => {
    const salon = await Salon.start(t);
    const phone = name.startsWith("phone");
    const file = name.replace(" ", "-");
    const ann = await salon.window("Ann", options);
    await ann.opens(salon.setupLink);
    await ann.page.locator("#name").waitFor();
    await ann.isAccessible("set-up");
    await ann.picture(`${file}-setup`);
    await ann.createsAccount();
    if (phone) {
      await ann.isAccessible("drawer");
      await ann.picture(`${file}-drawer`);
      await ann.room(/general/i).click();
    }
    await ann.composer.waitFor();
    const bob = await salon.person("Bob", ann);
    await ann.says("Good morning! The notes of yesterday: https://example.org/notes");
    await bob.says("Thank you @Ann 👍");
    await bob.reacts("Good morning", "🎉");
    await ann.hears("Thank you");
    await ann.message("Thank you").hover();
    await ann.isAccessible("room");
    await ann.picture(`${file}-room`);

    await ann.page.getByRole("button", { name: "Search" }).click();
    await ann.page.getByRole("searchbox").fill("notes");
    await ann.page.keyboard.press("Enter");
    await ann.page.getByText("1 message found").waitFor();
    await ann.isAccessible("search");
    await ann.picture(`${file}-search`);
    await ann.page.keyboard.press("Escape");

    if (phone) {
      await ann.page.getByRole("button", { name: "Members", exact: true }).click();
      await ann.member("Bob").waitFor();
      await ann.isAccessible("members");
      await ann.picture(`${file}-members`);
      await ann.page.keyboard.press("Escape");
    }
    await ann.page.getByRole("button", { name: "Invite people" }).click();
    await ann.page.getByRole("button", { name: "Create a link" }).click();
    await ann.page.getByRole("dialog").locator("input[readonly]").waitFor();
    await ann.isAccessible("invite");
    await ann.picture(`${file}-invite`);
    await ann.page.keyboard.press("Escape");

    if (phone) await ann.page.getByRole("button", { name: "Show rooms" }).click();
    await ann.page.getByRole("button", { name: "New room" }).click();
    await ann.isAccessible("new room");
    await ann.picture(`${file}-new-room`);
    await ann.page.keyboard.press("Escape");

    await ann.page.getByRole("button", { name: "Settings" }).click();
    await ann.isAccessible("settings");
    await ann.picture(`${file}-settings`);
    ann.hasNoProblems();
    bob.hasNoProblems();
  });
}

test("the keyboard is enough", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  await ann.goesTo("general");
  await ann.says("first");
  await ann.says("second");
  await ann.hears("second");

  await ann.composer.press("ArrowUp");
  const editor = ann.messages.locator("textarea");
  await editor.press("End");
  await editor.pressSequentially(" thought");
  await editor.press("Enter");
  await ann.hears("second thought");
  assert.equal(await ann.page.evaluate(() => document.activeElement?.id), "composer", "the focus is back in the composer");

  await ann.composer.press("Shift+Enter");
  await ann.composer.pressSequentially("two lines");
  await ann.composer.press("Home");
  await ann.composer.press("Control+Home");
  await ann.composer.pressSequentially("now");
  await ann.composer.press("Enter");
  await ann.hears("now\ntwo lines");

  // Back from the composer into the messages, up two, and on to the tools.
  await ann.message("now").focus();
  await ann.page.keyboard.press("ArrowUp");
  await ann.page.keyboard.press("ArrowUp");
  assert.match(await ann.page.evaluate(() => document.activeElement?.textContent ?? ""), /first/);
  await ann.page.keyboard.press("Tab");
  await ann.page.keyboard.press("Tab");
  await ann.page.keyboard.press("Enter");
  await ann.page.getByText("Replying to Ann").waitFor();
  assert.equal(await ann.page.evaluate(() => document.activeElement?.id), "composer");
  await ann.page.keyboard.press("Escape");
  await ann.page.getByText("Replying to Ann").waitFor({ state: "detached" });
  ann.hasNoProblems();
});

test("right-to-left text and long words stay in their place", async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann", PHONE);
  await ann.room(/general/i).click();
  await ann.composer.waitFor();
  const word = "Donaudampfschifffahrtsgesellschaftskapitän".repeat(12);
  await ann.says("مرحبا بالجميع، كيف حالكم؟");
  await ann.says(word);
  await ann.says("<img src=x onerror=alert(1)> {@html '<b>no</b>'} `code`");
  await ann.hears("onerror");
  const direction = await ann
    .message("مرحبا")
    .locator(".text")
    .evaluate((element) => getComputedStyle(element).direction);
  assert.equal(direction, "rtl");
  const sideways = await ann.page.evaluate(
    () =>
      [...document.querySelectorAll("*")].filter(
        (element) => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX === "auto",
      ).length,
  );
  assert.equal(sideways, 0, "nothing scrolls sideways");
  assert.ok((await ann.page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  assert.equal(await ann.messages.locator("img, .text b").count(), 0, "text is text");
  await ann.picture("long-words-phone");
  ann.hasNoProblems();
});
