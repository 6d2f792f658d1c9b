import { existsSync } from "node:fs";
import type { PluginContext } from "@millrace/core";
import type { Family } from "linux-ts";
import { chooseTunnel } from "./choose-tunnel.ts";
import type { Clash } from "./clash/clash.ts";
import { findClashes } from "./clash/find-clashes.ts";
import { wantedOf } from "./clash/wanted.ts";
import type { IptablesConfig } from "./config.ts";
import { chooseFlavour } from "./flavour/choose-flavour.ts";
import { isOurChain } from "./layout.ts";
import type { NodeContext } from "./node-context.ts";
import { OUR_NAMES } from "./our-names.ts";
import { choosePort } from "./port.ts";

/** What is chosen by what the node has: opening the redirection does, and planning it. */
export interface NodeChoice extends Pick<NodeContext, "families" | "flavour" | "leftBehind" | "tunnel" | "port"> {
  /** Why this flavour. */
  readonly reason: string;
}

type Where = Pick<PluginContext<IptablesConfig>, "config" | "signal">;

/** A kernel without IPv6 has no packets of it to redirect. */
export const nodeFamilies = (): Family[] => (existsSync("/proc/net/if_inet6") ? [4, 6] : [4]);

/** Whatever of others stands where the configuration puts ours. */
export const nodeClashes = ({ config, signal }: Where): Promise<Clash[]> =>
  findClashes(wantedOf(config, OUR_NAMES), { families: nodeFamilies(), signal });

/** Throws `ERR_NO_FLAVOUR`, `ERR_NO_TUNNEL`, `ERR_NO_PORT`. Writes into network namespaces of its own only. */
export async function chooseForNode({ config, signal }: Where): Promise<NodeChoice> {
  const families = nodeFamilies();
  const question = { wanted: config.flavour, isOurs: isOurChain, families, signal };
  const { flavour, reason, leftBehind } = await chooseFlavour(question);
  const tunnel = await chooseTunnel(config.tunnel, signal);
  const { links } = wantedOf(config, OUR_NAMES);
  const { port } = await choosePort({ base: config.port, links, places: [undefined], signal });
  return { families, flavour, reason, leftBehind, tunnel, port };
}
