import type { DecisionEntrypoints } from "./active-policy.ts";
import { BundleRefused, quoted } from "./bundle-refused.ts";
import { definesDocument, type RegoOutline } from "./rego-outline.ts";

/** What is known about the entrypoints of a bundle. */
export interface EntrypointChoice {
  /** Path → number, as the wasm module has them. */
  readonly available: ReadonlyMap<string, number>;
  /** Those that the manifest lists; all of them if it lists none. */
  readonly declared: readonly string[];
  /** `metadata.postern.entrypoint`. */
  readonly wanted: string | undefined;
  /** The Rego that `opa build` left in the bundle; it prunes the rules of the entrypoints. */
  readonly outlines: readonly RegoOutline[];
}

const LISTED_MAX = 10;

/** Chooses what decides, as `docs/semantics.md`, “Which entrypoint”, says. */
export function chooseEntrypoints(choice: EntrypointChoice): DecisionEntrypoints {
  const { available, declared, wanted } = choice;
  const paths = declared.length > 0 ? declared : [...available.keys()];
  const absent = paths.find((path) => !available.has(path));
  if (absent !== undefined) {
    throw refused(`the manifest lists ${quoted(absent)}, which the wasm module doesn't have`);
  }
  if (wanted !== undefined && !paths.includes(wanted)) {
    throw refused(`metadata.postern asks for ${quoted(wanted)}; ${listed(paths)}`);
  }
  const path = wanted ?? chooseAmong(paths, choice.outlines);
  const number = available.get(path)!;
  if (isPackage(path, choice.outlines) || !path.endsWith("/allow")) {
    return { kind: "document", document: number };
  }
  const packagePath = path.slice(0, -"/allow".length);
  return {
    kind: "rules",
    allow: number,
    deny: sibling(`${packagePath}/deny`, paths, choice),
    mfaRequired: sibling(`${packagePath}/mfa_required`, paths, choice),
  };
}

function chooseAmong(paths: readonly string[], outlines: readonly RegoOutline[]): string {
  const packages = paths.filter((path) => isPackage(path, outlines));
  const rules = paths.filter((path) => !packages.includes(path));
  const ranks = [
    rules.filter((path) => path.endsWith("/decision")),
    packages,
    rules.filter((path) => path.endsWith("/allow")),
  ];
  const first = ranks.find((rank) => rank.length > 0) ?? [];
  if (first.length === 1) return first[0]!;
  const why = first.length === 0 ? "nothing to decide by" : "more than one entrypoint that decides";
  throw refused(
    `it has ${why}; ${listed(paths)}. Name one in the manifest: metadata.postern.entrypoint`,
  );
}

/** Whether the path is that of a package, or leads to one, rather than that of a rule. */
export function isPackage(path: string, outlines: readonly RegoOutline[]): boolean {
  return outlines.some(
    (outline) => outline.package === path || outline.package.startsWith(`${path}/`),
  );
}

/**
 * A `deny` that is only in the Rego has been compiled away, and ignoring it would allow what its
 * author denies.
 */
function sibling(
  path: string,
  paths: readonly string[],
  choice: EntrypointChoice,
): number | undefined {
  if (paths.includes(path)) return choice.available.get(path);
  if (!definesDocument(choice.outlines, path)) return undefined;
  throw refused(
    `its Rego defines ${quoted(path)}, which is no entrypoint and so would never be asked; ` +
      `build it with \`-e ${path}\` too, or with the whole package`,
  );
}

function listed(paths: readonly string[]): string {
  const shown = paths.slice(0, LISTED_MAX).map(quoted).join(", ");
  const more = paths.length > LISTED_MAX ? ` and ${paths.length - LISTED_MAX} more` : "";
  return paths.length === 0 ? "it has no entrypoints" : `its entrypoints are ${shown}${more}`;
}

function refused(message: string): BundleRefused {
  return new BundleRefused("entrypoints", message);
}
