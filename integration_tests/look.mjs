// Opens a page in a headless Chromium as a reader has it, and says what came of it as JSON: what the
// console said, requests to anywhere else, how wide it is, and what axe-core finds. No package but
// axe-core: the browser speaks over a WebSocket, which Node has.
//
// node look.mjs CHROMIUM AXE URL '{"width": 390, "dark": true, "media": "print"}' SHOT.png
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [chromium, axe, url, wish, shot] = process.argv.slice(2);
const { width = 1200, height = 900, dark = false, media = "screen" } = JSON.parse(wish);
const profile = mkdtempSync(join(tmpdir(), "look-"));
const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
flags.push("--no-first-run", "--disable-background-networking", "--disable-component-update");
flags.push("--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank");
const browser = spawn(chromium, flags, { stdio: ["ignore", "ignore", "pipe"] });

const address = await new Promise((resolve, reject) => {
  let told = "";
  browser.stderr.on("data", (data) => {
    told += data;
    const found = /DevTools listening on (ws:\S+)/.exec(told);
    if (found) resolve(found[1]);
  });
  browser.on("exit", () => reject(new Error(`the browser ended: ${told}`)));
});

const socket = new WebSocket(address);
await new Promise((resolve) => socket.addEventListener("open", resolve));
const waiting = new Map();
const result = { console: [], requests: [], violations: [], width: 0, viewport: width };
let number = 0;
let loaded = () => {};

socket.addEventListener("message", (event) => {
  const message = JSON.parse(event.data);
  if (message.id) {
    const { resolve, reject } = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) reject(new Error(JSON.stringify(message.error)));
    else resolve(message.result);
  } else if (message.method === "Runtime.consoleAPICalled") {
    result.console.push(message.params.args.map((each) => each.value ?? each.description).join(" "));
  } else if (message.method === "Runtime.exceptionThrown") {
    result.console.push(message.params.exceptionDetails.text);
  } else if (message.method === "Log.entryAdded") {
    result.console.push(`${message.params.entry.level}: ${message.params.entry.text}`);
  } else if (message.method === "Network.requestWillBeSent") {
    result.requests.push(message.params.request.url);
  } else if (message.method === "Page.loadEventFired") {
    loaded();
  }
});

function send(method, params = {}, sessionId = undefined) {
  number += 1;
  socket.send(JSON.stringify({ id: number, method, params, sessionId }));
  return new Promise((resolve, reject) => waiting.set(number, { resolve, reject }));
}

async function evaluate(expression, sessionId) {
  const wanted = { expression, awaitPromise: true, returnByValue: true };
  const found = await send("Runtime.evaluate", wanted, sessionId);
  if (found.exceptionDetails) throw new Error(JSON.stringify(found.exceptionDetails));
  return found.result.value;
}

try {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  for (const domain of ["Page", "Runtime", "Log", "Network"]) {
    await send(`${domain}.enable`, {}, sessionId);
  }
  const screen = { width, height, deviceScaleFactor: 1, mobile: width < 600 };
  await send("Emulation.setDeviceMetricsOverride", screen, sessionId);
  const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }];
  await send("Emulation.setEmulatedMedia", { media, features }, sessionId);
  const done = new Promise((resolve) => (loaded = resolve));
  await send("Page.navigate", { url }, sessionId);
  await done;
  result.width = await evaluate("document.documentElement.scrollWidth", sessionId);
  result.seen = await evaluate("document.documentElement.outerHTML.length", sessionId);
  if (axe) {
    await evaluate("for (const each of document.querySelectorAll('details')) each.open = true", sessionId);
    await evaluate(readFileSync(axe, "utf8"), sessionId);
    const found = await evaluate("axe.run().then((all) => JSON.stringify(all.violations))", sessionId);
    for (const each of JSON.parse(found)) {
      const places = each.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`);
      result.violations.push({ id: each.id, impact: each.impact, places });
    }
    await evaluate("for (const each of document.querySelectorAll('details')) each.open = false", sessionId);
  }
  if (shot) {
    const wanted = { format: "png", captureBeyondViewport: true };
    const { data } = await send("Page.captureScreenshot", wanted, sessionId);
    writeFileSync(shot, Buffer.from(data, "base64"));
  }
  console.log(JSON.stringify(result));
} finally {
  socket.close();
  const gone = new Promise((resolve) => browser.on("exit", resolve));
  browser.kill();
  await gone;
  rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
