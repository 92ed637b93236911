import { type Static, Type } from "typebox";
import { applicationPattern } from "../../decision/names.ts";

const sourceSchema = (description: string, reason: string) =>
  Type.String({ description, minLength: 1, maxLength: 512, reason });

const VOUCHED_SOURCES =
  "`header/<name>`, `metadata/<namespace>/<member>`, `principal`, or `xfcc/` and `uri`, `dns`, " +
  "`subject` or `hash`";
const SOURCES = `\`path/<parameter>\`, \`body/<member>\`, ${VOUCHED_SOURCES}`;

const subjectSchema = Type.Object(
  {
    from: sourceSchema(
      `Where its id stands: ${VOUCHED_SOURCES}.`,
      "Whoever verifies it says where.",
    ),
    type: Type.Union([Type.Literal("user"), Type.Literal("service")], {
      description: "What it is.",
      default: "user",
      reason: "People come through a browser; services by their certificates.",
    }),
  },
  { additionalProperties: false, description: "A place where the subject may stand." },
);

const routeSchema = Type.Object(
  {
    route: Type.String({
      description: "Method and path: `GET /agents/{id}`, `* /files/**`.",
      minLength: 3,
      maxLength: 2_048,
      reason: "The more specific route wins, wherever it stands.",
    }),
    permission: Type.String({
      description: "What the subject must have: `agent:read`.",
      minLength: 3,
      maxLength: 127,
      reason: "A route without one is not in the table, and so denied.",
    }),
    resource: Type.Record(
      Type.String({ pattern: "^[a-z][a-z0-9_]{0,62}$" }),
      sourceSchema(`Where the property stands: ${SOURCES}.`, "The policy compares it."),
      {
        description: "Properties of the resource: `id`, `owner`, `classification`, …",
        default: {},
        reason: "None: the question is about the resource's type.",
      },
    ),
    dryRun: Type.Optional(
      Type.Boolean({
        description: "Whether the route is in dry run; `ext_authz.dry_run` unless it says so.",
        reason: "Routes are tried out one by one, and put in force one by one.",
      }),
    ),
  },
  { additionalProperties: false, description: "A route, and what it takes to pass." },
);

const aboutSubject = {
  description: "Where the subject's id stands; the first place that has one counts.",
  maxItems: 16,
};

const mfaVerifiedAtSchema = Type.Optional(
  sourceSchema(
    `Where it stands when the subject last showed MFA evidence: ${VOUCHED_SOURCES}; RFC 3339, or ` +
      "seconds since the epoch.",
    "Without it, nobody has shown any.",
  ),
);

const mfaClaimSchema = Type.Optional(
  Type.Object(
    {
      from: sourceSchema(
        `Where it stands, a text or a list of texts: ${VOUCHED_SOURCES}.`,
        "`amr` of a token says how the subject has shown who it is (RFC 8176); `acr`, how well.",
      ),
      values: Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
        description: "One of these must be there: `mfa`.",
        minItems: 1,
        maxItems: 64,
        reason: "What stands for MFA is for whoever issues the tokens to say.",
      }),
    },
    {
      additionalProperties: false,
      description: "What must be said beside `mfa_verified_at`, so that it counts.",
      reason: "Without it, the time alone counts: `auth_time` is one of a password, too.",
    },
  ),
);

const clientAddressSchema = Type.Optional(
  sourceSchema(
    `Where the client's address stands, for grants that hold in a network alone: ${VOUCHED_SOURCES}.`,
    "The other end of Envoy's connection; behind a load balancer that is the balancer.",
  ),
);

const aboutRoutes = {
  description: "The table of routes; what is not in it is denied, `unmapped_route`.",
  maxItems: 10_000,
};

const rbacSchema = Type.Object(
  {
    application: Type.String({
      description:
        "Application that has the permissions, unless the route's `context_extensions` name another in " +
        "`postern.application`.",
      default: "platform",
      pattern: applicationPattern,
      reason: "The application that ships with roles.",
    }),
    routesFile: Type.Optional(
      Type.String({
        description:
          "Path of a YAML file with `subject`, `mfa_verified_at`, `mfa_claim`, `client_address` and " +
          "`routes`, which must not stand here then. It is read again when it changes; a broken one " +
          "leaves what is in force.",
        minLength: 1,
        maxLength: 4_096,
        reason: "A short table is easier to read where the rest stands.",
      }),
    ),
    subject: Type.Array(subjectSchema, {
      ...aboutSubject,
      default: [],
      reason: "Nobody, so that everybody is denied, until it is said who vouches for whom.",
    }),
    mfaVerifiedAt: mfaVerifiedAtSchema,
    mfaClaim: mfaClaimSchema,
    clientAddress: clientAddressSchema,
    routes: Type.Array(routeSchema, {
      ...aboutRoutes,
      default: [],
      reason: "A route that was forgotten must not be open.",
    }),
  },
  {
    additionalProperties: false,
    description: "How a request becomes a question about a permission.",
  },
);

/**
 * The form of a file that holds the table of routes, and who is asked about. Nothing that it must say
 * has a default, so that a file which is cut off is not taken for one that says little.
 */
export const routesFileSchema = Type.Object(
  {
    subject: Type.Array(subjectSchema, aboutSubject),
    mfaVerifiedAt: mfaVerifiedAtSchema,
    mfaClaim: mfaClaimSchema,
    clientAddress: clientAddressSchema,
    routes: Type.Array(routeSchema, aboutRoutes),
  },
  { additionalProperties: false },
);

/** How Envoy's `ext_authz` is answered. */
export const extAuthzOptionsSchema = Type.Object(
  {
    decide: Type.Union([Type.Literal("rego"), Type.Literal("rbac"), Type.Literal("both")], {
      description:
        "Who answers, unless the route's `context_extensions` say otherwise in `postern.decide`: " +
        "`rego`, a policy for Envoy; `rbac`, the permissions of the subject by the table of routes; " +
        "`both`, a policy that may take away what the permissions allow.",
      default: "rego",
      reason: "As OPA's Envoy plugin.",
    }),
    application: Type.String({
      description:
        "Application whose policy answers, unless the route's `context_extensions` name another " +
        "in `postern.application`.",
      default: "envoy",
      pattern: applicationPattern,
      reason: "What `bundles/envoy.tar.gz` is called.",
    }),
    path: Type.String({
      description:
        "Path of the document that answers, unless the route's `context_extensions` name another in " +
        "`postern.path`: an entrypoint of the bundle, or something below one.",
      default: "envoy/authz/allow",
      minLength: 1,
      maxLength: 512,
      reason: "The default of OPA's Envoy plugin.",
    }),
    dryRun: Type.Boolean({
      description:
        "Whether what is denied passes all the same, counted and logged, unless the table's route " +
        "says otherwise in `dry_run`, or the route's `context_extensions` in `postern.dry_run`.",
      default: false,
      reason: "A decision that nobody heeds protects nothing.",
    }),
    body: Type.Union([Type.Literal("strict"), Type.Literal("lenient"), Type.Literal("unparsed")], {
      description:
        "What becomes of a request's body that Envoy forwards: `strict` parses it, and denies a " +
        "request with a malformed one; `lenient` lets the policy decide, with `parsed_body` null and " +
        "`malformed_body` true; `unparsed` leaves `parsed_body` out.",
      default: "strict",
      reason: "As OPA's Envoy plugin; a body that two readers read differently hides something.",
    }),
    protoDescriptor: Type.Optional(
      Type.String({
        description:
          "Path of a protoset (`protoc --descriptor_set_out`, `buf build -o x.binpb`), with which " +
          "bodies of gRPC calls are parsed.",
        minLength: 1,
        maxLength: 4_096,
        reason: "Without one, nobody knows what the bytes mean.",
      }),
    ),
    rbac: rbacSchema,
  },
  { additionalProperties: false, description: "The door for Envoy." },
);

/** Options of the table of routes. */
export type RbacOptions = Static<typeof rbacSchema>;

/** One route. */
export type RouteOptions = RbacOptions["routes"][number];

/** What a file of routes says. */
export type RoutesFileOptions = Static<typeof routesFileSchema>;

/** Options of the door for Envoy. */
export type ExtAuthzOptions = Static<typeof extAuthzOptionsSchema>;
