import { afterAll, beforeAll, describe } from "vitest";
import { type PostgresServer, startPostgres } from "../../test/support/postgres.ts";
import { openTestDirectory } from "../../test/support/test-directory.ts";
import { applyContract } from "./apply.contract.ts";
import { directoryContract } from "./directory.contract.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres(["fsync=off"]);
});
afterAll(() => server.dispose());

const open = async (...[overrides = {}, deps = {}]: Parameters<typeof openTestDirectory>) =>
  openTestDirectory({ database: await server.createDatabase(), ...overrides }, deps);

describe("a directory on PostgreSQL", () => {
  directoryContract({
    open,
    async alter({ database }, sql) {
      await server.query(`set search_path = postern; ${sql}`, database);
    },
  });
  applyContract(open);
});
