import { type Static, Type } from "typebox";

const remove = Type.Optional(
  Type.Boolean({ description: "true takes the entry away; a system role or mapping is reset" }),
);
const names = (description: string) =>
  Type.Optional(Type.Array(Type.String(), { description, maxItems: 10_000 }));

/** Text for people. PostgreSQL stores every character but one. */
const text = (maxLength: number) =>
  Type.Optional(Type.String({ maxLength, pattern: "^[^\\u0000]*$" }));

/** One subject. The entry says everything about it: what it leaves out, the subject has not. */
export const subjectEntrySchema = Type.Object(
  {
    id: Type.String({ description: "1 to 256 bytes" }),
    type: Type.Optional(Type.Enum(["user", "service"], { description: "user unless given" })),
    disabled: Type.Optional(Type.Boolean({ description: "true: everything is denied" })),
    attributes: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "what policies see, by name" }),
    ),
    groups: names("groups of the identity provider that the subject is in"),
    remove,
  },
  { additionalProperties: false },
);

/** What a role demands (`mfa`, `ipWhitelist`, `authentication`); any other name is a limit. */
const restrictionsSchema = Type.Object(
  {
    mfa: Type.Optional(Type.Enum(["required", "recommended", "optional", "n/a"])),
    ipWhitelist: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 1_000 })),
    authentication: Type.Optional(Type.Enum(["mtls"])),
  },
  {
    additionalProperties: Type.Unknown(),
    maxProperties: 64,
  },
);

/** One role. What the entry of a system role leaves out stays as its catalogue says. */
export const roleEntrySchema = Type.Object(
  {
    name: Type.String({ description: "a letter, then letters, digits, _ . -; at most 63" }),
    description: text(1_000),
    assignment: Type.Optional(
      Type.Enum(["manual", "group", "default"], {
        description:
          "manual: by hand only; group: by groups too; default: every user has it; group unless given",
      }),
    ),
    permissions: names("patterns, e.g. agent:read, agent:*"),
    inheritsFrom: names("roles whose permissions this one has too"),
    restrictions: Type.Optional(restrictionsSchema),
    remove,
  },
  { additionalProperties: false },
);

/** What the members of a group get. Replaces the catalogue's mapping of the same group. */
export const mappingEntrySchema = Type.Object(
  {
    group: Type.String({ description: "1 to 256 bytes" }),
    roles: names("roles that members get"),
    permissions: names("patterns that members get besides"),
    remove,
  },
  { additionalProperties: false },
);

/** Roles and permissions given to one subject, all under the same terms. */
export const assignmentEntrySchema = Type.Object(
  {
    subject: Type.String({ description: "id of a subject" }),
    roles: names("roles the subject gets"),
    permissions: names("patterns the subject gets directly"),
    expiresAt: Type.Optional(Type.String({ description: "RFC 3339, e.g. 2027-01-01T00:00:00Z" })),
    scope: Type.Optional(
      Type.Record(Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: 1_000 }), {
        description: "resource property → accepted values, `*` at the end only",
        maxProperties: 32,
      }),
    ),
    grantedBy: text(256),
    reason: text(1_000),
    remove,
  },
  { additionalProperties: false },
);

/** What one application's part of a file may have. */
export const applicationEntrySchema = Type.Object(
  {
    roles: Type.Optional(Type.Array(Type.Unknown())),
    groupMappings: Type.Optional(Type.Array(Type.Unknown())),
    assignments: Type.Optional(Type.Array(Type.Unknown())),
  },
  { additionalProperties: false },
);

/** The outline of a directory file; its entries are checked one by one, for better messages. */
export const directoryFileSchema = Type.Object(
  {
    subjects: Type.Optional(Type.Array(Type.Unknown())),
    applications: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
);

export type SubjectEntry = Static<typeof subjectEntrySchema>;
export type RoleEntry = Static<typeof roleEntrySchema>;
export type MappingEntry = Static<typeof mappingEntrySchema>;
export type AssignmentEntry = Static<typeof assignmentEntrySchema>;

/** One application's part of a directory file. */
export interface ApplicationEntry {
  readonly roles?: readonly RoleEntry[];
  readonly groupMappings?: readonly MappingEntry[];
  readonly assignments?: readonly AssignmentEntry[];
}

/** What `apply` takes and `show` gives. Absent lists are empty. */
export interface DirectoryFile {
  readonly subjects?: readonly SubjectEntry[];
  readonly applications?: Readonly<Record<string, ApplicationEntry>>;
}
