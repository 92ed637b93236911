import { TERM_DEPTH_MAX } from "../term.ts";
import {
  equalTerms,
  type Term,
  TermNumber,
  TermObject,
  TermSet,
  termObject,
  termSet,
} from "../term-value.ts";
import { BuiltinError, type BuiltinFamily, BuiltinLimit, type TakeSteps } from "./builtin.ts";
import { TURN_STEPS } from "./limits.ts";
import { asArray, asObject, asString, elementsOf, int64OfText, isArray } from "./operands.ts";

/**
 * JSON Patch (RFC 6902), also inside sets, whose elements are their own keys. Where an array has
 * been shifted earlier in the patch, OPA 1.22 reaches the element that was there before; here the
 * path means the array as it is, as the RFC has it.
 */
export const jsonPatchBuiltins: BuiltinFamily = {
  "json.patch": ([target, operations], { takeSteps }) => {
    const document = new PatchedDocument(target as Term, takeSteps);
    for (const operation of asArray(operations)) document.apply(asObject(operation));
    return document.value();
  },
};

type Path = readonly Term[];

class PatchedDocument {
  /** `undefined` once the whole document has been removed. */
  #root: Term | undefined;
  readonly #takeSteps: TakeSteps;

  constructor(root: Term, takeSteps: TakeSteps) {
    this.#root = root;
    this.#takeSteps = takeSteps;
  }

  value(): Term {
    if (this.#root === undefined) throw new BuiltinError("the document was removed");
    return this.#root;
  }

  apply(operation: TermObject): void {
    const path = parsePath(memberOf(operation, "path"));
    switch (asString(memberOf(operation, "op"))) {
      case "add":
        this.#add(path, memberOf(operation, "value"));
        break;
      case "remove":
        this.#remove(path);
        break;
      case "replace":
        this.#remove(path);
        this.#add(path, memberOf(operation, "value"));
        break;
      case "move": {
        const from = parsePath(memberOf(operation, "from"));
        const moved = this.#find(from);
        this.#remove(from);
        this.#add(path, moved);
        break;
      }
      case "copy":
        this.#add(path, this.#find(parsePath(memberOf(operation, "from"))));
        break;
      case "test":
        this.#test(path, memberOf(operation, "value"));
        break;
      default:
        throw new BuiltinError("unknown operation");
    }
  }

  #test(path: Path, value: Term): void {
    if (!equalTerms(this.#find(path), value)) throw new BuiltinError("the test failed");
  }

  #find(path: Path): Term {
    return path.reduce<Term>(childOf, this.value());
  }

  #add(path: Path, value: Term): void {
    this.#measure(value, path.length);
    this.#root =
      path.length === 0
        ? value
        : this.#edit(path, (container, key) => withInserted(container, key, value));
  }

  #remove(path: Path): void {
    this.#root = path.length === 0 ? this.#removed() : this.#edit(path, withoutChild);
  }

  #removed(): undefined {
    this.value();
    return undefined;
  }

  #edit(path: Path, edit: (container: Term, key: Term) => Term): Term {
    const editBelow = (container: Term, depth: number): Term => {
      this.#count(container);
      const key = path[depth]!;
      if (depth === path.length - 1) return edit(container, key);
      const child = editBelow(childOf(container, key), depth + 1);
      return withReplaced(container, key, child);
    };
    return editBelow(this.value(), 0);
  }

  /** An edit copies each container on its path. */
  #count(container: Term): void {
    for (const _ of elementsOf(container)) this.#takeSteps(TURN_STEPS);
  }

  /** Copies may double a document with every operation: their sizes add up to a limit. */
  #measure(term: Term, depth: number): void {
    if (depth > TERM_DEPTH_MAX) throw new BuiltinLimit(`deeper than ${TERM_DEPTH_MAX} levels`);
    this.#takeSteps(TURN_STEPS);
    for (const element of elementsOf(term)) this.#measure(element, depth + 1);
  }
}

function memberOf(operation: TermObject, name: string): Term {
  const member = operation.get(name);
  if (member === undefined) throw new BuiltinError(`an operation lacks ${name}`);
  return member;
}

/** A JSON pointer, whose leading slash OPA does not insist on, or an array of keys. */
function parsePath(path: Term): Path {
  if (isArray(path)) return path;
  const pointer = asString(path);
  if (pointer === "") return [];
  return pointer
    .replace(/^\/+/, "")
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function childOf(container: Term, key: Term): Term {
  if (container instanceof TermObject) {
    const child = container.get(key);
    if (child !== undefined) return child;
  } else if (container instanceof TermSet) {
    if (container.has(key)) return key;
  } else if (isArray(container)) {
    const child = container[indexOf(container, key)];
    if (child !== undefined) return child;
  }
  throw new BuiltinError("no such path");
}

/** The container with the child at an existing key exchanged. */
function withReplaced(container: Term, key: Term, child: Term): Term {
  if (!isArray(container)) {
    return container instanceof TermSet
      ? termSet([...container.items.filter((item) => !equalTerms(item, key)), child])
      : withInserted(container, key, child);
  }
  return container.with(indexOf(container, key), child);
}

function withInserted(container: Term, key: Term, value: Term): Term {
  if (container instanceof TermObject) return termObject([...container.entries(), [key, value]]);
  if (container instanceof TermSet) {
    if (!equalTerms(key, value)) throw new BuiltinError("the key of a set is its element");
    return termSet([...container.items, value]);
  }
  if (!isArray(container)) throw new BuiltinError("no such path");
  const index = indexOf(container, key);
  if (index > container.length) throw new BuiltinError("index out of bounds");
  return container.toSpliced(index, 0, value);
}

function withoutChild(container: Term, key: Term): Term {
  childOf(container, key);
  if (container instanceof TermObject) {
    return termObject(container.entries().filter(([name]) => !equalTerms(name, key)));
  }
  if (container instanceof TermSet) {
    return new TermSet(container.items.filter((item) => !equalTerms(item, key)));
  }
  const items = asArray(container);
  return items.toSpliced(indexOf(items, key), 1);
}

/** A place in an array; `-` is the one behind its end. */
function indexOf(items: readonly Term[], key: Term): number {
  if (key === "-") return items.length;
  const text = key instanceof TermNumber ? key.text : asString(key);
  const isPadded = typeof key === "string" && key !== "0" && key.startsWith("0");
  const index = isPadded ? undefined : int64OfText(text);
  if (index === undefined || index < 0n) throw new BuiltinError("not an index");
  return Number(index);
}
