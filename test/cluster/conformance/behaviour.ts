/** What one change of the program makes the engine do. */
export interface Row {
  /** The variation of the program, as it names it. */
  readonly change: string;
  /** Kind and logical name of the resource it is made to. */
  readonly resource: string;
  readonly steps: readonly string[];
}

const update = ["update"];
const createFirst = ["create-replacement", "replace", "delete-replaced"];
const deleteFirst = ["delete-replaced", "replace", "create-replacement"];

/** How the official Kubernetes provider behaves; the embedded one must do the same. */
export const behaviour: readonly Row[] = [
  { change: "namespace label", resource: "Namespace::bench", steps: update },
  { change: "deployment replicas", resource: "Deployment::web", steps: update },
  { change: "deployment env", resource: "Deployment::web", steps: update },
  { change: "deployment selector", resource: "Deployment::web", steps: createFirst },
  { change: "fixed deployment selector", resource: "Deployment::fixed", steps: deleteFirst },
  { change: "deployment name", resource: "Deployment::fixed", steps: createFirst },
  { change: "service type", resource: "Service::web", steps: update },
  { change: "configmap data", resource: "ConfigMap::auto", steps: createFirst },
  { change: "fixed configmap data", resource: "ConfigMap::named", steps: deleteFirst },
  { change: "secret data", resource: "Secret::secret", steps: createFirst },
  { change: "claim size", resource: "PersistentVolumeClaim::claim", steps: update },
  { change: "role rules", resource: "Role::role", steps: update },
  { change: "binding role", resource: "RoleBinding::binding", steps: createFirst },
  { change: "job backoffLimit", resource: "Job::job", steps: update },
  { change: "job template", resource: "Job::job", steps: createFirst },
  { change: "fixed job template", resource: "Job::fixed", steps: deleteFirst },
  { change: "claim template", resource: "StatefulSet::set", steps: deleteFirst },
];

/** Rows that may be previewed together, because no two of them change the same resource. */
export function rounds(rows: readonly Row[]): Row[][] {
  const result: Row[][] = [];
  for (const row of rows) {
    const round = result.find((others) => others.every(({ resource }) => resource !== row.resource));
    if (round) round.push(row);
    else result.push([row]);
  }
  return result;
}
