// Segment's SDK for Node, as it comes from npm: node sdk_segment.mjs HOST WRITE_KEY, calls as JSON
// lines on the standard input, {"call":"track","arguments":{…}}; on the standard output a line
// {"error":…} for each call that it gives up, {"closed":true} at the end.
// The end of the input delivers what is left and ends it.
import readline from "node:readline";
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({
  host, writeKey, flushAt: 5, flushInterval: 50, maxRetries: 100, httpRequestTimeout: 5000,
});
const tell = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
analytics.on("error", (error) => tell({ error: String(error.reason ?? error.code ?? error) }));

tell({ ready: true });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  analytics[command.call](command.arguments);
}
await analytics.closeAndFlush({ timeout: 60000 });
tell({ closed: true });
