import { readFileSync } from "node:fs";
import { release } from "node:os";
import type { Feature, PluginContext, Probe } from "@millrace/core";
import { errorCode, errorMessage, sortedUnique } from "@millrace/core/internal";
import { type Capability, hasCapability, kernelHas } from "@millrace/host";
import {
  BpfObject,
  libbpfVersion,
  type ProbeResult,
  probeBpf,
  probeBpffs,
  probeHelper,
  probeMapType,
  probeProgramType,
  probeTcx,
} from "libbpf-ts";
import { accelerationFeatures } from "./acceleration/probe-acceleration.ts";
import type { EbpfConfig } from "./config.ts";
import { checkDnsRules } from "./dns-rules.ts";
import { explainFailure } from "./errors.ts";
import { hashOf, loadedPrograms } from "./loaded-from.ts";
import { sizesOf } from "./map-sizes.ts";
import { NODE_OBJECT, PROXY_OBJECT } from "./objects.ts";
import { Pins } from "./pins.ts";
import { proxyPlace } from "./places.ts";
import type { TriedObject } from "./tried-object.ts";

const SECURITY_CONTEXT = "add it to the container's securityContext.capabilities";

/**
 * Tries everything the backend needs. Programs and maps are loaded and dropped; nothing is pinned, attached or written. Our own programs are
 * not loaded where they are pinned and a note says that this kernel has loaded them from these very object files. `kept` gets the node's
 * object where it had to be loaded.
 */
export async function probe({ config, host }: PluginContext<EbpfConfig>, kept: TriedObject): Promise<Probe> {
  const pins = new Pins(host.bpffs, config.pins);
  using dropped = new DisposableStack();
  const syscall = probeBpf();
  const newer = syscall.available ? "use a newer kernel, or redirectMode iptables" : "see bpf.syscall";
  const features: Feature[] = [
    kernelRelease(),
    capability("CAP_BPF", "load programs and maps"),
    capability("CAP_NET_ADMIN", "attach programs, write routes and rules"),
    capability("CAP_SYS_ADMIN", "enter pods' network namespaces, use the BPF file system"),
    tried(
      "bpf.syscall",
      "talk BPF to the kernel",
      syscall,
      `allow bpf(2): seccomp profile, lockdown, CONFIG_BPF_SYSCALL`,
    ),
    tried("bpf.fs", "keep redirection running while the agent is not", probeBpffs(host.bpffs), mountAdvice(host.bpffs)),
    tried("bpf.sched_cls", "programs on pods' interfaces", probeProgramType("sched_cls"), newer),
    tried("bpf.sk_lookup", "choose the proxy's listener (Linux 5.9)", probeProgramType("sk_lookup"), newer),
    tried(
      "bpf.skc_lookup_tcp",
      "find the proxy that has a connection",
      probeHelper("sched_cls", "skc_lookup_tcp"),
      newer,
    ),
    tried(
      "bpf.redirect_peer",
      "hand packets into a pod (Linux 5.10)",
      probeHelper("sched_cls", "redirect_peer"),
      newer,
    ),
    tried("bpf.sockmap", "remember the proxy's listeners", probeMapType("sockmap"), newer),
    tried("bpf.lru_hash", "remember connections in bounded memory", probeMapType("lru_hash"), newer),
    object("bpf.node_object", "programs of the node", NODE_OBJECT, [pins.programs], (elf, hash) => {
      const loaded = load(elf, sizesOf(config));
      kept.keep(hash, loaded);
      return loaded;
    }),
    object(
      "bpf.proxy_object",
      "programs of a proxy",
      PROXY_OBJECT,
      pins.proxySlots().map((slot) => proxyPlace(pins.proxy(slot), new Map()).programs),
      (elf) => dropped.use(load(elf, {})),
    ),
    await dns(),
  ];
  const tcx = probeTcx();
  features.push(
    tried(
      "attach.tcx",
      "attach so that nobody else can detach (Linux 6.6)",
      tcx,
      "clsact serves instead",
      config.attach === "tcx",
    ),
    clsact(config.attach === "clsact" || !tcx.available),
    ...accelerationFeatures(config),
  );
  const missing = features.filter(({ available, required }) => required && !available);
  if (missing.length > 0) kept.drop();
  return { features, capable: missing.length === 0, summary: summarise(missing, config, tcx.available) };
}

function summarise(missing: readonly Feature[], { attach }: EbpfConfig, hasTcx: boolean): string {
  if (missing.length > 0) return `missing: ${missing.map(({ name }) => name).join(", ")}`;
  const mode = attach === "clsact" || !hasTcx ? "clsact filters" : "tcx links";
  return `keeps all of the contract on Linux ${release()}, attaching by ${mode}`;
}

function kernelRelease(): Feature {
  return {
    name: "kernel.release",
    description: "for information: what counts is tried below",
    available: true,
    required: false,
    detail: `Linux ${release()}, libbpf ${libbpfVersion()}`,
  };
}

function capability(name: Capability, description: string): Feature {
  const available = hasCapability(name);
  return {
    name: `capability.${name}`,
    description,
    available,
    required: true,
    detail: available ? "effective" : SECURITY_CONTEXT,
  };
}

function tried(name: string, description: string, result: ProbeResult, advice: string, required = true): Feature {
  const { available, error } = result;
  const reason = error ? `${errorCode(error)}: ${errorMessage(error)}` : "the kernel does not have it";
  return { name, description, available, required, detail: available ? "works" : `${reason}; ${advice}` };
}

/**
 * The verifier's word on one of our own objects, on this very kernel. Pins go with the kernel that made them: what is pinned in one of these
 * directories it has accepted, and has not to look at again.
 */
function object(
  name: string,
  description: string,
  path: string,
  pinned: readonly string[],
  load: (elf: Uint8Array, hash: string) => BpfObject,
): Feature {
  const about = { name, description, required: true };
  try {
    const elf = readFileSync(path);
    const hash = hashOf(elf);
    const known = pinned.flatMap((directory) => loadedPrograms(directory, hash) ?? []);
    const programs = known.length > 0 ? known : [...load(elf, hash).programs.keys()];
    return { ...about, available: true, detail: `the verifier accepts ${sortedUnique(programs).join(", ")}` };
  } catch (error) {
    return { ...about, available: false, detail: explainFailure(`loading ${path}`, error).message };
  }
}

function load(elf: Uint8Array, sizes: Readonly<Record<string, number>>): BpfObject {
  using opened = new DisposableStack();
  const object = opened.use(BpfObject.open(elf));
  for (const [map, size] of Object.entries(sizes)) object.setMaxEntries(map, size);
  object.load();
  opened.move();
  return object;
}

/** Only dnsCapture needs it, which not every node has. */
async function dns(): Promise<Feature> {
  const about = { name: "netfilter.nft", description: "lead members' DNS to the proxy (dnsCapture)", required: false };
  try {
    await checkDnsRules();
    return { ...about, available: true, detail: "nft and the kernel take the rules" };
  } catch (error) {
    return { ...about, available: false, detail: explainFailure("checking the rules for DNS", error).message };
  }
}

/** The one thing that cannot be tried without changing an interface, so the kernel's own description is asked. */
function clsact(required: boolean): Feature {
  const parts = [kernelHas("NET_SCH_INGRESS", "sch_ingress"), kernelHas("NET_CLS_BPF", "cls_bpf")];
  const available = parts.every((part) => part?.has !== false);
  const detail = parts.every((part) => part?.has)
    ? `in the kernel, says ${parts[0]?.source}`
    : available
      ? "the host does not tell (no /proc/config.gz, no /boot/config); every usual kernel has it"
      : "build the kernel with CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF";
  return { name: "attach.clsact", description: "attach on any kernel", available, required, detail };
}

function mountAdvice(bpffs: string): string {
  return `the node mounts it by mount -t bpf bpf ${bpffs}, the agent's container by a read-write hostPath volume`;
}
