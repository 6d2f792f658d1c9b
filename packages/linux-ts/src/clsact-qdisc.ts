import { littleEndian, PayloadWriter } from "./attributes.ts";
import type { NetnsFd } from "./netns.ts";
import { request } from "./request.ts";

/** include/uapi/linux/rtnetlink.h. */
const RTM_DELQDISC = 37;
const TCA_KIND = 1;

/** TC_H_CLSACT and the handle that every clsact qdisc has (include/uapi/linux/pkt_sched.h, net/sched/sch_ingress.c). */
const TC_H_CLSACT = 0xfffffff1;
const CLSACT_HANDLE = 0xffff0000;

/** struct tcmsg (rtnetlink.h): u8 family, 3 bytes of padding, s32 ifindex, u32 handle, parent, info. */
const tcmsgLength = 20;

/**
 * Removes the clsact qdisc of a link, with every filter on it, whoever attached them: look at tcFilters() of both directions first.
 * Throws `ENOENT` or `EINVAL` when there is none, `ENODEV` when there is no such link.
 */
export function deleteClsact({ netns, ifindex }: { netns?: NetnsFd; ifindex: number }): void {
  const payload = new PayloadWriter().struct(tcmsgLength, (view) => {
    view.setInt32(4, ifindex, littleEndian);
    view.setUint32(8, CLSACT_HANDLE, littleEndian);
    view.setUint32(12, TC_H_CLSACT, littleEndian);
  });
  payload.string(TCA_KIND, "clsact");
  const doing = `removing the clsact qdisc of link ${ifindex}`;
  request({ netns, doing, type: RTM_DELQDISC, name: "RTM_DELQDISC", payload: payload.finish() });
}
