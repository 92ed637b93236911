import { spawnSync } from "node:child_process";

/** Version of the first `opa` on a PATH; `undefined` if there is none that runs. */
export function opaVersionOn(path: string): string | undefined {
  const { stdout } = spawnSync("opa", ["version"], {
    env: { PATH: path },
    encoding: "utf8",
  });
  return /^Version: (\S+)$/m.exec(stdout ?? "")?.[1];
}
