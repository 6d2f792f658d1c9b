import { existsSync } from "node:fs";
import type { NamespacePlace, PluginContext, Probe, Redirection, RedirectionBackend, Trace } from "@millrace/core";
import { SysctlJournal } from "@millrace/host";
import { currentNetns, type Family } from "linux-ts";
import { chooseTunnel } from "./choose-tunnel.ts";
import { describeClash, refuseClashes } from "./clash/clash.ts";
import { findClashes } from "./clash/find-clashes.ts";
import { wantedOf } from "./clash/wanted.ts";
import type { IptablesConfig } from "./config.ts";
import { explainFailure } from "./errors.ts";
import { chooseFlavour } from "./flavour/choose-flavour.ts";
import { isOurChain, layoutOf } from "./layout.ts";
import type { NodeContext } from "./node-context.ts";
import { Notes } from "./notes.ts";
import { OUR_NAMES } from "./our-names.ts";
import { choosePort } from "./port.ts";
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

  async open(): Promise<Redirection> {
    try {
      return await this.#open();
    } catch (error) {
      throw explainFailure("adopting what an earlier run left", error);
    }
  }

  async #open(): Promise<Redirection> {
    const { config, policy, log, host, signal } = this.#context;
    const families = nodeFamilies();
    const wanted = wantedOf(config, OUR_NAMES);
    const clashes = await findClashes(wanted, { families, signal });
    refuseClashes(clashes);
    for (const clash of clashes) log.warn(clash, describeClash(clash));
    const question = { wanted: config.flavour, isOurs: isOurChain, families, signal };
    const { flavour, reason, leftBehind } = await chooseFlavour(question);
    const tunnel = await chooseTunnel(config.tunnel, signal);
    const { port } = await choosePort({ base: config.port, links: wanted.links, places: [undefined], signal });
    using netns = currentNetns();
    const context: NodeContext = {
      config,
      policy,
      log,
      signal,
      layout: layoutOf(config),
      flavour,
      leftBehind,
      tunnel,
      port,
      families,
      journal: new SysctlJournal(host.journal, log),
      printed: new PrintedRules(host.journal),
      notes: new Notes(host.journal),
      netnsInode: netns.inode,
    };
    const redirection = await IptablesRedirection.adopt(context);
    log.info({ flavour, reason, tunnel, port }, "opened the iptables redirection");
    return redirection;
  }
}

/** A kernel without IPv6 has no packets of it to redirect. */
function nodeFamilies(): Family[] {
  return existsSync("/proc/net/if_inet6") ? [4, 6] : [4];
}
