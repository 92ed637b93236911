import { variableOf } from "../base/option-name.ts";
import { configSchema } from "./config.ts";
import { expectation, isOptional, type OptionSchema, shapeOf, snakeCase } from "./option-schema.ts";

const INTRODUCTION = `# Configuration

Postern reads one YAML file (\`postern serve --config <file>\`) and then the environment. Every option
has a default, so that a file says only what differs. \`postern config check --config <file>\` names
everything that is wrong with a file; \`postern config print\` shows what is in force, and from where.

- A \`POSTERN_…\` variable goes before the file. It is named after the option's path: \`cache.ttl_ms\` is
  \`POSTERN_CACHE_TTL_MS\`. A list of texts is written \`a,b\`; other lists and mappings are YAML in one
  line: \`[1, 2]\`, \`{k: v}\`.
- Unknown keys and variables are refused, with the nearest name that exists.
- Relative paths start at the folder in which the process was started.
- \`<name>\` stands for a key of the operator's own.

This page is generated from the schemas that check the configuration.
`;

/** The reference of all options, as Markdown: `docs/configuration.md`. */
export function configReference(): string {
  return [INTRODUCTION, ...Object.entries(sections()).map(section)].join("\n");
}

function sections(): Readonly<Record<string, OptionSchema>> {
  return (configSchema as OptionSchema).properties ?? {};
}

function section([name, schema]: [string, OptionSchema]): string {
  const key = snakeCase(name);
  const about = schema.description === undefined ? "" : `${sentence(schema.description)}\n\n`;
  return `## \`${key}\`\n\n${about}${entries(schema, key).join("\n")}\n`;
}

function entries(schema: OptionSchema, path: string): string[] {
  const shape = shapeOf(schema);
  if (shape.kind === "options") {
    return Object.entries(shape.properties).flatMap(([name, property]) => {
      const inner = `${path}.${snakeCase(name)}`;
      const isGroup = shapeOf(property).kind === "options";
      const fallback = isOptional(schema, name) ? "Not set by default." : defaultOf(property);
      const own = isGroup ? [] : [entry(property, inner, fallback)];
      return [...own, ...entries(property, inner)];
    });
  }
  return shape.kind === "record" ? entries(shape.value, `${path}.<name>`) : [];
}

function defaultOf(schema: OptionSchema): string {
  return schema.default === undefined
    ? "Required."
    : `Default \`${JSON.stringify(schema.default)}\`.`;
}

function entry(schema: OptionSchema, path: string, fallback: string): string {
  const variable = path.includes("<name>") ? "" : ` (\`${variableOf(path)}\`)`;
  const reason = schema.reason === undefined ? "" : ` Why: ${sentence(schema.reason)}`;
  const secret = schema.secret === undefined ? "" : ` ${secrecy(schema)}`;
  const { pattern } = schema;
  const expected = expectation(schema);
  const takes =
    pattern === undefined ? expected : expected.replace(pattern, () => `\`${pattern}\``);
  return [
    `- **\`${path}\`**${variable}: ${sentence(schema.description ?? "")}`,
    `  Takes ${takes}. ${fallback}${secret}${reason}`,
  ].join("\n");
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function secrecy({ secret }: OptionSchema): string {
  return secret === true ? "Never shown." : "Shown without its password.";
}
