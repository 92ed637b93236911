import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { BundleStatus } from "../../src/bundle/bundle-status.ts";
import { goodBundle } from "./altered-bundle.ts";
import type { HostileServer } from "./hostile-server.ts";

/** For `expect.poll`. Events of files may be lost, and the server's own poll takes a second. */
export const soon = { timeout: 10_000, interval: 20 };

/** How a file is refused. */
export interface Refusal {
  readonly stage: BundleStatus["stage"];
  readonly error: RegExp;
}

/** The folder of bundles of a running server, and what the server says of it. */
export interface BundleFolder {
  readonly path: string;
  /** The file of `platform`. */
  readonly target: string;
  list(): Promise<readonly BundleStatus[]>;
  statusOf(application: string): Promise<BundleStatus | undefined>;
  /** Makes a file in place of the bundle, and expects it refused and the old one in force. */
  refuses(file: Uint8Array | (() => void), refusal: Refusal): Promise<void>;
  /** Puts the bundle that ships back, and waits until it is in force. */
  restore(): Promise<void>;
}

/** The folder of bundles of `server`. */
export function bundleFolderOf(server: HostileServer): BundleFolder {
  const path = join(server.workspace.folder, "bundles");
  const target = join(path, "platform.tar.gz");
  const list = async () => (await server.control("/bundles")) as BundleStatus[];
  const statusOf = async (name: string) =>
    (await list()).find(({ application }) => application === name);
  return {
    path,
    target,
    list,
    statusOf,
    async refuses(file, { stage, error }) {
      const { lastAttemptAtMs, revision, digest } = (await statusOf("platform"))!;
      if (typeof file === "function") file();
      else writeFileSync(target, file);
      await expect
        .poll(async () => (await statusOf("platform"))!.lastAttemptAtMs, soon)
        .toBeGreaterThan(lastAttemptAtMs);
      const status = (await statusOf("platform"))!;
      expect(status).toMatchObject({ state: "active (update refused)", stage, revision, digest });
      expect(status.error).toMatch(error);
    },
    async restore() {
      writeFileSync(target, goodBundle);
      await expect.poll(async () => (await statusOf("platform"))!.state, soon).toBe("active");
    },
  };
}
