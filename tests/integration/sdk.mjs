// Drives Segment's own SDK, as it comes from npm: node sdk.mjs HOST WRITE_KEY, commands as JSON
// lines on the standard input, {"call":"track","arguments":{…}} or {"call":"flush"}; answers as
// JSON lines on the standard output: {"delivered":N,"error":…} for the N-th call, {"flushed":true}.
// The end of the input delivers what is left and ends it.
import readline from "node:readline";
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({
  host, writeKey, flushAt: 5, flushInterval: 50, maxRetries: 50, httpRequestTimeout: 5000,
});
const tell = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
analytics.on("error", (error) => tell({ error: String(error.reason ?? error.code ?? error) }));

let calls = 0;
for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.call === "flush") {
    await analytics.flush({ timeout: 60000 });
    tell({ flushed: true });
    continue;
  }
  const number = calls++;
  analytics[command.call](command.arguments, (error) =>
    tell({ delivered: number, error: error ? String(error) : null }));
}
await analytics.closeAndFlush({ timeout: 60000 });
tell({ closed: true });
