import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import { parse } from "yaml";
import { projectRoot } from "../support/source-files.ts";

const closed = { additionalProperties: false } as const;
const free = Type.Record(Type.String(), Type.Unknown());

/** A `CheckRequest` in the proto's JSON mapping with its own field names. */
const requestSchema = Type.Object(
  {
    application: Type.Optional(Type.String()),
    subject: Type.Optional(free),
    action: Type.Optional(free),
    resource: Type.Optional(free),
    context: Type.Optional(free),
    consistency: Type.Optional(free),
  },
  closed,
);

/** What is left out is `false`, or none; but a grant is compared only where it is stated. */
const decisionSchema = Type.Object(
  {
    allowed: Type.Boolean(),
    reason: Type.String(),
    mfa_required: Type.Optional(Type.Boolean()),
    obligations: Type.Optional(
      Type.Array(Type.Object({ type: Type.String(), properties: free }, closed)),
    ),
    grant: Type.Optional(
      Type.Object({ pattern: Type.String(), path: Type.Array(Type.String()) }, closed),
    ),
  },
  closed,
);

const errorSchema = Type.Object(
  { error: Type.Object({ code: Type.String(), field: Type.String() }, closed) },
  closed,
);

const trustItem = Type.Optional(Type.Boolean());

/** A golden case: a world, and what is asked in it. */
const caseSchema = Type.Object(
  {
    description: Type.String({ minLength: 1 }),
    /** The application of requests that name none; the configured default, `platform`, if absent. */
    application: Type.Optional(Type.String()),
    /** Where the clock stands at first; 2026-01-05T10:00:00Z, a Monday, unless given. */
    clock: Type.Optional(Type.String()),
    /** By application: a policy of `fixturePolicies` in place of the shipped bundle. */
    policies: Type.Optional(Type.Record(Type.String(), Type.String())),
    /** By application: options of `pipeline/`, where they differ from the defaults. */
    settings: Type.Optional(Type.Record(Type.String(), free)),
    /** What the caller is trusted for; everything but subject properties unless given. */
    trust: Type.Optional(
      Type.Object(
        {
          identity: trustItem,
          mfa: trustItem,
          ip: trustItem,
          authentication: trustItem,
          resource: trustItem,
          subjectProperties: Type.Optional(Type.Array(Type.String())),
        },
        closed,
      ),
    ),
    /** As `directory apply` takes it; the example directory unless given. */
    directory: Type.Optional(free),
    checks: Type.Optional(
      Type.Array(
        Type.Object(
          {
            note: Type.Optional(Type.String()),
            /** Moves the clock forward to this instant first. */
            at: Type.Optional(Type.String()),
            request: requestSchema,
            expect: Type.Union([decisionSchema, errorSchema]),
          },
          closed,
        ),
        { minItems: 1 },
      ),
    ),
    /** The request is asked for every permission of the catalogue; exactly these are allowed. */
    sweeps: Type.Optional(
      Type.Array(
        Type.Object(
          {
            note: Type.Optional(Type.String()),
            request: requestSchema,
            allowed: Type.Union([Type.Literal("*"), Type.Array(Type.String())]),
          },
          closed,
        ),
        { minItems: 1 },
      ),
    ),
  },
  closed,
);

export type GoldenCase = Static<typeof caseSchema>;
export type CaseRequest = Static<typeof requestSchema>;
export type ExpectedDecision = Static<typeof decisionSchema>;
export type ExpectedError = Static<typeof errorSchema>;

/** What a door answered, in the proto's JSON mapping, or the error it gave. */
export type Answer = ExpectedError | Readonly<Record<string, unknown>>;

const validator = Compile(caseSchema);

/** The folder of the cases. */
export const casesFolder = join(projectRoot, "test/cases");

/** The names of all cases: those of their files. */
export function caseNames(): readonly string[] {
  return readdirSync(casesFolder)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => name.slice(0, -".yaml".length))
    .sort();
}

/** Reads one case. Throws for one that is misspelt, since it would test nothing. */
export function readCase(name: string): GoldenCase {
  const content: unknown = parse(readFileSync(join(casesFolder, `${name}.yaml`), "utf8"), {
    merge: true,
  });
  if (!validator.Check(content)) {
    const [first] = validator.Errors(content);
    throw new Error(`${name}: ${first?.instancePath} ${first?.message}`);
  }
  if (content.checks === undefined && content.sweeps === undefined) {
    throw new Error(`${name}: it asks nothing`);
  }
  return content;
}
