import { type Static, Type } from "typebox";
import { applicationPattern } from "../decision/names.ts";
import { shadowOptionsSchema } from "./shadow-options.ts";

const MFA_MAX_AGE_SECONDS = 900;
const ZONE = "UTC";
const TIME_OF_DAY_PATTERN = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";

/** Names of weekdays, as policies see them in `input.context.time.weekday`; Sunday first. */
export const weekdays = [
  "Sunday",
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday",
] as const;

const weekdaySchema = Type.Union([
  Type.Literal(weekdays[0]),
  Type.Literal(weekdays[1]),
  Type.Literal(weekdays[2]),
  Type.Literal(weekdays[3]),
  Type.Literal(weekdays[4]),
  Type.Literal(weekdays[5]),
  Type.Literal(weekdays[6]),
]);

const businessHoursSchema = Type.Object(
  {
    days: Type.Array(weekdaySchema, {
      description: "Weekdays on which business is done, in the application's zone.",
      default: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
      minItems: 1,
      maxItems: 7,
      reason: "The usual working week.",
    }),
    from: Type.String({
      description: "First minute of business, `HH:MM` in the application's zone.",
      default: "09:00",
      pattern: TIME_OF_DAY_PATTERN,
      reason: "As in the example policy that this rule comes from.",
    }),
    to: Type.String({
      description: "First minute after business, `HH:MM`, later than `from`; `24:00` is midnight.",
      default: "17:00",
      pattern: TIME_OF_DAY_PATTERN,
      reason: "As in the example policy that this rule comes from.",
    }),
  },
  {
    additionalProperties: false,
    description: "When the policy lets people act; without it, at any time.",
    reason: "Off unless asked for: a constraint that nobody configured would surprise.",
  },
);

const applicationSchema = Type.Object(
  {
    mfaMaxAgeSeconds: Type.Integer({
      description: "Age in seconds up to which MFA evidence is fresh.",
      default: MFA_MAX_AGE_SECONDS,
      minimum: 1,
      maximum: 86_400,
      reason: "Fifteen minutes: one task, not a working day.",
    }),
    zone: Type.String({
      description: "IANA time zone of `input.context.time` and of business hours.",
      default: ZONE,
      minLength: 1,
      maxLength: 64,
      reason: "The same on every machine.",
    }),
    businessHours: Type.Optional(businessHoursSchema),
    unknownSubjects: Type.Union([Type.Literal("deny"), Type.Literal("default-roles")], {
      description: "What a user has whom the directory does not know: nothing, or default roles.",
      default: "deny",
      reason: "Grants less.",
    }),
  },
  { additionalProperties: false, description: "How one application is decided." },
);

const item = (description: string) =>
  Type.Boolean({ description, default: false, reason: "Trust is given, never assumed." });

const trustSchema = Type.Object(
  {
    identity: item("May ask about any subject, not only about the one its certificate names."),
    mfa: item("Its `context.mfa` counts as MFA evidence."),
    ip: item("Its `context.ip` counts as the subject's address."),
    authentication: item("Its `context.authentication` counts."),
    resource: item("Its resource's properties count."),
    subjectProperties: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
      description: "Names of `subject.properties` that become attributes of `input.user`.",
      default: [],
      maxItems: 64,
      reason: "Attributes come from the directory unless the operator says otherwise.",
    }),
  },
  { additionalProperties: false, description: "What a caller's statements count for." },
);

const nobody = (): Static<typeof trustSchema> => ({
  identity: false,
  mfa: false,
  ip: false,
  authentication: false,
  resource: false,
  subjectProperties: [],
});

const callers = (description: string) =>
  Type.Object(trustSchema.properties, {
    additionalProperties: false,
    description,
    default: nobody(),
    reason: "Trust is given, never assumed.",
  });

/** Which applications there are, how each is decided, and whose statements count. */
export const pipelineOptionsSchema = Type.Object(
  {
    defaultApplication: Type.String({
      description: "Application of a request that names none.",
      default: "platform",
      pattern: applicationPattern,
      reason: "The larger of the two that ship.",
    }),
    applications: Type.Record(Type.String({ pattern: applicationPattern }), applicationSchema, {
      description: "Settings by application; one that is not listed has the defaults.",
      default: {},
      reason: "An application is answerable as soon as its bundle is there.",
    }),
    trust: Type.Object(
      {
        unix: callers("Callers on the unix socket."),
        loopback: callers("Callers on this machine's loopback addresses, and on abstract sockets."),
        network: callers("Callers from elsewhere, whether or not they show a certificate."),
        certificates: Type.Record(Type.String({ minLength: 1, maxLength: 2048 }), trustSchema, {
          description:
            "By subject alternative name (URI or DNS) of a verified certificate, exactly as it " +
            "stands there.",
          default: {},
          reason: "Which workloads may state what is for the operator to say.",
        }),
      },
      {
        additionalProperties: false,
        description: "What callers are trusted for: the sum over their kind and certificate names.",
        default: { unix: nobody(), loopback: nobody(), network: nobody(), certificates: {} },
        reason: "Trust is given, never assumed.",
      },
    ),
    shadow: shadowOptionsSchema,
  },
  { additionalProperties: false, description: "How requests are decided." },
);

/** The options of `pipeline/`, defaults filled. */
export type PipelineOptions = Static<typeof pipelineOptionsSchema>;

/** How one application is decided. */
export type ApplicationOptions = Static<typeof applicationSchema>;

/** What a caller's statements count for. */
export type TrustOptions = Static<typeof trustSchema>;

const defaults: ApplicationOptions = Object.freeze({
  mfaMaxAgeSeconds: MFA_MAX_AGE_SECONDS,
  zone: ZONE,
  unknownSubjects: "deny",
});

/** The settings of `application`; the defaults if the operator has not listed it. */
export function applicationOptions(
  options: PipelineOptions,
  application: string,
): ApplicationOptions {
  const { applications } = options;
  return Object.hasOwn(applications, application) ? applications[application]! : defaults;
}
