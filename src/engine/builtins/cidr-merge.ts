import { BuiltinError, BuiltinUnsupported, type TakeSteps } from "./builtin.ts";
import {
  formatAddress,
  type IpAddress,
  lastAddress,
  parseAddress,
  parseNetwork,
} from "./ip-network.ts";

/** Addresses from first to last, IPv4 as IPv4-mapped IPv6, as OPA compares them. */
interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
  /** The network it was written as; `undefined` once merged. */
  readonly text: string | undefined;
}

const MAPPED_FIRST = 0xffffn << 32n;
const MAPPED_LAST = MAPPED_FIRST | 0xffff_ffffn;

/** Steps to read an address or network. */
const TEXT_STEPS = 1000;

/** The fewest networks that hold the same addresses. */
export function mergeNetworks(texts: readonly string[], takeSteps: TakeSteps): string[] {
  takeSteps(TEXT_STEPS * texts.length);
  if (texts.length > 1 && texts.some((text) => parseNetwork(text)?.isMapped === true)) {
    // OPA puts addresses of 28 bytes together here.
    throw new BuiltinUnsupported("merging IPv4-mapped IPv6 networks");
  }
  return mergeRanges(texts.map(rangeOf)).flatMap((range) =>
    range.text === undefined ? networksOf(range, takeSteps) : [range.text],
  );
}

function rangeOf(text: string): AddressRange {
  const single = parseAddress(text);
  if (single !== undefined) return rangeOfAddress(single);
  const network = parseNetwork(text);
  if (network === undefined) throw new BuiltinError("not an address or network");
  const { address, prefix } = network;
  return {
    first: positionOf(address),
    last: positionOf(lastAddress(network)),
    text: `${formatAddress(address)}/${prefix}`,
  };
}

/** A single IPv4 address stands for the network of its class, though it is printed as it is. */
function rangeOfAddress(address: IpAddress): AddressRange {
  if (address.bits === 128) throw new BuiltinError("an IPv6 address needs a prefix length");
  const prefix = classPrefix(Number(address.value >> 24n));
  const hosts = (1n << BigInt(32 - prefix)) - 1n;
  const first = positionOf({ bits: 32, value: address.value & ~hosts });
  return { first, last: first + hosts, text: `${formatAddress(address)}/${prefix}` };
}

/** Prefix of the network class by the first octet. */
function classPrefix(octet: number): number {
  if (octet < 0x80) return 8;
  return octet < 0xc0 ? 16 : 24;
}

function positionOf({ bits, value }: IpAddress): bigint {
  return bits === 32 ? MAPPED_FIRST + value : value;
}

function mergeRanges(ranges: AddressRange[]): AddressRange[] {
  const sorted = ranges.sort((a, b) => compare(a.last, b.last) || compare(a.first, b.first));
  const merged: AddressRange[] = [];
  for (let index = sorted.length - 1; index >= 0; index -= 1) {
    const lower = sorted[index]!;
    const upper = merged.at(-1);
    if (upper !== undefined && before(upper.first) <= lower.last) {
      const first = compare(lower.first, upper.first) < 0 ? lower.first : upper.first;
      merged[merged.length - 1] = { first, last: upper.last, text: undefined };
    } else merged.push(lower);
  }
  return merged;
}

/** The address before, except that families have no address before their first. */
function before(position: bigint): bigint {
  return position === 0n || position === MAPPED_FIRST ? position : position - 1n;
}

/** Steps for a bit by which a network grows. */
const BIT_STEPS = 60;

function networksOf(range: AddressRange, takeSteps: TakeSteps): string[] {
  const isV4 = isMapped(range.first);
  if (isV4 !== isMapped(range.last)) {
    throw new BuiltinUnsupported("merging IPv4 with IPv6 networks");
  }
  const bits = isV4 ? 32 : 128;
  const base = isV4 ? MAPPED_FIRST : 0n;
  const networks: string[] = [];
  let at = range.first - base;
  const end = range.last - base;
  while (at <= end) {
    let hostBits = 0;
    // The largest network that starts here and does not reach beyond the end.
    while (
      hostBits < bits &&
      at % (2n << BigInt(hostBits)) === 0n &&
      at + (2n << BigInt(hostBits)) - 1n <= end
    ) {
      hostBits += 1;
    }
    takeSteps(BIT_STEPS * (hostBits + 1));
    networks.push(`${formatAddress({ bits, value: at })}/${bits - hostBits}`);
    at += 1n << BigInt(hostBits);
  }
  return networks;
}

function isMapped(position: bigint): boolean {
  return position >= MAPPED_FIRST && position <= MAPPED_LAST;
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
