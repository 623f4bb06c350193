// node socket.mjs URL [SUBPROTOCOL]: prints each message of a WebSocket as it comes, one a line,
// after a line {"open":SUBPROTOCOL}; {"refused":STATUS} or {"closed":CODE} at the end. Lines of the
// standard input are sent as messages; its end closes the socket.
import { createInterface } from "node:readline";
import WebSocket from "ws";

const [url, subprotocol] = process.argv.slice(2);
const tell = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
const socket = new WebSocket(url, subprotocol ? [subprotocol] : []);
socket.on("open", () => tell({ open: socket.protocol }));
socket.on("message", (data) => process.stdout.write(data.toString() + "\n"));
socket.on("unexpected-response", (_request, response) => {
  tell({ refused: response.statusCode });
  process.exit(0);
});
socket.on("close", (code) => tell({ closed: code }));
socket.on("error", (error) => tell({ error: String(error) }));
createInterface({ input: process.stdin })
  .on("line", (line) => socket.send(line))
  .on("close", () => socket.close());
