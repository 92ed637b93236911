import { KiB } from "../base/sizes.ts";
import { type Config, configSchema } from "./config.ts";
import type { ConfigProblem } from "./config-error.ts";
import { findContradictions } from "./contradictions.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import type { Origins } from "./read-options.ts";
import { deepFreeze, readOptionsFile, readOptionsText, refuseIfAny } from "./yaml-options.ts";

const FILE_BYTES_MAX = 256 * KiB;

/** Where the configuration comes from. */
export interface ConfigSources {
  /** YAML file; `undefined` = the defaults alone. */
  readonly file: string | undefined;
  /** The process's own environment unless given. */
  readonly env?: Environment;
}

/** A configuration, and where each of its values comes from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly origins: Origins;
}

/** Loads the configuration; throws `ConfigError` with everything that is wrong with it. */
export function loadConfig({ file, env = process.env }: ConfigSources): LoadedConfig {
  const text = file === undefined ? "" : readOptionsFile(file, FILE_BYTES_MAX);
  return parseConfig({ text, fileName: file ?? "defaults", env });
}

/** The same from a text. */
export function parseConfig(source: {
  readonly text: string;
  readonly fileName: string;
  readonly env: Environment;
}): LoadedConfig {
  const { text, fileName, env } = source;
  const environment = readEnvironment(configSchema, env);
  const { overrides } = environment;
  const { value, origins, problems } = readOptionsText(configSchema, { text, fileName, overrides });
  refuseIfAny([...problems, ...environment.problems]);

  const config = deepFreeze(value as Config);
  const contradictions = findContradictions(config).map(({ path, message }): ConfigProblem => {
    const origin = origins.get(path) ?? "default";
    return { at: origin === "default" ? fileName : origin, path, message };
  });
  refuseIfAny(contradictions);
  return { config, origins };
}
