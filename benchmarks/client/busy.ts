import { performance } from "node:perf_hooks";
import type { Result } from "../result.ts";
import { readThrottling, throttledShare } from "./cgroup.ts";
import { Samples } from "./samples.ts";

/** How often the event loop's lag is looked at. */
const everyMs = 20;

export type Business = Pick<
  Result["environment"]["clients"][number],
  "cpuSeconds" | "busyShare" | "lagMs" | "throttledShare"
>;

/**
 * How busy this event loop is from now on until `stop`.
 *
 * @param waitedMs time so far for which the loop was kept turning only to send in time, which is not work
 */
export function watchBusiness(waitedMs: () => number): { stop(): Business } {
  const loopBefore = performance.eventLoopUtilization();
  const cpuBefore = cpuMicros();
  const waitedBefore = waitedMs();
  const throttlingBefore = readThrottling();
  const lag = new Samples();
  let expected = performance.now() + everyMs;
  const timer = setInterval(() => {
    const now = performance.now();
    lag.record(now - expected);
    expected = now + everyMs;
  }, everyMs);
  let stopped: Business | undefined;
  return {
    stop() {
      if (stopped) return stopped;
      clearInterval(timer);
      lag.record(performance.now() - expected); // it may be blocked at this very moment
      const { active, idle } = performance.eventLoopUtilization(loopBefore);
      const work = Math.max(active - (waitedMs() - waitedBefore), 0);
      stopped = {
        cpuSeconds: (cpuMicros() - cpuBefore) / 1e6,
        busyShare: active + idle > 0 ? work / (active + idle) : 0,
        lagMs: { p99: lag.percentileMs(99_000), max: lag.maxMicros / 1000 },
        throttledShare: throttledShare(throttlingBefore, readThrottling()),
      };
      return stopped;
    },
  };
}

/** CPU time of this thread; of the whole process where Node cannot tell. */
function cpuMicros(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return user + system;
}
