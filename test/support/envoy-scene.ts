import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type EchoUpstream, openUpstream } from "./echo-upstream.ts";
import { type EnvoyServer, openEnvoy } from "./envoy.ts";
import type { EnvoySetup } from "./envoy-bootstrap.ts";
import { createWorkspace, type ServerProcess, type Workspace } from "./workspace.ts";

/** An Envoy between clients and an upstream, and the Postern that it asks. */
export interface EnvoyScene {
  readonly workspace: Workspace;
  readonly server: ServerProcess;
  readonly upstream: EchoUpstream;
  readonly envoy: EnvoyServer;
  close(): Promise<void>;
}

/** What a scene is made of. */
export interface SceneSetup {
  /** Environment of Postern. */
  readonly env?: Readonly<Record<string, string>>;
  /** The policy for Envoy: a folder of the workspace, or its text; none unless given. */
  readonly policy?: { readonly folder: string } | { readonly rego: string };
  readonly envoy?: Omit<EnvoySetup, "pdp" | "upstreamPort">;
}

/** Opens a scene that whoever opens it closes; of one that can't be opened nothing is left. */
export async function openScene({ env, policy, envoy: setup }: SceneSetup): Promise<EnvoyScene> {
  const workspace = createWorkspace(env);
  const closes: (() => unknown)[] = [() => workspace.remove()];
  const close = async (): Promise<void> => {
    for (const one of closes.splice(0).reverse()) await one();
  };
  try {
    if (policy !== undefined) await buildPolicy(workspace, policy);
    const server = await workspace.serve();
    closes.push(() => server.stop());
    const upstream = await openUpstream();
    closes.push(() => upstream.close());
    const places = { pdp: [server.address], upstreamPort: upstream.port };
    const envoy = await openEnvoy({ ...places, ...setup });
    closes.push(() => envoy.close());
    return { workspace, server, upstream, envoy, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function buildPolicy(
  workspace: Workspace,
  policy: NonNullable<SceneSetup["policy"]>,
): Promise<void> {
  const source = "folder" in policy ? policy.folder : "policy";
  if ("rego" in policy) {
    mkdirSync(join(workspace.folder, source));
    writeFileSync(join(workspace.folder, source, "authz.rego"), policy.rego);
  }
  const build = ["bundle", "build", source, "-o", "bundles/envoy.tar.gz"];
  expect((await workspace.postern(...build)).stderr).toBe("");
}
