import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { CLIENT_PORT } from "../benchmarks/jobPod.ts";
import { selectorOf } from "../components/labels.ts";
import { forwardPort } from "../components/storage/reach/portForward.ts";
import { UserError } from "../error.ts";
import { BENCHMARK, namespaceOf } from "../stacks/experiment.ts";
import { completeConfig, lastConfigOf } from "./stack/config.ts";

export interface LiveOptions {
  readonly stack: string;
  readonly config: readonly string[];
  /** Leave the token out of the address: who opens it can look and change nothing. */
  readonly readOnly?: boolean;
}

/** `npm run live`: makes the live page of a run reachable from this machine, run after run, until it is interrupted. */
export async function live({ stack, config, readOnly }: LiveOptions): Promise<number> {
  const { kubeconfig, context } = clusterOf(stack, config);
  const api = new KubeConfig();
  if (kubeconfig) api.loadFromFile(kubeconfig);
  else api.loadFromDefault();
  api.setCurrentContext(context);
  const core = api.makeApiClient(CoreV1Api);
  const namespace = namespaceOf(stack);
  const selector = Object.entries(selectorOf(BENCHMARK, BENCHMARK))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  console.log("waiting for a run; start one with `npm start -- --rerun --config benchmark.control=true`");
  for (;;) {
    const pod = await runningPod(core, namespace, selector);
    const forwarded = await forwardPort({ kubeconfig, context, namespace, selector, port: CLIENT_PORT }).catch(
      () => undefined,
    );
    if (!forwarded) continue; // it ended before it was ready
    const url = `http://127.0.0.1:${forwarded.port}`;
    while ((await isRunning(core, namespace, pod)) && !(await answers(url))) await sleep(200);
    console.log(`${url}/${readOnly ? "" : `#token=${await tokenIn(core, namespace)}`}`);
    while (await isRunning(core, namespace, pod)) await sleep(1000);
    forwarded.close();
    console.log("the run has ended; waiting for the next");
  }
}

/** Which cluster: as the last deployment left it, because only that knows where the embedded one is. */
function clusterOf(stack: string, sets: readonly string[]): { kubeconfig?: string; context: string } {
  const cluster = (lastConfigOf(stack, "cluster") ?? completeConfig(stack, {}, sets)["cluster"]) as
    | { kubeconfig?: string; context?: string }
    | undefined;
  if (!cluster?.context)
    throw new UserError(`Stack ${stack} was never deployed from here; \`npm start -- --stack ${stack}\` does it.`);
  return { kubeconfig: cluster.kubeconfig, context: cluster.context };
}

async function runningPod(core: CoreV1Api, namespace: string, labelSelector: string): Promise<string> {
  for (;;) {
    const { items } = await core.listNamespacedPod({ namespace, labelSelector }).catch(unreachable);
    const pod = items.find(
      ({ status, spec }) => status?.phase === "Running" && spec?.volumes?.some(({ name }) => name === "page"),
    );
    if (pod) return pod.metadata!.name!;
    await sleep(1000);
  }
}

function unreachable(error: Error): never {
  throw new UserError(`The cluster does not answer: ${error.message}.`, "Is it running? `npm run status` says so.");
}

const isRunning = (core: CoreV1Api, namespace: string, name: string): Promise<boolean> =>
  core.readNamespacedPod({ namespace, name }).then(
    ({ status }) => status?.phase === "Running",
    () => false,
  );

/** The pod runs a little before its client listens. */
const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/status`).then(
    ({ ok }) => ok,
    () => false,
  );

async function tokenIn(core: CoreV1Api, namespace: string): Promise<string> {
  const { data = {} } = await core.readNamespacedSecret({ namespace, name: `${BENCHMARK}-token` });
  return Buffer.from(data["token"] ?? "", "base64").toString();
}
