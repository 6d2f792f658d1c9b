import { littleEndian, PayloadWriter } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import type { NetnsFd } from "./netns.ts";
import { type NetlinkRequest, request, requestAsync } from "./request.ts";

/** include/uapi/linux/rtnetlink.h. */
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const TCA_KIND = 1;

/** TC_H_CLSACT and the handle that every clsact qdisc has (include/uapi/linux/pkt_sched.h, net/sched/sch_ingress.c). */
const TC_H_CLSACT = 0xfffffff1;
const CLSACT_HANDLE = 0xffff0000;

/** struct tcmsg (rtnetlink.h): u8 family, 3 bytes of padding, s32 ifindex, u32 handle, parent, info. */
const tcmsgLength = 20;

function clsactOf(ifindex: number): Uint8Array {
  const payload = new PayloadWriter().struct(tcmsgLength, (view) => {
    view.setInt32(4, ifindex, littleEndian);
    view.setUint32(8, CLSACT_HANDLE, littleEndian);
    view.setUint32(12, TC_H_CLSACT, littleEndian);
  });
  return payload.string(TCA_KIND, "clsact").finish();
}

/** What the kernel says where there is no such qdisc, another one in its place, or no such link (net/sched/sch_api.c, tc_get_qdisc()). */
const ABSENT = ["ENOENT", "EINVAL", "ENODEV"];

interface LinkPlace {
  netns?: NetnsFd;
  ifindex: number;
}

/** Whether the link has a clsact qdisc; false for a link that does not exist. */
export function hasClsact(link: LinkPlace): boolean {
  try {
    request(lookingFor(link));
    return true;
  } catch (error) {
    return unlessAbsent(error);
  }
}

/** {@link hasClsact} on a thread of libuv's pool: the kernel looks under rtnetlink's lock. The namespace may be closed as soon as this returns. */
export async function hasClsactAsync(link: LinkPlace): Promise<boolean> {
  return requestAsync(lookingFor(link)).then(() => true, unlessAbsent);
}

/** Of this link alone: a listing would be one of all links (tc_dump_qdisc()). That it does not fail is the answer. */
function lookingFor({ netns, ifindex }: LinkPlace): NetlinkRequest {
  const doing = `looking for the clsact qdisc of link ${ifindex}`;
  return { netns, doing, type: RTM_GETQDISC, name: "RTM_GETQDISC", payload: clsactOf(ifindex) };
}

function unlessAbsent(error: unknown): false {
  if (error instanceof LinuxError && ABSENT.includes(error.code)) return false;
  throw error;
}

/**
 * Removes the clsact qdisc of a link, with every filter on it, whoever attached them: look at tcFilters() of both directions first.
 * Throws `ENOENT` or `EINVAL` when there is none, `ENODEV` when there is no such link.
 */
export function deleteClsact({ netns, ifindex }: LinkPlace): void {
  const doing = `removing the clsact qdisc of link ${ifindex}`;
  request({ netns, doing, type: RTM_DELQDISC, name: "RTM_DELQDISC", payload: clsactOf(ifindex) });
}
