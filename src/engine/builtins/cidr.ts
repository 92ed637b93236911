import { type Term, TermObject, TermSet, termInteger, termSet } from "../term-value.ts";
import { BuiltinError, type BuiltinFamily, BuiltinLimit, type TakeSteps } from "./builtin.ts";
import { mergeNetworks } from "./cidr-merge.ts";
import {
  formatAddress,
  holdsAddress,
  type IpAddress,
  type IpNetwork,
  lastAddress,
  networkOf,
  parseAddress,
  parseNetwork,
} from "./ip-network.ts";
import { checkItems, ITEMS_MAX } from "./limits.ts";
import { asCollection, asString, isArray } from "./operands.ts";

/** Networks, apart from `net.cidr_contains` and `net.cidr_intersects`, which wasm has. */
export const cidrBuiltins: BuiltinFamily = {
  "net.cidr_is_valid": ([text]) => typeof text === "string" && parseNetwork(text) !== undefined,
  "net.cidr_expand": ([text], { takeSteps }) => expand(networkOf(asString(text)), takeSteps),
  "net.cidr_merge": ([texts], { takeSteps }) =>
    termSet(mergeNetworks(asCollection(texts).map(asString), takeSteps)),
  "net.cidr_contains_matches": ([networks, members], { takeSteps }) =>
    containsMatches(candidatesOf(networks), candidatesOf(members), takeSteps),
};

/** Steps to write an address down, by its bits. */
const ADDRESS_STEPS = { 32: 20, 128: 200 };
/** Steps to compare a network with a member. */
const PAIR_STEPS = 30;

function expand(network: IpNetwork, takeSteps: TakeSteps): Term {
  const { bits, value } = network.address;
  const hostBits = bits - network.prefix;
  if (2 ** hostBits > ITEMS_MAX) throw new BuiltinLimit(`more than ${ITEMS_MAX} addresses`);
  takeSteps(ADDRESS_STEPS[bits] * 2 ** hostBits);
  const addresses = Array.from({ length: 2 ** hostBits }, (_, index) =>
    formatAddress({ bits, value: value + BigInt(index) }),
  );
  // Rego's order, as they are ASCII, and found ten times as fast as by comparing terms.
  return new TermSet(addresses.sort());
}

/** A text to compare, and what stands for it in the answer. */
interface Candidate {
  readonly text: Term | undefined;
  readonly index: Term;
}

/** Arrays are known by position, objects by key, sets and single strings by themselves. */
function candidatesOf(term: Term | undefined): Candidate[] {
  if (typeof term === "string") return [{ text: term, index: term }];
  if (term instanceof TermSet) {
    return term.items.map((item) => ({ text: textOf(item), index: item }));
  }
  if (term instanceof TermObject) {
    return term.entries().map(([key, value]) => ({ text: textOf(value), index: key }));
  }
  if (!isArray(term)) return [];
  return term.map((item, index) => ({ text: textOf(item), index: termInteger(index) }));
}

function textOf(item: Term): Term {
  if (isArray(item) && item.length > 0) return item[0]!;
  if (typeof item !== "string") throw new BuiltinError("expected a string or an array with one");
  return item;
}

function containsMatches(
  networks: readonly Candidate[],
  members: readonly Candidate[],
  takeSteps: TakeSteps,
): Term {
  if (networks.length === 0 || members.length === 0) return termSet([]);
  const parsedNetworks = networks.map(({ text }) => networkOf(asString(text)));
  const parsedMembers = members.map(({ text }) => memberOf(asString(text)));
  const found: Term[] = [];
  networks.forEach(({ index }, i) => {
    members.forEach((member, j) => {
      takeSteps(PAIR_STEPS);
      if (!holds(parsedNetworks[i]!, parsedMembers[j]!)) return;
      found.push([index, member.index]);
      checkItems(found.length);
    });
  });
  return termSet(found);
}

function memberOf(text: string): IpAddress | IpNetwork {
  return parseAddress(text) ?? networkOf(text);
}

function holds(network: IpNetwork, member: IpAddress | IpNetwork): boolean {
  if ("bits" in member) return holdsAddress(network, member);
  return holdsAddress(network, member.address) && holdsAddress(network, lastAddress(member));
}
