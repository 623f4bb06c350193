// Segment's SDK for browsers, as it comes from npm, in Chromium; spoken to like sdk_segment.mjs,
// {"call":"reload"} leaves the page and comes back; {"call":"failed","arguments":{"count":n}} is
// answered once so many requests have failed. The page is served here, so that the server is
// another origin for it: what it may send is decided by CORS.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import readline from "node:readline";
import { browser, PATIENCE_MS } from "./chromium.mjs";

const [host, writeKey] = process.argv.slice(2);
const tell = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
const scripts = new URL("node_modules/@segment/analytics-next/dist/umd/", import.meta.url);

const page = `<!doctype html><meta charset="utf-8"><title>Shop</title>
<link rel="icon" href="data:,">
<script src="/index.js"></script>
<script>
  const retries = { maxRetryCount: 100 };
  analytics = AnalyticsNext.AnalyticsBrowser.load(
    { writeKey: ${JSON.stringify(writeKey)}, cdnURL: ${JSON.stringify(host)} },
    { integrations: { "Segment.io": {
      protocol: "http", httpConfig: { backoffConfig: retries, rateLimitConfig: retries } } } });
  analytics.on("error", (error) => tell({ error: String(error.reason ?? error.code) }));
  function send(call, { userId, anonymousId, event, category, name, properties, groupId, traits,
                        previousId, ...options }) {
    options = { ...options, ...(userId && { userId }), ...(anonymousId && { anonymousId }) };
    switch (call) {
    case "track": return analytics.track(event, properties, options);
    case "identify": return analytics.identify(userId, traits, options);
    case "page": return analytics.page(category, name, properties, options);
    case "screen": return analytics.screen(category, name, properties, options);
    case "group": return analytics.group(groupId, traits, options);
    case "alias": return analytics.alias(userId, previousId, options);
    }
  }
</script>`;
const server = createServer((request, response) => {
  const script = /^\/([\w.-]+\.js)$/.exec(request.url);
  response.setHeader("Content-Type", script ? "text/javascript" : "text/html");
  if (script) createReadStream(new URL(script[1], scripts)).on("error", () =>
    response.writeHead(404).end()).pipe(response);
  else response.end(page);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const tab = await browser.newPage();
tab.setDefaultTimeout(PATIENCE_MS);
let failures = 0;
tab.on("requestfailed", () => failures++);
const url = `http://127.0.0.1:${server.address().port}/`;
tab.on("pageerror", (error) => tell({ error: String(error) }));
await tab.exposeFunction("tell", tell);
await tab.goto(url);
await tab.evaluate(() => analytics.ready());
tell({ ready: true });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { call, arguments: message } = JSON.parse(line);
  if (call === "reload") await tab.reload();
  else if (call === "failed") {
    while (failures < message.count) await new Promise((on) => setTimeout(on, 20));
    await tab.evaluate(() => new Promise((on) => setTimeout(on, 200))); // the page has heard of it
    tell({ failed: true });
  }
  // A call is answered when it was tried once; what has to be tried again stays with the page.
  else await tab.evaluate(([name, what]) => void send(name, what), [call, message]);
}
await browser.close();
server.close();
tell({ closed: true });
