import type { SetChange } from "../../src/cache/cache.ts";
import type { ChangeSource } from "../../src/cache/redis-announcements.ts";

/** A directory's record of changes, without a directory. */
export interface FakeChangeSource extends ChangeSource {
  /** Commits the change that follows, or the given one if it is newer. */
  commit(change: Partial<SetChange>): SetChange;
  /** Puts back an older copy. */
  goBack(generation: number): void;
  /** While it does, nothing can be read. */
  fails: boolean;
  /** How often it was asked for changes. */
  asked: number;
}

/** Makes a record that begins after `generation`. */
export function fakeChangeSource(generation = 0): FakeChangeSource {
  let changes: SetChange[] = [];
  let first = generation;
  const newest = (): number => changes.at(-1)?.generation ?? first;
  const read = (): void => {
    if (source.fails) throw new Error("the directory is away");
  };
  const source: FakeChangeSource = {
    fails: false,
    asked: 0,
    commit({ generation: given = newest() + 1, subjects = "all", ...how }) {
      const change = { generation: given, subjects, ...how };
      if (how.isRestart) source.goBack(given);
      else if (given > newest()) changes.push(change);
      return change;
    },
    goBack(to) {
      changes = [];
      first = to;
    },
    async generation() {
      read();
      return newest();
    },
    async changesAfter(after) {
      source.asked += 1;
      read();
      if (newest() === after) return [];
      if (after < first || after > newest()) return [{ generation: newest(), subjects: "all" }];
      return changes.filter((change) => change.generation > after);
    },
  };
  return source;
}
