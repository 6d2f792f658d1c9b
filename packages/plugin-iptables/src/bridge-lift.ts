import { link } from "linux-ts";
import { proxyPort, unsuitable, vlanBridgeOf } from "./bridge-of.ts";
import {
  type BridgePort,
  type BridgePorts,
  elementLines,
  elementsOf,
  NO_TABLE,
  type PortRole,
  parseBridgeTable,
  type TableListing,
} from "./bridge-ports.ts";
import { bridgeTable } from "./bridge-table.ts";
import { CommandError } from "./commands/command-error.ts";
import { ipLinks } from "./commands/ip.ts";
import { run } from "./commands/run.ts";
import { IptablesError } from "./errors.ts";
import { NFT_TABLE } from "./layout.ts";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";

const NOTE = "bridge";

/** Whether any pod was ever attached to a bridge here: otherwise nobody is asked about the table. */
export const usesBridges = ({ printed }: Pick<NodeContext, "printed">): boolean => printed.has(NOTE);

/** What the kernel has of the table; empty where there is none. */
export async function readLift(context: NodeContext): Promise<TableListing> {
  if (!usesBridges(context)) return NO_TABLE;
  return (await list(context)) ?? NO_TABLE;
}

/**
 * Makes the table be there and have these ports, in one transaction; the table itself is written anew only where it is not what was
 * written. Ports whose interface is gone are left out.
 *
 * Rejects with `ERR_BRIDGE` where nft(8) or the kernel cannot.
 */
export async function writeLift(context: NodeContext, change: (present: BridgePorts) => BridgePorts): Promise<void> {
  try {
    const text = bridgeTable(context);
    const present = (await list(context)) ?? NO_TABLE;
    const wanted = elementsOf(withoutGone(change(present.ports)));
    const isWhole = hasSkeleton(context, text, present);
    const lines = isWhole
      ? elementLines(present.elements, wanted)
      : [`table bridge ${NFT_TABLE} {}`, `delete table bridge ${NFT_TABLE}`, text, ...elementLines(new Map(), wanted)];
    if (lines.length === 0) return;
    // Noted first: a table that nobody knows of would stay.
    if (!isWhole) context.printed.set(NOTE, text, { [NFT_TABLE]: [] });
    await run("nft", ["-f", "-"], { input: `${lines.join("\n")}\n`, signal: context.signal });
    if (!isWhole) context.printed.set(NOTE, text, { [NFT_TABLE]: (await list(context))?.skeleton ?? [] });
  } catch (cause) {
    if (!(cause instanceof CommandError) || cause.code === "ERR_ABORTED") throw cause;
    throw new IptablesError(
      "ERR_BRIDGE",
      `what pods of one bridge send to each other cannot be redirected: ${cause.message}. ` +
        "Install nftables, use a kernel with CONFIG_NF_TABLES_BRIDGE, or use redirectMode ebpf",
      { cause },
    );
  }
}

/**
 * Makes sure that these ports could be lifted, and changes nothing about any: before a pod is enrolled, so that it is refused as a whole.
 *
 * Rejects with `ERR_BRIDGE`.
 */
export async function requireLift(context: NodeContext, ports: readonly BridgePort[]): Promise<void> {
  if (ports.length === 0) return;
  await requireSuitable(context, ports);
  await writeLift(context, (present) => present);
}

/** What the bridges themselves stand in the way of. Rejects with `ERR_BRIDGE`. */
export async function requireSuitable(
  { signal }: Pick<NodeContext, "signal">,
  ports: readonly BridgePort[],
): Promise<void> {
  const links = await ipLinks({ signal });
  for (const { name } of ports) {
    const bridge = vlanBridgeOf(links, name);
    if (bridge !== undefined) throw unsuitable(name, bridge, "which keeps VLANs apart (vlan_filtering)");
  }
}

/** Puts these ports in, over what is there of the same names. */
export async function addPorts(context: NodeContext, ports: readonly BridgePort[]): Promise<void> {
  if (ports.length === 0) return;
  await writeLift(context, (present) => new Map([...present, ...ports.map((port) => [port.name, port] as const)]));
}

/** Makes the ports of proxies be those of these slots. A proxy that is gone, or drained, is like any pod. */
export async function ensureProxyPorts(context: NodeContext, slots: ReadonlyMap<number, SlotIdentity>): Promise<void> {
  const ports = [...slots].flatMap(([slot, identity]) => proxyPort(slot, identity) ?? []);
  if (ports.length === 0 && !usesBridges(context)) return;
  await writeLift(context, (present) => {
    const others = releasePorts(present, ({ role }) => role.kind === "proxy");
    return new Map([...others, ...ports.map((port) => [port.name, port] as const)]);
  });
}

/**
 * Lets ports of members go. Those whose connections a proxy has yet (`isHeld`) are lifted as before until their interface is gone, or until
 * a later call finds nothing held: what others answer to the proxy needs the node's IP layer.
 */
export async function releaseMembers(
  context: NodeContext,
  isMember: (uid: string) => boolean,
  isHeld: (uid: string) => boolean,
): Promise<void> {
  if (!usesBridges(context)) return;
  const isLeaving = ({ role, owner }: BridgePort) => role.kind === "member" && !isMember(owner);
  await writeLift(context, (present) => {
    const kept = [...present].filter(([, port]) => !isLeaving(port) || isHeld(port.owner));
    return releasePorts(new Map(kept), isLeaving);
  });
}

function releasePorts(ports: BridgePorts, which: (port: BridgePort) => boolean): BridgePorts {
  const former: PortRole = { kind: "former" };
  return new Map([...ports].map(([name, port]) => [name, which(port) ? { ...port, role: former } : port]));
}

/** What is missing or different in the table itself, or left over in its sets. */
export function liftProblems(context: NodeContext, present: TableListing): string[] {
  if (!usesBridges(context)) return [];
  if (present.skeleton.length === 0) return [`nft table bridge ${NFT_TABLE} is missing`];
  const differs = hasSkeleton(context, bridgeTable(context), present) ? [] : [`nft table bridge ${NFT_TABLE} differs`];
  return [
    ...differs,
    ...elementLines(present.elements, elementsOf(present.ports)).map((line) => `nft ${line}: not done`),
  ];
}

/** `portOf`: what it has to be; undefined where its pod is routed. */
export function portProblem(portOf: () => BridgePort | undefined, { ports }: TableListing): string[] {
  const port = attempt(portOf);
  if (port instanceof IptablesError) return [port.message];
  if (port === undefined) return [];
  const present = ports.get(port.name);
  if (present === undefined) return [`port ${port.name} of its bridge is not in nft table bridge ${NFT_TABLE}`];
  const [found, wanted] = [present, port].map((each) => JSON.stringify([...elementsOf(new Map([[each.name, each]]))]));
  return found === wanted ? [] : [`port ${port.name} of its bridge is another one in nft table bridge ${NFT_TABLE}`];
}

function attempt(portOf: () => BridgePort | undefined): BridgePort | undefined | IptablesError {
  try {
    return portOf();
  } catch (error) {
    if (error instanceof IptablesError && error.code === "ERR_BRIDGE") return error;
    throw error;
  }
}

export async function removeLift(context: NodeContext): Promise<void> {
  if (!usesBridges(context)) return;
  const present = await list(context);
  const input = `delete table bridge ${NFT_TABLE}\n`;
  if (present !== undefined) await run("nft", ["-f", "-"], { input, signal: context.signal });
  context.printed.delete(NOTE);
}

function withoutGone(ports: BridgePorts): BridgePorts {
  return new Map([...ports].filter(([name, { index }]) => link(undefined, index)?.name === name));
}

function hasSkeleton({ printed }: NodeContext, text: string, { skeleton }: TableListing): boolean {
  const wanted = printed.get(NOTE, text)?.[NFT_TABLE] ?? [];
  return skeleton.length > 0 && wanted.join("\n") === skeleton.join("\n");
}

async function list({ signal }: NodeContext): Promise<TableListing | undefined> {
  try {
    return parseBridgeTable(await run("nft", ["-j", "list", "table", "bridge", NFT_TABLE], { signal }));
  } catch (error) {
    if (error instanceof CommandError && /No such file or directory/.test(error.stderr)) return undefined;
    throw error;
  }
}
