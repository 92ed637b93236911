import { isScalar, parseDocument, Scalar, type YAMLMap, YAMLSeq } from "yaml";
import { nearest } from "../base/nearest.ts";
import { variableOf } from "../base/option-name.ts";
import type { ConfigProblem } from "./config-error.ts";
import { type OptionSchema, shapeOf, snakeCase } from "./option-schema.ts";

const PREFIX = "POSTERN_";

/** A value that an environment variable gives to an option. */
export interface Override {
  readonly variable: string;
  readonly node: Scalar | YAMLMap | YAMLSeq;
}

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says. */
export interface EnvironmentReading {
  /** By the option's path. */
  readonly overrides: ReadonlyMap<string, Override>;
  readonly problems: readonly ConfigProblem[];
}

/** Reads the `POSTERN_…` variables: `grpc.port` is `POSTERN_GRPC_PORT`. */
export function readEnvironment(schema: OptionSchema, env: Environment): EnvironmentReading {
  const options = optionsByVariable(schema);
  const overrides = new Map<string, Override>();
  const problems: ConfigProblem[] = [];
  const refuse = (at: string, message: string) => problems.push({ at, path: "", message });

  for (const variable of Object.keys(env).filter((name) => name.startsWith(PREFIX))) {
    const text = env[variable] ?? "";
    const [option, ...others] = options.get(variable) ?? [];
    if (option === undefined) {
      if (!isServiceLink(variable, text)) refuse(variable, unknownVariable(variable, options));
      continue;
    }
    if (others.length > 0) {
      const paths = [option, ...others].map(({ path }) => path).join(" and ");
      refuse(variable, `stands for ${paths} alike; set the option in the file`);
      continue;
    }
    const node = nodeFor(option.schema, text);
    if (typeof node === "string") refuse(variable, node);
    else overrides.set(option.path, { variable, node });
  }
  return { overrides, problems };
}

interface Option {
  readonly path: string;
  readonly schema: OptionSchema;
}

/** The options that each variable may stand for: single values, lists and records as a whole. */
export function optionsByVariable(schema: OptionSchema): Map<string, Option[]> {
  const found = new Map<string, Option[]>();
  const visit = (option: Option): void => {
    const shape = shapeOf(option.schema);
    if (shape.kind === "options") {
      for (const [name, property] of Object.entries(shape.properties)) {
        const key = snakeCase(name);
        visit({ path: option.path === "" ? key : `${option.path}.${key}`, schema: property });
      }
      return;
    }
    const variable = variableOf(option.path);
    found.set(variable, [...(found.get(variable) ?? []), option]);
  };
  visit({ path: "", schema });
  return found;
}

function unknownVariable(variable: string, options: ReadonlyMap<string, unknown>): string {
  const near = nearest(variable, options.keys());
  return `no such option${near === undefined ? "" : `; did you mean ${near}?`}`;
}

/**
 * Kubernetes sets such variables in every pod of a namespace that has a Service called `postern…`
 * (“Discovering services”, environment variables); they are not meant for this program.
 */
function isServiceLink(variable: string, text: string): boolean {
  return (
    /^POSTERN_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$/.test(
      variable,
    ) || /^(tcp|udp|sctp):\/\//.test(text)
  );
}

/**
 * Text takes the variable as it is, and a list of texts may be written `a,b`. Everything else is
 * YAML, so that `[a, b]` is a list and `{k: v}` a mapping.
 */
function nodeFor(schema: OptionSchema, text: string): Override["node"] | string {
  if (schema.type === "string") return new Scalar(text);
  if (schema.items?.type === "string" && !/^\s*\[.*\]\s*$/s.test(text)) return listOf(text);
  const document = parseDocument(text, { logLevel: "error", uniqueKeys: false });
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) return `not readable as YAML: ${error.message.split("\n")[0]}`;
  const { contents } = document;
  if (contents === null) return new Scalar(null);
  return isScalar(contents) ? contents : (contents as YAMLMap | YAMLSeq);
}

function listOf(text: string): YAMLSeq {
  const items = text.split(",").map((item) => item.trim());
  const list = new YAMLSeq();
  list.items = items.filter((item) => item !== "").map((item) => new Scalar(item));
  return list;
}
