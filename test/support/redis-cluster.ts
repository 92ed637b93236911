import { freePort } from "./free-port.ts";
import { type RedisServer, startRedis } from "./redis.ts";

/** Three primaries, a third of the slots each, without replicas. */
export interface RedisCluster {
  readonly url: string;
  readonly nodes: readonly RedisServer[];
  /** Starts a replica of the first node, which takes over when that one dies. */
  addReplica(): Promise<RedisServer>;
}

interface NodePorts {
  readonly port: number;
  readonly busPort: number;
}

const SLOTS = 16_384;
const NODES = 3;

/** Starts the nodes and joins them; they are stopped when the test is over. */
export async function startCluster(): Promise<RedisCluster> {
  const ports: NodePorts[] = [];
  const nodes: RedisServer[] = [];
  for (let index = 0; index < NODES; index += 1) {
    const at = { port: await freePort(), busPort: await freePort() };
    nodes.push(await startNode(at));
    ports.push(at);
  }
  const [first] = nodes as [RedisServer];
  for (const [index, { admin }] of nodes.entries()) {
    const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / NODES));
    await admin.call("CLUSTER", "ADDSLOTSRANGE", from!, to! - 1);
    // Two nodes that both call themselves the newest would each claim slots of the other.
    await admin.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
    const { port, busPort } = ports[index]!;
    if (index > 0) await first.admin.call("CLUSTER", "MEET", "127.0.0.1", port, busPort);
  }
  for (const { admin } of nodes) await untilWhole(admin);
  const url = `redis+cluster://${ports.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  return {
    url,
    nodes,
    async addReplica() {
      const replica = await startNode({ port: await freePort(), busPort: await freePort() });
      const { port, busPort } = ports[0]!;
      await replica.admin.call("CLUSTER", "MEET", "127.0.0.1", port, busPort);
      await untilWhole(replica.admin);
      await replica.admin.call(
        "CLUSTER",
        "REPLICATE",
        String(await first.admin.call("CLUSTER", "MYID")),
      );
      await untilInStep(replica.admin);
      return replica;
    },
  };
}

function startNode({ port, busPort }: NodePorts): Promise<RedisServer> {
  const args = [
    ...["--cluster-enabled", "yes", "--cluster-port", String(busPort)],
    ...["--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"],
  ];
  return startRedis({ port, args });
}

async function untilInStep(admin: RedisServer["admin"]): Promise<void> {
  while (!(await admin.info("replication")).includes("master_link_status:up")) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function untilWhole(admin: RedisServer["admin"]): Promise<void> {
  for (;;) {
    const info = String(await admin.call("CLUSTER", "INFO"));
    if (info.includes("cluster_state:ok") && info.includes(`cluster_size:${NODES}`)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
