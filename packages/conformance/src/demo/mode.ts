import type { AgentOptions } from "../agent/agent.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import type { ServiceMode } from "../lab/services.ts";
import type { Break } from "./breaks/break.ts";
import type { Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/** One way to run the demo: which backend redirects, and what of it there is to see and to break. */
export interface Mode {
  /** The backend that is to serve. */
  readonly backend: "ebpf" | "iptables";
  /** One line for the head of the demo. */
  readonly title: string;
  /** How the nodes translate Service addresses: what the iptables backend takes its flavour from. */
  readonly services: ServiceMode;
  agent(node: LabNode): Pick<AgentOptions, "redirectMode" | "backends">;
  /** What is there before the agents: as on a node that is in use. */
  prepare(lab: Lab): Promise<void>;
  /** What only this backend has to show: its objects as the node's own tools list them, and what it does when they are tampered with. */
  readonly scenarios: readonly Scenario[];
  /** All that the backend has on node 1, one line each: the next agent has to find the same. */
  objectsOfNode(stage: Stage): Promise<string[]>;
  /** What of it is one pod's. */
  objectsOfPod(stage: Stage, pod: LabPod): Promise<string[]>;
  /** What can be broken in this mode only. */
  readonly breaks: readonly Break[];
}
