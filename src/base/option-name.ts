const PREFIX = "POSTERN_";

/** The environment variable that stands for the option at `path`. */
export function variableOf(path: string): string {
  return `${PREFIX}${path.replaceAll(".", "_").toUpperCase()}`;
}

/** An option as an operator finds it, for messages: `grpc.listen (POSTERN_GRPC_LISTEN)`. */
export function optionName(path: string): string {
  return `${path} (${variableOf(path)})`;
}
