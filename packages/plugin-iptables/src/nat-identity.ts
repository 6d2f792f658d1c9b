import { errorCode } from "@millrace/core/internal";
import { CommandError } from "./commands/command-error.ts";
import { run } from "./commands/run.ts";
import { NFT_TABLE } from "./layout.ts";
import type { NodeContext } from "./node-context.ts";

const NOTE = "nft";

/**
 * Translation to itself once more, as in the rules of iptables, for kube-proxy in its nftables mode: chains of the same hook and
 * priority run in the order in which they were made, so iptables' may come too late. One step ahead of everybody's `dstnat` and
 * `srcnat` (nft(8), "Standard priority names") none does.
 */
export function natIdentity({ layout }: Pick<NodeContext, "layout">): string {
  const { marks, links } = layout;
  const [value, mask] = marks.out.split("/");
  const outgoing = `oifname { "${links.outbound}", "${links.inbound}" }`;
  return `table inet ${NFT_TABLE} {
  chain prerouting {
    type nat hook prerouting priority -101
    meta mark & ${mask} == ${value} dnat ip to ip daddr
    meta mark & ${mask} == ${value} dnat ip6 to ip6 daddr
  }
  chain postrouting {
    type nat hook postrouting priority 99
    ${outgoing} snat ip to ip saddr
    ${outgoing} snat ip6 to ip6 saddr
  }
}
`;
}

export async function ensureNatIdentity(context: NodeContext): Promise<void> {
  if ((await natIdentityProblems(context)).length === 0) return;
  const text = natIdentity(context);
  const input = `table inet ${NFT_TABLE} {}\ndelete table inet ${NFT_TABLE}\n${text}`;
  await run("nft", ["-f", "-"], { input, signal: context.signal });
  const printed = await list(context);
  if (printed !== undefined) context.printed.set(NOTE, text, { [NFT_TABLE]: printed });
}

/** Where nft(8) is not installed nobody is asked for it: the rules of iptables do the same, as long as they come first. */
export async function natIdentityProblems(context: NodeContext): Promise<string[]> {
  const present = await list(context);
  if (present === undefined) return [];
  const wanted = context.printed.get(NOTE, natIdentity(context))?.[NFT_TABLE];
  if (present.length === 0) return [`nft table inet ${NFT_TABLE} is missing`];
  return wanted?.join("\n") === present.join("\n") ? [] : [`nft table inet ${NFT_TABLE} differs`];
}

export async function removeNatIdentity(context: NodeContext): Promise<void> {
  const present = await list(context);
  if (present !== undefined && present.length > 0)
    await run("nft", ["-f", "-"], { input: `delete table inet ${NFT_TABLE}\n`, signal: context.signal });
  context.printed.delete(NOTE);
}

/** The table as printed; [] when there is none, undefined where nobody can have any: without nft(8), or without nf_tables in the kernel. */
async function list({ signal }: NodeContext): Promise<string[] | undefined> {
  try {
    const text = await run("nft", ["-n", "list", "table", "inet", NFT_TABLE], { signal });
    return text.split("\n").filter((line) => line !== "");
  } catch (error) {
    if (errorCode(error) === "ERR_COMMAND_MISSING") return undefined;
    if (!(error instanceof CommandError)) throw error;
    if (/No such file or directory/.test(error.stderr)) return [];
    if (/Protocol not supported|cache initialization failed/.test(error.stderr)) return undefined;
    throw error;
  }
}
