// RudderStack's SDK for Node, as it comes from npm; spoken to like sdk_segment.mjs.
import readline from "node:readline";
import RudderAnalytics from "@rudderstack/rudder-sdk-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new RudderAnalytics(writeKey, {
  dataPlaneUrl: host, flushAt: 5, flushInterval: 50, retryCount: 100, logLevel: "none",
  errorHandler: () => {}, // else it ends the process; the callbacks tell
  // Its own delays double without an end: 100 restarts would take hours.
  axiosRetryConfig: { retryDelay: (count) => Math.min(100 * 2 ** count, 2000) },
});
const tell = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

tell({ ready: true });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { call, arguments: { timestamp, ...message } } = JSON.parse(line);
  if (timestamp !== undefined) message.originalTimestamp = new Date(timestamp);
  analytics[call](message, (error) => error && tell({ error: String(error) }));
}
for (let left = 1; left > 0; left = analytics.queue.length) await analytics.flush();
tell({ closed: true });
