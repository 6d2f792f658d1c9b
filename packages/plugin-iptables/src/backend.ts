import type {
  NamespacePlace,
  PluginContext,
  Probe,
  Redirection,
  RedirectionBackend,
  RedirectionPlan,
  Trace,
  WantedRedirection,
} from "@millrace/core";
import { SysctlJournal } from "@millrace/host";
import { currentNetns } from "linux-ts";
import { describeClash, refuseClashes } from "./clash/clash.ts";
import type { IptablesConfig } from "./config.ts";
import { explainFailure } from "./errors.ts";
import { layoutOf } from "./layout.ts";
import { chooseForNode, nodeClashes } from "./node-choice.ts";
import type { NodeContext } from "./node-context.ts";
import { Notes } from "./notes.ts";
import { planRedirection } from "./plan.ts";
import { probe } from "./probe.ts";
import { IptablesRedirection } from "./redirection.ts";
import { PrintedRules } from "./rules/printed-rules.ts";
import { traces } from "./traces.ts";

/** Packet marks, policy routing and a tunnel to the proxy. The process has to run in the node's network namespace. */
export class IptablesBackend implements RedirectionBackend {
  readonly #context: PluginContext<IptablesConfig>;

  constructor(context: PluginContext<IptablesConfig>) {
    this.#context = context;
  }

  probe(): Promise<Probe> {
    return probe(this.#context);
  }

  async traces(namespaces: readonly NamespacePlace[]): Promise<Trace[]> {
    return traces(this.#context, namespaces);
  }

  async plan(wanted: WantedRedirection): Promise<RedirectionPlan> {
    try {
      return await planRedirection(this.#context, wanted);
    } catch (error) {
      throw explainFailure("planning", error);
    }
  }

  async open(): Promise<Redirection> {
    try {
      return await this.#open();
    } catch (error) {
      throw explainFailure("adopting what an earlier run left", error);
    }
  }

  async #open(): Promise<Redirection> {
    const { config, policy, log, host, signal } = this.#context;
    const clashes = await nodeClashes(this.#context);
    refuseClashes(clashes);
    for (const clash of clashes) log.warn(clash, describeClash(clash));
    const { reason, ...choice } = await chooseForNode(this.#context);
    using netns = currentNetns();
    const context: NodeContext = {
      config,
      policy,
      log,
      signal,
      layout: layoutOf(config),
      ...choice,
      journal: new SysctlJournal(host.journal, log),
      printed: new PrintedRules(host.journal),
      notes: new Notes(host.journal),
      netnsInode: netns.inode,
    };
    const redirection = await IptablesRedirection.adopt(context);
    log.info(
      { flavour: choice.flavour, reason, tunnel: choice.tunnel, port: choice.port },
      "opened the iptables redirection",
    );
    return redirection;
  }
}
