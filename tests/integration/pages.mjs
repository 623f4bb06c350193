// Pages in Chromium, which all are the same person's: they share cookies. Speaks JSON by lines:
// {"open":url,"html"} shows a page and answers {"tab":n}; {"tab","run"} runs the body of an async
// function there and answers {"value"} or {"error"}; {"tab","goto":url} leads the tab elsewhere and
// answers the status; {"tab","submit":url,"name","value"} sends a form of one field as text/plain,
// which needs nobody's leave, and answers the status; {"tab","frames"} answers where its frames
// are, with what they show.
// Pages of 127.0.0.1 and localhost at the port of {"ready":port} are served here, which makes them
// another origin, or another site, than the server; those of any other address stand in its place.
import { createServer } from "node:http";
import readline from "node:readline";
import { browser, PATIENCE_MS } from "./chromium.mjs";

const tell = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
const served = new Map();
const server = createServer((request, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(served.get(request.url) ?? "");
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const port = String(server.address().port);

const person = await browser.newContext();
person.setDefaultTimeout(PATIENCE_MS);
const tabs = [];

async function open(url, html) {
  const { port: at, pathname } = new URL(url);
  if (at === port) served.set(pathname, html);
  else await person.route(url, (route) => route.fulfill({ contentType: "text/html", body: html }));
  const tab = await person.newPage();
  await tab.goto(url);
  return { tab: tabs.push(tab) - 1 };
}

async function run(tab, code) {
  return { value: await tab.evaluate(`(async () => { ${code} })()`) ?? null };
}

async function frames(tab) {
  return { value: await Promise.all(tab.frames().slice(1).map(async (frame) =>
    [frame.url(), await frame.evaluate(() => document.body?.textContent ?? "")])) };
}

async function submit(tab, url, name, value) {
  const answered = tab.waitForResponse(url);
  await tab.evaluate(([action, name, value]) => {
    const form = document.createElement("form");
    Object.assign(form, { method: "POST", enctype: "text/plain", action });
    const field = document.createElement("input");
    Object.assign(field, { name, value });
    form.append(field);
    document.body.append(form);
    form.submit();
  }, [url, name, value]);
  return { value: (await answered).status() };
}

async function obey(wish) {
  if (wish.open !== undefined) return open(wish.open, wish.html);
  const tab = tabs[wish.tab];
  if (wish.run !== undefined) return run(tab, wish.run);
  if (wish.submit !== undefined) return submit(tab, wish.submit, wish.name, wish.value);
  if (wish.frames !== undefined) return frames(tab);
  return { value: (await tab.goto(wish.goto)).status() };
}

tell({ ready: Number(port) });
for await (const line of readline.createInterface({ input: process.stdin })) {
  try {
    tell(await obey(JSON.parse(line)));
  } catch (error) {
    tell({ error: String(error.message ?? error) });
  }
}
await browser.close();
server.close();
