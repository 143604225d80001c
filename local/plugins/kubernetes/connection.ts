import type { Log } from "../engine.ts";
import { messageOf } from "../server.ts";
import { Client } from "./client.ts";
import type { Config } from "./config.ts";
import { loadAccess } from "./kubeconfig.ts";

/** The way to the cluster, taken only when something really needs it: a preview without changes does not. */
export class Connection {
  readonly #config: Config;
  #outcome?: Promise<Client | Error>;

  constructor(config: Config) {
    this.#config = config;
  }

  /** Where objects go that name no namespace: what the configuration says, else what the context says. */
  get namespace(): string | undefined {
    if (this.#config.namespace) return this.#config.namespace;
    try {
      return loadAccess(this.#config.kubeconfig, this.#config.context).namespace;
    } catch {
      return undefined; // no kubeconfig: nothing has a namespace of its own
    }
  }

  /** @throws Error when the cluster cannot be reached, saying why */
  async client(): Promise<Client> {
    const outcome = await this.#reach();
    if (outcome instanceof Error) throw new Error(`configured Kubernetes cluster is unreachable: ${outcome.message}`);
    return outcome;
  }

  async isReachable(): Promise<boolean> {
    return !((await this.#reach()) instanceof Error);
  }

  /**
   * For objects that the state says exist.
   *
   * @returns undefined when the cluster is gone and the user said that its objects are then to be forgotten
   * @throws Error when the cluster cannot be reached otherwise
   */
  async existing(urn: string, log: Log): Promise<Client | undefined> {
    const outcome = await this.#reach();
    if (!(outcome instanceof Error)) return outcome;
    log.warn(urn, `configured Kubernetes cluster is unreachable: ${outcome.message}`);
    if (this.#config.deleteUnreachable) return undefined;
    throw new Error(
      'failed to read resource state due to unreachable cluster. If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"',
    );
  }

  /** Whether objects of a custom kind live in namespaces; assumed where nobody can tell. */
  async isNamespaced(apiVersion: string, kind: string): Promise<boolean> {
    const outcome = await this.#reach();
    return outcome instanceof Error ? true : outcome.isNamespaced(apiVersion, kind).catch(() => true);
  }

  #reach(): Promise<Client | Error> {
    this.#outcome ??= (async () => {
      try {
        const client = new Client(loadAccess(this.#config.kubeconfig, this.#config.context));
        await client.ping();
        return client;
      } catch (error) {
        return new Error(messageOf(error));
      }
    })();
    return this.#outcome;
  }
}
