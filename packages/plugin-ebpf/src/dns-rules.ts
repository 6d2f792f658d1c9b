import { createHash } from "node:crypto";
import { lstatSync } from "node:fs";
import { errorCode, errorMessage } from "@millrace/core/internal";
import { DIRECTION_MAC } from "./layout.ts";
import { nft } from "./nft.ts";
import { readNote, removePins, writeNote } from "./pins.ts";

/** In a proxy's namespace. */
export const DNS_TABLE = "inet millrace_dns";

/** Where Istio's node proxy answers DNS. */
const PORT = 15_053;

/** The proxy's namespace while it is open, the name of its interface, and the note that says what was written there. */
export interface DnsPlace {
  readonly netns: { readonly fd: number };
  readonly ifName: string;
  readonly note: string;
}

/**
 * The rules that lead members' DNS to the proxy's port 15053. conntrack keeps the questions of one socket to several servers apart (a
 * clash of their answers' addresses is resolved by another source port) and gives each answer its server's address back.
 *
 * A nat chain makes conntrack follow every packet of the namespace, and the table of all namespaces together has one bound
 * (Documentation/networking/nf_conntrack-sysctl.rst, nf_conntrack_max). Redirected TCP is of no use there, so it is taken out again:
 * on its way in by its source MAC, on its way out by an address that is not the namespace's own.
 */
export function dnsRules(ifName: string): string {
  const { outbound, inbound, dns } = DIRECTION_MAC;
  const from = (...macs: string[]) => `iifname "${ifName}" ether saddr { ${macs.join(", ")} }`;
  return `table ${DNS_TABLE} {
  chain untracked_in {
    type filter hook prerouting priority raw; policy accept;
    ${from(outbound, inbound)} notrack
  }
  chain untracked_out {
    type filter hook output priority raw; policy accept;
    oifname "${ifName}" meta l4proto tcp fib saddr type != local notrack
  }
  chain questions {
    type nat hook prerouting priority dstnat; policy accept;
    ${from(dns)} udp dport 53 redirect to :${PORT}
    ${from(dns)} tcp dport 53 redirect to :${PORT}
  }
}
`;
}

/** Makes the rules be there as they should; what is there and right is not touched. Throws what {@link nft} throws. */
export async function ensureDnsRules(place: DnsPlace): Promise<void> {
  if ((await dnsProblems(place)).length === 0) return;
  const netns = place.netns.fd;
  const before = readNote(place.note);
  // Noted first: a crash after the next step leaves rules that the note accounts for.
  writeNote(place.note, "unfinished");
  // The first line makes the second true where no table is; all of it is one transaction.
  const input = `table ${DNS_TABLE} {}\ndelete table ${DNS_TABLE}\n${dnsRules(place.ifName)}`;
  try {
    await nft(["-f", "-"], { netns, input });
  } catch (error) {
    if (before === undefined) removePins(place.note);
    throw error;
  }
  writeNote(place.note, digest(await printed(netns)));
}

/** Removes the rules that a note accounts for, also one that cannot be read any more. */
export async function removeDnsRules({ netns, note }: Pick<DnsPlace, "netns" | "note">): Promise<void> {
  if (lstatSync(note, { throwIfNoEntry: false }) === undefined) return;
  await nft(["-f", "-"], { netns: netns.fd, input: `table ${DNS_TABLE} {}\ndelete table ${DNS_TABLE}\n` });
}

/** What is wrong with the rules, in short phrases: compared with what nft printed of them when they were written. */
export async function dnsProblems({ netns, note }: DnsPlace): Promise<string[]> {
  const written = readNote(note);
  if (written === undefined) return ["DNS rules were not written"];
  try {
    return digest(await printed(netns.fd)) === written ? [] : ["DNS rules differ from what was written"];
  } catch (error) {
    if (!["ERR_NFT_FAILED", "ERR_NFT_MISSING"].includes(errorCode(error))) throw error;
    const message = errorMessage(error);
    return [message.includes("No such file or directory") ? "DNS rules are missing" : message];
  }
}

/** Whether nft and the kernel would take the rules. Changes nothing. */
export async function checkDnsRules(): Promise<void> {
  await nft(["--check", "-f", "-"], { input: dnsRules("eth0") });
}

function printed(netns: number): Promise<string> {
  return nft(["list", "table", ...DNS_TABLE.split(" ")], { netns });
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
