import type { types } from "@pulumi/kubernetes";

type EnvVar = types.input.core.v1.EnvVar;

const variables = (values: Readonly<Record<string, string>>): EnvVar[] =>
  Object.entries(values).map(([name, value]) => ({ name, value }));

/**
 * For code built with Intel's OpenMP, such as OpenVINO before 2019 R2 and MKL: one thread for each core of the instance, each
 * kept on its own, asleep 1 ms after its work so that the next instance's does not wait for it.
 */
export const openmpEnv = (threads: number): EnvVar[] =>
  variables({
    OMP_NUM_THREADS: String(threads),
    KMP_SETTINGS: "1",
    KMP_AFFINITY: "granularity=fine,verbose,compact,1,0",
    KMP_BLOCKTIME: "1",
  });

/** For our code around OpenVINO of today (images/model/serving). One stream: an instance answers one batch at a time. */
export const openvinoEnv = (threads: number): EnvVar[] =>
  variables({ INFERENCE_NUM_THREADS: String(threads), NUM_STREAMS: "1" });

/**
 * The same for a server that takes OpenVINO's own properties. Where its threads run is decided by the pod's CPUs, which OpenVINO
 * does not know of when it counts those of the machine.
 */
export const openvinoProperties = (threads: number, streams = 1) => ({
  INFERENCE_NUM_THREADS: threads,
  NUM_STREAMS: streams,
  ENABLE_CPU_PINNING: false,
});
