// A bare grpc-js server that answers every Check with the same bytes: the most that the transport
// allows. Arguments: port, file with the response message.
import { readFileSync } from "node:fs";
import { Server, ServerCredentials } from "@grpc/grpc-js";

const [port, responsePath] = process.argv.slice(2) as [string, string];
const response = readFileSync(responsePath);
const identity = (bytes: Buffer): Buffer => bytes;

const server = new Server();
server.addService(
  {
    check: {
      path: "/postern.v1.DecisionService/Check",
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  },
  {
    check: (_call: unknown, callback: (error: null, value: Buffer) => void) =>
      callback(null, response),
  },
);
server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
process.on("SIGTERM", () => server.forceShutdown());
