import type { NodePolicy, PluginLogger } from "@millrace/core";
import type { SysctlJournal } from "@millrace/host";
import type { Family } from "linux-ts";
import type { Flavour } from "./commands/iptables-names.ts";
import type { IptablesConfig } from "./config.ts";
import type { Layout } from "./layout.ts";
import type { Notes } from "./notes.ts";
import type { PrintedRules } from "./rules/printed-rules.ts";

export type TunnelKind = "geneve" | "vxlan";

/** What all parts of an open redirection share. */
export interface NodeContext {
  readonly config: IptablesConfig;
  readonly policy: NodePolicy;
  readonly log: PluginLogger;
  readonly signal: AbortSignal;
  readonly layout: Layout;
  readonly flavour: Flavour;
  /** The other flavour, where an earlier run with another configuration has left rules in it. */
  readonly leftBehind: Flavour | undefined;
  readonly tunnel: TunnelKind;
  /** UDP port of both tunnels. */
  readonly port: number;
  /** Families that the node has. */
  readonly families: readonly Family[];
  readonly journal: SysctlJournal;
  readonly printed: PrintedRules;
  readonly notes: Notes;
  /** Of the node's own network namespace. */
  readonly netnsInode: number;
}
