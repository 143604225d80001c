import type { Scaling } from "../../scaling.ts";

/** Two lines: what the autoscaler did and when, and what that cost on either side. */
export function scalingInWords(scaling: Scaling): string[] {
  const { timeline, slo, stepAtSeconds, decisionSeconds, reactionSeconds, recoverySeconds } = scaling;
  const counts = timeline.map(({ ready }) => ready).filter((ready, i, all) => ready !== all[i - 1]);
  const after = (seconds: number | null, never: string) => (seconds === null ? never : `${seconds.toFixed(1)} s`);
  const step =
    stepAtSeconds === null
      ? "no step in the load"
      : `after the step at ${stepAtSeconds} s: further pod ${after(decisionSeconds, "none")}, Ready ${after(reactionSeconds, "never")}, p99 back under ${slo.p99Ms} ms ${after(recoverySeconds, "never")}`;
  return [
    `${counts.join(" -> ")} servers Ready; ${step}`,
    `SLO violated for ${scaling.sloViolationSeconds.toFixed(1)} s, ${scaling.overProvisionedCoreSeconds.toFixed(1)} core seconds too many, ${scaling.flaps} flaps`,
  ];
}
