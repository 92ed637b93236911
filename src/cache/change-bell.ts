import type { ChangeReader } from "./change-reader.ts";
import type { Pauses } from "./pauses.ts";
import type { RedisConnection } from "./redis-connection.ts";

/** What a bell is made of. */
export interface ChangeBellDeps {
  readonly connection: Pick<RedisConnection, "awaitEntry">;
  readonly stream: string;
  readonly reader: ChangeReader;
  readonly pauses: Pauses;
}

/** A loop that Redis makes fail at once is no busy loop. */
const PAUSE_MS = 100;

/** Has the reader catch up whenever an entry comes in, until the pauses end; only to be faster. */
export async function listenForChanges(deps: ChangeBellDeps): Promise<void> {
  const { connection, stream, reader, pauses } = deps;
  let heard = 0;
  let incarnation: string | undefined;
  while (!pauses.isEnded()) {
    if (reader.head?.incarnation !== incarnation) heard = 0;
    incarnation = reader.head?.incarnation;
    // An entry that is passed over, since it can't be believed, must not ring for ever.
    const from = Math.max(heard, reader.upTo);
    const answer = await connection.awaitEntry(stream, `${from}-0`);
    if (pauses.isEnded()) return;
    if (answer.failure !== undefined) {
      await pauses.pause(PAUSE_MS);
    } else if (answer.value !== undefined) {
      heard = Math.max(heard, Number.parseInt(answer.value, 10));
      if (!(await reader.catchUp())) await pauses.pause(PAUSE_MS);
    }
  }
}
