/** A statement as it is sent, and what to call once it is answered. */
interface NamedStatement {
  readonly config: { readonly text: string; readonly name?: string };
  readonly done: () => void;
}

/** Names for statements, so that a server plans each once for each connection. */
export interface StatementNames {
  /** `client` is the connection that the statement goes over. */
  take(client: object, sql: string): NamedStatement;
}

/** The server keeps each of them for each connection, some 30 KB. */
const NAMES_MAX = 100;
/** What is longer was made for one time: an insert of hundreds of rows. */
const LENGTH_MAX = 1_000;

/** Makes the names of one program. */
export function createStatementNames(): StatementNames {
  const names = new Map<string, string>();
  const underWay = new WeakMap<object, Set<string>>();
  const nameOf = (sql: string): string | undefined => {
    const known = names.get(sql);
    if (known !== undefined) return known;
    // A plan of `select *` fails once a migration has added a column.
    if (names.size >= NAMES_MAX || sql.length > LENGTH_MAX || sql.includes("*")) return undefined;
    const name = `postern_${names.size}`;
    names.set(sql, name);
    return name;
  };
  return {
    take(client, text) {
      const name = nameOf(text);
      const busy = underWay.get(client) ?? new Set();
      underWay.set(client, busy);
      // Sent a second time before the answer, it would be named a second time, which is an error.
      if (name === undefined || busy.has(name)) return { config: { text }, done: () => {} };
      busy.add(name);
      return { config: { text, name }, done: () => busy.delete(name) };
    },
  };
}
