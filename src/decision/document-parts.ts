/** Parts of a document of objects: all of it, or of some members some parts. */
export type DocumentParts = "all" | ReadonlyMap<string, DocumentParts>;

/** The parts that paths name, `a.b.c` with everything below it; `undefined` = all. */
export function partsAt(paths: readonly string[] | undefined): DocumentParts {
  if (paths === undefined) return "all";
  const trees = paths.map((path) =>
    path.split(".").reduceRight<DocumentParts>((below, name) => new Map([[name, below]]), "all"),
  );
  return trees.reduce(joinParts, new Map());
}

/** What is among the parts of either. */
export function joinParts(a: DocumentParts, b: DocumentParts): DocumentParts {
  if (a === "all" || b === "all") return "all";
  const joined = new Map(a);
  for (const [name, parts] of b) {
    const other = joined.get(name);
    joined.set(name, other === undefined ? parts : joinParts(other, parts));
  }
  return joined;
}

/** The parts of a member; `undefined` = it is none of them. */
export function partsOf(parts: DocumentParts | undefined, name: string): DocumentParts | undefined {
  return parts === "all" ? "all" : parts?.get(name);
}
