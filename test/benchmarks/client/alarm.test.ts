import { afterEach, expect, test } from "vitest";
import { Alarm } from "../../../benchmarks/client/pacers/alarm.ts";
import { seededRandom } from "../../../benchmarks/client/random.ts";

let alarm: Alarm | undefined;
afterEach(() => alarm?.end());
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("rings once for each time, never early, whatever the distance", async () => {
  const random = seededRandom(1);
  const early: number[] = [];
  let rung = 0;
  let at = performance.now();
  await new Promise<void>((resolve) => {
    const next = () => {
      at = performance.now() + 20 ** (2 * random() - 1); // 0.05 to 20 ms
      alarm!.set(at);
    };
    alarm = new Alarm(() => {
      early.push(at - performance.now());
      if (++rung === 300) resolve();
      else next();
    });
    next();
  });
  await sleep(20);
  expect(rung).toBe(300);
  expect(Math.max(...early)).toBeLessThanOrEqual(0);
});

test("a time that is set anew counts, and none after it has ended", async () => {
  const rung: number[] = [];
  alarm = new Alarm(() => rung.push(performance.now()));
  const start = performance.now();
  for (const wait of [5, 500, 1, 80]) alarm.set(start + wait);
  await sleep(40);
  expect(rung.filter((at) => at < start + 80)).toEqual([]);
  await sleep(100);
  expect(rung).toHaveLength(1);
  alarm.set(performance.now() + 50);
  alarm.set(performance.now() + 5); // sooner
  while (rung.length < 2) await sleep(5);
  alarm.set(performance.now() + 5);
  alarm.end();
  await sleep(40);
  expect(rung).toHaveLength(2);
});

test("what it spent waiting is not more than what there was to wait", async () => {
  const start = performance.now();
  let rung = 0;
  await new Promise<void>((resolve) => {
    alarm = new Alarm(() => (++rung === 50 ? resolve() : alarm!.set(performance.now() + 0.1)));
    alarm.set(performance.now() + 0.1);
  });
  expect(alarm!.waitedMs).toBeGreaterThan(0);
  expect(alarm!.waitedMs).toBeLessThanOrEqual(performance.now() - start);
});
