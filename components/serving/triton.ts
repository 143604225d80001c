import type { ModelServer } from "./modelServer.ts";

/** What it speaks, and where. The binary extension is spoken on the port of REST. */
export const tritonPorts = { "v2-grpc": 8001, "v2-rest": 8000, "v2-rest-binary": 8000, metrics: 8002 };

/** Triton Inference Server with a model repository of any of its backends. */
export function triton(args: { image: string; memory: string; threads: number }): ModelServer {
  const { image, memory, threads } = args;
  const http = (path: string) => ({ httpGet: { path, port: "http" } });
  return {
    name: "triton",
    image,
    command: [
      "tritonserver",
      "--model-repository=/models",
      `--http-port=${tritonPorts["v2-rest"]}`,
      `--grpc-port=${tritonPorts["v2-grpc"]}`,
      `--metrics-port=${tritonPorts.metrics}`,
      "--disable-auto-complete-config",
      "--exit-timeout-secs=10",
    ],
    // Read by the model's Python file and by OpenVINO's backend. One stream: an instance answers one batch at a time.
    env: [
      { name: "INFERENCE_NUM_THREADS", value: String(threads) },
      { name: "NUM_STREAMS", value: "1" },
      { name: "OMP_NUM_THREADS", value: "1" },
    ],
    ports: tritonPorts,
    modelPath: "/models",
    scratch: { "/tmp": "16Mi", "/dev/shm": "128Mi" },
    memory,
    startupProbe: { ...http("/v2/health/live"), periodSeconds: 1, failureThreshold: 120 },
    readinessProbe: { ...http("/v2/health/ready"), periodSeconds: 2, failureThreshold: 3 },
    livenessProbe: { ...http("/v2/health/live"), periodSeconds: 10, timeoutSeconds: 5 },
    terminationSeconds: 20,
  };
}
