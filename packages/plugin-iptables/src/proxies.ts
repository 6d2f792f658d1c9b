import type { NodeProxy, Proxies } from "@millrace/core";
import { isGone } from "@millrace/host";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";
import { tunnelAddress } from "./proxy-netns.ts";
import type { ProxySlots } from "./proxy-slots.ts";
import { ensureShared, type Sending } from "./shared.ts";
import { tunnelRemote } from "./tunnel.ts";

/**
 * Makes the node send to these proxies. Everything is prepared before anything is sent, and nothing is taken down before sending to it
 * has ended. When the new active proxy cannot be prepared the present one stays active, and the error is thrown at the end.
 */
export async function useProxies(
  context: NodeContext,
  slots: ProxySlots,
  { active, draining }: Proxies,
): Promise<void> {
  const failures: unknown[] = [];
  const prepare = async (proxy: NodeProxy): Promise<number | undefined> => {
    try {
      return await slots.ensure(proxy);
    } catch (error) {
      failures.push(error);
      return undefined;
    }
  };
  const prepared = active && (await prepare(active));
  const next = active !== undefined && prepared === undefined ? await activeSlot(context, slots.all()) : prepared;
  const used = new Set(next === undefined ? [] : [next]);
  for (const proxy of draining) {
    // A draining proxy that is gone has no connections left to lose.
    if (isGone(proxy.interface)) continue;
    const slot = await prepare(proxy);
    if (slot !== undefined) used.add(slot);
  }

  const all = slots.all();
  const kept = new Map([...all].filter(([index]) => used.has(index)));
  await ensureShared(context, { slots: kept, active: next });
  for (const [index, identity] of all) if (!used.has(index)) await slots.retire(index, identity);
  if (next === undefined) context.log.warn({ failurePolicy: context.policy.failurePolicy }, "no active proxy");
  if (failures.length > 0) throw failures[0];
}

/** The proxies that the kernel sends to now: the tunnels lead to the active one. */
export async function sendingNow(context: NodeContext, slots: ProxySlots): Promise<Sending> {
  const all = slots.all();
  return { slots: all, active: await activeSlot(context, all) };
}

async function activeSlot(context: NodeContext, slots: ReadonlyMap<number, SlotIdentity>): Promise<number | undefined> {
  const remote = await tunnelRemote(context);
  return [...slots].find(([, identity]) => tunnelAddress(identity) === remote)?.[0];
}
