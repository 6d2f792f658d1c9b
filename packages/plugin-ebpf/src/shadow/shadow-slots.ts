import type { NodeProxy } from "@millrace/core";
import { EbpfError } from "../errors.ts";
import { MAX_PROXIES, PROXY_DNS } from "../layout.ts";
import type { SlotKeeper } from "../proxies.ts";
import { requireProxy, wayTo } from "../proxy-slots.ts";
import type { SharedMaps } from "../shared-maps.ts";
import { identityOf, type NamedSlot, type Slot } from "../slot-identity.ts";

/**
 * The proxies as a shadow's programs know them: entries of its own map, and nothing in the proxies' namespaces or on their interfaces. Not kept
 * anywhere: who opens a shadow tells it again.
 */
export class ShadowSlots implements SlotKeeper {
  readonly #maps: SharedMaps;
  readonly #netnsInode: number;
  readonly #slots = new Map<number, NamedSlot>();

  constructor(maps: SharedMaps, netnsInode: number) {
    this.#maps = maps;
    this.#netnsInode = netnsInode;
  }

  all(): Slot[] {
    return [...this.#slots.values()];
  }

  /** Throws as the redirection's own: `ERR_INTERFACE_GONE`, `ERR_HOST_NETWORK_PROXY`, `ERR_PROXY_SLOTS_FULL`. */
  async ensure(proxy: NodeProxy): Promise<number> {
    using netns = requireProxy(proxy, this.#netnsInode);
    const present = [...this.#slots.values()].find(({ identity }) => identity.netnsInode === netns.inode);
    const index = present?.index ?? this.#freeSlot();
    const slot = { index, directory: "", identity: identityOf(proxy) };
    // That its rules for DNS would be written is taken for granted.
    this.#maps.writeProxy(index, { ...wayTo(slot, netns), flags: PROXY_DNS });
    this.#slots.set(index, slot);
    return index;
  }

  async retire({ index }: Slot): Promise<void> {
    this.#maps.writeProxy(index, { ifindex: 0, netnsid: 0, mac: "00:00:00:00:00:00", flags: 0 });
    this.#slots.delete(index);
  }

  #freeSlot(): number {
    for (let index = 0; index < MAX_PROXIES; index++) if (!this.#slots.has(index)) return index;
    throw new EbpfError("ERR_PROXY_SLOTS_FULL", `all ${MAX_PROXIES} proxy slots of the shadow are taken`);
  }
}
