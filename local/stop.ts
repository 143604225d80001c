import { existsSync, rmSync } from "node:fs";
import { purgeCluster, stopCluster } from "./cluster/cluster.ts";
import { running } from "./cluster/process.ts";
import { instance, stateDir } from "./paths.ts";

/** @param purge also removes everything this checkout's instance has on the machine; the shared cache stays */
export async function stop(purge: boolean): Promise<void> {
  const was = running() !== undefined;
  if (!existsSync(stateDir)) return console.log("nothing to stop: nothing was ever started from this checkout");
  await (purge ? purgeCluster() : stopCluster());
  if (purge) rmSync(stateDir, { recursive: true, force: true });
  console.log(
    purge
      ? `instance ${instance} is gone: cluster, stack state and results`
      : `cluster ${was ? "stopped" : "was not running"}; its data is kept, \`npm start\` goes on with it`,
  );
}
