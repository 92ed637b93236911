import { isReadPath, READ_PATHS_MAX } from "./manifest.ts";
import {
  blocksOf,
  listOf,
  numberOf,
  operandOf,
  type Plan,
  type PlannedBlock,
  type PlannedCode,
  type PlannedStatement,
  readPlan,
  stringOf,
  UnknownPlan,
} from "./plan.ts";

/**
 * Which parts of `input` a policy can read, by its plan: sorted paths of one to eight members
 * (`action`, `context.time.hour`), each with everything below it. `undefined` = anything, which is
 * also the answer to anything unknown in the plan, and to plans for other entrypoints than these.
 *
 * OPA compiles the WebAssembly from this same plan, so what no statement reaches can't influence
 * the result. The statements are followed in their order, and of each local it is known which
 * parts of the input it may be:
 *
 * - Looking up a constant member leads to that part. It also reads whether the part is there; so
 *   whoever leaves out members must keep the object that had them, and what isn't an object whole.
 * - Copies, arguments and `with input as …` pass on which part it is.
 * - Everything else reads a part wholly: comparing it, iterating over it, giving it to a built-in,
 *   putting it into a collection, returning it from a rule, looking up a member whose name isn't
 *   constant. So what comes out of a collection or a call has been read before.
 * - A block may end at any statement, and a loop may run again: afterwards holds whatever may have
 *   held before or within.
 */
export function inputReads(
  planText: string,
  entrypoints: readonly string[],
): readonly string[] | undefined {
  try {
    const plan = readPlan(planText);
    const planned = plan.entries.map(({ name }) => name).sort();
    if (planned.join("\n") !== [...entrypoints].sort().join("\n")) return undefined;
    return leastPaths(analyse(plan));
  } catch (error) {
    if (error instanceof UnknownPlan) return undefined;
    throw error;
  }
}

/** `""` is the whole input; otherwise names of members with dots between them. */
type Path = string;
type Paths = ReadonlySet<Path>;
/** Which parts of the input each local may be; one that isn't there is none of them. */
type Locals = Map<number, Paths>;

/** What is known so far; it only grows. */
interface Analysis {
  readonly plan: Plan;
  /** Parts of which the presence is read. */
  readonly touched: Set<Path>;
  /** Parts that are read with everything in them. */
  readonly whole: Set<Path>;
  /** What the parameters of each function may be. */
  readonly params: Map<PlannedCode, Locals>;
}

const wholeInput: Paths = new Set([""]);
const nothing: Paths = new Set();

/** Statements that read locals, set one, and do nothing else: the fields that say which. */
const PLAIN: Readonly<Record<string, { reads?: readonly string[]; sets?: string }>> = {
  ArrayAppendStmt: { reads: ["value"] },
  AssignIntStmt: { sets: "target" },
  // Compares with what is there already: both may be parts of the input, and differ within.
  AssignVarOnceStmt: { reads: ["source", "target"], sets: "target" },
  BreakStmt: {},
  EqualStmt: { reads: ["a", "b"] },
  IsArrayStmt: {},
  IsDefinedStmt: {},
  IsObjectStmt: {},
  IsSetStmt: {},
  IsUndefinedStmt: {},
  LenStmt: { reads: ["source"], sets: "target" },
  MakeArrayStmt: { sets: "target" },
  MakeNullStmt: { sets: "target" },
  MakeNumberIntStmt: { sets: "target" },
  MakeNumberRefStmt: { sets: "target" },
  MakeObjectStmt: { sets: "target" },
  MakeSetStmt: { sets: "target" },
  NopStmt: {},
  NotEqualStmt: { reads: ["a", "b"] },
  ObjectInsertOnceStmt: { reads: ["key", "value"] },
  ObjectInsertStmt: { reads: ["key", "value"] },
  ObjectMergeStmt: { reads: ["a", "b"], sets: "target" },
  ResetLocalStmt: { sets: "target" },
  ResultSetAddStmt: { reads: ["value"] },
  ReturnLocalStmt: { reads: ["source"] },
  SetAddStmt: { reads: ["value"] },
};

/** Goes over all code until no call passes on anything new. */
function analyse(plan: Plan): Analysis {
  const analysis: Analysis = { plan, touched: new Set(), whole: new Set(), params: new Map() };
  const { params } = analysis;
  for (const code of plan.functions.values()) params.set(code, new Map());
  const size = (): number => [...params.values()].reduce((sum, one) => sum + sizeOf(one), 0);
  let before: number;
  do {
    before = size();
    for (const { blocks } of plan.entries) follow(analysis, blocks, new Map([[0, wholeInput]]));
    for (const [{ blocks }, locals] of params) follow(analysis, blocks, locals);
  } while (size() > before);
  return analysis;
}

/** Follows blocks that run one after the other; gives what may hold afterwards. */
function follow(analysis: Analysis, blocks: readonly PlannedBlock[], before: Locals): Locals {
  const after: Locals = new Map(before);
  for (const block of blocks) {
    const locals: Locals = new Map(after);
    for (const statement of block) {
      for (const [local, paths] of step(analysis, statement, locals)) {
        locals.set(local, paths);
        join(after, local, paths);
      }
    }
  }
  return after;
}

/** What a statement makes of locals. */
function step(analysis: Analysis, { kind, fields }: PlannedStatement, locals: Locals): Locals {
  const plain = Object.hasOwn(PLAIN, kind) ? PLAIN[kind] : undefined;
  if (plain !== undefined) {
    for (const field of plain.reads ?? []) readWhole(analysis, fields[field], locals);
    return plain.sets === undefined ? new Map() : setting(fields[plain.sets], nothing);
  }
  switch (kind) {
    case "AssignVarStmt":
      return setting(fields["target"], pathsOf(analysis, fields["source"], locals));
    case "BlockStmt":
      return follow(analysis, blocksOf(listOf(fields["blocks"])), locals);
    case "CallDynamicStmt":
      return callDynamic(analysis, fields, locals);
    case "CallStmt":
      return call(analysis, fields, locals);
    case "DotStmt":
      return setting(fields["target"], lookUp(analysis, fields, locals));
    case "NotStmt":
      return follow(analysis, blocksOf(fields["block"]), locals);
    case "ScanStmt":
      return scan(analysis, fields, locals);
    case "WithStmt":
      return replace(analysis, fields, locals);
    default:
      throw new UnknownPlan(kind);
  }
}

type Fields = PlannedStatement["fields"];

function lookUp(analysis: Analysis, fields: Fields, locals: Locals): Paths {
  const { touched, whole } = analysis;
  const key = operandOf(fields["key"], analysis.plan);
  readWhole(analysis, fields["key"], locals);
  const found = new Set<Path>();
  for (const path of pathsOf(analysis, fields["source"], locals)) {
    const member = "constant" in key ? memberOf(path, key.constant) : undefined;
    if (member === undefined) whole.add(path);
    else found.add(member);
  }
  for (const member of found) touched.add(member);
  return found;
}

/** `undefined` for a member that no path can name. */
function memberOf(path: Path, name: string | undefined): Path | undefined {
  if (name === undefined) return undefined;
  const member = path === "" ? name : `${path}.${name}`;
  return isReadPath(member) && parentOf(member) === path ? member : undefined;
}

function call(analysis: Analysis, fields: Fields, locals: Locals): Locals {
  const name = stringOf(fields["func"]);
  const args = listOf(fields["args"]).map((arg) => pathsOf(analysis, arg, locals));
  const code = analysis.plan.functions.get(name);
  if (code !== undefined) {
    passOn(analysis, code, args);
  } else if (analysis.plan.builtins.has(name)) {
    for (const path of args.flatMap((paths) => [...paths])) analysis.whole.add(path);
  } else {
    throw new UnknownPlan(name);
  }
  return setting(fields["result"], nothing);
}

/** A call of whichever rule stands at a path that is computed. */
function callDynamic(analysis: Analysis, fields: Fields, locals: Locals): Locals {
  const path = listOf(fields["path"]).map((segment) => operandOf(segment, analysis.plan));
  for (const segment of listOf(fields["path"])) readWhole(analysis, segment, locals);
  const args = listOf(fields["args"]).map((arg) => pathsOf(analysis, arg, locals));
  for (const code of analysis.plan.functions.values()) {
    const differs = path.some(
      (segment, index) =>
        "constant" in segment && index < code.path.length && segment.constant !== code.path[index],
    );
    if (!differs) passOn(analysis, code, args);
  }
  return setting(fields["result"], nothing);
}

function passOn({ params }: Analysis, code: PlannedCode, args: readonly Paths[]): void {
  if (args.length > code.params.length) throw new UnknownPlan("more arguments than parameters");
  for (const [index, paths] of args.entries()) join(params.get(code)!, code.params[index]!, paths);
}

function scan(analysis: Analysis, fields: Fields, locals: Locals): Locals {
  readWhole(analysis, fields["source"], locals);
  const blocks = blocksOf(fields["block"]);
  const after: Locals = new Map(locals);
  let before: number;
  do {
    before = sizeOf(after);
    const within = new Map(after);
    within.set(numberOf(fields["key"]), nothing).set(numberOf(fields["value"]), nothing);
    for (const [local, paths] of follow(analysis, blocks, within)) join(after, local, paths);
  } while (sizeOf(after) > before);
  return after;
}

/** `with`: another local in its place, or a part of it replaced. */
function replace(analysis: Analysis, fields: Fields, locals: Locals): Locals {
  const local = numberOf(fields["local"]);
  const path = listOf(fields["path"]).map((index) =>
    stringOf(analysis.plan.strings[numberOf(index)]),
  );
  const within: Locals = new Map(locals);
  if (path.length === 0) {
    within.set(local, pathsOf(analysis, fields["value"], locals));
  } else {
    readWhole(analysis, fields["value"], locals);
    // What isn't there or no object on the way to the part is made one.
    for (const start of locals.get(local) ?? []) touchAlong(analysis, start, path);
  }
  const after = follow(analysis, blocksOf(fields["block"]), within);
  join(after, local, locals.get(local) ?? nothing);
  return after;
}

function touchAlong({ touched, whole }: Analysis, start: Path, names: readonly string[]): void {
  let path = start;
  for (const name of names.slice(0, -1)) {
    const member = memberOf(path, name);
    if (member === undefined) {
      whole.add(path);
      return;
    }
    touched.add(member);
    path = member;
  }
}

function readWhole(analysis: Analysis, operand: unknown, locals: Locals): void {
  for (const path of pathsOf(analysis, operand, locals)) analysis.whole.add(path);
}

function pathsOf({ plan }: Analysis, value: unknown, locals: Locals): Paths {
  const operand = operandOf(value, plan);
  return "local" in operand ? (locals.get(operand.local) ?? nothing) : nothing;
}

function setting(local: unknown, paths: Paths): Locals {
  return new Map([[numberOf(local), paths]]);
}

function join(locals: Locals, local: number, paths: Paths): void {
  locals.set(local, new Set([...(locals.get(local) ?? nothing), ...paths]));
}

function sizeOf(locals: Locals): number {
  return [...locals.values()].reduce((sum, paths) => sum + paths.size, 0);
}

/** The paths that imply all others: of a part that is only touched on the way, those below it. */
function leastPaths({ touched, whole }: Analysis): readonly string[] | undefined {
  if (whole.has("")) return undefined;
  const onTheWay = new Set([...touched].map(parentOf));
  const paths = [...whole.union(touched)]
    .filter((path) => whole.has(path) || !onTheWay.has(path))
    .filter((path) => !isWithin(parentOf(path), whole))
    .sort();
  return paths.length > READ_PATHS_MAX ? undefined : paths;
}

function isWithin(path: Path, whole: Paths): boolean {
  return path !== "" && (whole.has(path) || isWithin(parentOf(path), whole));
}

function parentOf(path: Path): Path {
  return path.slice(0, Math.max(0, path.lastIndexOf(".")));
}
