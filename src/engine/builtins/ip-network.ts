import { isIP } from "node:net";
import { BuiltinError } from "./builtin.ts";

/** An address as Go's net package holds it: IPv4 and IPv4-mapped IPv6 are one family. */
export interface IpAddress {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** A network whose address has no bits beyond the prefix. */
export interface IpNetwork {
  readonly address: IpAddress;
  readonly prefix: number;
  /** The network was written as IPv6, but is one of IPv4-mapped addresses. */
  readonly isMapped: boolean;
}

const MAPPED_PREFIX = 0xffffn << 32n;
const GROUP_BITS = 16n;

/** Reads an address without a zone; `undefined` for anything else. */
export function parseAddress(text: string): IpAddress | undefined {
  const address = parseLiteral(text);
  return address === undefined ? undefined : unmapped(address);
}

/** Reads `address/prefix` as Go's net.ParseCIDR does; `undefined` for anything else. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const slash = text.indexOf("/");
  const address = parseLiteral(slash < 0 ? "" : text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^[0-9]+$/.test(digits)) return undefined;
  const prefix = Number(digits);
  if (prefix > address.bits) return undefined;
  const hostBits = BigInt(address.bits - prefix);
  const first = { bits: address.bits, value: (address.value >> hostBits) << hostBits };
  const plain = unmapped(first);
  if (plain.bits === first.bits) return { address: first, prefix, isMapped: false };
  // A mapped network of fewer than 96 bits has lost its mapping to the mask, or is all of IPv4.
  return { address: plain, prefix: Math.max(prefix - 96, 0), isMapped: true };
}

/** Reads a network, or fails. */
export function networkOf(text: string): IpNetwork {
  const network = parseNetwork(text);
  if (network === undefined) throw new BuiltinError("not a network");
  return network;
}

/** Whether the address lies in the network; never across families. */
export function holdsAddress(network: IpNetwork, address: IpAddress): boolean {
  if (network.address.bits !== address.bits) return false;
  const hostBits = BigInt(address.bits - network.prefix);
  return network.address.value >> hostBits === address.value >> hostBits;
}

/** The last address of the network. */
export function lastAddress({ address, prefix }: IpNetwork): IpAddress {
  const hosts = (1n << BigInt(address.bits - prefix)) - 1n;
  return { bits: address.bits, value: address.value | hosts };
}

/** Text of an address; IPv6 as RFC 5952 has it. */
export function formatAddress({ bits, value }: IpAddress): string {
  if (bits === 32) {
    const address = Number(value);
    return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
  }
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> (GROUP_BITS * BigInt(7 - index))) & 0xffffn).toString(16),
  );
  const gap = longestZeros(groups);
  if (gap.length < 2) return groups.join(":");
  const head = groups.slice(0, gap.start).join(":");
  return `${head}::${groups.slice(gap.start + gap.length).join(":")}`;
}

function longestZeros(groups: readonly string[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== "0") start = index + 1;
    else if (index + 1 - start > longest.length) longest = { start, length: index + 1 - start };
  });
  return longest;
}

/** `::ffff:1.2.3.4` is 1.2.3.4. */
function unmapped(address: IpAddress): IpAddress {
  if (address.bits === 32 || address.value >> 32n !== 0xffffn) return address;
  return { bits: 32, value: address.value - MAPPED_PREFIX };
}

function parseLiteral(text: string): IpAddress | undefined {
  const version = isIP(text);
  if (version === 4) return { bits: 32, value: parseV4(text) };
  if (version === 0 || text.includes("%")) return undefined;
  return { bits: 128, value: parseV6(text) };
}

function parseV4(text: string): bigint {
  return text.split(".").reduce((value, octet) => value * 256n + BigInt(octet), 0n);
}

function parseV6(text: string): bigint {
  const [head, tail] = text.split("::").map(groupsOf) as [bigint[], bigint[]?];
  const zeros = tail === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array<bigint>(zeros).fill(0n), ...(tail ?? [])];
  return groups.reduce((value, group) => (value << GROUP_BITS) | group, 0n);
}

/** Groups of 16 bits; an IPv4 address at the end makes two. */
function groupsOf(text: string): bigint[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [BigInt(`0x${group}`)];
    const value = parseV4(group);
    return [value >> GROUP_BITS, value & 0xffffn];
  });
}
