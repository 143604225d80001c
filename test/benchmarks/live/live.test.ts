import { spawn } from "node:child_process";
import { afterEach, expect, test, vi } from "vitest";
import { startControl } from "../../../benchmarks/client/control.ts";
import { Rates } from "../../../benchmarks/client/rates.ts";
import { bundlePage } from "../../../benchmarks/live/bundle.ts";
import { parseResult } from "../../../benchmarks/result.ts";
import { inputsFolder, restServer, type TestServer } from "../client/servers.ts";
import { Browser, chromium } from "./browser.ts";

vi.setConfig({ testTimeout: 120_000 });

const open: (Browser | TestServer | { close(): Promise<void> })[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await ("stop" in each ? each.stop() : each.close());
});

async function look(url: string): Promise<Browser> {
  const browser = await Browser.open(url, { width: 900, height: 700 });
  open.push(browser);
  return browser;
}

const text = (id: string) => `document.getElementById("${id}").textContent`;
const isHidden = (id: string) => `document.getElementById("${id}").hidden`;

test("the page is one file, the same each time, and small enough for a ConfigMap of its own", async () => {
  const [page, again] = [await bundlePage(), await bundlePage()];
  expect(page).toEqual(again);
  expect(page.code.length).toBeLessThan(200_000);
  expect(page.code).not.toMatch(/ (src|href)="(?!data:)/);
  expect(page.code.match(/<script>/g)).toHaveLength(1);
  expect(page.code).toMatch(/<\/script>\s*<\/body>\s*<\/html>\s*$/);
});

test.skipIf(!chromium)("a run is seen while it goes, and who has the token changes its rate", async () => {
  const server = await restServer({ fail: (n) => n % 50 === 0 });
  open.push(server);
  const load = ["--rate", "40", "--warmup", "1", "--duration", "20", "--control-port", "0", "--output", "json"];
  const target = ["--url", `http://127.0.0.1:${server.port}`, "--protocol", "v2-rest", "--model", "model"];
  const args = ["benchmarks/client/main.ts", ...target, "--inputs", inputsFolder(), ...load];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  const ended = new Promise((resolve) => child.once("close", resolve));
  const url = await new Promise<string>((resolve) =>
    child.stderr.on("data", (chunk) => {
      err += chunk;
      const found = /How it goes: (\S+)\n/.exec(err)?.[1];
      if (found) resolve(found);
    }),
  );

  const page = await look(url);
  await page.until(`${text("phase")} === "measuring" && document.querySelectorAll("canvas").length === 4`);
  expect(await page.evaluate(text("load"))).toContain("poisson arrivals in an open loop: 40/s");
  expect(await page.evaluate(isHidden("form"))).toBe(false);
  await page.evaluate(`document.getElementById("rate").value = "90"; document.querySelector("button").click()`);
  await page.until(`${text("said")}.startsWith("90/s from ")`);
  await page.until(`document.querySelector("#figures tr").cells[1].textContent === "90"`);
  await page.until(`document.querySelector("#figures .bad") !== null`); // some requests failed
  // What is drawn is not white.
  const inked = `[...document.querySelectorAll("canvas")].every((canvas) =>
    canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0))`;
  expect(await page.evaluate(inked)).toBe(true);

  const reader = await look(url.split("#")[0]!);
  await reader.until(`document.querySelectorAll("#figures tr").length > 0`);
  expect(await reader.evaluate(isHidden("form"))).toBe(true);
  expect(await reader.evaluate(isHidden("readonly"))).toBe(false);

  await ended;
  await page.until(`${text("phase")} === "ended"`);
  expect(parseResult(out).events).toMatchObject([{ rate: 90 }]);
  expect([...page.complaints, ...reader.complaints].filter((each) => !each.includes("ERR_CONNECTION"))).toEqual([]);
});

test.skipIf(!chromium)("the rate of a closed loop cannot be changed, and the page does not offer it", async () => {
  const { code } = await bundlePage();
  const load = { mode: "closed", clients: 2, durationSeconds: 5, warmupSeconds: 0, seed: 1 } as const;
  const control = await startControl({ host: "127.0.0.1", port: 0, token: "t", load, rates: new Rates(), page: code });
  open.push(control);
  control.tick({ seconds: 1, requestsPerSecond: 5, requestedRate: null, p50Ms: 1, p99Ms: 2, failed: 0, inFlight: 2 });
  const page = await look(`http://127.0.0.1:${control.port}/#token=t`);
  await page.until(`document.querySelectorAll("#figures tr").length > 0`);
  expect(await page.evaluate(isHidden("form"))).toBe(true);
  expect(await page.evaluate(`document.querySelector("#figures tr").cells[1].textContent`)).toBe("–");
  expect(page.complaints).toEqual([]);
});
