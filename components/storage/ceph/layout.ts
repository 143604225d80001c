/** A node that gives disks to Ceph. */
export interface CephNode {
  /** Value of the node's label `kubernetes.io/hostname`. */
  readonly name: string;
  /** Whole disks or partitions without a filesystem, such as `/dev/disk/by-id/...`. What is on them is lost. */
  readonly devices: readonly string[];
}

/** How Ceph keeps each thing more than once. */
export interface CephLayout {
  /** Copies of everything. */
  readonly copies: number;
  /** No two copies are on the same one of these: a node where there are several, else a disk. */
  readonly failureDomain: "host" | "osd";
}

/** Three copies on as many nodes if there are three, else as many as the disks allow. */
export function cephLayout(nodes: readonly CephNode[]): CephLayout {
  const disks = nodes.reduce((sum, { devices }) => sum + devices.length, 0);
  return nodes.length > 1
    ? { copies: Math.min(3, nodes.length), failureDomain: "host" }
    : { copies: Math.min(3, disks), failureDomain: "osd" };
}

/** What is wrong with the choice of nodes, one line for each mistake. */
export function layoutProblems(nodes: readonly CephNode[], key: string): string[] {
  if (nodes.length === 0)
    return [
      `${key}: is empty; name the nodes and the disks that Ceph may have, such as [{name: node1, devices: [/dev/sdb]}]. It never takes disks that are not named.`,
    ];
  const problems: string[] = [];
  const names = nodes.map(({ name }) => name);
  for (const name of new Set(names.filter((one, i) => names.indexOf(one) !== i)))
    problems.push(`${key}: ${name} is there more than once; put all of its devices in one entry`);
  for (const { name, devices } of nodes)
    for (const device of new Set(devices.filter((one, i) => devices.indexOf(one) !== i)))
      problems.push(`${key}: ${device} of ${name} is there more than once`);
  const { copies } = cephLayout(nodes);
  if (problems.length === 0 && copies < 2)
    problems.push(
      `${key}: one disk (${nodes[0].devices[0]} of ${nodes[0].name}) keeps only one copy of everything; give it at least another disk`,
    );
  return problems;
}
