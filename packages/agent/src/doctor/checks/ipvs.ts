import { readFileSync } from "node:fs";
import { errorCode } from "@millrace/core/internal";
import type { Check, Finding } from "../check.ts";

const TABLE = "/proc/net/ip_vs";

/**
 * Services that IPVS serves, from its table (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_info_seq_show()); undefined: there is no IPVS here.
 * What IPVS sends on is made by the node itself, past all that redirects.
 */
export function ipvsFindings(table: string | undefined): readonly Finding[] {
  const name = "IPVS";
  const services = table?.match(/^(TCP|FWM) /gm)?.length ?? 0;
  if (services === 0) return [{ name, state: "good", detail: "IPVS serves no TCP Service here" }];
  return [
    {
      name,
      state: "warn",
      detail:
        `IPVS serves ${services} TCP Services (kube-proxy in IPVS mode): connections to one of them that IPVS leads to a member of this node are refused ` +
        "with backend iptables, for everybody (counter filter.output.rejected). Use backend ebpf, or kube-proxy in another mode",
    },
  ];
}

export const ipvs: Check = () => ipvsFindings(readTable());

function readTable(): string | undefined {
  try {
    return readFileSync(TABLE, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
