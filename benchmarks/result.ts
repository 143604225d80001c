import { type Static, type TSchema, Type } from "typebox";
import { Value } from "typebox/value";
import { UserError } from "../error.ts";

/**
 * The result of one experiment: the one definition, from which come the type, the check and the published
 * `result.schema.json` (JSON Schema 2020-12; `node benchmarks/result.ts` writes it anew).
 */
export const schemaVersion = 2;

export const object = <P extends Record<string, TSchema>>(description: string, properties: P) =>
  Type.Object(properties, { description, additionalProperties: false });
export const text = (description: string) => Type.String({ description });
const number = (description: string) => Type.Number({ description });
export const amount = (description: string) => Type.Number({ description, minimum: 0 });
export const count = (description: string) => Type.Integer({ description, minimum: 0 });
export const instant = (description: string) => Type.String({ description, format: "date-time" });
export const orNull = <T extends TSchema>(schema: T, when: string) => {
  const { description, ...rest } = schema as T & { description?: string };
  return Type.Union([rest as T, Type.Null()], { description: `${description ?? ""} Null ${when}.`.trim() });
};
export const byName = <T extends TSchema>(value: T, description: string) =>
  Type.Record(Type.String(), value, { description });

const percentile = (p: string, samples: number) =>
  orNull(amount(`${p} of the samples took at most this long, in milliseconds.`), `with fewer than ${samples} samples`);

const timing = (description: string) =>
  object(description, {
    mean: orNull(amount("Arithmetic mean, exact, in milliseconds."), "without samples"),
    p50: percentile("50 %", 20),
    p90: percentile("90 %", 100),
    p95: percentile("95 %", 200),
    p99: percentile("99 %", 1000),
    p999: percentile("99.9 %", 10_000),
    max: orNull(amount("Longest sample, exact, in milliseconds."), "without samples"),
  });

const distribution = (description: string) =>
  object(description, {
    hdr: text("HdrHistogram, V2 compressed encoding, base64; integer microseconds, 3 significant digits."),
    count: count("Number of samples."),
    minMicros: orNull(count("Shortest sample, exact, in microseconds."), "without samples"),
    maxMicros: orNull(count("Longest sample, exact, in microseconds."), "without samples"),
    sumMicros: count("Sum of all samples, exact, in microseconds."),
  });

const anyLoad = {
  warmupSeconds: amount("Load before the measured interval, in seconds; nothing of it is recorded."),
  seed: Type.Integer({
    description: "Seeds the order in which the inputs are drawn, and the arrivals of an open loop.",
  }),
  batch: Type.Integer({ description: "Inputs in one request.", minimum: 1 }),
  timeoutSeconds: amount("A request without a complete reply after this many seconds has failed."),
};

const closedLoop = object("N clients that each send the next request as soon as the last was answered.", {
  mode: Type.Literal("closed", { description: "Closed loop." }),
  ...anyLoad,
  clients: Type.Integer({ description: "Clients that send at the same time.", minimum: 1 }),
  durationSeconds: Type.Optional(amount("Length of the measured interval, in seconds; either this or `repeats`.")),
  repeats: Type.Optional(count("Measured requests per client.")),
  warmupRepeats: Type.Optional(count("Requests per client before them.")),
});

const openLoop = object("Requests that come when they are due, whether or not earlier ones were answered.", {
  mode: Type.Literal("open", { description: "Open loop." }),
  ...anyLoad,
  arrivals: Type.Enum(["constant", "poisson"], { description: "At equal or at exponentially distributed distances." }),
  stages: Type.Array(
    object("One stage.", {
      rate: amount("Requests per second (at its end)."),
      durationSeconds: amount("Length in seconds."),
      ramp: Type.Optional(Type.Boolean({ description: "The rate moves in a line from that of the stage before." })),
    }),
    { description: "One after the other.", minItems: 1 },
  ),
  connections: count("Connections the requests are spread over."),
});

const mlperf = object("A scenario of MLPerf Inference.", {
  mode: Type.Literal("mlperf", { description: "MLPerf scenario." }),
  ...anyLoad,
  scenario: Type.Enum(["SingleStream", "MultiStream", "Server", "Offline"], { description: "Which." }),
  minDurationSeconds: amount("Shortest run, in seconds."),
  minQueries: count("Fewest queries."),
  samplesPerQuery: count("Samples in one query."),
  targetQps: Type.Optional(amount("Server: queries per second, Poisson.")),
  latencyBoundMs: Type.Optional(amount("Server: 99 % of the queries must take at most this long, in milliseconds.")),
  connections: count("Connections the requests are spread over."),
});

/** Throttling by the kernel's CPU quota; null where there is no quota (or no cgroup file to read). */
const throttledShare = orNull(
  amount("Share (0 to 1) of the CPU quota's periods in which it was throttled."),
  "without a CPU quota",
);

const client = object("One event loop of the load client.", {
  name: text("Pod, and thread where there are several."),
  node: text("Name of its node (host name for a run by hand)."),
  cpus: text("CPUs it could run on, as a Linux list."),
  cpuSeconds: amount("CPU time of it in the measured interval, in seconds."),
  busyShare: amount(
    "Share (0 to 1) of the measured interval in which its event loop had work; waiting for replies or for the next send is not work.",
  ),
  lagMs: object("How late its event loop was with what was due.", {
    p99: amount("99 % were at most this late, in milliseconds."),
    max: amount("The latest, in milliseconds."),
  }),
  throttledShare,
  clockOffsetMs: number("Its clock against the coordinator's, in milliseconds, already taken out of the times."),
});

const server = object("One server instance that was measured.", {
  pod: text("Name of the pod."),
  node: text("Name of its node."),
  address: text("Address of the pod."),
  cpusPlanned: orNull(text("CPUs it was to run on, as a Linux list."), "if it was not pinned"),
  cpusAllowed: orNull(
    text("CPUs it could really run on, as a Linux list, read back from its log."),
    "if its log does not say",
  ),
  images: Type.Array(Type.String(), { description: "Images that really ran in it, with their digests." }),
  throttledShare,
});

/** Definitions in full: `scalingOf` in scaling.ts. */
const scaling = object("How the autoscaler met the load. Times are seconds from the start of the measured interval.", {
  min: count("Fewest servers it may choose."),
  max: count("Most servers it may choose."),
  slo: object("What was asked for: in each window at most 1 % of the requests may miss it.", {
    p99Ms: amount("A request must be answered within this many milliseconds of when it was due."),
    windowSeconds: amount("Length of a window, in seconds."),
  }),
  coresPerServer: amount("Number of CPUs that each server requests."),
  stepAtSeconds: orNull(
    amount("The load step: start of the stage whose rate is the most above that of the stage before."),
    "without such a stage",
  ),
  decisionSeconds: orNull(
    amount("From the step until there was a further pod, Ready or not."),
    "if there was none before the rate fell again",
  ),
  reactionSeconds: orNull(
    amount("From the step until a further pod was Ready."),
    "if none was before the rate fell again",
  ),
  recoverySeconds: orNull(
    amount(
      "From the step to the start of the first three windows in a row that kept the SLO after one that violated it; 0 if none did.",
    ),
    "if that did not come before the rate fell again",
  ),
  sloViolationSeconds: amount("Length of all windows that violated the SLO, in seconds."),
  overProvisionedCoreSeconds: amount(
    "CPUs requested by Ready servers beyond those needed, times seconds. Needed at a rate: the fewest Ready servers that kept the SLO for three windows in a row at that rate or a higher one.",
  ),
  flaps: count("Additions after a removal, or removals after an addition, that the rate of the load did not ask for."),
  timeline: Type.Array(
    object("Servers from a time on.", {
      atSeconds: amount("From when."),
      wanted: count("Pods that exist and are not being deleted: what the autoscaler had decided."),
      ready: count("Of these, Ready."),
    }),
    { description: "Changes of the number of servers, in order of time; the first is the start.", minItems: 1 },
  ),
  windows: Type.Array(
    object("One window.", {
      startSeconds: amount("Its start."),
      due: count("Requests due in it."),
      late: count("Of these, not answered within p99Ms."),
    }),
    { description: "The measured interval, in order of time." },
  ),
});

export const ResultSchema = Type.Object(
  {
    schemaVersion: Type.Literal(schemaVersion, { description: "Version of this schema." }),
    key: text("Key of the experiment: a hash of everything that was chosen for it. Empty for a run by hand."),
    startedAt: instant("Start of the measured interval (after the warm-up), ISO 8601, UTC."),
    endedAt: instant("End of the measured interval, ISO 8601, UTC."),
    verdict: object("Whether the numbers can be trusted.", {
      valid: Type.Boolean({ description: "False: this run must not win a comparison or become a baseline." }),
      reasons: Type.Array(Type.String(), {
        description: "One sentence for each thing that makes it invalid; empty if valid.",
      }),
      notes: Type.Array(Type.String(), {
        description: "What the reader should know and what does not make it invalid.",
      }),
    }),
    load: object("The load that was asked for and the load that there was.", {
      requested: Type.Union([closedLoop, openLoop, mlperf], { description: "As asked for." }),
      parts: Type.Integer({ description: "Event loops (threads times pods) that shared it.", minimum: 1 }),
      schedule: orNull(
        object("What the open loop's schedule asked for in the measured interval.", {
          requests: count("Requests due in it."),
          requestsPerSecond: amount("Over its length."),
          hash: text("SHA-256 over the due times: equal hashes, equal schedules."),
        }),
        "in a closed loop",
      ),
      achieved: object("What was really done to the servers.", {
        durationSeconds: amount("Length of the measured interval, in seconds; of all parts together."),
        sentPerSecond: amount("Requests due and sent in the interval, per second."),
        requestsPerSecond: amount("Requests finished (answered or failed) in the interval, per second."),
        concurrency: amount("Mean number of requests in flight, from when they were due to their end."),
      }),
    }),
    throughput: object("Answers that arrived within the measured interval, over its length.", {
      inferencesPerSecond: amount("Inferences per second (requests times batch size)."),
      requestsPerSecond: amount("Answered requests per second."),
      drift: orNull(
        number("Rate of the second half relative to the first, less one: -0.1 is 10 % slower."),
        "without answers in the first half",
      ),
    }),
    latencyMs: timing("From the intended send time to the complete reply, in milliseconds; answered requests."),
    serviceTimeMs: timing("From the actual send to the complete reply, in milliseconds; answered requests."),
    slipMs: timing("From the intended to the actual send, in milliseconds; close to 0 in a closed loop."),
    counts: object("Requests that were due in the measured interval.", {
      sent: count("All of them: answered, failed and abandoned together."),
      answered: count("Complete replies without an error."),
      failed: count("Errors and time-outs."),
      abandoned: count("Still without a reply when the run was interrupted."),
      unsent: count("Due, but never sent because the run ended first; not among `sent`."),
      inferences: count("Inferences in the answered requests."),
      warmup: count("Requests of the warm-up (not among the others)."),
    }),
    errors: object("Failed requests.", {
      total: count("Number of failed requests."),
      byKind: byName(Type.Integer({ minimum: 1 }), "Number by kind: `timeout`, `grpc UNAVAILABLE`, `http 503`, ..."),
      examples: byName(Type.String(), "What the first failure of each kind said."),
    }),
    correctness: object("Answers compared with the labels of the inputs.", {
      checked: count("Answers compared."),
      wrong: count("Answers that were not among the right ones."),
    }),
    bytesOnTheWire: object("TCP payload over the whole run, warm-up included: bodies, headers, framing.", {
      perRequest: amount("Bytes sent per request."),
      perReply: amount("Bytes received per request."),
      bodyPerRequest: amount("Bytes of the request's message alone."),
      bodyPerReply: amount("Bytes of the reply's message alone."),
    }),
    segments: Type.Array(
      object("What happened between two changes of the load: its stages, and changes of the rate while it ran.", {
        startSeconds: amount("Start, in seconds from the start of the measured interval."),
        durationSeconds: amount("Length in seconds."),
        requestedRate: orNull(amount("Requests per second asked for, at its end."), "in a closed loop"),
        sent: count("Requests due in it."),
        answered: count("Of these, answered."),
        failed: count("Of these, failed."),
        sentPerSecond: amount("Requests due in it and sent, per second of its length."),
        latencyMs: timing("As the latencyMs of the whole."),
        slipMs: timing("As the slipMs of the whole."),
      }),
      {
        description: "The measured interval by the load asked for, in order of time; one entry if it never changed.",
        minItems: 1,
      },
    ),
    events: Type.Array(
      object("A change of the load while it ran.", {
        atSeconds: number(
          "When it took effect, in seconds from the start of the measured interval; negative in the warm-up.",
        ),
        rate: amount("Requests per second from then on."),
      }),
      { description: "In order of time." },
    ),
    series: Type.Array(
      object("What arrived in one part of the measured interval.", {
        startSeconds: amount("Start, in seconds from the start of the interval."),
        durationSeconds: amount("Length in seconds."),
        answered: count("Answers that arrived in it."),
        failed: count("Requests that failed in it."),
        meanLatencyMs: orNull(amount("Mean latency of these answers in milliseconds."), "without answers"),
        inFlight: count("Requests due and not yet ended at its end."),
      }),
      { description: "The measured interval in equal parts, in order of time." },
    ),
    mlperf: orNull(
      object("The metric of the MLPerf scenario.", {
        scenario: text("Which."),
        metric: text("What the scenario reports, such as `90th percentile latency`."),
        value: orNull(amount("The metric, in `unit`."), "with too few queries for it"),
        unit: text("`ms`, `queries/s` or `samples/s`."),
        queries: count("Queries ended."),
        overridden: Type.Array(Type.String(), {
          description: "Where less was asked for than MLPerf's own rules: one sentence each.",
        }),
      }),
      "for any other load",
    ),
    servers: Type.Array(
      object("Requests of the measured interval by server address.", {
        address: text("Address and port."),
        answered: count("Answered requests."),
        failed: count("Failed requests."),
      }),
      { description: "How the load was spread over the addresses." },
    ),
    histogram: object("All samples, so that runs can be merged exactly.", {
      latency: distribution("Samples of latencyMs."),
      serviceTime: distribution("Samples of serviceTimeMs."),
      slip: distribution("Samples of slipMs."),
    }),
    environment: object("What was there, as measured and not as planned.", {
      kernel: text("Kernel release of the client's node."),
      cpuModel: text("CPU model of the client's node."),
      node: text("Name of the client's node (host name for a run by hand)."),
      clientCpus: text("CPUs the client could run on, as a Linux list."),
      clientCpuSeconds: amount("CPU time of all clients in the measured interval, in seconds."),
      clients: Type.Array(client, { description: "The event loops that made the load.", minItems: 1 }),
      versions: object("Versions that ran.", {
        node: text("Node.js of the client."),
        client: text("SHA-256 of the client's bundle, or `source`."),
      }),
      servers: Type.Array(server, { description: "Server pods; empty for a run by hand." }),
    }),
    plan: orNull(
      object("What was planned for the servers and the client.", {
        hash: text("Value of the label inference-stack/plan of the pods."),
        instances: count("Number of server pods."),
        clientCpus: orNull(text("CPUs set apart for the client."), "if it shares the servers'"),
      }),
      "for a run by hand",
    ),
    scaling: Type.Optional(scaling),
    target: object("What was measured.", {
      protocol: Type.Enum(
        ["v2-grpc", "v2-rest", "v2-rest-binary", "tfs-grpc", "tfs-rest", "seldon-grpc", "seldon-rest"],
        { description: "Protocol." },
      ),
      host: text("Host name or names."),
      port: count("Port."),
      model: text("Name of the model."),
      input: text("Name of the input tensor."),
      output: text("Name of the output tensor that holds the answer."),
      signature: Type.Optional(text("Signature of the model, for TensorFlow Serving.")),
      pathPrefix: Type.Optional(text("What came before the protocol's own path.")),
      headers: Type.Optional(byName(Type.String(), "Headers of every request.")),
      authority: Type.Optional(text("Host name that requests named.")),
      tls: Type.Optional(
        object("PEM files of a TLS connection.", {
          caFile: Type.Optional(text("Certificates to trust.")),
          certFile: Type.Optional(text("The client's certificate.")),
          keyFile: Type.Optional(text("The client's key.")),
          serverName: Type.Optional(text("Name that the server's certificate must have.")),
        }),
      ),
    }),
    about: byName(Type.Unknown(), "Whatever the program wanted to be kept with the result."),
  },
  {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "inference-stack benchmark result",
    description: "What one experiment measured, whether it can be trusted, and what it ran on.",
    additionalProperties: false,
  },
);

export type Result = Static<typeof ResultSchema>;
export type Timing = Result["latencyMs"];
export type Distribution = Result["histogram"]["latency"];
export type Verdict = Result["verdict"];
export type Segment = Result["segments"][number];
export type Series = Result["series"];

/**
 * Reads a result from its JSON text.
 *
 * @throws UserError that names the first places where the text does not follow the schema
 */
export const parseResult = (text: string): Result => parseAs(ResultSchema, text, "benchmark");

/** The same for a result of another schema, which has a `schemaVersion` too. */
export function parseAs<S extends TSchema & { properties: { schemaVersion: { const: number } } }>(
  schema: S,
  text: string,
  noun: string,
): Static<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`The ${noun} result is not JSON: ${(error as Error).message}`);
  }
  const version = (value as { schemaVersion?: unknown } | null)?.schemaVersion;
  const known = schema.properties.schemaVersion.const;
  if (version !== undefined && version !== known)
    throw new UserError(
      `The ${noun} result has schema version ${JSON.stringify(version)}; this program reads ${known}.`,
      "Measure again with this version, or read it with the version that wrote it.",
    );
  if (Value.Check(schema, value)) return value as Static<S>;
  const faults = Value.Errors(schema, value)
    .filter(({ keyword }) => keyword !== "boolean") // says nothing that additionalProperties does not say
    .map(({ instancePath, message, params }) => {
      const names = Object.values(params ?? {}).find(Array.isArray);
      const found = names ? "" : `, not ${JSON.stringify(Value.Pointer.Get(value, instancePath))?.slice(0, 80)}`;
      return `  ${instancePath || "/"} ${message}${found}`;
    });
  throw new UserError(`The ${noun} result does not follow its schema:`, ...faults.slice(0, 5));
}

if (import.meta.main) {
  const { writeFileSync } = await import("node:fs");
  writeFileSync(`${import.meta.dirname}/result.schema.json`, `${JSON.stringify(ResultSchema, null, 2)}\n`);
}
