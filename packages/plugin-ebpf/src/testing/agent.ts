import type { NodePolicy } from "@millrace/core";
import { BackendProcess } from "@millrace/host/testing";
import type { z } from "zod";
import type { configSchema } from "../config.ts";
import type { NodeBox } from "./node-box.ts";

export interface AgentOptions {
  readonly config?: z.input<typeof configSchema>;
  readonly policy?: Partial<NodePolicy>;
  /** Put before the node command, for instance setpriv or strace. */
  readonly wrap?: readonly string[];
  readonly bpffs?: string;
}

/** The backend in a process of its own inside a box. */
export type Agent = BackendProcess;
export const Agent = {
  start(box: NodeBox, { config, policy, wrap, bpffs = box.bpffs }: AgentOptions = {}): Agent {
    const host = { bpffs, journal: box.journal };
    return new BackendProcess(box.enter, { module: "../index.ts", from: import.meta.url, config, policy, host }, wrap);
  },
  open: (box: NodeBox, options: AgentOptions = {}): Promise<Agent> => Agent.start(box, options).open(),
};
