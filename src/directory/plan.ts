/** One difference between a directory file and the directory. */
export interface PlanItem {
  /** `reset`: a system role or mapping goes back to what its catalogue says. */
  readonly action: "add" | "change" | "remove" | "reset";
  readonly kind: "subject" | "role" | "mapping" | "assignment";
  /** `undefined` for subjects, which belong to no application. */
  readonly application: string | undefined;
  /** Subject id, role name, group, or `<subject> role:<name>` / `<subject> <pattern>`. */
  readonly name: string;
  /** Whose permission set alone it touches; `undefined` for roles and mappings. */
  readonly subject: string | undefined;
  /** What differs, one readable phrase each: `groups: + a, - b`. */
  readonly details: readonly string[];
}

/** What applying a file does, or would do. */
export interface Plan {
  readonly items: readonly PlanItem[];
  /** Odd but allowed, each with its place in the file. */
  readonly warnings: readonly string[];
  readonly dryRun: boolean;
  /** The generation in force afterwards; of a dry run, the one it was compared with. */
  readonly generation: number;
}

const SIGN = { add: "+", change: "~", remove: "-", reset: "<" } as const;

/** The plan as lines for people, warnings first, a count last. */
export function renderPlan(plan: Plan): string {
  const lines = plan.warnings.map((warning) => `warning: ${warning}`);
  for (const item of plan.items) {
    const where = item.application === undefined ? "" : `${item.application} `;
    lines.push(`${SIGN[item.action]} ${item.kind} ${where}${item.name}`);
    for (const detail of item.details) lines.push(`    ${detail}`);
  }
  lines.push(summary(plan));
  return `${lines.map(escapeControls).join("\n")}\n`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

/** A description with a line break in it must not look like a line of the plan. */
function escapeControls(line: string): string {
  return line.replace(CONTROLS, (control) => {
    return `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function summary(plan: Plan): string {
  if (plan.items.length === 0) return `Nothing to change. Generation ${plan.generation}.`;
  const count = (action: PlanItem["action"]): number =>
    plan.items.filter((item) => item.action === action).length;
  const counts =
    `${count("add")} added, ${count("change")} changed, ` +
    `${count("remove")} removed, ${count("reset")} reset`;
  return plan.dryRun
    ? `Dry run: ${counts}; nothing was written. Generation ${plan.generation}.`
    : `${counts}. Generation ${plan.generation}.`;
}
