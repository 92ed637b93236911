import type { Config } from "./config/config.ts";
import type { Directory } from "./directory/directory.ts";
import { type DirectoryDeps, openDirectory } from "./directory/open-directory.ts";
import { applicationOptions } from "./pipeline/options.ts";

/** What a directory needs besides the configuration. */
export interface ConfiguredDirectoryDeps
  extends Omit<DirectoryDeps, "options" | "unknownSubjects"> {
  readonly config: Config;
}

/** Opens the directory that the configuration names, for the server and for commands alike. */
export function openConfiguredDirectory(deps: ConfiguredDirectoryDeps): Promise<Directory> {
  const { config, ...rest } = deps;
  return openDirectory({
    ...rest,
    options: config.directory,
    unknownSubjects: (application) =>
      applicationOptions(config.pipeline, application).unknownSubjects,
  });
}
