// node smtp.mjs [--tls]: an SMTP server on a free port of 127.0.0.1, which is printed first
// ({"port":N}); then each mail that it takes, one a line. With --tls it offers STARTTLS, with a
// certificate that nobody has reason to trust.
import { SMTPServer } from "smtp-server";

const tell = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
const server = new SMTPServer({
  authOptional: true,
  disabledCommands: process.argv.includes("--tls") ? [] : ["STARTTLS"],
  onData: (stream, session, done) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => {
      const { mailFrom, rcptTo } = session.envelope;
      const message = Buffer.concat(parts).toString();
      tell({ from: mailFrom.address, to: rcptTo.map((each) => each.address), message });
      done();
    });
  },
});
server.on("error", (error) => tell({ error: String(error) }));
server.listen(0, "127.0.0.1", () => tell({ port: server.server.address().port }));
process.stdin.on("end", () => process.exit(0)).resume();
