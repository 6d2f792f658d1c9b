import { existsSync } from "node:fs";
import { join } from "node:path";
import type { PluginContext, Shadow, ShadowedWorkload, WantedRedirection, Workload } from "@millrace/core";
import { errorCode, errorMessage } from "@millrace/core/internal";
import { Mutex } from "@millrace/host";
import { BpfMap } from "libbpf-ts";
import { currentNetns } from "linux-ts";
import { setFlag } from "../address-flags.ts";
import type { EbpfConfig } from "../config.ts";
import { EbpfError, explainFailure } from "../errors.ts";
import { chooseHooks } from "../hooks.ts";
import { ADDRESS_NODE } from "../layout.ts";
import { type LoadedObject, loadOrAdopt } from "../load-object.ts";
import { sizesOf } from "../map-sizes.ts";
import type { MemberKernel } from "../node-kernel.ts";
import { SHADOW_OBJECT } from "../objects.ts";
import { Pins, requireBpffs } from "../pins.ts";
import { useProxies } from "../proxies.ts";
import { SharedMaps } from "../shared-maps.ts";
import { COUNTING, workloadHooks } from "../workload-hooks.ts";
import { Workloads } from "../workloads.ts";
import { shadowConfig, shadowPins } from "./shadow-pins.ts";
import { ShadowSlots } from "./shadow-slots.ts";
import { WorkloadCounts } from "./workload-counts.ts";

interface Loaded {
  readonly kernel: MemberKernel;
  readonly workloads: Workloads;
  readonly slots: ShadowSlots;
  readonly counts: WorkloadCounts;
  /** Id of the map of questions that its programs use, where that is the redirection's. */
  readonly questions: number | undefined;
}

/**
 * Counts what the eBPF redirection would do, beside whichever redirects. Its programs decide by the same code, and its maps are filled by the same
 * code; but the maps are its own, and the programs let every packet go on (bpf/shadow.bpf.c).
 *
 * One map of the redirection is used where there is one: `questions`. Looking for a proxy's socket runs the proxy's own sk_lookup program, which
 * is told by it that nobody sends a packet, and counts none.
 */
export class EbpfShadow implements Shadow {
  readonly #context: PluginContext<EbpfConfig>;
  readonly #mutex = new Mutex();
  readonly #problems = new Map<string, string>();
  #followed: readonly Workload[] = [];
  #loaded: Loaded | undefined;

  private constructor(context: PluginContext<EbpfConfig>) {
    this.#context = context;
  }

  /** Throws as opening the redirection does. What an earlier shadow counted is forgotten. */
  static async open(context: PluginContext<EbpfConfig>): Promise<EbpfShadow> {
    const shadow = new EbpfShadow(context);
    try {
      requireBpffs(context.host.bpffs);
      const loaded = shadow.#load();
      loaded.counts.end(() => true);
      await loaded.workloads.adopt();
      return shadow;
    } catch (error) {
      await shadow[Symbol.asyncDispose]();
      throw explainFailure("opening the shadow", error);
    }
  }

  follow({ node, proxies, workloads }: WantedRedirection): Promise<void> {
    return this.#run("following what is wanted", async () => {
      const loaded = this.#current();
      const { kernel } = loaded;
      kernel.object.repin();
      setFlag(kernel.maps, ADDRESS_NODE, node.addresses);
      this.#problems.clear();
      await this.#try("", () => useProxies(kernel, loaded.slots, proxies));
      const uids = new Set(workloads.map(({ uid }) => uid));
      const gone = kernel.pins.workloads().filter(({ uid }) => !uids.has(uid));
      for (const { uid } of gone) await loaded.workloads.remove(uid);
      loaded.workloads.sweepEntries();
      for (const workload of workloads) {
        await this.#try(workload.uid, async () => {
          // What is open is looked at as at a switch: by whose socket it is, not by its age.
          await loaded.workloads.apply({ ...workload, enrolExisting: "reset" });
          await this.#comeFirst(kernel, workload);
          loaded.counts.begin(workload.interface.hostIndex);
        });
      }
      this.#followed = workloads;
      const interfaces = new Set(workloads.map(({ interface: { hostIndex } }) => hostIndex));
      loaded.counts.end((ifindex) => !interfaces.has(ifindex));
    });
  }

  counts(): Promise<readonly ShadowedWorkload[]> {
    return this.#run("reading what was counted", async () => {
      const { counts, kernel } = this.#current();
      const shared = this.#problems.get("");
      return this.#followed.map((workload) => {
        const own = this.#problems.get(workload.uid);
        return {
          uid: workload.uid,
          counts: counts.of(workload.interface.hostIndex),
          problems: [
            ...(own === undefined ? [] : [own]),
            ...(shared === undefined ? [] : [`proxies: ${shared}`]),
            ...(own === undefined ? problemsOf(kernel, workload) : []),
          ],
        };
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mutex.run(async () => {
      this.#loaded?.kernel.object[Symbol.dispose]();
      this.#loaded = undefined;
    });
  }

  /** A redirection that was attached later runs first, and what it takes nobody sees behind it. */
  async #comeFirst(kernel: MemberKernel, workload: Workload): Promise<void> {
    for (const hook of hooksOf(kernel, workload)) {
      if (kernel.hooks.inspect(hook).isBehindOurs !== true) continue;
      await kernel.hooks.detach(hook);
      await kernel.hooks.ensure(hook, kernel.object.program(hook.program));
    }
  }

  async #try(subject: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { code, message } = explainFailure("following", error);
      this.#problems.set(subject, `${code}: ${message}`);
      this.#context.log.warn({ uid: subject, code, error: message }, "not everything can be counted");
    }
  }

  /** The redirection may have come or gone since, and its map of questions with it. */
  #current(): Loaded {
    if (this.#loaded === undefined) throw new EbpfError("ERR_CLOSED", "the shadow was closed before; open it again");
    using questions = this.#openQuestions();
    if (questions?.info.id === this.#loaded.questions) return this.#loaded;
    this.#loaded.kernel.object[Symbol.dispose]();
    return this.#load();
  }

  #load(): Loaded {
    const { config, log, host } = this.#context;
    this.#loaded = undefined;
    const pins = shadowPins(host.bpffs, config);
    using questions = this.#openQuestions();
    using netns = currentNetns();
    const object = loadOrAdopt(
      {
        elf: SHADOW_OBJECT,
        maps: pins.maps,
        programs: pins.programs,
        shared: new Map(questions === undefined ? [] : [["questions", questions]]),
        maxEntries: { ...sizesOf(config), shadow_counts: config.maxWorkloads },
        expendable: ["counters", "shadow_counts"],
      },
      log,
    );
    this.#loaded = this.#over(object, pins, netns.inode, questions?.info.id);
    return this.#loaded;
  }

  #over(object: LoadedObject, pins: Pins, netnsInode: number, questions: number | undefined): Loaded {
    const { config, policy, log, host } = this.#context;
    const kernel: MemberKernel = {
      config,
      policy,
      log,
      pins,
      hooks: chooseHooks(shadowConfig(config)),
      object,
      maps: new SharedMaps(object.map),
      programs: COUNTING,
      other: new Pins(host.bpffs, config.pins),
    };
    const slots = new ShadowSlots(kernel.maps, netnsInode);
    const counts = new WorkloadCounts(object.map("shadow_counts"));
    return { kernel, workloads: new Workloads(kernel), slots, counts, questions };
  }

  #openQuestions(): BpfMap | undefined {
    const { config, host } = this.#context;
    const pin = join(new Pins(host.bpffs, config.pins).maps, "questions");
    try {
      return existsSync(pin) ? BpfMap.openPinned(pin) : undefined;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  #run<T>(doing: string, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(async () => {
      try {
        return await work();
      } catch (error) {
        throw explainFailure(doing, error);
      }
    });
  }
}

function hooksOf(kernel: MemberKernel, { uid, interface: { hostIndex: ifindex, hostName } }: Workload) {
  return workloadHooks(kernel, { uid, ifindex, directory: kernel.pins.workload(uid, ifindex) }, hostName);
}

/** Why not all packets of it come to the shadow's programs. */
function problemsOf(kernel: MemberKernel, workload: Workload): string[] {
  try {
    return hooksOf(kernel, workload).flatMap((hook) => {
      const { programId, ahead, isBehindOurs } = kernel.hooks.inspect(hook);
      if (programId === undefined) return [`${hook.program} is not attached`];
      if (isBehindOurs === true) return [`${hook.program} does not see what the redirection takes before it`];
      return ahead.map(({ kind, where, owner }) => `${kind} of ${owner} at ${where} runs before ${hook.program}`);
    });
  } catch (error) {
    if (errorCode(error) === "ENODEV") return ["its interface is gone"];
    return [errorMessage(error)];
  }
}
