import { isIPv4, isIPv6 } from "node:net";

const GROUP_BITS = 16;
const V4_BITS = 32;
const V6_BITS = 128;
const MAPPED_PREFIX = V6_BITS - V4_BITS;

/**
 * An IP address in 16-bit groups. A v4-mapped v6 address (`::ffff:10.1.2.3`) is the v4 address, so
 * that a dual-stack listener and a v4 whitelist agree.
 */
export interface Address {
  readonly family: 4 | 6;
  readonly groups: readonly number[];
}

/** The addresses of one family that share their first `prefix` bits with `groups`. */
export interface Network extends Address {
  readonly prefix: number;
}

/**
 * Reads an address strictly: four decimal parts without leading zeros (which elsewhere mean octal),
 * or v6 without a zone id (which names an interface of another machine).
 */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, groups: groupsOfV4(text) };
  if (text.includes("%") || !isIPv6(text)) return undefined;
  const groups = groupsOfV6(text);
  return isMapped(groups) ? { family: 4, groups: groups.slice(6) } : { family: 6, groups };
}

/** Reads `address/prefix`, or an address as the network of itself alone. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf("/");
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(addressText);
  if (address === undefined) return undefined;
  const bits = address.family === 4 ? V4_BITS : V6_BITS;
  if (slash < 0) return { ...address, prefix: bits };
  const prefixText = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  if (address.family === 6 || !addressText.includes(":")) {
    return prefix <= bits ? { ...address, prefix } : undefined;
  }
  // A mapped network counts its prefix in v6 bits; one wider than the mapped range is not v4.
  const v4Prefix = prefix - MAPPED_PREFIX;
  return v4Prefix >= 0 && v4Prefix <= V4_BITS ? { ...address, prefix: v4Prefix } : undefined;
}

/** Whether the address lies in the network. The families never mix: `::/0` holds no v4 address. */
export function networkContains(network: Network, address: Address): boolean {
  if (network.family !== address.family) return false;
  for (let start = 0; start < network.prefix; start += GROUP_BITS) {
    const index = start / GROUP_BITS;
    const spare = Math.max(0, GROUP_BITS - (network.prefix - start));
    if ((network.groups[index]! ^ address.groups[index]!) >>> spare !== 0) return false;
  }
  return true;
}

function groupsOfV4(text: string): number[] {
  const bytes = text.split(".").map(Number);
  return [bytes[0]! * 256 + bytes[1]!, bytes[2]! * 256 + bytes[3]!];
}

function groupsOfV6(text: string): number[] {
  const [head, tail] = text.split("::");
  const front = groupsOfPart(head!);
  if (tail === undefined) return front;
  const back = groupsOfPart(tail);
  const gap = V6_BITS / GROUP_BITS - front.length - back.length;
  return [...front, ...new Array<number>(gap).fill(0), ...back];
}

function groupsOfPart(part: string): number[] {
  if (part === "") return [];
  return part
    .split(":")
    .flatMap((group) => (group.includes(".") ? groupsOfV4(group) : [Number.parseInt(group, 16)]));
}

function isMapped(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
}
