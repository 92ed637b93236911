import type { JsonObject } from "../../decision/json.ts";

/** What becomes of a header that is there already; see `docs/envoy.md` for where Envoy heeds it. */
export type HeaderAction = "overwrite" | "append" | "add_if_absent" | "overwrite_if_exists";

/** A header that is set. */
export interface HeaderChange {
  /** A lower-case token of HTTP; none that says where a message goes or ends. */
  readonly name: string;
  /** Without control characters. */
  readonly value: string;
  readonly action: HeaderAction;
  /** Set although it is empty. */
  readonly keepsEmpty: boolean;
}

/** What is to happen to the request, or to be answered in its place. */
export interface HttpAnswer {
  /** Of the request to the upstream if it is allowed, of the answer to the client if not. */
  readonly headers: readonly HeaderChange[];
  /** Of the upstream's answer to the client, if allowed. */
  readonly responseHeaders: readonly HeaderChange[];
  /** Taken from the request to the upstream, if allowed. */
  readonly removedHeaders: readonly string[];
  /** Parameters of the request's query that are set, if allowed. */
  readonly query: readonly QueryParameter[];
  readonly removedQuery: readonly string[];
  /** Of the answer to the client, if denied: one of Envoy's, from 200 on. */
  readonly status: number;
  /** The same. */
  readonly body: string;
  /** For Envoy's other filters and its access log. */
  readonly dynamicMetadata: JsonObject;
}

/** A parameter of a query, not encoded. */
export interface QueryParameter {
  readonly name: string;
  readonly value: string;
}
