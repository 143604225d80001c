import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../server.ts";
import { ApiError, type Call, type Client, isNotFound, NoMatch } from "./client.ts";
import { annotations, type KubeObject } from "./object.ts";
import { adoptCreation, creator, forces } from "./ownership.ts";

// No write listens to a cancellation: one that is cut off may have been done or not, and nobody would know.

type Warned = Pick<Call, "onWarning">;

const query = (fieldManager: string, preview = false) => ({
  fieldManager,
  fieldValidation: "Warn",
  dryRun: preview ? "All" : undefined,
});

/** What the API server would make of the object; undefined where it cannot tell, which is no fault in a preview. */
export async function dryCreate(client: Client, inputs: KubeObject, warned: Warned): Promise<KubeObject | undefined> {
  try {
    const { status: _, ...object } = await client.create(inputs, { ...warned, query: query(creator, true) });
    return object;
  } catch (error) {
    if (
      error instanceof ApiError &&
      (["AlreadyExists", "Forbidden"].includes(error.reason) || isMissingNamespace(error))
    )
      return undefined;
    throw new Error(`the Kubernetes API server would not create it: ${messageOf(error)}`);
  }
}

const isMissingNamespace = (error: ApiError): boolean => error.code === 404 && error.details.kind === "namespaces";

const attempts = 6;

/** Creates the object; what it needs, a namespace or a definition of its kind, may be some seconds late. */
export async function createWhenPossible(
  client: Client,
  inputs: KubeObject,
  urn: string,
  { say, ...warned }: Warned & { say: (message: string) => void },
  cancelled: AbortSignal,
): Promise<KubeObject> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.create(inputs, { ...warned, query: query(creator) });
    } catch (error) {
      const mayCome = isNotFound(error) || error instanceof NoMatch;
      if (!mayCome || attempt === attempts || cancelled.aborted)
        throw new Error(
          error instanceof NoMatch
            ? `creation of resource "${urn}" failed because the Kubernetes API server reported that the apiVersion for this resource does not exist. Verify that any required CRDs have been created: ${error.message}`
            : `resource "${urn}" was not successfully created by the Kubernetes API server: ${explained(error)}`,
        );
      say(`Retry #${attempt}; creation failed: ${messageOf(error)}`);
      await sleep(250 * 2 ** attempt, undefined, { signal: cancelled }).catch(() => {});
    }
  }
}

interface ApplyOptions extends Warned {
  readonly manager: string;
  readonly preview: boolean;
  /** Take over fields of other managers. */
  readonly force: boolean;
}

/** Brings the live object to what the inputs say. */
export async function apply(
  client: Client,
  object: KubeObject,
  live: KubeObject,
  { manager, preview, force, ...warned }: ApplyOptions,
): Promise<KubeObject> {
  if (object.kind === "CustomResourceDefinition") {
    // Versions of a definition are a list that must be replaced as a whole.
    const whole = { ...object, metadata: { ...object.metadata, resourceVersion: live.metadata?.resourceVersion } };
    return client.replace(whole, { ...warned, query: query(manager, preview) });
  }
  if (!preview) await adoptCreation(client, live, manager);
  const forced = String(forces(object, live, preview, force));
  return client.apply(object, { ...warned, query: { ...query(manager, preview), force: forced } });
}

/** The API server's reason, with the way on where there is a usual one. */
export function explained(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof ApiError)) return message;
  if (error.reason === "AlreadyExists")
    return `${message}. To manage the existing object, import it (\`import\` option or \`pulumi import\`); otherwise delete it or choose another name`;
  if (error.reason === "Conflict")
    return `Server-Side Apply field conflict detected: ${message}\nAnnotate the resource with ${annotations.patchForce}: "true" to take the fields over`;
  return message;
}
