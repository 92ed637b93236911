import { systemClock } from "./base/clock.ts";
import { silentHealth } from "./base/health.ts";
import { silentLogger } from "./base/logger.ts";
import { silentMeter } from "./base/meter.ts";
import type { Config } from "./config/config.ts";
import { openConfiguredDirectory } from "./configured-directory.ts";
import type { Directory, DirectoryChange } from "./directory/directory.ts";
import { type SharedChanges, shareChanges } from "./shared-changes.ts";

/** What a directory that is changed outside of a server takes. */
export interface AnnouncingDirectoryDeps {
  readonly config: Config;
  /** Told why a change could not be announced; sidecars find it at their next look. */
  readonly unannounced: (why: string) => void;
}

/** For commands, which say themselves what went wrong. */
const parts = {
  clock: systemClock,
  logger: silentLogger,
  meter: silentMeter,
  health: silentHealth,
};

/**
 * Opens the directory that the configuration names, so that each change is announced through Redis,
 * where one is configured, before `apply` answers. Redis can't keep a change from being made.
 */
export async function openAnnouncingDirectory(deps: AnnouncingDirectoryDeps): Promise<Directory> {
  const { config, unannounced } = deps;
  const directory = await openConfiguredDirectory({ ...parts, config });
  const options = config.cache.redis;
  if (options === undefined) return directory;
  const committed: DirectoryChange[] = [];
  const unwatch = directory.watch((change) => committed.push(change));
  let shared: Promise<SharedChanges | Error> | undefined;
  const connect = () =>
    shareChanges({ ...parts, options, directory, listener: () => {} }).catch(
      (error: unknown) => error as Error,
    );

  async function announce(): Promise<void> {
    const changes = await shared;
    if (changes instanceof Error) return unannounced(changes.message);
    for (const change of committed.splice(0)) {
      if (await changes?.announcements.announce(change)) continue;
      return unannounced(`Redis at ${changes?.connection.where} can't be used.`);
    }
  }

  return {
    ...directory,
    async apply(file, applyOptions) {
      if (!applyOptions.dryRun) shared ??= connect();
      const plan = await directory.apply(file, applyOptions);
      if (committed.length > 0) await announce();
      return plan;
    },
    async close() {
      unwatch();
      const changes = await shared;
      if (changes !== undefined && !(changes instanceof Error)) changes.close();
      await directory.close();
    },
  };
}
