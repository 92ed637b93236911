/** What Envoy asks: `envoy.service.auth.v3.CheckRequest` as an object, and the parts that are used. */
import { type DocumentParts, joinParts, partsAt, partsOf } from "../../decision/document-parts.ts";
import type { InputDocument } from "../../pipeline/pipeline.ts";
import { WireReader } from "../wire-reader.ts";
import { invalidField } from "./malformed.ts";
import {
  bytes,
  type Fields,
  flag,
  integer,
  kindOf,
  list,
  map,
  message,
  pickFields,
  readFields,
  struct,
  text,
} from "./message-fields.ts";

/** A question of Envoy's about an HTTP request. */
export interface HttpCheck {
  /** With JSON names, as policies see it in `input.attributes`. */
  readonly attributes: InputDocument;
  /** As Envoy got it; empty where it is not among the parts. */
  readonly method: string;
  /** With the query, as Envoy got it. */
  readonly path: string;
  /** By lower-case name; empty where Envoy sends raw headers. */
  readonly headers: TextMap;
  /** Envoy sends raw headers (`encode_raw_headers`), of which nothing is in `headers`. */
  readonly hasRawHeaders: boolean;
  readonly body: string;
  /** Base64, where Envoy packs the body as bytes; else empty. */
  readonly rawBody: string;
  /** Of whoever is connected to Envoy; empty where there is none, or it is not among the parts. */
  readonly sourceAddress: string;
  /** Of the peer's certificate; empty without one. */
  readonly sourcePrincipal: string;
}

/** Texts by name, which inherit nothing. */
export type TextMap = { readonly [name: string]: string };

/** What the door itself looks at, whoever decides. */
const OWN_PARTS = partsAt([
  "request.http.path",
  "request.http.headers.content-type",
  "request.http.headers.content-length",
  "request.http.headers.x-envoy-auth-partial-body",
  "request.http.body",
  "request.http.rawBody",
  "source.principal",
]);

/**
 * Reads a `CheckRequest`, of the `attributes` these parts at least; what else there is does not even
 * have to be well-formed. Throws `PdpError` `invalid-argument` that names the field.
 */
export function readHttpCheck(encoded: Uint8Array, parts: DocumentParts): HttpCheck {
  const attributes = readAttributes(encoded, fieldsOf(parts));
  const http = attributes?.request?.http;
  if (attributes === undefined) throw invalidField("attributes", "is missing");
  if (http === undefined) throw invalidField("attributes.request.http", "is missing");
  const { method = "", path = "", headers = noTexts, body = "", rawBody = "" } = http;
  const httpParts = partsOf(partsOf(parts, "request"), "http");
  // What may be large is not written into the input of a policy that doesn't look at it.
  if (body !== "" && partsOf(httpParts, "body") === undefined) delete http.body;
  if (rawBody !== "" && partsOf(httpParts, "rawBody") === undefined) delete http.rawBody;
  const { source } = attributes;
  return {
    attributes: attributes as InputDocument,
    method,
    path,
    headers,
    body,
    rawBody,
    hasRawHeaders: http.headerMap !== undefined,
    sourceAddress: source?.address?.socketAddress?.address ?? "",
    sourcePrincipal: source?.principal ?? "",
  };
}

/** What the route of a `CheckRequest` says to the door. Throws as `readHttpCheck`. */
export function readContextExtensions(encoded: Uint8Array): TextMap {
  return readAttributes(encoded, contextExtensionsAlone)?.contextExtensions ?? noTexts;
}

function readAttributes(encoded: Uint8Array, fields: Fields): Attributes | undefined {
  const request = readFields(new WireReader(encoded), fields);
  return request["attributes"] as Attributes | undefined;
}

/** By the parts, which live as long as the policy that reads them. */
const pickedFields = new WeakMap<ReadonlyMap<string, DocumentParts>, Fields>();

function fieldsOf(parts: DocumentParts): Fields {
  if (parts === "all") return checkRequest;
  let fields = pickedFields.get(parts);
  if (fields === undefined) {
    const attributes = pickFields(attributeContext, joinParts(OWN_PARTS, parts));
    fields = { 1: message("attributes", attributes) };
    pickedFields.set(parts, fields);
  }
  return fields;
}

/** The parts of `AttributeContext` that are looked at. */
interface Attributes {
  readonly source?: {
    readonly principal?: string;
    readonly address?: { readonly socketAddress?: { readonly address?: string } };
  };
  readonly request?: { readonly http?: HttpRequest };
  readonly contextExtensions?: TextMap;
}

interface HttpRequest {
  readonly method?: string;
  readonly headerMap?: object;
  readonly path?: string;
  readonly headers?: TextMap;
  body?: string;
  rawBody?: string;
}

const noTexts: TextMap = Object.freeze(Object.create(null));

// The field numbers of proto/envoy; `proto3` presence decides what is absent at its default.

const socketAddress: Fields = {
  1: integer("protocol"),
  2: text("address"),
  3: kindOf(integer("portValue")),
  4: kindOf(text("namedPort")),
  5: text("resolverName"),
  6: flag("ipv4Compat"),
  7: text("networkNamespaceFilepath"),
};

const address: Fields = {
  1: message("socketAddress", socketAddress),
  2: message("pipe", { 1: text("path"), 2: integer("mode") }),
  3: message("envoyInternalAddress", {
    1: kindOf(text("serverListenerName")),
    2: text("endpointId"),
  }),
};

const peer: Fields = {
  1: message("address", address),
  2: text("service"),
  3: map("labels", text("")),
  4: text("principal"),
  5: text("certificate"),
};

const headerValue: Fields = { 1: text("key"), 2: text("value"), 3: bytes("rawValue") };

const httpRequest: Fields = {
  1: text("id"),
  2: text("method"),
  3: map("headers", text("")),
  4: text("path"),
  5: text("host"),
  6: text("scheme"),
  7: text("query"),
  8: text("fragment"),
  9: integer("size"),
  10: text("protocol"),
  11: text("body"),
  12: bytes("rawBody"),
  13: message("headerMap", { 1: list("headers", headerValue) }),
};

const timestamp: Fields = { 1: integer("seconds"), 2: integer("nanos") };

const metadata: Fields = {
  1: map("filterMetadata", struct("")),
  2: map("typedFilterMetadata", message("", { 1: text("typeUrl"), 2: bytes("value") })),
};

const attributeContext: Fields = {
  1: message("source", peer),
  2: message("destination", peer),
  4: message("request", { 1: message("time", timestamp), 2: message("http", httpRequest) }),
  10: map("contextExtensions", text("")),
  11: message("metadataContext", metadata),
  12: message("tlsSession", { 1: text("sni") }),
  13: message("routeMetadataContext", metadata),
};

const checkRequest: Fields = { 1: message("attributes", attributeContext) };
const contextExtensionsAlone = pickFields(checkRequest, partsAt(["attributes.contextExtensions"]));
