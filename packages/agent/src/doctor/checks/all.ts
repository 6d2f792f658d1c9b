import type { Check } from "../check.ts";
import { agent } from "./agent.ts";
import { bpfFileSystem } from "./bpf-file-system.ts";
import { bridges } from "./bridges.ts";
import { cni } from "./cni.ts";
import { firewall } from "./firewall.ts";
import { foreignPrograms } from "./foreign-programs.ts";
import { ipvs } from "./ipvs.ts";
import { kernel } from "./kernel.ts";
import { permissions } from "./permissions.ts";
import { rpFilter } from "./rp-filter.ts";

/** Every check of the host, by the name under which a failure of the check itself is told; in the order of the report. */
export const checks: readonly (readonly [name: string, check: Check])[] = [
  ["kernel", kernel],
  ["permissions", permissions],
  ["bpffs", bpfFileSystem],
  ["rp_filter", rpFilter],
  ["firewall", firewall],
  ["bridges", bridges],
  ["IPVS", ipvs],
  ["CNI", cni],
  ["foreign programs", foreignPrograms],
  ["agent", agent],
];
