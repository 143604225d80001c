import { join } from "node:path";
import { distribution } from "../../../local/toolchain/distribution.ts";
import { findGo, goModuleTarget } from "../../../local/toolchain/go.ts";
import { ensureTargets } from "../../../local/toolchain/index.ts";
import { pythonTarget } from "../../../local/toolchain/python.ts";

/** What the benches of the client run beside it. Installed by them alone. */
export interface Tools {
  /** Paths of the programs. */
  readonly nullserver: string;
  readonly ghz: string;
  readonly k6: string;
  /** PYTHONPATH in which `locust` can be imported. */
  readonly locust: string;
}

/** Builds and installs what is missing of the null server and the peers, from their registries, into the shared cache. */
export async function tools(): Promise<Tools> {
  const here = import.meta.dirname;
  const go = findGo();
  const nullserver = goModuleTarget(
    { name: "nullserver", source: join(here, "nullserver"), build: ".", seconds: 5, megabytes: 200 },
    go,
  );
  const peer = (name: string, seconds: number) =>
    goModuleTarget({ name, source: join(here, "peers", name), seconds, megabytes: 1200 }, go);
  const ghz = peer("ghz", 60);
  const k6 = peer("k6", 90);
  const requirements = join(here, "peers", "locust", "requirements.txt");
  const locust = pythonTarget("locust", distribution(), 20, requirements);
  await ensureTargets([k6, ghz, locust, nullserver]);
  return {
    nullserver: join(nullserver.path, "nullserver"),
    ghz: join(ghz.path, "ghz"),
    k6: join(k6.path, "k6"),
    locust: locust.path,
  };
}
