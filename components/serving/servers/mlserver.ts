import { GRPC, HTTP, httpGet, METRICS, type ServerKind } from "../modelServer.ts";
import { openvinoEnv } from "./threads.ts";

const ports = { "v2-grpc": GRPC, "v2-rest": HTTP, metrics: METRICS };

/**
 * MLServer with `models/NAME/1/model-settings.json` and the runtime that it names. It computes in its own process: a pool of
 * further ones would be more threads than the instance has cores.
 */
export const mlserver: ServerKind = {
  apis: ["v2"],
  ports: () => ports,
  image: () => "mlserver",
  decodes: true,
  usesGpus: true,
  build: ({ image, model, memory, gpus, threads }) => {
    const ready = httpGet(`/v2/models/${model.name}/ready`);
    const settings = {
      HTTP_PORT: HTTP,
      GRPC_PORT: GRPC,
      METRICS_PORT: METRICS,
      // Its folders are below the working directory otherwise, which is read-only.
      METRICS_DIR: "/tmp/metrics",
      ENVIRONMENTS_DIR: "/tmp/environments",
      PARALLEL_WORKERS: 0,
      DEBUG: false,
    };
    return {
      name: "mlserver",
      image,
      command: ["mlserver", "start", `/models/${model.name}`],
      env: [
        ...Object.entries(settings).map(([name, value]) => ({ name: `MLSERVER_${name}`, value: String(value) })),
        ...openvinoEnv(threads),
        // NumPy's own threads have nothing to do here.
        { name: "OMP_NUM_THREADS", value: "1" },
      ],
      ports,
      modelPath: "/models",
      scratch: { "/tmp": "32Mi" },
      memory,
      gpus,
      startupProbe: { ...ready, periodSeconds: 1, failureThreshold: 120 },
      readinessProbe: { ...ready, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 3 },
      livenessProbe: { ...httpGet("/v2/health/live"), periodSeconds: 10, timeoutSeconds: 5 },
      terminationSeconds: 20,
    };
  },
};
