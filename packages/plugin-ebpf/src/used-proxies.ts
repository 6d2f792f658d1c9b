import type { UsedProxy } from "@millrace/core";
import type { NodeKernel } from "./node-kernel.ts";
import type { ProxySlots } from "./proxy-slots.ts";
import { roleOf, type SlotIdentity } from "./slot-identity.ts";

/** Whom the programs send to, by `settings`, and who that is, by the notes of the slots; the active one first. */
export function usedProxies({ maps }: NodeKernel, slots: ProxySlots): UsedProxy[] {
  const settings = maps.settings();
  const used = slots.all().flatMap(({ index, identity }) => {
    const role = roleOf(settings, index);
    return identity && role ? [usedProxy(identity, role, maps.proxy(index).mac)] : [];
  });
  return used.sort((a, b) => Number(b.role === "active") - Number(a.role === "active"));
}

function usedProxy(identity: SlotIdentity, role: UsedProxy["role"], mac: string): UsedProxy {
  const { key, name, netns, netnsInode, ifName, hostName, hostIndex } = identity;
  return { key, role, name, interface: { netns, netnsInode, name: ifName, mac, hostName, hostIndex } };
}
