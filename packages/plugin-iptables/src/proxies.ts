import type { NodeProxy, Proxies, UsedProxy } from "@millrace/core";
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
  const next = active !== undefined && prepared === undefined ? sendingNow(context, slots).active : prepared;
  const used = new Set(next === undefined ? [] : [next]);
  for (const proxy of draining) {
    // A draining proxy that is gone has no connections left to lose.
    if (isGone(proxy.interface)) continue;
    const slot = await prepare(proxy);
    if (slot !== undefined) used.add(slot);
  }

  const all = slots.all();
  const kept = new Map([...all].filter(([index]) => used.has(index)));
  context.notes.setActive(next);
  await ensureShared(context, { slots: kept, active: next });
  for (const [index, identity] of all) if (!used.has(index)) await slots.retire(index, identity);
  if (next === undefined) context.log.warn({ failurePolicy: context.policy.failurePolicy }, "no active proxy");
  if (failures.length > 0) throw failures[0];
}

/**
 * The proxies that the node is to send to. Where the tunnels lead says nothing about it: somebody may have changed them. A proxy whose
 * interface's name is another pod's now is none of them.
 */
export function sendingNow({ notes }: NodeContext, slots: ProxySlots): Sending {
  const misnamed = slots.misnamed();
  const all = new Map([...slots.all()].filter(([index]) => !misnamed.has(index)));
  const slot = notes.active()?.slot;
  return { slots: all, active: slot !== undefined && all.has(slot) ? slot : undefined };
}

/** Whom the node sends to and who that is, by the notes; the active one first. Every slot is there for what its proxy has open. */
export function usedProxies(context: NodeContext, slots: ProxySlots): UsedProxy[] {
  const { slots: all, active } = sendingNow(context, slots);
  const used = [...all].map(([index, identity]) => usedProxy(identity, index === active ? "active" : "draining"));
  return used.sort((a, b) => Number(b.role === "active") - Number(a.role === "active"));
}

function usedProxy(identity: SlotIdentity, role: UsedProxy["role"]): UsedProxy {
  const { key, name, netns, netnsInode, ifName, mac, hostName, hostIndex } = identity;
  return { key, role, name, interface: { netns, netnsInode, name: ifName, mac, hostName, hostIndex } };
}

/**
 * Takes down the slots of proxies that are gone, after the node has ceased to send to them; makes the node's side complete for the
 * others.
 */
export async function clearAway(
  context: NodeContext,
  slots: ProxySlots,
  gone: ReadonlyMap<number, SlotIdentity>,
): Promise<void> {
  const { slots: all, active } = sendingNow(context, slots);
  const present = new Map([...all].filter(([index]) => !gone.has(index)));
  const next = active !== undefined && present.has(active) ? active : undefined;
  context.notes.setActive(next);
  await ensureShared(context, { slots: present, active: next });
  for (const [index, identity] of gone) {
    context.log.info({ slot: index, proxy: identity.name }, "clearing away a proxy that is gone");
    await slots.retire(index, identity);
  }
}

/** Notes what only the tunnels tell: earlier versions noted no active slot. */
export async function noteActive(context: NodeContext, slots: ProxySlots): Promise<void> {
  if (context.notes.active() !== undefined) return;
  const remote = await tunnelRemote(context);
  const found = [...slots.all()].find(([, identity]) => tunnelAddress(identity) === remote);
  context.notes.setActive(found?.[0]);
}
