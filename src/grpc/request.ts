/**
 * Requests in: from bytes to what the pipeline takes, with every name checked. Not for deciding,
 * nor for what a caller may state, which the pipeline judges.
 */
import { PdpError } from "../decision/error.ts";
import { emptyObject } from "../decision/json.ts";
import { checkApplicationName, checkId, checkTerm } from "../decision/names.ts";
import type {
  AccessRequest,
  ActionRef,
  Consistency,
  ResourceRef,
  SubjectRef,
} from "../decision/request.ts";
import type { PermissionSetQuery } from "../pipeline/pipeline.ts";
import {
  type ActionMessage,
  type CheckMessage,
  type ConsistencyMessage,
  emptyCheckMessage,
  type ResourceMessage,
  readCheck,
  readConsistency,
  readSubject,
  type SubjectMessage,
} from "./request-message.ts";
import { WireReader } from "./wire-reader.ts";

const anyGeneration: Consistency = Object.freeze({ minimumGeneration: 0, bypassCache: false });

/** Reads a `CheckRequest`. */
export function readCheckRequest(bytes: Uint8Array): AccessRequest {
  const message = readCheck(new WireReader(bytes));
  return accessRequest({ item: message, defaults: emptyCheckMessage, path: "" });
}

/**
 * Reads a `CheckBatchRequest`. An item that can't be read is an error in its place and leaves the
 * others alone; what is wrong with the whole is thrown.
 */
export function readCheckBatchRequest(
  bytes: Uint8Array,
  itemsMax: number,
): (AccessRequest | PdpError)[] {
  const { defaults, items } = readBatch(new WireReader(bytes), itemsMax);
  return items.map((item, index) => {
    if (item instanceof PdpError) return item;
    try {
      return accessRequest({ item, defaults, path: `items[${index}].` });
    } catch (error) {
      if (error instanceof PdpError) return error;
      throw error;
    }
  });
}

/** Reads an `MfaRequiredRequest`. */
export function readMfaRequiredRequest(bytes: Uint8Array): AccessRequest {
  const reader = new WireReader(bytes);
  let item: CheckMessage | undefined;
  while (reader.more()) {
    const tag = reader.tag();
    if (tag !== 0x0a) {
      reader.skipUnknown(tag, 1);
      continue;
    }
    reader.once(item, "check");
    const outer = reader.enter("check");
    item = readCheck(reader);
    reader.leave(outer);
  }
  if (item === undefined) throw missing("check", "the request that is asked about");
  return accessRequest({ item, defaults: emptyCheckMessage, path: "check." });
}

/** Reads a `GetPermissionSetRequest`. */
export function readPermissionSetRequest(bytes: Uint8Array): PermissionSetQuery {
  const reader = new WireReader(bytes);
  let application = "";
  let subject: SubjectMessage | undefined;
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
        reader.once(consistency, "consistency");
        consistency = readConsistency(reader);
        break;
      default:
        reader.skipUnknown(tag, 3);
    }
  }
  return {
    application: applicationName(application, "application"),
    subject: subjectRef(subject, "subject"),
    consistency: consistency ?? anyGeneration,
  };
}

function readBatch(
  reader: WireReader,
  itemsMax: number,
): { defaults: CheckMessage; items: (CheckMessage | PdpError)[] } {
  let defaults: CheckMessage | undefined;
  const items: (CheckMessage | PdpError)[] = [];
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === 0x0a) {
      reader.once(defaults, "defaults");
      const outer = reader.enter("defaults");
      defaults = readCheck(reader);
      reader.leave(outer);
    } else if (tag === 0x12) {
      if (items.length === itemsMax) throw reader.fault(`has more than ${itemsMax}`, "items");
      items.push(readItem(reader, items.length));
    } else reader.skipUnknown(tag, 2);
  }
  return { defaults: defaults ?? emptyCheckMessage, items };
}

function readItem(reader: WireReader, index: number): CheckMessage | PdpError {
  const outer = reader.open();
  const end = reader.end;
  reader.path.push("items", index);
  let item: CheckMessage | PdpError;
  try {
    item = readCheck(reader);
  } catch (error) {
    if (!(error instanceof PdpError)) throw error;
    item = error;
  }
  // Where the reader is after a fault says nothing; where the item ends does.
  reader.position = end;
  reader.path.length = 0;
  reader.close(outer);
  return item;
}

/** An item, what stands in for fields it leaves out, and its path with a dot, for errors. */
interface Sources {
  readonly item: CheckMessage;
  readonly defaults: CheckMessage;
  readonly path: string;
}

function accessRequest(sources: Sources): AccessRequest {
  const { item, defaults, path } = sources;
  // The path of an error is that of the message the field was taken from.
  const from = (own: unknown, inDefaults: unknown): string =>
    (own === undefined || own === "") && inDefaults !== undefined && inDefaults !== ""
      ? "defaults."
      : path;
  const application = item.application || defaults.application;
  const requestId = item.requestId || defaults.requestId;
  if (requestId !== "") {
    checkId(requestId, `${from(item.requestId, defaults.requestId)}request_id`);
  }
  return {
    application: applicationName(
      application,
      `${from(item.application, defaults.application)}application`,
    ),
    subject: subjectRef(
      item.subject ?? defaults.subject,
      `${from(item.subject, defaults.subject)}subject`,
    ),
    action: actionRef(
      item.action ?? defaults.action,
      `${from(item.action, defaults.action)}action`,
    ),
    resource: resourceRef(
      item.resource ?? defaults.resource,
      `${from(item.resource, defaults.resource)}resource`,
    ),
    context: item.context ?? defaults.context ?? emptyObject,
    requestId,
    consistency: item.consistency ?? defaults.consistency ?? anyGeneration,
  };
}

/** An empty name means the default application, which the pipeline knows. */
function applicationName(name: string, field: string): string {
  if (name !== "") checkApplicationName(name, field);
  return name;
}

function subjectRef(subject: SubjectMessage | undefined, field: string): SubjectRef {
  if (subject === undefined) throw missing(field, "a subject with its id");
  const type = subject.type === "" ? "user" : subject.type;
  if (type !== "user" && type !== "service") {
    throw new PdpError(
      "invalid-argument",
      `${field}.type: is neither "user" nor "service" nor empty (which means "user")`,
      { field: `${field}.type` },
    );
  }
  checkId(subject.id, `${field}.id`);
  return { type, id: subject.id, properties: subject.properties };
}

function actionRef(action: ActionMessage | undefined, field: string): ActionRef {
  if (action === undefined) throw missing(field, "an action with its name");
  checkTerm(action.name, `${field}.name`);
  return action;
}

function resourceRef(resource: ResourceMessage | undefined, field: string): ResourceRef {
  if (resource === undefined) throw missing(field, "a resource with its type");
  checkTerm(resource.type, `${field}.type`);
  if (resource.id !== undefined) checkId(resource.id, `${field}.id`);
  return resource;
}

function missing(field: string, expected: string): PdpError {
  return new PdpError("invalid-argument", `${field}: is missing; expected ${expected}`, { field });
}
