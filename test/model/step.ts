import fc from "fast-check";
import { PATTERNS } from "./truth.ts";
import { SIDECARS } from "./world.ts";

/** The subjects of a schedule; the last is unknown until it is given something. */
export const SUBJECTS = ["a", "b", "stranger"] as const;

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

// Most of what goes wrong takes several steps at one place.
const who = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(SIDECARS - 1));
const subject = fc.oneof(
  { weight: 2, arbitrary: fc.constant("a" as const) },
  fc.constantFrom(...SUBJECTS),
);
/** Who makes a change: a sidecar's own process, or one that dies before it can announce it. */
const by = fc.oneof(who, fc.constant("outsider" as const));

const ask = fc.record({
  kind: fc.constant("ask"),
  who,
  subject,
  wants: fc.constantFrom("any", "any", "any", "newest", "bypass"),
});

const edit = fc.oneof(
  fc.record({
    does: fc.constant("grant"),
    pattern: fc.constantFrom(...PATTERNS),
    /** Seconds until it ends; 0 = never. */
    forSeconds: fc.constantFrom(0, 0, 3, 20),
  }),
  fc.record({ does: fc.constant("revoke"), pattern: fc.constantFrom(...PATTERNS) }),
  fc.record({ does: fc.constant("disable"), isDisabled: fc.boolean() }),
  fc.record({ does: fc.constant("join"), hasRole: fc.boolean() }),
  fc.record({ does: fc.constant("editRole"), gives: fc.boolean() }),
  // Whatever it was, it is something else then.
  fc.record({ does: fc.constant("toggle"), pattern: fc.constantFrom(...PATTERNS) }),
);

const change = fc.record({ kind: fc.constant("change"), by, subject, edit });

const gate = fc.constantFrom("read", "question", "reply");

/** A change that comes while an answer is held up somewhere: before, beside and after it is heard of. */
const race = fc.record({
  kind: fc.constant("race"),
  who,
  subject,
  gate,
  by,
  pattern: fc.constantFrom(...PATTERNS),
  /** How long nobody has looked before: what is remembered is aged then, in one tier or both. */
  beforeMs: fc.constantFrom(0, 5_100, 35_100),
  wants: fc.constantFrom("any", "bypass"),
  hears: fc.constantFrom("look", "ring", "nothing"),
  meanwhile: fc.constantFrom("nothing", "any", "newest", "bypass"),
  heldMs: fc.constantFrom(0, 0, 1_500, 29_000, 31_000),
});

/** A change that is published, and asked about where nobody was told for too long. */
const late = fc.record({
  kind: fc.constant("late"),
  who,
  subject,
  by,
  pattern: fc.constantFrom(...PATTERNS),
  stallMs: fc.constantFrom(2_900, 3_100, 4_900),
});

const time = fc.oneof(
  // Time passes, and nobody looks.
  fc.record({
    kind: fc.constant("wait"),
    ms: fc.constantFrom(100, SECOND_MS, 2_900, 4_900, 5_100, 29_900, 35_100),
  }),
  // Timers are late too, as in a process that was stopped.
  fc.record({ kind: fc.constant("stall"), ms: fc.constantFrom(1_000, 3_100, 4_900) }),
  fc.record({ kind: fc.constant("live"), seconds: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    kind: fc.constant("stepWall"),
    ms: fc.constantFrom(HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS, 4 * SECOND_MS, -4 * SECOND_MS),
  }),
  fc.record({ kind: fc.constant("stepRedis"), ms: fc.constantFrom(-HOUR_MS, HOUR_MS, -900) }),
);

const hearing = fc.oneof(
  fc.record({ kind: fc.constant("look"), who }),
  fc.record({ kind: fc.constant("ring"), who }),
);

const holding = fc.record({
  kind: fc.constant("gate"),
  who,
  gate,
  isShut: fc.boolean(),
});

const away = fc.record({ kind: fc.constant("directory"), who, isAway: fc.boolean() });

const network = fc.record({
  kind: fc.constant("network"),
  who,
  fault: fc.constantFrom("none", "none", "blackHole", "losesReplies", "holds", "reset", "halfOpen"),
});

const redis = fc.record({
  kind: fc.constant("redis"),
  does: fc.constantFrom("flush", "restart", "trim", "copy", "copy", "putBack", "putBack", "evict"),
});

const forgery = fc.record({
  kind: fc.constant("forge"),
  what: fc.constantFrom("head", "entry", "entryAhead", "set", "freshSets", "moveSet", "floor"),
});

const replace = fc.record({ kind: fc.constant("replace"), who });

/** What may happen next. */
export const step = fc.oneof(
  { weight: 30, arbitrary: ask },
  { weight: 14, arbitrary: change },
  { weight: 12, arbitrary: time },
  { weight: 10, arbitrary: hearing },
  { weight: 10, arbitrary: holding },
  { weight: 4, arbitrary: away },
  { weight: 6, arbitrary: network },
  { weight: 5, arbitrary: redis },
  { weight: 3, arbitrary: forgery },
  { weight: 2, arbitrary: replace },
  { weight: 12, arbitrary: race },
  { weight: 4, arbitrary: late },
);

/** One thing that happens. */
export type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** One kind of step. */
export type StepOf<Kind extends Step["kind"]> = Extract<Step, { kind: Kind }>;
