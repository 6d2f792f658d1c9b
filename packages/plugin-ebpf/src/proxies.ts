import type { NodeProxy, Proxies } from "@millrace/core";
import { isGone } from "@millrace/host";
import { flagged, setFlag } from "./address-flags.ts";
import { ADDRESS_PROXY, SETTING_FAIL_OPEN, SETTING_ROUTED } from "./layout.ts";
import type { MemberKernel } from "./node-kernel.ts";
import { proxyAddresses } from "./proxy-addresses.ts";
import type { ProxySlots } from "./proxy-slots.ts";

/** Prepares proxies and takes them down: a shadow does less for it than a redirection. */
export type SlotKeeper = Pick<ProxySlots, "all" | "ensure" | "retire">;

/**
 * Makes the node send to these proxies. Everything is prepared before anything is sent, and nothing is taken down before sending to it
 * has ended. When the new active proxy cannot be prepared the present one stays active, and the error is thrown at the end.
 */
export async function useProxies(
  kernel: MemberKernel,
  slots: SlotKeeper,
  { active, draining }: Proxies,
): Promise<void> {
  const { maps, log } = kernel;
  const before = maps.settings();
  const failures: unknown[] = [];
  const prepared: NodeProxy[] = [];
  const prepare = async (proxy: NodeProxy): Promise<number | undefined> => {
    try {
      const slot = await slots.ensure(proxy);
      prepared.push(proxy);
      return slot;
    } catch (error) {
      failures.push(error);
      return undefined;
    }
  };

  const activeSlot = active && (await prepare(active));
  const keepsPresent = active !== undefined && activeSlot === undefined;
  const nextActive = keepsPresent ? before.active : activeSlot === undefined ? 0 : activeSlot + 1;
  const drainingSlots = new Set<number>();
  for (const proxy of draining) {
    // A draining proxy that is gone has no connections left to lose.
    if (isGone(proxy.interface)) continue;
    const slot = await prepare(proxy);
    if (slot !== undefined && slot + 1 !== nextActive) drainingSlots.add(slot);
  }

  const used = new Set([...drainingSlots, ...(nextActive > 0 ? [nextActive - 1] : [])]);
  // Not of a proxy that is gone: its address may be an ordinary pod's by now, and TCP to a proxy's own address is let by.
  const addresses = proxyAddresses(slots, used, prepared);
  setFlag(maps, ADDRESS_PROXY, addresses, true);

  const drainingBits = [...drainingSlots].reduce((bits, slot) => bits | (1 << slot), 0);
  const flags = settingFlags(kernel);
  // The kernel copies the eight bytes one by one: whoever is still active must already be draining when it stops being that.
  maps.writeSettings({ active: before.active, draining: before.draining | drainingBits, flags });
  maps.writeSettings({ active: nextActive, draining: drainingBits, flags });

  for (const slot of slots.all()) if (!used.has(slot.index)) await slots.retire(slot);
  setFlag(maps, ADDRESS_PROXY, keepsPresent ? [...addresses, ...flagged(maps, ADDRESS_PROXY)] : addresses);
  if (nextActive === 0) log.warn({ failurePolicy: kernel.policy.failurePolicy }, "no active proxy");
  if (failures.length > 0) throw failures[0];
}

/** The part of `settings` that the configuration decides. */
export function settingFlags({ policy }: Pick<MemberKernel, "policy">): number {
  return (
    (policy.failurePolicy === "open" ? SETTING_FAIL_OPEN : 0) | (policy.localDelivery === "routed" ? SETTING_ROUTED : 0)
  );
}
