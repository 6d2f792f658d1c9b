import type { NftEvent, RtEvent } from "linux-ts";

/** What tells our objects from those of others. */
export interface Marks {
  /** Of rules and routes (`RTPROT_*`, include/uapi/linux/rtnetlink.h). */
  readonly protocol: number;
  /** Of links, and of tables, chains and sets of nftables. */
  readonly name: RegExp;
}

/**
 * What has changed, in a few words; undefined for what is nobody's business here. A filter on any clsact qdisc is: it need not be ours to come ahead
 * of ours, and what is deleted as a whole does not say what it was.
 */
export function ofRtnetlink(event: RtEvent, { protocol, name }: Marks): string | undefined {
  switch (event.type) {
    case "link":
      return name.test(event.link.name) ? `link ${event.link.name} ${event.change}` : undefined;
    case "route": {
      const { route } = event;
      return route.protocol === protocol ? `route ${route.dst} in table ${route.table} ${event.change}` : undefined;
    }
    case "rule": {
      const { rule } = event;
      return rule.protocol === protocol ? `IPv${rule.family} rule ${rule.priority} ${event.change}` : undefined;
    }
    case "qdisc":
      return event.qdisc.kind === "clsact" ? `clsact qdisc of link ${event.qdisc.ifindex} ${event.change}` : undefined;
    case "filter": {
      const { ifindex, direction } = event.place;
      return direction && `${direction} filter of link ${ifindex} ${event.change}`;
    }
    case "address":
      return undefined;
  }
}

/** The same of nftables. A rule in somebody else's chain is ours when it leads to one of ours. */
export function ofNftables(event: NftEvent, { name }: Marks): string | undefined {
  const named = [event.table, event.name, event.target].filter((each) => each !== undefined);
  if (!named.some((each) => name.test(each))) return undefined;
  return `nftables ${event.type} in ${event.family} ${[event.table, event.name].filter(Boolean).join(" ")} ${event.change}`;
}
