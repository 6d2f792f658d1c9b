import type {
  NamespacePlace,
  PluginContext,
  Probe,
  Redirection,
  RedirectionBackend,
  RedirectionPlan,
  Shadow,
  Trace,
  WantedRedirection,
} from "@millrace/core";
import { SysctlJournal } from "@millrace/host";
import { currentNetns } from "linux-ts";
import { Acceleration } from "./acceleration/acceleration.ts";
import type { EbpfConfig } from "./config.ts";
import { attempt, explainFailure } from "./errors.ts";
import { chooseHooks } from "./hooks.ts";
import { loadOrAdopt } from "./load-object.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { Pins, requireBpffs } from "./pins.ts";
import { nodePlace } from "./places.ts";
import { planRedirection } from "./plan.ts";
import { probe } from "./probe.ts";
import { EbpfRedirection } from "./redirection.ts";
import { EbpfShadow } from "./shadow/ebpf-shadow.ts";
import { removeShadow } from "./shadow/remove-shadow.ts";
import { shadowPins } from "./shadow/shadow-pins.ts";
import { SharedMaps } from "./shared-maps.ts";
import { takeOver } from "./take-over.ts";
import { traces } from "./traces.ts";
import { TriedObject } from "./tried-object.ts";
import { REDIRECTING } from "./workload-hooks.ts";

/** tc programs that hand packets straight to the proxy. The process has to run in the node's network namespace. */
export class EbpfBackend implements RedirectionBackend {
  readonly #context: PluginContext<EbpfConfig>;
  readonly #tried = new TriedObject();

  constructor(context: PluginContext<EbpfConfig>) {
    this.#context = context;
  }

  async probe(): Promise<Probe> {
    return probe(this.#context, this.#tried);
  }

  async traces(namespaces: readonly NamespacePlace[]): Promise<Trace[]> {
    return traces(this.#context, namespaces);
  }

  async plan(wanted: WantedRedirection): Promise<RedirectionPlan> {
    return planRedirection(this.#context, wanted);
  }

  openShadow(): Promise<Shadow> {
    return EbpfShadow.open(this.#context);
  }

  removeShadow(): Promise<string[]> {
    return removeShadow(this.#context);
  }

  async open(): Promise<Redirection> {
    const { config, host, log, policy } = this.#context;
    const pins = new Pins(host.bpffs, config.pins);
    requireBpffs(host.bpffs);
    const hooks = chooseHooks(config);
    using netns = currentNetns();
    const taking = attempt("looking for other layout versions", () => takeOver(pins, host.bpffs, config, log));
    const object = loadOrAdopt(nodePlace(pins, config), log, this.#tried);
    using opened = new DisposableStack();
    try {
      const maps = new SharedMaps(object.map);
      const kernel: NodeKernel = {
        config,
        policy,
        log,
        pins,
        hooks,
        object,
        maps,
        programs: REDIRECTING,
        other: shadowPins(host.bpffs, config),
        journal: new SysctlJournal(host.journal, log),
        netnsInode: netns.inode,
        acceleration: opened.use(Acceleration.open(pins, config, maps, log)),
      };
      const redirection = await EbpfRedirection.adopt(kernel);
      taking?.finish();
      opened.move();
      log.info({ attach: hooks.mode, pins: pins.root }, "opened the eBPF redirection");
      return redirection;
    } catch (error) {
      object[Symbol.dispose]();
      throw explainFailure("adopting what an earlier run left", error);
    }
  }
}
