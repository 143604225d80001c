import { createHash } from "node:crypto";
import { formatCpuList } from "./cpuList.ts";
import { lowestCores, type NodeTopology, threadsOf } from "./topology.ts";

export interface PlanRequest {
  readonly topology: readonly NodeTopology[];
  /** How many nodes of the topology serve, from the first. Default: all of them. */
  readonly nodes?: number;
  /** Model servers per node. */
  readonly instances: number;
  /** Physical cores per node that serving gets. */
  readonly cpus: number;
  /** NUMA nodes per node that these are taken from, in equal parts. */
  readonly sockets: number;
  /** Cores per node that serving must not use: the lowest for the system, the next for the load client. */
  readonly reserved: { readonly system: number; readonly client: number };
  /** Hardware threads of each core that serving uses. Default 1: two threads of a core share its arithmetic units. */
  readonly threadsPerCore?: number;
  /**
   * `numactl`: instances are given CPU lists. `cpuset`: the kubelet picks CPUs for each; planned are their number and their NUMA
   * node. `none`: only the number of cores is divided.
   */
  readonly pinning: "none" | "numactl" | "cpuset";
}

export interface InstancePlan {
  /** Linux CPU list such as `0-23`; null when the kernel (`none`) or the kubelet (`cpuset`) chooses. */
  readonly cpus: string | null;
  /** With `cpuset`: how many CPUs the kubelet has to give it for itself: its cores with all their hardware threads. */
  readonly exclusiveCpus?: number;
  /** NUMA node of its CPUs; null when instances are not pinned. */
  readonly memoryNode: number | null;
  /** How many threads should compute: `threadsPerCore` for each of its cores. */
  readonly threads: number;
}

export interface NodePlan {
  readonly name: string;
  /** In the order of the pods' ordinals. Empty: this node does not serve. */
  readonly instances: readonly InstancePlan[];
  readonly systemCpus: string | null;
  /** CPUs set apart for the load client; null: it shares the servers'. */
  readonly clientCpus: string | null;
  /** CPUs nobody was given; null: none are left. */
  readonly leftOver: string | null;
}

export interface CpuPlan {
  readonly nodes: readonly NodePlan[];
  /** Changes whenever anything in the plan changes. 10 hexadecimal digits. */
  readonly hash: string;
}

/** A plan that cannot be. */
export class PlanError extends Error {
  /** One sentence for each mistake: the key, its value, what is allowed. */
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "PlanError";
    this.problems = problems;
  }
}

/**
 * Divides the cores of every node among its model servers.
 *
 * @throws PlanError with all mistakes at once
 */
export function planCpus(request: PlanRequest): CpuPlan {
  const misnumbered = topologyProblems(request);
  const problems = [
    ...divisionProblems(request),
    ...misnumbered,
    ...(misnumbered.length > 0 ? [] : capacityProblems(request)),
  ];
  if (problems.length > 0) throw new PlanError(problems);
  const serving = request.nodes ?? request.topology.length;
  const nodes = request.topology.map((node, index) => planNode(node, index < serving ? request.instances : 0, request));
  const hash = createHash("sha256").update(JSON.stringify(nodes)).digest("hex").slice(0, 10);
  return { nodes, hash };
}

function planNode(node: NodeTopology, instances: number, request: PlanRequest): NodePlan {
  const { threadsPerCore = 1, pinning } = request;
  const { system, client, free } = divide(node, request.reserved);
  const perInstance = request.cpus / request.instances;
  const perSocket = request.instances / request.sockets;
  const threads = perInstance * threadsPerCore;
  const used = (cores: readonly number[]) => (threadsPerCore === 1 ? cores : threadsOf(node, cores));
  const list = (cores: readonly number[]) => (cores.length > 0 ? formatCpuList(used(cores)) : null);
  const taken = new Set<number>();
  const plans = Array.from({ length: instances }, (_, index): InstancePlan => {
    if (pinning === "none") return { cpus: null, memoryNode: null, threads };
    const { number: memoryNode, cores } = free[Math.floor(index / perSocket)];
    const from = (index % perSocket) * perInstance;
    const own = cores.slice(from, from + perInstance);
    for (const core of own) taken.add(core);
    if (pinning === "cpuset") return { cpus: null, exclusiveCpus: perInstance * node.smt, memoryNode, threads };
    return { cpus: list(own), memoryNode, threads };
  });
  return {
    name: node.name,
    instances: plans,
    systemCpus: list(system),
    clientCpus: list(client),
    leftOver: list(free.flatMap(({ cores }) => cores).filter((core) => !taken.has(core))),
  };
}

/** The node's cores: those reserved, and by NUMA node those free for serving. NUMA nodes without cores do not count. */
function divide(node: NodeTopology, { system, client }: PlanRequest["reserved"]) {
  const apart = lowestCores(node, system + client);
  return {
    system: apart.slice(0, system),
    client: apart.slice(system),
    free: node.numa.flatMap((numa, number) => {
      const cores = numa.filter((core) => !apart.includes(core)).sort((a, b) => a - b);
      return numa.length > 0 ? [{ number, cores }] : [];
    }),
  };
}

function divisionProblems({ instances, cpus, sockets, pinning }: PlanRequest): string[] {
  const equalParts = `sockets: ${sockets} does not divide cpus, which is ${cpus}; every socket gives the same number of cores`;
  const problems = pinning !== "none" && cpus % sockets !== 0 ? [equalParts] : [];
  const groups = pinning === "none" || problems.length > 0 ? 1 : sockets;
  const possible = divisors(cpus).filter((n) => n % groups === 0);
  const allowed = `possible are ${[...possible.slice(0, 12), ...(possible.length > 12 ? ["..."] : [])].join(", ")}`;
  if (cpus % instances !== 0)
    problems.push(`instances: ${instances} does not divide cpus, which is ${cpus}; ${allowed}`);
  else if (instances % groups !== 0)
    problems.push(
      `instances: ${instances} on ${sockets} sockets would make an instance cross a socket; ${allowed}, or fewer sockets, or pinning none`,
    );
  return problems;
}

function repeated<T>(values: readonly T[]): Set<T> {
  return new Set(values.filter((value, index) => values.indexOf(value) !== index));
}

function divisors(value: number): number[] {
  return Array.from({ length: value }, (_, i) => i + 1).filter((n) => value % n === 0);
}

function topologyProblems({ topology, nodes }: PlanRequest): string[] {
  const problems: string[] = [];
  const names = topology.map(({ name }) => name);
  for (const name of repeated(names))
    problems.push(`topology: there are two nodes named ${JSON.stringify(name)}; each may be there once`);
  for (const { name, numa, siblings = [] } of topology) {
    const cores = numa.flat();
    if (cores.length === 0) problems.push(`topology: node ${name} has no cores; numa lists them by NUMA node`);
    for (const cpu of repeated(cores))
      problems.push(`topology: node ${name} lists CPU ${cpu} twice; a CPU is in one NUMA node, once`);
    for (const cpu of repeated(siblings.flat()))
      problems.push(`topology: node ${name} lists CPU ${cpu} twice in siblings; a CPU is a thread of one core`);
    for (const threads of siblings.filter(([first]) => !cores.includes(first)))
      problems.push(
        `topology: node ${name} has siblings [${threads.join(", ")}], but no core ${threads[0]} in numa; the first is the core's own number`,
      );
  }
  if (nodes !== undefined && nodes > topology.length)
    problems.push(
      `cluster.nodes: ${nodes} is more than the ${count(topology.length, "node")} in topology (${names.join(", ")})`,
    );
  return problems;
}

function capacityProblems(request: PlanRequest): string[] {
  const nodesByProblem = new Map<string, string[]>();
  for (const node of request.topology.slice(0, request.nodes)) {
    const problem = capacityProblem(node, request);
    if (problem) nodesByProblem.set(problem, [...(nodesByProblem.get(problem) ?? []), node.name]);
  }
  return [...nodesByProblem].map(([problem, names]) => `${problem} (${names.join(", ")})`);
}

/** What one node cannot give. Says nothing about its name, so that equal nodes have equal problems. */
function capacityProblem(node: NodeTopology, request: PlanRequest): string | undefined {
  const { cpus, sockets, reserved, pinning, threadsPerCore = 1 } = request;
  const { system, client } = reserved;
  const cores = node.numa.flat().length;
  const left = cores - system - client;
  const kept =
    system + client > 0 ? ` of which ${system} are reserved for the system and ${client} for the client` : "";
  if (left < 0)
    return `reserved: system ${system} and client ${client} are more than the ${count(cores, "core")} of a node`;
  if (cpus > left)
    return `cpus: ${cpus} is more than the node has; it has ${count(cores, "core")}${kept}, so at most ${left}`;
  const unused = threadsProblem(node, threadsPerCore, pinning);
  if (pinning === "none") return unused;
  if (pinning === "cpuset" && system + client === 0)
    return "pinning: cpuset needs a core in reserved (system or client) for all pods that are not servers; the kubelet keeps at least one CPU for them";
  if (unused || cpus % sockets !== 0) return unused;
  const { free } = divide(node, reserved);
  if (sockets > free.length) return `sockets: ${sockets} is more than the node has, which is ${free.length}`;
  const least = Math.min(...free.slice(0, sockets).map(({ cores }) => cores.length));
  if (cpus / sockets <= least) return undefined;
  return `cpus: ${cpus} in equal parts from ${count(sockets, "socket")} is more than they have; at most ${least * sockets}${kept && `, as some cores are reserved`}`;
}

/** Every core must have as many threads as are to be used, or some instances would get fewer than others. */
function threadsProblem(node: NodeTopology, wanted: number, pinning: PlanRequest["pinning"]): string | undefined {
  if (wanted === 1) return undefined;
  if (wanted !== node.smt)
    return `threadsPerCore: ${wanted} is not possible; the node has ${node.smt === 1 ? "one hardware thread" : `${node.smt} hardware threads`} per core (topology, smt), so ${node.smt === 1 ? "1" : `1 or ${node.smt}`}`;
  if (pinning !== "numactl") return undefined; // nobody needs their numbers
  const without = node.numa.flat().filter((core) => threadsOf(node, [core]).length !== wanted);
  if (without.length === 0) return undefined;
  return `threadsPerCore: ${wanted} needs all hardware threads of every core in siblings of topology; cores ${formatCpuList(without)} do not have ${wanted} there; \`npm run topology\` prints them`;
}

const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
