import { formatCpuList, parseCpuList } from "../../components/serving/cpuList.ts";
import { podsOf } from "./pods.ts";
import type { Resource, StackRule } from "./rule.ts";

/** CPUs of a node that one pod was given. */
interface Taken {
  readonly resource: Resource;
  readonly who: string;
  readonly node: string;
  readonly cpus: readonly number[];
}

export const cpusOnce: StackRule = {
  name: "cpus-once",
  description: "No CPU is given to two servers, nor to a server and the load client, and no server is without its own.",
  level: "mandatory",
  checkStack(resources) {
    const pods = resources.flatMap(pinnedPods);
    const missing = pods.flatMap(({ resource, lists, replicas }) =>
      replicas !== undefined && replicas > lists.length
        ? [
            {
              resource,
              message: `spec.replicas: ${replicas} pods, but CPUs for ${lists.length}; the others would fail to start`,
            },
          ]
        : [],
    );
    const taken = [...pods.flatMap(serverCpus), ...resources.flatMap(clientCpus)];
    const twice = taken.flatMap((one, i) =>
      taken.slice(0, i).flatMap((other) => {
        const both = one.node === other.node ? one.cpus.filter((cpu) => other.cpus.includes(cpu)) : [];
        const message = `CPUs ${formatCpuList(both)} of node ${one.node} are given to ${other.who} and to ${one.who}`;
        return both.length > 0 ? [{ resource: one.resource, message }] : [];
      }),
    );
    return [...missing, ...twice];
  },
};

interface PinnedPods {
  readonly resource: Resource;
  readonly node: string;
  readonly lists: readonly string[];
  /** The list of this one pod; undefined: each of the lists is a pod's. */
  readonly index: number | undefined;
  readonly replicas: number | undefined;
}

type Env = { readonly name: string; readonly value?: string };

/** Workloads whose containers are pinned by a list in their environment (components/serving/pinning.ts). */
function pinnedPods(resource: Resource): PinnedPods[] {
  return podsOf(resource).flatMap(({ spec, replicas }) =>
    (spec.containers ?? []).flatMap(({ env = [] }: { env?: readonly Env[] }) => {
      const value = (name: string) => env.find((each) => each.name === name)?.value;
      const lists = value("CPU_LISTS");
      if (lists === undefined) return [];
      const index = value("POD_INDEX");
      const node = spec.nodeSelector?.["kubernetes.io/hostname"] ?? "any";
      return [
        {
          resource,
          node,
          lists: lists.split(";"),
          index: index === undefined ? undefined : Number(index),
          replicas: index === undefined ? replicas : undefined,
        },
      ];
    }),
  );
}

function serverCpus({ resource, node, lists, index }: PinnedPods): Taken[] {
  return lists.flatMap((list, i) =>
    index === undefined || index === i
      ? [{ resource, node, cpus: parseCpuList(list), who: `${resource.name}-${i}` }]
      : [],
  );
}

/** The CPUs that are set apart for the load client are in the plan, which is an output of the stack. */
function clientCpus(resource: Resource): Taken[] {
  if (resource.type !== "pulumi:pulumi:Stack") return [];
  const nodes: readonly { name: string; clientCpus?: string | null }[] = resource.props.plan?.nodes ?? [];
  return nodes.flatMap(({ name, clientCpus }) =>
    clientCpus ? [{ resource, node: name, cpus: parseCpuList(clientCpus), who: "the load client" }] : [],
  );
}
