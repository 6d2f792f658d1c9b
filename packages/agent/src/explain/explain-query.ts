import { z } from "zod";
import { AgentError } from "../errors.ts";
import type { ExplainQuery } from "./explain-pod.ts";

const querySchema = z.object({
  pod: z.string().min(1),
  protocol: z.enum(["tcp", "udp"]).optional(),
  direction: z.enum(["outbound", "inbound"]).optional(),
  peer: z.union([z.ipv4(), z.ipv6()]).optional(),
  port: z.coerce.number().int().min(1).max(65_535).optional(),
});

/** The query of `GET /explain`, as {@link explainParameters} writes it. Throws `ERR_FLOW_INVALID`. */
export function explainQuery(parameters: URLSearchParams): ExplainQuery {
  const { success, data, error } = querySchema.safeParse(Object.fromEntries(parameters));
  if (!success) throw new AgentError("ERR_FLOW_INVALID", z.prettifyError(error), { cause: error });
  const { pod, protocol, direction, peer, port } = data;
  if (peer === undefined) return { pod };
  if (protocol === undefined || direction === undefined || port === undefined) {
    throw new AgentError("ERR_FLOW_INVALID", "a flow needs protocol, direction, peer and port");
  }
  return { pod, flow: { protocol, direction, peer, port } };
}

export function explainParameters({ pod, flow }: ExplainQuery): URLSearchParams {
  const parameters = new URLSearchParams({ pod });
  for (const [name, value] of Object.entries(flow ?? {})) parameters.set(name, String(value));
  return parameters;
}
