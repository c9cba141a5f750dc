import assert from "node:assert/strict";
import { test } from "node:test";
import { Salon } from "./support/salon.js";

const MESSAGES = Number(process.env.SALON_BROWSER_MESSAGES ?? 3_000);
/** The server limits every person's rate, so many people write. */
const WRITERS = 20;
/** Scrolling back to the beginning ends within this time, even on a slow machine. */
const BACK_MS = 120_000;

test(`scrolling back through ${MESSAGES} messages`, async (t) => {
  const salon = await Salon.start(t);
  const ann = await salon.admin("Ann");
  await write(salon, ann, "general", MESSAGES);
  await ann.opens(`${salon.url}/#/r/general`);
  await ann.page.reload();
  await ann.composer.waitFor();
  await ann.messages.locator("article").first().waitFor();
  await ann.messages.evaluate((list) => (list.scrollTop = list.scrollHeight));

  // The document holds what is in view and a little more, however many messages there are.
  assert.ok((await ann.messages.locator("article").count()) < 120);

  // Reading back to the beginning: what is in view stands still while older messages are put above it.
  const ends = { pages: 0, moved: 0 };
  const started = Date.now();
  while (!(await ann.page.getByText("This is the beginning.").isVisible())) {
    assert.ok(Date.now() - started < BACK_MS, `scrolling back ended at ${await inView(ann)}`);
    const { grew, moved } = await ann.messages.evaluate(scrollBack);
    if (!grew) continue;
    ends.pages += 1;
    ends.moved = Math.max(ends.moved, moved);
  }
  t.diagnostic(`${ends.pages} pages, the view moved by ${ends.moved} px at most`);
  assert.ok(ends.pages > Math.min(MESSAGES / 300, 10), "older messages came in pages");
  assert.ok(ends.moved <= 2, `the view moved by ${ends.moved} px while older messages were put above it`);
  assert.ok((await ann.messages.locator("article").count()) < 120);

  await ann.page.getByRole("button", { name: "Jump to newest" }).click();
  await ann.says("and I was there");
  await ann.hearsOnce("and I was there");

  // A search finds what was said, and leads there.
  await ann.page.getByRole("button", { name: "Search" }).click();
  await ann.page.getByRole("searchbox").fill("needle");
  await ann.page.keyboard.press("Enter");
  await ann.page.getByText("1 message found").waitFor();
  await ann.page.locator("aside li button", { hasText: "needle" }).click();
  await ann.messages.locator("article.highlighted", { hasText: "needle" }).waitFor();
  ann.hasNoProblems();
});

/** What is in view. */
async function inView(person) {
  return person.messages.evaluate((list) => list.innerText.slice(0, 200));
}

/** Runs in the browser: goes up a few screens, then watches whether what is in view moves while more arrives above it. */
async function scrollBack(list) {
  const frame = () => new Promise(requestAnimationFrame);
  const height = list.scrollHeight;
  list.scrollTop = Math.max(0, list.scrollTop - 3 * list.clientHeight);
  // After such a leap, rows are measured for the first time in one frame and stand where they belong in the next.
  await frame();
  await frame();
  const box = list.getBoundingClientRect();
  const watched = [...list.querySelectorAll("article")].find(
    (article) => article.getBoundingClientRect().top > box.top + box.height / 3,
  );
  const start = watched?.getBoundingClientRect().top ?? 0;
  let moved = 0;
  for (let n = 0; n < 12 && watched?.isConnected; n++) {
    await frame();
    if (watched.isConnected) moved = Math.max(moved, Math.abs(watched.getBoundingClientRect().top - start));
  }
  return { grew: list.scrollHeight > height + 500, moved: Math.round(moved) };
}

/** Fills a room through the socket, as fast as the limits allow. */
async function write(salon, host, room, count) {
  const writers = [];
  for (let n = 0; n < WRITERS; n++) writers.push(await salon.account(`Writer ${n}`, host));
  // The icon is of the same origin, and no page that would draw every message.
  await Promise.all(writers.map((writer) => writer.opens(`${salon.url}/favicon.svg`)));
  const share = Math.ceil(count / WRITERS);
  await Promise.all(writers.map((writer, index) => writer.page.evaluate(writeInPage, { room, share, index })));
  for (const writer of writers) await writer.context.close();
}

/** Runs in the browser: one message after the other, patiently. */
async function writeInPage({ room, share, index }) {
  const socket = new WebSocket(`ws://${location.host}/ws`, "salon.v1.json");
  await new Promise((resolve, reject) => {
    let next = 0;
    const send = () => {
      const needle = index === 0 && next === 20 ? " needle" : "";
      const content = `message ${next} of writer ${index}${needle}${next % 7 === 0 ? "\nwith a second line" : ""}`;
      socket.send(JSON.stringify({ event: "message", id: next, data: { room, content, client_id: `w${index}-${next}` } }));
    };
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.event === "welcome") return socket.send(JSON.stringify({ event: "join", id: -1, data: { room, last: 0 } }));
      if (frame.event === "ack" && frame.id === -1) {
        socket.send(JSON.stringify({ event: "leave", data: { room } }));
        return send();
      }
      if (frame.event === "error" && frame.data.retryable) return setTimeout(send, frame.data.retry_after_ms ?? 100);
      if (frame.event === "error") return reject(new Error(data));
      if (frame.event !== "ack" || frame.id !== next) return;
      next += 1;
      if (next === share) return resolve();
      send();
    };
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
  });
  socket.onclose = null;
  socket.close();
}
