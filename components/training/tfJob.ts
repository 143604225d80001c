import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../restricted.ts";
import { fetchPod } from "../storage/fetch/container.ts";

/** How many processes of each kind; there is always one chief. */
export interface TfJobReplicas {
  readonly workers: number;
  /** Parameter servers. */
  readonly ps: number;
}

export interface TfJobArgs extends TfJobReplicas {
  /** Image with Python and TensorFlow. */
  readonly image: string;
  /** Secret with which it is pulled. @default - anybody may */
  readonly pullSecret?: string;
  /** ConfigMap with the program `train.py` and what it imports. */
  readonly program: string;
  /** Its one argument. */
  readonly options: object;
  readonly labels: Readonly<Record<string, string>>;
  /** CPU that each process requests; none has a limit. */
  readonly cpu: string;
  /** Memory that each process may use. */
  readonly memory: string;
  /** After this long the training has failed, whatever it is doing. */
  readonly seconds: number;
}

export const PROGRAM_FOLDER = "/training";

type Replica = "Chief" | "Worker" | "PS";

/** A worker that was lost is started again and goes on; the variables and the plan of who is lost with them cannot be. */
const RESTART: Record<Replica, string> = { Chief: "Never", Worker: "OnFailure", PS: "Never" };

/** Workers may be lost this many times each. */
const LOSSES = 3;

/** Spec of a TFJob whose processes end by themselves; their pods stay, with their logs, until it is deleted. */
export function tfJobSpec(args: TfJobArgs) {
  const { workers, ps, seconds } = args;
  const counts: Record<Replica, number> = { Chief: 1, Worker: workers, PS: ps };
  return {
    runPolicy: { cleanPodPolicy: "None", backoffLimit: LOSSES * workers, activeDeadlineSeconds: seconds },
    tfReplicaSpecs: Object.fromEntries(
      (Object.entries(counts) as [Replica, number][]).map(([replica, replicas]) => [
        replica,
        { replicas, restartPolicy: RESTART[replica], template: template(args) },
      ]),
    ),
  };
}

function template({ image, pullSecret, program, options, labels, cpu, memory, seconds }: TfJobArgs) {
  return {
    // A sidecar would outlive the training, which then would never end.
    metadata: { labels: { ...labels, "sidecar.istio.io/inject": "false" } },
    spec: {
      ...restrictedPod,
      activeDeadlineSeconds: seconds, // also for pods that a failed TFJob leaves
      ...fetchPod({ pullSecret }),
      containers: [
        {
          name: "tensorflow", // the operator looks for this name
          image,
          command: ["python3", `${PROGRAM_FOLDER}/train.py`, JSON.stringify(options)],
          resources: { requests: { cpu, memory }, limits: { memory } },
          securityContext: restrictedContainer,
          volumeMounts: [
            { name: "program", mountPath: PROGRAM_FOLDER, readOnly: true },
            { name: "tmp", mountPath: "/tmp" },
          ],
        },
      ],
      volumes: [
        { name: "program", configMap: { name: program } },
        { name: "tmp", emptyDir: {} },
      ],
    } satisfies types.input.core.v1.PodSpec,
  };
}
