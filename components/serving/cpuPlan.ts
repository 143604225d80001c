import { createHash } from "node:crypto";

/** The physical cores of one Kubernetes node. */
export interface NodeTopology {
  /** Value of the node's label `kubernetes.io/hostname`. */
  readonly name: string;
  /** By NUMA node: the Linux CPU number of the first hardware thread of every physical core. */
  readonly numa: readonly (readonly number[])[];
  /** Hardware threads per core. Serving uses one of them: two threads of a core share its arithmetic units. */
  readonly smt: number;
}

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
  /** Whether instances get CPUs of their own; `none` only divides their number. */
  readonly pinning: "none" | "numactl";
}

export interface InstancePlan {
  /** Linux CPU list such as `0-23`; null when instances are not pinned. */
  readonly cpus: string | null;
  /** NUMA node of these CPUs; null when instances are not pinned. */
  readonly memoryNode: number | null;
  /** How many threads should compute: one for each of its cores. */
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

/** CPU numbers as a Linux list, as the kernel writes it: 0, 1, 2, 8 is `0-2,8`. */
export function formatCpuList(cpus: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const cpu of [...cpus].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && cpu === last[1] + 1) last[1] = cpu;
    else runs.push([cpu, cpu]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

function planNode(node: NodeTopology, instances: number, request: PlanRequest): NodePlan {
  const { system, client, free } = divide(node, request.reserved);
  const perInstance = request.cpus / request.instances;
  const perSocket = request.instances / request.sockets;
  const taken = new Set<number>();
  const plans = Array.from({ length: instances }, (_, index): InstancePlan => {
    if (request.pinning === "none") return { cpus: null, memoryNode: null, threads: perInstance };
    const socket = Math.floor(index / perSocket);
    const from = (index % perSocket) * perInstance;
    const cpus = free[socket].slice(from, from + perInstance);
    for (const cpu of cpus) taken.add(cpu);
    return { cpus: formatCpuList(cpus), memoryNode: socket, threads: perInstance };
  });
  const list = (cpus: number[]) => (cpus.length > 0 ? formatCpuList(cpus) : null);
  return {
    name: node.name,
    instances: plans,
    systemCpus: list(system),
    clientCpus: list(client),
    leftOver: list(free.flat().filter((cpu) => !taken.has(cpu))),
  };
}

/** The reserved cores are the node's lowest: interrupts and the system's own daemons tend to run there. */
function divide(node: NodeTopology, reserved: PlanRequest["reserved"]) {
  const cores = node.numa.flat().sort((a, b) => a - b);
  const kept = reserved.system + reserved.client;
  const apart = new Set(cores.slice(0, kept));
  return {
    system: cores.slice(0, reserved.system),
    client: cores.slice(reserved.system, kept),
    free: node.numa.map((numa) => numa.filter((cpu) => !apart.has(cpu)).sort((a, b) => a - b)),
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

function divisors(value: number): number[] {
  return Array.from({ length: value }, (_, i) => i + 1).filter((n) => value % n === 0);
}

function topologyProblems({ topology, nodes }: PlanRequest): string[] {
  const problems: string[] = [];
  const names = topology.map(({ name }) => name);
  for (const name of new Set(names.filter((n, i) => names.indexOf(n) !== i)))
    problems.push(`topology: there are two nodes named ${JSON.stringify(name)}; each may be there once`);
  for (const { name, numa } of topology) {
    const cpus = numa.flat();
    for (const cpu of new Set(cpus.filter((c, i) => cpus.indexOf(c) !== i)))
      problems.push(`topology: node ${name} lists CPU ${cpu} twice; a CPU is in one NUMA node, once`);
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
function capacityProblem(node: NodeTopology, { cpus, sockets, reserved, pinning }: PlanRequest): string | undefined {
  const { system, client } = reserved;
  const cores = node.numa.flat().length;
  const left = cores - system - client;
  const kept =
    system + client > 0 ? ` of which ${system} are reserved for the system and ${client} for the client` : "";
  if (left < 0)
    return `reserved: system ${system} and client ${client} are more than the ${count(cores, "core")} of a node`;
  if (cpus > left)
    return `cpus: ${cpus} is more than the node has; it has ${count(cores, "core")}${kept}, so at most ${left}`;
  if (pinning === "none" || cpus % sockets !== 0) return undefined;
  const numa = divide(node, reserved).free;
  if (sockets > numa.length) return `sockets: ${sockets} is more than the node has, which is ${numa.length}`;
  const least = Math.min(...numa.slice(0, sockets).map((free) => free.length));
  if (cpus / sockets <= least) return undefined;
  return `cpus: ${cpus} in equal parts from ${count(sockets, "socket")} is more than they have; at most ${least * sockets}${kept && `, as some cores are reserved`}`;
}

const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
