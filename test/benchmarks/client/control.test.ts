import { afterEach, expect, test } from "vitest";
import { type Control, startControl, type Ticks } from "../../../benchmarks/client/control.ts";
import { newToken } from "../../../benchmarks/client/endpoint.ts";
import { Rates } from "../../../benchmarks/client/rates.ts";
import type { Load } from "../../../benchmarks/spec.ts";

const open: Load = {
  mode: "open",
  arrivals: "poisson",
  stages: [{ rate: 10, durationSeconds: 1 }],
  connections: 1,
  warmupSeconds: 0,
  seed: 1,
};
const closed: Load = { mode: "closed", clients: 1, durationSeconds: 1, warmupSeconds: 0, seed: 1 };

let control: Control | undefined;
afterEach(() => control?.close());

async function start(load: Load, page?: string) {
  const rates = new Rates();
  const token = newToken();
  control = await startControl({ host: "127.0.0.1", port: 0, token, load, rates, page });
  const call = async (method: string, path: string, body?: string, authorization = `Bearer ${token}`) => {
    const answer = await fetch(`http://127.0.0.1:${control!.port}${path}`, {
      method,
      body,
      headers: { authorization },
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, string> };
  };
  return { rates, call, token };
}

test("tells how the run goes", async () => {
  const { call } = await start(open);
  expect(await call("GET", "/status")).toEqual({ status: 200, body: { phase: "waiting" } });
  const tick = { requestsPerSecond: 9, requestedRate: 10, p50Ms: 1, p99Ms: 2, failed: 3, inFlight: 4 };
  control!.tick({ seconds: -1, ...tick });
  expect((await call("GET", "/status")).body).toEqual({ phase: "warm-up", seconds: -1, ...tick });
  control!.tick({ seconds: 2, ...tick });
  expect((await call("GET", "/status?x=1")).body).toEqual({ phase: "measuring", seconds: 2, ...tick });
});

test("tells everybody what happened since, and keeps an hour", async () => {
  const { call } = await start(open);
  const ticks = Array.from({ length: 3605 }, (_, i) => ({
    seconds: i - 2,
    requestsPerSecond: i,
    requestedRate: 10,
    p50Ms: 1,
    p99Ms: 2,
    failed: 0,
    inFlight: 1,
  }));
  for (const tick of ticks) control!.tick(tick);
  const all = (await call("GET", "/ticks", undefined, "")) as unknown as { status: number; body: Ticks };
  expect(all).toMatchObject({ status: 200, body: { phase: "measuring", isRateOpen: true } });
  expect(all.body.load).toBe("poisson arrivals in an open loop: 10/s for 1 s; 1 connection, warm-up 0 s");
  expect(all.body.ticks).toEqual(ticks.slice(-3600));
  const news = await call("GET", "/ticks?after=3600", undefined, "");
  expect(news.body.ticks).toEqual(ticks.slice(-2));
});

test("shows the page to everybody, and it may load nothing from elsewhere", async () => {
  await start(open, "<p>live</p>");
  const answer = await fetch(`http://127.0.0.1:${control!.port}/`);
  expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none';.*connect-src 'self'$/);
  expect(await answer.text()).toBe("<p>live</p>");
});

test("takes a new rate for one moment a little ahead, and says when that is", async () => {
  const { call, rates } = await start(open);
  const heard: number[] = [];
  rates.subscribe(({ rate }) => heard.push(rate));
  const before = Date.now();
  const { status, body } = await call("PUT", "/rate", '{"rate": 250.5}');
  expect(status).toBe(200);
  expect(body.rate).toBe(250.5);
  expect(Date.parse(body.effectiveAt)).toBeGreaterThanOrEqual(before + 900);
  expect(rates.changes).toHaveLength(1);
  expect(Math.abs(rates.changes[0]!.at - Date.parse(body.effectiveAt))).toBeLessThanOrEqual(1);
  expect(heard).toEqual([250.5]);
});

test.each([
  ["{", /^The body is not JSON: /],
  [undefined, /"rate" must be a number above 0 and at most 1000000, .*; there is none\.$/],
  ["{}", /there is none/],
  ["null", /there is none/],
  ['{"rate": "200"}', /it is "200"\.$/],
  ['{"rate": 0}', /it is 0\.$/],
  ['{"rate": -1}', /it is -1\.$/],
  ['{"rate": 1e7}', /it is 10000000\.$/],
  ['{"rate": [5]}', /it is \[5\]\.$/],
])("refuses %s with a sentence", async (body, error) => {
  const { call, rates } = await start(open);
  const answer = await call("PUT", "/rate", body);
  expect(answer.status).toBe(400);
  expect(answer.body.error).toMatch(error);
  expect(rates.changes).toEqual([]);
});

test.each([
  [closed, /closed loop: .* Only the rate of an open loop can be changed/],
  [{ mode: "mlperf", scenario: "Offline", warmupSeconds: 0, seed: 1 } as Load, /scenario of MLPerf/],
])("changes no rate but that of an open loop", async (load, error) => {
  const { call, rates } = await start(load);
  const { status, body } = await call("PUT", "/rate", '{"rate": 5}');
  expect(status).toBe(409);
  expect(body.error).toMatch(error);
  expect(rates.changes).toEqual([]);
});

test("changes nothing for who has not the token", async () => {
  const { call, token, rates } = await start(open);
  for (const wrong of ["", "Bearer ", `Bearer ${token}x`, `Basic ${token}`, token]) {
    const { status, body } = await call("PUT", "/rate", '{"rate": 5}', wrong);
    expect(status).toBe(401);
    expect(body.error).toContain("Authorization: Bearer TOKEN");
    expect(JSON.stringify(body)).not.toContain(token);
  }
  expect(rates.changes).toEqual([]);
});

test("says what there is instead of what there is not, and takes no endless body", async () => {
  const { call } = await start(open);
  expect(await call("GET", "/")).toEqual({
    status: 404,
    body: { error: "There is no GET /; there is GET /status, GET /ticks, PUT /rate." },
  });
  expect((await call("DELETE", "/rate")).status).toBe(405);
  expect((await call("PUT", "/rate", "x".repeat(5 << 20)).catch(() => ({ status: 413 }))).status).toBe(413);
});

test("says so when its port is taken", async () => {
  await start(open);
  const taken = { host: "127.0.0.1", port: control!.port, token: "t", load: open, rates: new Rates() };
  await expect(startControl(taken)).rejects.toThrow(/^Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
});
