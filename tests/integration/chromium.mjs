// Debian's Chromium, without what it would ask the network for by itself.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const executablePath = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find(existsSync);

export const PATIENCE_MS = 300_000; // for what hangs

export const browser = await chromium.launch({
  executablePath,
  timeout: PATIENCE_MS,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run"],
});
