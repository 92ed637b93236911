/** Routes in a form that one thread makes and another takes over, without an object for each of them. */
import { readJson } from "../../base/read-json.ts";
import { createFindRoute, type FindRoute } from "./find-route.ts";
import type { RouteOptions } from "./options.ts";
import type { PathIndex } from "./path-index.ts";
import { type NoteAt, type Route, type RouteList, readRoute } from "./route-list.ts";
import { openRouteTable } from "./route-table.ts";

/** Routes of which nothing was wrong. */
export interface PackedRoutes {
  readonly index: PathIndex;
  /** As `Searched` has it. */
  readonly folded: PathIndex;
  /** Options of the routes as JSON, one behind the other. */
  readonly texts: string;
  /** Where each of them ends. */
  readonly ends: Int32Array;
}

/** Packs a list. Throws a `TypeError` for one that is not right. */
export function packRoutes({ routes, found }: RouteList): PackedRoutes {
  if (found === undefined) throw new TypeError("routes that were refused");
  const texts = routes.map(({ options }) => JSON.stringify(options));
  let end = 0;
  const ends = Int32Array.from(texts, (text) => {
    end += text.length;
    return end;
  });
  return { index: found.table.index, folded: found.folded, texts: texts.join(""), ends };
}

/** Finds by routes that were packed; each is read when it is found first. */
export function openRoutes({ index, folded, texts, ends }: PackedRoutes): FindRoute {
  const routes: (Route | undefined)[] = Array.from({ length: ends.length });
  const routeAt = (row: number): Route => {
    routes[row] ??= readAgain(texts.slice(ends[row - 1] ?? 0, ends[row]), row);
    return routes[row];
  };
  return createFindRoute({ table: openRouteTable(index, routeAt), folded, routeAt });
}

function readAgain(text: string, row: number): Route {
  const throwOn: NoteAt = (_, make) => make();
  const route = readRoute(readJson(text) as RouteOptions, row, throwOn);
  if (route === undefined) throw new TypeError(`routes[${row}] was refused`);
  return route;
}
