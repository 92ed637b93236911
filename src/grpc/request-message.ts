import { emptyObject, type JsonObject } from "../decision/json.ts";
import { readStruct } from "./struct-reader.ts";
import type { WireReader } from "./wire-reader.ts";

/** `postern.v1.Subject` as it came. */
export interface SubjectMessage {
  readonly type: string;
  readonly id: string;
  readonly properties: JsonObject;
}

/** `postern.v1.Action` as it came. */
export interface ActionMessage {
  readonly name: string;
  readonly properties: JsonObject;
}

/** `postern.v1.Resource` as it came. */
export interface ResourceMessage {
  readonly type: string;
  readonly id: string | undefined;
  readonly properties: JsonObject;
}

/** `postern.v1.Consistency` as it came. */
export interface ConsistencyMessage {
  readonly minimumGeneration: number;
  readonly bypassCache: boolean;
}

/** `postern.v1.CheckRequest` as it came; names are not checked, message fields may be absent. */
export interface CheckMessage {
  readonly application: string;
  readonly subject: SubjectMessage | undefined;
  readonly action: ActionMessage | undefined;
  readonly resource: ResourceMessage | undefined;
  readonly context: JsonObject | undefined;
  readonly requestId: string;
  readonly consistency: ConsistencyMessage | undefined;
}

/** A `CheckRequest` without fields. */
export const emptyCheckMessage: CheckMessage = Object.freeze({
  application: "",
  subject: undefined,
  action: undefined,
  resource: undefined,
  context: undefined,
  requestId: "",
  consistency: undefined,
});

/** Reads a `CheckRequest`; the reader is inside. Case labels are tags: number × 8 + wire type. */
export function readCheck(reader: WireReader): CheckMessage {
  let application = "";
  let subject: SubjectMessage | undefined;
  let action: ActionMessage | undefined;
  let resource: ResourceMessage | undefined;
  let context: JsonObject | undefined;
  let requestId = "";
  let consistency: ConsistencyMessage | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        application = reader.string("application");
        break;
      case 0x12:
        reader.once(subject, "subject");
        subject = readSubject(reader);
        break;
      case 0x1a:
        reader.once(action, "action");
        action = readAction(reader);
        break;
      case 0x22:
        reader.once(resource, "resource");
        resource = readResource(reader);
        break;
      case 0x2a:
        reader.once(context, "context");
        context = readStruct(reader, "context");
        break;
      case 0x32:
        requestId = reader.string("request_id");
        break;
      case 0x3a:
        reader.once(consistency, "consistency");
        consistency = readConsistency(reader);
        break;
      default:
        reader.skipUnknown(tag, 7);
    }
  }
  return { application, subject, action, resource, context, requestId, consistency };
}

/** Reads the `Subject` in the field `subject`. */
export function readSubject(reader: WireReader): SubjectMessage {
  const outer = reader.enter("subject");
  let type = "";
  let id = "";
  let properties: JsonObject | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        type = reader.string("type");
        break;
      case 0x12:
        id = reader.string("id");
        break;
      case 0x1a:
        reader.once(properties, "properties");
        properties = readStruct(reader, "properties");
        break;
      default:
        reader.skipUnknown(tag, 3);
    }
  }
  reader.leave(outer);
  return { type, id, properties: properties ?? emptyObject };
}

function readAction(reader: WireReader): ActionMessage {
  const outer = reader.enter("action");
  let name = "";
  let properties: JsonObject | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        name = reader.string("name");
        break;
      case 0x12:
        reader.once(properties, "properties");
        properties = readStruct(reader, "properties");
        break;
      default:
        reader.skipUnknown(tag, 2);
    }
  }
  reader.leave(outer);
  return { name, properties: properties ?? emptyObject };
}

function readResource(reader: WireReader): ResourceMessage {
  const outer = reader.enter("resource");
  let type = "";
  let id: string | undefined;
  let properties: JsonObject | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        type = reader.string("type");
        break;
      case 0x12:
        id = reader.string("id");
        break;
      case 0x1a:
        reader.once(properties, "properties");
        properties = readStruct(reader, "properties");
        break;
      default:
        reader.skipUnknown(tag, 3);
    }
  }
  reader.leave(outer);
  return { type, id, properties: properties ?? emptyObject };
}

/** Reads the `Consistency` in the field `consistency`. */
export function readConsistency(reader: WireReader): ConsistencyMessage {
  const outer = reader.enter("consistency");
  let minimumGeneration = 0;
  let bypassCache = false;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        minimumGeneration = reader.count("minimum_generation");
        break;
      case 0x10:
        bypassCache = reader.bool("bypass_cache");
        break;
      default:
        reader.skipUnknown(tag, 2);
    }
  }
  reader.leave(outer);
  return { minimumGeneration, bypassCache };
}
