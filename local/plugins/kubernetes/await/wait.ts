import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../server.ts";
import { ApiError, type Client, isNotFound, Unreachable } from "../client.ts";
import type { KubeObject } from "../object.ts";
import type { Rule, Verdict } from "./rule.ts";

/** Waiting ended before the object was ready. */
export class NotReady extends Error {
  readonly live: KubeObject;
  readonly reasons: readonly string[];
  constructor(message: string, live: KubeObject, reasons: readonly string[]) {
    super(message);
    this.live = live;
    this.reasons = reasons;
  }
}

export interface Waiting {
  readonly client: Client;
  readonly timeoutSeconds: number;
  /** Aborted when the user cancels. */
  readonly signal: AbortSignal;
  /** Shows one line of progress. */
  readonly say: (message: string) => void;
}

/** Between two looks at an object that nothing was heard of: related objects change without its changing. */
const lookEveryMs = 500;

/** @returns how the object stands by the rule now */
export async function judgeNow(client: Client, live: KubeObject, rule: Rule, signal?: AbortSignal): Promise<Verdict> {
  const related = await Promise.all(
    (rule.related?.(live) ?? []).map(({ apiVersion, kind, query }) =>
      client.list(live, apiVersion, kind, query, signal),
    ),
  );
  return rule.judge(live, related);
}

/**
 * Waits until the rule finds the object ready.
 *
 * @returns the object as it is then
 * @throws NotReady when it failed, when time ran out, or when the user cancelled
 */
export async function waitUntilReady(object: KubeObject, rule: Rule, waiting: Waiting): Promise<KubeObject> {
  const { client, say, signal } = waiting;
  const name = object.metadata?.name;
  const reasons = new Set<string>();
  const settled = settling(rule.settleMs ?? 0);
  let live = object;
  for await (const _ of looks(client, object, waiting)) {
    let verdict: Verdict;
    try {
      live = await client.read(object, signal);
      verdict = await judgeNow(client, live, rule, signal);
    } catch (error) {
      if (signal.aborted) break;
      if (!isPassing(error))
        throw new NotReady(`Resource '${name}' could not be watched`, live, [...reasons, messageOf(error)]);
      verdict = { ready: false, status: messageOf(error), reasons: [messageOf(error)] };
    }
    if (!rule.remembers) reasons.clear();
    for (const reason of verdict.reasons) reasons.add(reason);
    if (verdict.status) say(verdict.status);
    if (verdict.ready && settled(verdict.fingerprint)) return live;
    if (verdict.failed)
      throw new NotReady(`Resource '${name}' was created but failed to initialize`, live, [...reasons]);
  }
  throw new NotReady(signal.aborted ? cancelled(object) : `'${name}' timed out waiting to be Ready`, live, [
    ...reasons,
  ]);
}

/**
 * Waits until the object is gone. Another one of the same name, made since, does not count.
 *
 * @throws NotReady when time ran out or the user cancelled
 */
export async function waitUntilGone(object: KubeObject, waiting: Waiting): Promise<void> {
  const { client, say, signal } = waiting;
  let live = object;
  for await (const _ of looks(client, object, waiting)) {
    try {
      live = await client.read(object, signal);
      if (object.metadata?.uid && live.metadata?.uid !== object.metadata.uid) return;
      say("Resource scheduled for deletion");
    } catch (error) {
      if (isNotFound(error)) return;
      if (signal.aborted) break;
      if (!isPassing(error)) throw error;
    }
  }
  const { name, finalizers = [] } = live.metadata ?? {};
  throw new NotReady(signal.aborted ? cancelled(object) : `'${name}' timed out waiting to be deleted`, live, [
    `Timed out waiting for deletion of ${object.apiVersion}/${object.kind} "${name}"`,
    ...(finalizers.length > 0 ? [`finalizers might be preventing deletion (${finalizers.join(", ")})`] : []),
  ]);
}

const cancelled = ({ metadata }: KubeObject): string => `Resource operation was cancelled for "${metadata?.name}"`;

/** A fault that may be over by the next look, such as an API server that restarts. */
const isPassing = (error: unknown): boolean =>
  error instanceof Unreachable || (error instanceof ApiError && (error.code >= 500 || error.code === 429));

/** Yields whenever it is time to look again: on every change of the object, and every half second, until time is up. */
async function* looks(client: Client, object: KubeObject, { timeoutSeconds, signal }: Waiting): AsyncGenerator<void> {
  const end = performance.now() + timeoutSeconds * 1000;
  const stop = new AbortController();
  let wake = () => {};
  client.watch(object, () => wake(), AbortSignal.any([stop.signal, signal])).catch(() => {}); // the half seconds remain
  try {
    do {
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      yield;
      const pause = Math.min(lookEveryMs, Math.max(0, end - performance.now()));
      await Promise.race([changed, sleep(pause, undefined, { signal }).catch(() => {})]);
    } while (performance.now() < end && !signal.aborted);
  } finally {
    stop.abort();
  }
}

/** Tells whether the fingerprint has stood still for so long. */
function settling(ms: number): (fingerprint: string | undefined) => boolean {
  let last: string | undefined;
  let since = 0;
  return (fingerprint) => {
    if (fingerprint !== last) {
      last = fingerprint;
      since = performance.now();
    }
    return performance.now() - since >= ms;
  };
}
