import type { Family } from "linux-ts";
import { familyOf } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";
import type { ExcludedNetwork, HostInput } from "./rules/host-input.ts";

/** What the node's rules of one family depend on, gathered. */
export function hostInput(
  { layout, port, policy }: Pick<NodeContext, "layout" | "port" | "policy">,
  family: Family,
  slots: ReadonlyMap<number, SlotIdentity>,
  active: number | undefined,
  networks: readonly ExcludedNetwork[],
  noting: readonly number[] = [],
): HostInput {
  const ruleSlots = [...slots].map(([index, { device, hostName, addresses }]) => ({
    index,
    device,
    isBridged: device !== hostName,
    addresses: addresses.filter((address) => familyOf(address) === family),
    isNoting: noting.includes(index),
  }));
  return {
    family,
    layout,
    port,
    slots: ruleSlots,
    active: ruleSlots.find(({ index, addresses }) => index === active && addresses.length > 0)?.index,
    failurePolicy: policy.failurePolicy,
    localDelivery: policy.localDelivery,
    exclusions: networks.filter((network) => network.family === family),
  };
}
