import { isIP } from "node:net";
import { canonicalAddress } from "@millrace/core/internal";
import { AgentError } from "../errors.ts";
import type { FlowDocument } from "./explanation-document.ts";

/** The other end of a flow, and which way it goes. */
export type FlowQuery = Pick<FlowDocument, "protocol" | "direction" | "peer" | "port">;

export interface FlowOptions {
  readonly to?: string;
  readonly from?: string;
  readonly udp?: boolean;
}

/** Reads `--to` or `--from`; undefined where neither is given. Throws `ERR_FLOW_INVALID`. */
export function flowQuery({ to, from, udp }: FlowOptions): FlowQuery | undefined {
  const text = to ?? from;
  if (to !== undefined && from !== undefined) {
    throw new AgentError("ERR_FLOW_INVALID", "--to and --from exclude each other: a flow goes one way");
  }
  if (text === undefined) return undefined;
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? "";
  const port = Number(digits);
  const isRight = isIP(address) === (bracketed === undefined ? 4 : 6) && port >= 1 && port <= 65_535;
  const peer = isRight ? canonicalAddress(address) : undefined;
  if (peer === undefined) {
    throw new AgentError(
      "ERR_FLOW_INVALID",
      `${text} is no address with a port, such as 198.18.0.1:80 or [2001:2::1]:80`,
    );
  }
  return { protocol: udp === true ? "udp" : "tcp", direction: to === undefined ? "inbound" : "outbound", peer, port };
}
