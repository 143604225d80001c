import { type Static, type TArray, type TOptional, type TSchema, Type } from "typebox";
import { defaultTimeoutSeconds } from "../benchmarks/client/pacer.ts";
import { defaultThresholds } from "../benchmarks/client/thresholds.ts";
import { objectives } from "../benchmarks/search/objective.ts";
import { type ServerName, serverKinds } from "../components/serving/servers/kinds.ts";

/**
 * The one definition of a stack's config: from it come the type, the defaults, the check, docs/config.md and
 * config.schema.json (`node stacks/publish.ts` writes these two anew).
 */
const object = <P extends Record<string, TSchema>>(description: string, properties: P, isRequired = false) =>
  Type.Object(properties, { description, additionalProperties: false, ...(isRequired ? {} : { default: {} }) });
const text = (description: string, options: object = {}) => Type.String({ description, minLength: 1, ...options });
const count = (description: string, minimum: number, defaultValue?: number) =>
  Type.Integer({ description, minimum, ...(defaultValue === undefined ? {} : { default: defaultValue }) });
const seconds = (description: string, minimum: number, defaultValue: number) =>
  Type.Number({ description: `${description}, in seconds.`, minimum, default: defaultValue });
const above = (description: string) => Type.Number({ description, exclusiveMinimum: 0 });
const share = (description: string, defaultValue: number) =>
  Type.Number({ description, minimum: 0, maximum: 1, default: defaultValue });
const flag = (description: string, defaultValue: boolean) => Type.Boolean({ description, default: defaultValue });
const choice = <const T extends string[]>(description: string, values: [...T]) =>
  Type.Enum(values, { description, default: values[0] });
const oneOf = <const T extends string[]>(description: string, values: [...T]) =>
  Type.Optional(Type.Enum(values, { description }));
const quantity = (description: string, defaultValue: string) =>
  Type.String({ description, pattern: "^[0-9]+(Ki|Mi|Gi|Ti)$", default: defaultValue });
const cpu = (description: string, defaultValue?: string) =>
  text(description, {
    pattern: "^([1-9][0-9]*m|[0-9]+([.][0-9]+)?)$",
    ...(defaultValue ? { default: defaultValue } : {}),
  });
const image = (description: string) => Type.Optional(text(description));

/** Names become Kubernetes names and labels. */
const NAME = "^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$";
/** A DNS name of at least two parts. */
const HOST_NAME = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$";
/** Names of cluster nodes may contain dots. */
const NODE_NAME = "^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$";

/** Names of buckets, as S3 has them. */
const BUCKET = "^[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]$";

/** What pods of the servers and of the load client run. */
const SERVED_IMAGES = ["node", "triton", "ovms", "ovms-tensorflow-serving", "mlserver"] as const;

const secretReference = (description: string) =>
  object(
    description,
    {
      namespace: text("Its namespace.", { pattern: NAME }),
      name: text("Its name.", { pattern: NODE_NAME }),
    },
    true,
  );
/** What the axes of a sweep are, and the schema of one value. */
const protocols = [
  "v2-grpc",
  "v2-rest",
  "v2-rest-binary",
  "tfs-grpc",
  "tfs-rest",
  "seldon-grpc",
  "seldon-rest",
] as const;
const sweepValue = {
  nodes: count("Nodes that serve (`cluster.nodes`), from the first.", 1),
  replicas: count("The same as `nodes`, in the guide's words: every instance has one replica on each node.", 1),
  sockets: count("NUMA nodes per node.", 1),
  cpus: count("Cores per node.", 1),
  instances: count("Model servers per node.", 1),
  threadsPerCore: count("Hardware threads of each core.", 1),
  pinning: Type.Enum(["numactl", "cpuset", "none"], { description: "How servers are kept on their cores." }),
  server: Type.Enum(Object.keys(serverKinds) as ServerName[], { description: "Kind of server (`server.kind`)." }),
  streams: count("Inferences that an instance computes at the same time (`server.streams`).", 1),
  path: Type.Enum(["service", "gateway"], { description: "Way of the requests to the servers (`benchmark.path`)." }),
  protocol: Type.Enum([...protocols], { description: "Protocol (`benchmark.protocol`)." }),
  batch: count("Inputs in one request.", 1),
  clients: count("Closed loop: clients.", 1),
  rate: above("Open loop: requests per second (`benchmark.load.rate`)."),
} as const;
type SweepValues = typeof sweepValue;
const sweepAxes = Object.fromEntries(
  Object.entries<TSchema & { description?: string }>(sweepValue).map(([name, { description, ...value }]) => [
    name,
    Type.Optional(Type.Array(value as TSchema, { description, minItems: 1, uniqueItems: true })),
  ]),
) as unknown as { [K in keyof SweepValues]: TOptional<TArray<SweepValues[K]>> };
const { clients: _clients, rate: _rate, ...searchAxes } = sweepAxes;
const sweepCell = Object.fromEntries(
  Object.entries(sweepValue).map(([name, value]) => [name, Type.Optional(value as TSchema)]),
) as unknown as { [K in keyof SweepValues]: TOptional<SweepValues[K]> };

const coreList = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 });

export const ConfigSchema = Type.Object(
  {
    instances: count("Model servers per node.", 1),
    cpus: count("Physical CPU cores per node given to serving; divided equally among the instances.", 1),
    sockets: count("NUMA nodes per node that these cores are taken from, in equal parts.", 1),
    pinning: choice(
      "How a server is kept on its cores: `numactl` pins it when it starts (with `taskset` where the image has no numactl); `cpuset` has the kubelet's static CPU manager give it cores for itself; `none` leaves it to the kernel.",
      ["numactl", "cpuset", "none"],
    ),
    threadsPerCore: count(
      "Hardware threads of each core that serving uses. 1 leaves the others idle; 2 uses both threads of cores that have two.",
      1,
      1,
    ),
    engine: choice(
      "What runs the servers: `kubernetes` is a plain StatefulSet per node, `seldon` a SeldonDeployment per node (docs/seldon.md).",
      ["kubernetes", "seldon"],
    ),
    seldon: object("The engine `seldon`.", {
      operator: choice(
        "Where its operator comes from: `manifests` of this program, the official `chart` (with the executor), or it is `installed` already.",
        ["manifests", "chart", "installed"],
      ),
      namespace: text("Namespace of the operator; it must be its own.", { pattern: NAME, default: "seldon-system" }),
      executor: object("Seldon's executor in front of each server.", {
        enabled: flag("Send requests through it; otherwise they go to the servers themselves.", false),
        cpu: cpu("CPU it requests; it has no limit.", "1"),
        memory: quantity("Memory it may use.", "512Mi"),
        httpPort: count(
          "Its port for HTTP (`executor.port` of the chart); must differ from the server's, whose pod it is in.",
          1,
          8090,
        ),
        grpcPort: count("Its port for gRPC.", 1, 5001),
      }),
    }),
    cluster: object(
      "Where the stack is deployed. Never the current context: it has to be named.",
      {
        kind: choice("`embedded` is the cluster that `npm start` boots on this machine; `kubeconfig` is any other.", [
          "kubeconfig",
          "embedded",
        ]),
        kubeconfig: Type.Optional(text("Path of the kubeconfig file. Default: `$KUBECONFIG` or `~/.kube/config`.")),
        context: text("Name of the context in that file."),
        nodes: Type.Optional(
          count(
            "How many nodes of `topology` serve, from the first. Default: all. Lower this before a node is removed from `topology`. Of an embedded cluster: how many nodes it has. Default: 1.",
            1,
          ),
        ),
        cores: Type.Optional(
          Type.Array(coreList, {
            description:
              "Of an embedded cluster: the cores of each node, such as `[[0], [1]]`. Default: this machine's in equal parts.",
            minItems: 1,
          }),
        ),
        domain: text("DNS domain of the cluster.", { default: "cluster.local" }),
      },
      true,
    ),
    topology: Type.Array(
      object(
        "One node.",
        {
          name: text("Value of the node's label `kubernetes.io/hostname`.", { pattern: NODE_NAME }),
          numa: Type.Array(Type.Array(Type.Integer({ minimum: 0 })), {
            description:
              "By number of the NUMA node: the Linux CPU number of the first hardware thread of every physical core. An empty list is a NUMA node without cores.",
            minItems: 1,
          }),
          smt: count("Hardware threads per core.", 1, 1),
          siblings: Type.Optional(
            Type.Array(coreList, {
              description:
                "The Linux CPU numbers of all hardware threads of each core, its first thread first. Needed when `threadsPerCore` is not 1.",
            }),
          ),
        },
        true,
      ),
      {
        description:
          "The nodes' CPUs. Filled in by `npm start` on the embedded cluster; `npm run topology` prints those of any other.",
        minItems: 1,
      },
    ),
    reserved: object("Cores per node kept from serving; the lowest are reserved first.", {
      system: count("Cores for the system and the cluster's own daemons.", 0, 0),
      client: count(
        "Cores for the load client, which runs on the first node. 0: it shares the servers' or runs elsewhere.",
        0,
        0,
      ),
    }),
    model: object(
      "The model that is served: exactly one of `source` and `version`.",
      {
        name: text("Name of the model.", { pattern: NAME }),
        source: Type.Optional(
          text("Folder with `manifest.json`, `repository/` and `inputs/`; uploaded into the bucket."),
        ),
        version: Type.Optional(
          text("Version that is in the bucket already, as `<name>/<version>/`.", {
            pattern: "^[A-Za-z0-9][-._A-Za-z0-9]{0,62}$",
          }),
        ),
        inputs: choice(
          "What requests carry: `tensor` numbers as the network takes them; `jpeg` files, which the model `<name>-jpeg` of the same folder takes.",
          ["tensor", "jpeg"],
        ),
        input: Type.Optional(text("Name of the input tensor. Default: `data`; for jpeg `image`.")),
        output: Type.Optional(
          text(
            "Name of the output tensor that is the answer: a score for each class, or the name of the class. Default: `prob`; for jpeg `label`, but `prob` of ovms, which computes no names.",
          ),
        ),
      },
      true,
    ),
    server: object("The model server.", {
      kind: choice(
        "Which server: `triton`, `ovms` (OpenVINO Model Server), `mlserver`, or `dlrs` (Deep Learning Reference Stack, discontinued). docs/model-servers.md says what each speaks.",
        Object.keys(serverKinds) as ServerName[],
      ),
      api: Type.Optional(
        Type.Enum(["v2", "tensorflow-serving"], {
          description:
            "API that it has to speak: `v2` (Open Inference Protocol) or `tensorflow-serving`, for which ovms is an older release. Default: v2; of dlrs tensorflow-serving.",
        }),
      ),
      gpus: count("NVIDIA GPUs of each instance (`nvidia.com/gpu`).", 0, 0),
      memory: quantity("Memory of one instance.", "1Gi"),
      streams: count(
        "Inferences that one instance computes at the same time, sharing its threads. Only ovms takes more than one.",
        1,
        1,
      ),
      readySeconds: count(
        "How long all instances may take to become ready, in seconds; the first time this includes pulling the image.",
        10,
        300,
      ),
    }),
    objectStore: object("Where models are kept (docs/object-store.md).", {
      backend: choice(
        "Which store: `minio`, deployed by the stack; `ceph`, the object store of `ceph`; `external`, a bucket that is there already.",
        ["minio", "ceph", "external"],
      ),
      size: quantity("Size of MinIO's volume.", "10Gi"),
      storageClass: Type.Optional(text("Storage class of its volume. Default: the cluster's.")),
      protect: flag(
        "Refuse to destroy or replace a store that the stack deployed, and keep its volume. Set it to false before `pulumi destroy`.",
        true,
      ),
      external: Type.Optional(
        object(
          "The bucket of the backend `external`.",
          {
            endpoint: text("URL without the bucket, for pods and for the machine that runs Pulumi.", {
              pattern: "^https?://[^/]+/?$",
            }),
            region: text("Its region.", { default: "us-east-1" }),
            bucket: text("Its name; it has to exist.", { pattern: BUCKET, default: "models" }),
            secret: secretReference(
              "Secret with the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, which may read the bucket.",
            ),
            uploadSecret: Type.Optional(secretReference("The same, which may write. Default: `secret`.")),
            ca: Type.Optional(
              text("PEM file of the authority that vouches for the endpoint. Default: those that everyone knows."),
            ),
          },
          true,
        ),
      ),
    }),
    gateway: object("Istio's ingress gateway with TLS in front of the servers (docs/gateway.md).", {
      enabled: flag("Have one.", false),
      mode: choice(
        "Where it comes from: `manifests` of this program (istiod and a stock Envoy), Istio's official `chart`s, or it is `installed` already.",
        ["manifests", "chart", "installed"],
      ),
      host: text("DNS name under which clients reach the servers.", {
        pattern: HOST_NAME,
        default: "inference.internal",
      }),
      namespace: text("Namespace of the gateway's Envoys and of its certificate; it must be its own.", {
        pattern: NAME,
        default: "istio-ingress",
      }),
      service: text("Name of the Envoys' Service.", { pattern: NAME, default: "istio-ingressgateway" }),
      label: text("Value of the label `istio` of the Envoys.", { pattern: NAME, default: "ingressgateway" }),
      serviceType: choice("Type of that Service: whether the gateway can be reached from outside the cluster.", [
        "ClusterIP",
        "NodePort",
        "LoadBalancer",
      ]),
      replicas: count("Envoys.", 1, 1),
      readySeconds: count(
        "How long istiod and the Envoys may each take to come up, in seconds; the first time this includes pulling the image.",
        10,
        180,
      ),
      threads: count("Event loops of each Envoy.", 1, 2),
      memory: quantity("Memory of each Envoy.", "512Mi"),
      timeout: Type.Number({
        description: "A request that has not been answered after this long is ended, in seconds.",
        exclusiveMinimum: 0,
        default: 60,
      }),
      maxConnections: count(
        "Most connections at once: from clients to each Envoy, and from it to the servers.",
        1,
        10000,
      ),
      istiod: object("Istio's control plane.", {
        cpu: cpu("CPU it requests; it has no limit.", "50m"),
        memory: quantity("Memory it may use. It grows with the number of Services and routes.", "512Mi"),
      }),
      tls: object("The gateway's certificate. Default: one of an authority of the stack's own.", {
        certificateFile: Type.Optional(
          text("PEM file of your own certificate for `host`, and after it those of the authorities in between."),
        ),
        keyFile: Type.Optional(text("PEM file of its private key; kept as a secret from here on.")),
        caFile: Type.Optional(
          text("PEM file of the authority that vouches for it. Default: one that the load client's Node trusts."),
        ),
      }),
      mtls: object("Mutual TLS.", {
        enabled: flag("Clients have to show a certificate too.", false),
        caFile: Type.Optional(
          text("PEM file of the authority that vouches for the clients. Default: the stack's own."),
        ),
        certificateFile: Type.Optional(text("PEM file of the certificate that the load client shows.")),
        keyFile: Type.Optional(text("PEM file of its private key.")),
      }),
    }),
    ceph: object("Ceph by Rook, for volumes and buckets (docs/ceph.md). Not on the embedded cluster.", {
      enabled: flag("Have it.", false),
      namespace: text("Namespace of Rook and of the cluster; it must be its own.", {
        pattern: NAME,
        default: "rook-ceph",
      }),
      nodes: Type.Array(
        object(
          "One node.",
          {
            name: text("Value of the node's label `kubernetes.io/hostname`.", { pattern: NODE_NAME }),
            devices: Type.Array(text("Path of a device.", { pattern: "^/dev/" }), {
              description:
                "Whole disks or partitions that Ceph may have, best as `/dev/disk/by-id/...`. What is on them is lost.",
              minItems: 1,
            }),
          },
          true,
        ),
        { description: "Nodes whose disks it uses. It never takes a disk that is not named here.", default: [] },
      ),
      mons: Type.Enum([3, 5, 1], {
        description: "Monitors, each on a node of its own. With 1 the cluster stands still whenever its node does.",
        default: 3,
      }),
      isDefaultClass: flag("Make its volumes those of claims that name no storage class.", true),
      retention: object("What stays when things are deleted.", {
        volumes: choice("A volume, when its claim is deleted.", ["Delete", "Retain"]),
        buckets: choice("A bucket, when its claim or the object store is deleted.", ["Retain", "Delete"]),
        disks: choice(
          "What is on the disks, when the cluster is deleted. Set `Delete` by an update of its own right before `pulumi destroy`: from then on Rook no longer looks after the cluster.",
          ["Retain", "Delete"],
        ),
      }),
    }),
    registry: object("A registry of images in the cluster (docs/registry.md).", {
      enabled: flag("Have one.", false),
      backend: choice("Where it keeps images: on a `volume` of its own, or in a bucket of the stack's MinIO.", [
        "volume",
        "objectStore",
      ]),
      size: quantity("Size of its volume.", "10Gi"),
      storageClass: Type.Optional(text("Storage class of its volume. Default: the cluster's.")),
      protect: flag("Refuse to destroy or replace it, and keep its volume.", false),
      collect: text(
        "When it deletes what no image needs any more, in the syntax of cron (UTC). It does not answer for some seconds then. `never`: never.",
        { default: "0 3 * * 0" },
      ),
      images: Type.Array(Type.Enum([...SERVED_IMAGES]), {
        description: "Images that are pushed into it and that the stack's pods pull from it.",
        default: [],
      }),
      archives: Type.Optional(
        Type.Object(Object.fromEntries(SERVED_IMAGES.map((name) => [name, Type.Optional(text("Path of a file."))])), {
          description:
            "Files with these images, as `docker save` writes them. Filled in by `npm start` on the embedded cluster.",
          additionalProperties: false,
        }),
      ),
      certsFolders: Type.Optional(
        Type.Array(text("Path of a folder."), {
          description:
            "Of each node: containerd's folder of registry settings (`config_path`), where this machine sees it. Filled in by `npm start` on the embedded cluster; docs/registry.md says what to do on others.",
        }),
      ),
    }),
    locust: object("Locust beside the load client (docs/locust.md).", {
      enabled: flag("Run it at all.", false),
      headless: flag("Make one run without the web page and hand its result back.", false),
      users: count("Users that each send the next request when the last was answered.", 1, 4),
      spawnRate: Type.Number({ description: "Users that are started per second.", exclusiveMinimum: 0, default: 4 }),
      workers: count("Pods that make the load.", 1, 1),
      duration: count("Headless: length of the run after all users have been started, in seconds.", 1, 30),
      port: Type.Integer({
        description: "Port of the web page's Service.",
        minimum: 1024,
        maximum: 65535,
        default: 8089,
      }),
      protocol: oneOf("What it speaks; the server has to speak it too. Default: `benchmark.protocol`.", [
        "v2-grpc",
        "v2-rest",
        "seldon-grpc",
        "seldon-rest",
      ]),
      rerun: count("Headless: raise it to run the same again.", 0, 0),
    }),
    training: object("A training benchmark: a TFJob of Kubeflow with parameter servers (docs/training.md).", {
      enabled: flag("Train at all.", false),
      operator: choice(
        "Where the operator of TFJobs comes from: `manifests` of this program, the `official` ones, or it is `installed` already.",
        ["manifests", "official", "installed"],
      ),
      namespace: text("Namespace of the operator; it must be its own.", { pattern: NAME, default: "kubeflow" }),
      model: choice("Which network is trained, from random weights and on synthetic images.", ["resnet50", "alexnet"]),
      imageSize: Type.Optional(count("Width and height of the images. Default: 224; of alexnet 227.", 32)),
      batch: count("Images in one step of one worker.", 1, 32),
      steps: count("Measured steps per worker.", 1, 100),
      warmupSteps: count("Steps per worker before them; the first ones are slow.", 1, 10),
      workers: count("Workers, which compute the steps.", 1, 1),
      ps: count("Parameter servers, which keep the variables.", 1, 1),
      learningRate: Type.Number({ description: "Rate of the gradient descent.", exclusiveMinimum: 0, default: 0.001 }),
      seed: count("Seeds the images.", 0, 1),
      cpu: cpu("CPU that each process requests; none has a limit.", "100m"),
      memory: quantity("Memory that each process may use.", "2Gi"),
      timeout: seconds("After this long the training has failed", 60, 1800),
      maxDrift: share("Largest relative difference of a worker's rate between the halves of its steps.", 0.2),
      rerun: count("Raise it to train the same again.", 0, 0),
    }),
    metricsServer: object("metrics-server, for clusters that do not have it yet.", {
      enabled: flag("Install it. Many clusters have it already.", false),
      resolution: Type.Integer({
        description: "How often it asks the nodes, in seconds.",
        minimum: 10,
        default: 15,
      }),
      insecureKubelets: flag(
        "Talk to kubelets whose certificate the cluster's authority has not signed, as many installers leave them.",
        false,
      ),
    }),
    autoscaling: object("More servers under load, fewer without; from `instances` on each node upwards.", {
      enabled: flag("Scale with the CPU that the servers use. Needs `pinning` none.", false),
      max: count("Most servers per node.", 1, 2),
      averageUtilization: Type.Integer({
        description: "CPU use to keep to, in percent of what the servers request.",
        minimum: 1,
        maximum: 1000,
        default: 50,
      }),
      resourceLimiting: Type.Optional(
        cpu("CPU that each server requests, of which its use is measured; not a whole number."),
      ),
      stabilization: object("For how long a need must have stood before it is acted on.", {
        up: Type.Integer({
          description: "Before a server is added, in seconds.",
          minimum: 0,
          maximum: 3600,
          default: 0,
        }),
        down: Type.Integer({
          description: "Before a server is removed, in seconds.",
          minimum: 0,
          maximum: 3600,
          default: 300,
        }),
      }),
    }),
    images: object("Image references in the place of the public ones (components/images.ts).", {
      minio: image("Object store."),
      ceph: image("Ceph's daemons."),
      registry: image("Registry of images."),
      node: image("Node.js, for the load client and for fetching models."),
      triton: image("Triton Inference Server."),
      ovms: image("OpenVINO Model Server."),
      "ovms-tensorflow-serving": image("OpenVINO Model Server with the API of TensorFlow Serving."),
      mlserver: image("MLServer."),
      dlrs: image("Deep Learning Reference Stack."),
      transformer: image("Decodes JPEG files in front of dlrs."),
      "tfserving-proxy": image("Seldon's proxy between that and the server."),
      "seldon-operator": image("Operator of the engine `seldon`."),
      "training-operator": image("Operator of TFJobs."),
      training: image("Python with TensorFlow."),
      locust: image("Locust, and for gRPC grpcio and grpcio-tools."),
      "metrics-server": image("metrics-server."),
      istiod: image("Istio's control plane."),
      envoy: image("The gateway's Envoy."),
      pause: image("Pod sandbox of the embedded cluster; the stack itself does not use it."),
      coredns: image("DNS server of the embedded cluster; the stack itself does not use it."),
    }),
    benchmark: object("The measurement after every change.", {
      enabled: flag("Measure at all.", true),
      protocol: choice("Protocol the load client speaks; the server has to speak it too.", [...protocols]),
      clients: count("Closed loop: clients that each send the next request when the last was answered.", 1, 4),
      warmup: seconds("Load before anything is recorded", 0, 5),
      duration: seconds(
        "Length of the measured interval (`load.stages`, `load.repeats` and `load.scenario` say it themselves)",
        1,
        30,
      ),
      seed: count("Seeds the order in which the inputs are sent, and the arrivals of an open loop.", 0, 1),
      batch: count("Inputs in one request.", 1, 1),
      timeout: Type.Number({
        description: "A request without a complete reply after this long has failed, in seconds.",
        exclusiveMinimum: 0,
        default: defaultTimeoutSeconds,
      }),
      load: object("Another load than a closed loop of `clients` for `duration`.", {
        mode: oneOf(
          "`closed`: the next request when the last was answered; `open`: requests at their own times; `mlperf`: a scenario of MLPerf Inference. Default: what the other keys are for.",
          ["closed", "open", "mlperf"],
        ),
        repeats: Type.Optional(count("Closed loop: requests of each client, in the place of `duration`.", 1)),
        rate: Type.Optional(above("Open loop: requests per second, for `duration`.")),
        stages: Type.Optional(
          Type.Array(
            object(
              "One stage.",
              {
                rate: Type.Number({ description: "Requests per second.", minimum: 0 }),
                duration: above("Length in seconds."),
                ramp: flag(
                  "Rise or fall to `rate` in a line from the rate of the stage before (0 before the first).",
                  false,
                ),
              },
              true,
            ),
            { description: "Open loop: rates one after the other, in the place of `rate`.", minItems: 1 },
          ),
        ),
        arrivals: oneOf(
          "Open loop: requests at equal distances, or at exponentially distributed ones. Default: `poisson`.",
          ["poisson", "constant"],
        ),
        connections: Type.Optional(
          count(
            "Open loop and MLPerf: connections in all, over which requests are spread. Default: 8, which carry many requests at once each; over HTTP/1.1 64, which carry one.",
            1,
          ),
        ),
        scenario: oneOf("MLPerf: which scenario.", ["SingleStream", "MultiStream", "Server", "Offline"]),
        targetQps: Type.Optional(above("MLPerf Server: queries per second.")),
        latencyBound: Type.Optional(
          above("MLPerf Server: 99 % of the queries must take at most this long, in milliseconds."),
        ),
        minDuration: Type.Optional(above("MLPerf: shortest run, in seconds. Default: MLPerf's own.")),
        minQueries: Type.Optional(count("MLPerf: fewest queries. Default: MLPerf's own.", 1)),
        samplesPerQuery: Type.Optional(count("MLPerf: samples in one query. Default: MLPerf's own.", 1)),
      }),
      slo: object("With `autoscaling`: what the servers are asked for while their number changes.", {
        p99Ms: Type.Number({
          description: "99 % of the requests of each window must be answered within so many milliseconds.",
          exclusiveMinimum: 0,
          default: 100,
        }),
        window: Type.Number({
          description:
            "Length of a window, in seconds. With fewer than 100 requests in it a single late one is too many.",
          minimum: 0.1,
          default: 2,
        }),
      }),
      threads: count("Event loops of the load client in each pod.", 1, 1),
      pods: Type.Integer({
        description: "Pods that make the load. From 2 on one more pod coordinates them.",
        minimum: 1,
        maximum: 100,
        default: 1,
      }),
      path: choice("The way of the requests: straight to the `service`, or through the `gateway`.", [
        "service",
        "gateway",
      ]),
      comparePaths: flag(
        "Measure the other way too, right afterwards; what the gateway costs is the output `gatewayCost`.",
        false,
      ),
      control: flag(
        "Let the coordinating pod answer, inside the cluster and to who has the token, how the run goes, and let an open loop's rate be changed while it runs.",
        false,
      ),
      thresholds: object("Beyond these a run is INVALID.", {
        maxErrorRate: share("Largest share of requests that may fail.", defaultThresholds.maxErrorRate),
        minRequests: count("Fewest answered requests.", 1, defaultThresholds.minRequests),
        maxDrift: share(
          "Closed loop: largest relative difference of throughput between the halves of the run.",
          defaultThresholds.maxDrift,
        ),
        maxRateError: share(
          "Open loop: largest relative difference of the achieved rate from what the schedule asked for.",
          defaultThresholds.maxRateError,
        ),
        maxSlipMs: Type.Number({
          description:
            "How late 99 % of the requests may be sent, in milliseconds; or `maxSlipShare`, if that is more. An event loop of the client may be ten times as late.",
          minimum: 0,
          default: defaultThresholds.maxSlipMs,
        }),
        maxSlipShare: share("The same as a share of the latency's median.", defaultThresholds.maxSlipShare),
        maxClientBusy: share(
          "Largest share of its one CPU that any event loop of the client may use.",
          defaultThresholds.maxClientBusy,
        ),
        maxThrottled: share(
          "Largest share of the CPU quota's periods in which the client or a server was throttled.",
          defaultThresholds.maxThrottled,
        ),
      }),
      rerun: count("Raise it to measure the same experiment again.", 0, 0),
    }),
    sweep: object(
      "Many experiments, one after the other (docs/sweep.md). `npm run sweep` runs them; deploying the stack does not.",
      {
        preset: oneOf(
          "`guide`: all `nodes`, every possible number of `instances`, each with 1 to 32 `clients`; `axes` says otherwise for any of them.",
          ["guide"],
        ),
        axes: object("Every combination of these values is a cell.", sweepAxes),
        where: Type.Array(Type.String({ minLength: 1 }), {
          description:
            "Conditions on the combinations, in CEL over the names of the axes, such as `clients <= 4 * instances`.",
          default: [],
        }),
        cells: Type.Array(object("One cell.", sweepCell, true), {
          description: "Further cells, each by its own values.",
          default: [],
        }),
        impossible: choice(
          "What becomes of a sweep some of whose cells cannot be, such as 3 instances on 4 cores: `refuse` it, or `skip` these.",
          ["refuse", "skip"],
        ),
        repeats: count("Runs of each cell.", 1, 1),
        retries: count("How often a run that is INVALID is done again.", 0, 1),
        warmup: Type.Optional(
          Type.Number({ description: "In the place of `benchmark.warmup`, in seconds.", minimum: 0 }),
        ),
        duration: Type.Optional(
          Type.Number({ description: "In the place of `benchmark.duration`, in seconds.", minimum: 1 }),
        ),
      },
    ),
    search: object(
      "Search for the configuration with the highest rate that keeps a latency (docs/search.md). `npm run search` does it; deploying the stack does not.",
      {
        axes: object("Every combination of these values is searched. None: the stack as it is.", searchAxes),
        where: Type.Array(Type.String({ minLength: 1 }), {
          description: "Conditions on the combinations, as in `sweep.where`.",
          default: [],
        }),
        slo: object("The latency to keep.", {
          percentile: choice("Which.", ["p99", "p50", "p90", "p95", "p999"]),
          latency: Type.Number({ description: "At most, in milliseconds.", exclusiveMinimum: 0, default: 100 }),
        }),
        rates: object("Rates that are tried, in requests per second.", {
          from: Type.Number({ description: "The lowest.", exclusiveMinimum: 0, default: 10 }),
          to: Type.Number({ description: "The highest.", exclusiveMinimum: 0, default: 1000 }),
          step: Type.Number({
            description: "Each is higher than the one before by this share of it: the precision of the answer.",
            minimum: 0.005,
            maximum: 1,
            default: 0.05,
          }),
        }),
        runs: count("Most VALID runs at one rate.", 2, 5),
        retries: count("How many more INVALID runs than VALID ones are put up with at one rate.", 0, 2),
        confirmations: count("Fresh runs of the winner.", 1, 3),
        confidence: Type.Number({
          description: "Probability with which the judgement of one rate is right.",
          minimum: 0.5,
          maximum: 0.999,
          default: 0.95,
        }),
        warmup: Type.Optional(
          Type.Number({ description: "In the place of `benchmark.warmup`, in seconds.", minimum: 0 }),
        ),
        duration: Type.Optional(
          Type.Number({
            description:
              "In the place of `benchmark.duration`, in seconds. A run is longer where the percentile needs more requests.",
            minimum: 1,
          }),
        ),
        objective: choice(
          "What makes a configuration the best: most inferences per second, least cost or least energy for each.",
          [...objectives],
        ),
        constraints: object("What a winner has to keep besides the latency.", {
          minThroughput: Type.Optional(above("Inferences per second, at least.")),
          maxCostPer1000: Type.Optional(above("Cost of 1,000 inferences, at most.")),
          maxJoulesPerInference: Type.Optional(above("Energy of an inference, at most, in joules.")),
        }),
        prices: object("What things cost, in one currency. Left out: nothing.", {
          nodeHour: Type.Optional(above("A node that serves, for an hour.")),
          coreHour: Type.Optional(above("A core given to the servers, for an hour.")),
          kilowattHour: Type.Optional(above("Electricity.")),
        }),
        watts: object("Power from a table; nothing is measured.", {
          node: Type.Optional(above("Of a node that serves, without its serving cores.")),
          core: Type.Optional(above("Of each core given to the servers, in use.")),
        }),
      },
    ),
    tuning: object("Values that a search has found (docs/search.md).", {
      winner: Type.Optional(
        text(
          "File of a search's winner: it sets `instances` and `autoscaling.averageUtilization`. Without a winner these stay as they are here.",
        ),
      ),
    }),
  },
  {
    additionalProperties: false,
    title: "inference-stack config",
    description: "Keys of `Pulumi.<stack>.yaml`, each with the prefix `inference-stack:`.",
  },
);

export type Config = Static<typeof ConfigSchema>;
