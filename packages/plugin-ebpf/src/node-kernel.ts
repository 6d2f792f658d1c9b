import type { NodePolicy, PluginLogger } from "@millrace/core";
import type { SysctlJournal } from "@millrace/host";
import type { Acceleration } from "./acceleration/acceleration.ts";
import type { EbpfConfig } from "./config.ts";
import type { Hooks } from "./hooks.ts";
import type { LoadedObject } from "./load-object.ts";
import type { Pins } from "./pins.ts";
import type { SharedMaps } from "./shared-maps.ts";
import type { HookOwner } from "./workload-hooks.ts";

/** What every part of an open redirection works with: the node's programs and maps, and where things are kept. */
export interface NodeKernel extends HookOwner {
  readonly config: EbpfConfig;
  readonly policy: NodePolicy;
  readonly log: PluginLogger;
  readonly pins: Pins;
  readonly hooks: Hooks;
  readonly object: LoadedObject;
  readonly maps: SharedMaps;
  readonly journal: SysctlJournal;
  /** Inode of the node's own network namespace. */
  readonly netnsInode: number;
  /** Undefined: off, or this node cannot have it. */
  readonly acceleration: Acceleration | undefined;
}

/** What enrolling a workload takes: a shadow has it too. */
export type MemberKernel = Omit<NodeKernel, "journal" | "netnsInode" | "acceleration">;
