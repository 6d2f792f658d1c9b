import { existsSync } from "node:fs";
import { release } from "node:os";
import type { Feature, PluginContext, Probe } from "@millrace/core";
import { errorMessage } from "@millrace/core/internal";
import { type Capability, hasCapability } from "@millrace/host";
import type { Family } from "linux-ts";
import { bridgeTable } from "./bridge-table.ts";
import { type Flavour, iptablesProgram } from "./commands/iptables-names.ts";
import { packageOf } from "./commands/programs.ts";
import { run } from "./commands/run.ts";
import type { IptablesConfig } from "./config.ts";
import { chooseFlavour, type FlavourAnswer } from "./flavour/choose-flavour.ts";
import { isOurChain, layoutOf } from "./layout.ts";
import { natIdentity } from "./nat-identity.ts";
import { probeClashes } from "./probe-clashes.ts";
import { nftNeed, nftOnHost } from "./probe-nft.ts";
import {
  bridgeTrial,
  nftTrials,
  routingTrials,
  ruleTrials,
  setTrials,
  type Trial,
  type TrialGroup,
  tunnelTrials,
} from "./probe-trials.ts";
import { openTrialNetns } from "./trial-netns.ts";

const NFT_PROGRAM = "program.nft";
const SECURITY_CONTEXT = "add it to the container's securityContext.capabilities";

/**
 * Tries everything the backend needs, in a network namespace of its own. Nothing on the host is written; modules that the kernel loads
 * for a trial stay loaded.
 */
export async function probe({
  config,
  signal,
}: Pick<PluginContext<IptablesConfig>, "config" | "signal">): Promise<Probe> {
  const features: Feature[] = [
    kernelRelease(),
    capability("CAP_NET_ADMIN", "write rules, routes, sets and links"),
    capability("CAP_NET_RAW", "use iptables"),
    capability("CAP_SYS_ADMIN", "enter pods' network namespaces"),
  ];
  const nft = nftOnHost();
  const needed = nftNeed(nft);
  features.push(...(await Promise.all(programs(needed).map((each) => program(each, signal)))));
  const hasNft = features.some(({ name, available }) => name === NFT_PROGRAM && available);
  const families: Family[] = existsSync("/proc/sys/net/ipv6") ? [4, 6] : [4];
  const flavour = await findFlavour(config, families, signal);
  features.push(flavour.feature);
  const clashes = await probeClashes(config, families, signal);
  features.push(clashes);
  const groups = [
    ...trials(config, families, flavour.answer?.flavour),
    ...(hasNft && nft.available ? [nftTrials(natIdentity({ layout: layoutOf(config) }))] : []),
  ];
  for (const group of groups) features.push(...(await tryGroup(group, signal)));
  const tunnel = usableTunnel(config.tunnel, features);
  features.push(tunnel.feature);
  const missing = features.filter(({ available, required }) => required && !available);
  const summary =
    missing.length > 0
      ? summarise(missing, clashes, needed)
      : `keeps all of the contract on Linux ${release()}, by iptables-${flavour.answer?.flavour} (${flavour.answer?.reason}) and ${tunnel.kind}`;
  return { features, capable: missing.length === 0, summary };
}

function summarise(missing: readonly Feature[], clashes: Feature, nftNeeded: string | undefined): string {
  const names = missing
    .filter((feature) => feature !== clashes)
    .map(({ name }) => (name === NFT_PROGRAM && nftNeeded !== undefined ? `${name} (${nftNeeded})` : name));
  const parts = names.length === 0 ? [] : [`missing: ${names.join(", ")}`];
  if (missing.includes(clashes)) parts.push(`clashes: ${clashes.detail}`);
  return parts.join("; ");
}

/** The tunnel that is used: what the configuration asks for, else Geneve where the kernel has it, else VXLAN. */
export function usableTunnel(
  wanted: IptablesConfig["tunnel"],
  features: readonly Feature[],
): { readonly kind: "geneve" | "vxlan" | undefined; readonly feature: Feature } {
  const works = (kind: string) => features.some(({ name, available }) => name === `tunnel.${kind}` && available);
  const candidates = wanted === "auto" ? (["geneve", "vxlan"] as const) : [wanted];
  const kind = candidates.find(works);
  const feature = {
    name: "tunnel",
    description: "what the first packet of a connection travels in",
    available: kind !== undefined,
    required: true,
    detail: kind ?? `the kernel has no ${candidates.join(" and no ")}: load the module, or use redirectMode ebpf`,
  };
  return { kind, feature };
}

function trials(
  config: IptablesConfig,
  families: readonly Family[],
  flavour: Flavour | undefined,
): readonly TrialGroup[] {
  return [
    tunnelTrials(config.tunnel),
    bridgeTrial(bridgeTable({ layout: layoutOf(config), port: config.port })),
    ...families.flatMap((family) => [
      setTrials(family),
      routingTrials(family),
      ...(flavour === undefined ? [] : [ruleTrials(flavour, family)]),
    ]),
  ];
}

/** By one command where all of it works, else one by one, each in a namespace of its own. */
async function tryGroup({ trials, together }: TrialGroup, signal: AbortSignal): Promise<Feature[]> {
  if (together !== undefined && (await failureOf(together, signal)) === undefined) return trials.map(worked);
  const features: Feature[] = [];
  for (const trial of trials) {
    const failure = await failureOf(trial.attempt, signal);
    features.push(failure === undefined ? worked(trial) : failed(trial, failure));
  }
  return features;
}

async function failureOf(attempt: Trial["attempt"], signal: AbortSignal): Promise<Error | undefined> {
  try {
    using netns = await openTrialNetns();
    await attempt({ netns: netns.fd, signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error : new Error(errorMessage(error), { cause: error });
  }
}

function worked({ name, description, required }: Trial): Feature {
  return { name, description, required, available: true, detail: "works" };
}

function failed({ name, description, required, advice }: Trial, error: unknown): Feature {
  return { name, description, required, available: false, detail: `${errorMessage(error)}; ${advice}` };
}

async function findFlavour(
  { flavour: wanted }: IptablesConfig,
  families: readonly Family[],
  signal: AbortSignal,
): Promise<{ readonly feature: Feature; readonly answer: FlavourAnswer | undefined }> {
  const feature = { name: "iptables.flavour", description: "which iptables programs are used", required: true };
  try {
    const answer = await chooseFlavour({ wanted, isOurs: isOurChain, families, signal });
    return { answer, feature: { ...feature, available: true, detail: `${answer.flavour}: ${answer.reason}` } };
  } catch (error) {
    signal.throwIfAborted();
    return { answer: undefined, feature: { ...feature, available: false, detail: errorMessage(error) } };
  }
}

interface Program {
  readonly name: string;
  readonly required: boolean;
  readonly description: string;
}

/** Those of iptables are tried in the flavour that is chosen: see `iptables.flavour`. */
function programs(nftNeeded: string | undefined): Program[] {
  return [
    { name: "ip", required: true, description: "write routes, rules and tunnels" },
    { name: "ipset", required: true, description: "write sets of members" },
    { name: "nsenter", required: true, description: "run programs in a proxy's network namespace" },
    { name: "unshare", required: true, description: "try things without touching the host" },
    {
      name: "nft",
      required: nftNeeded !== undefined,
      description:
        nftNeeded ??
        "see rules of others in nftables, stay ahead of kube-proxy in its nftables mode, capture what pods of one bridge send to each other",
    },
    ...(["nft", "legacy"] as const).flatMap((flavour) =>
      ([4, 6] as const).map((family) => ({
        name: iptablesProgram(flavour, family),
        required: false,
        description: `read and write rules of IPv${family}, where this flavour is used`,
      })),
    ),
  ];
}

async function program({ name, required, description }: Program, signal: AbortSignal): Promise<Feature> {
  const feature = { name: `program.${name}`, description, required };
  try {
    const text = await run(name, [name === "ip" ? "-V" : "--version"], { signal });
    return { ...feature, available: true, detail: text.split("\n")[0] ?? "" };
  } catch (error) {
    signal.throwIfAborted();
    return { ...feature, available: false, detail: `${errorMessage(error)} (Debian: apt install ${packageOf(name)})` };
  }
}

function kernelRelease(): Feature {
  return {
    name: "kernel.release",
    description: "for information: what counts is tried below",
    available: true,
    required: false,
    detail: `Linux ${release()}`,
  };
}

function capability(name: Capability, description: string): Feature {
  const available = hasCapability(name);
  const detail = available ? "effective" : SECURITY_CONTEXT;
  return { name: `capability.${name}`, description, available, required: true, detail };
}
