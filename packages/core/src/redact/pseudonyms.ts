import { isIPv4 } from "node:net";
import { byCodeUnit } from "../events/address.ts";

/**
 * Other words for words, one for one, that compare as the words do: lists are recorded in order, and decided again in order, so that a
 * redacted log still replays byte for byte.
 */
export type Pseudonyms = ReadonlyMap<string, string>;

/** `pod-07`: numbered in order, with as many digits as the last one needs. */
export function namePseudonyms(kind: string, names: ReadonlySet<string>): Pseudonyms {
  const width = String(names.size).length;
  return inOrder(names, (index) => `${kind}-${String(index + 1).padStart(width, "0")}`);
}

/** Ethernet addresses, locally administered. */
export function macPseudonyms(macs: ReadonlySet<string>): Pseudonyms {
  return inOrder(macs, (index) => `02:${(index.toString(16).padStart(10, "0").match(/../g) as string[]).join(":")}`);
}

/** Addresses, each of its own family and in the one form that it has here. */
export function addressPseudonyms(addresses: ReadonlySet<string>): Pseudonyms {
  const next = addressesInOrder();
  return inOrder(addresses, (_, address) => next(isIPv4(address)));
}

/** Networks: of one address each, since what lies in which is nothing that decisions ask. */
export function networkPseudonyms(networks: ReadonlySet<string>): Pseudonyms {
  const next = addressesInOrder();
  return inOrder(networks, (_, network) => {
    const v4 = isIPv4(network.slice(0, network.indexOf("/")));
    return `${next(v4)}/${v4 ? 32 : 128}`;
  });
}

function inOrder(words: ReadonlySet<string>, pseudonym: (index: number, word: string) => string): Pseudonyms {
  return new Map([...words].sort(byCodeUnit).map((word, index) => [word, pseudonym(index, word)]));
}

const FIRST_OCTET = 100;
const LAST_OCTET = 255;
/** Three digits each, so that texts compare as numbers do. */
const OCTETS = LAST_OCTET - FIRST_OCTET + 1;
const FIRST_WORD = 0x1000;
const WORDS = 0x10000 - FIRST_WORD;

/**
 * Addresses of either family, each greater as text than the one before it: `101.100.100.100` < `101a:1000:1000::1` < `102.…`, because a dot
 * comes before a letter. The number in front counts how often IPv4 follows on IPv6: real addresses, sorted, do that a few times.
 */
function addressesInOrder(): (v4: boolean) => string {
  let front = FIRST_OCTET;
  let count = 0;
  let last: "none" | "v4" | "v6" = "none";
  return (v4) => {
    if (v4 && last === "v6" && front < LAST_OCTET) {
      front++;
      count = 0;
    }
    last = v4 ? "v4" : "v6";
    const index = count++;
    if (v4) {
      const octets = [Math.floor(index / OCTETS ** 2) % OCTETS, Math.floor(index / OCTETS) % OCTETS, index % OCTETS];
      return [front, ...octets.map((octet) => octet + FIRST_OCTET)].join(".");
    }
    const words = [Math.floor(index / WORDS) % WORDS, index % WORDS].map((word) => (word + FIRST_WORD).toString(16));
    return `${front}a:${words.join(":")}::1`;
  };
}
