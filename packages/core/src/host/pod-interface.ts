import { type Link, link, linkAsync, type Netns, openNetnsIfThere } from "linux-ts";
import type { PodInterface } from "../backend/contract.ts";
import { errorCode } from "../errors.ts";
import { HostError } from "./errors.ts";

/**
 * Opens the network namespace an interface names, if it still is that one. The caller closes it.
 *
 * Throws `ERR_INTERFACE_GONE`.
 */
export function requireNetns(pod: PodInterface): Netns {
  const netns = openNetnsIfThere(pod.netns);
  if (netns?.inode === pod.netnsInode) return netns;
  netns?.[Symbol.dispose]();
  throw new HostError(
    "ERR_INTERFACE_GONE",
    `${pod.netns} is ${netns ? "another network namespace by now" : "gone"}: the pod has been deleted or restarted, wait for its new interface`,
  );
}

/** The outer end of a pod's veth. Throws `ERR_INTERFACE_GONE` when no such interface is there, or another one under its index. */
export function requireHostLink(pod: PodInterface): Link {
  return ofPod(pod, link(undefined, pod.hostIndex));
}

/** {@link requireHostLink} that waits for rtnetlink's lock on another thread, as many do while pods are being made. Rejects as that throws. */
export async function requireHostLinkAsync(pod: PodInterface): Promise<Link> {
  return ofPod(pod, await linkAsync(undefined, pod.hostIndex));
}

function ofPod(pod: PodInterface, found: Link | undefined): Link {
  if (found?.name === pod.hostName) return found;
  throw new HostError(
    "ERR_INTERFACE_GONE",
    `interface ${pod.hostIndex} (${pod.hostName}) is ${found ? `${found.name} by now` : "gone"}: the pod has been deleted or ` +
      "restarted, wait for its new interface",
  );
}

/** Whether a pod's interface is not there any more: its namespace, or the outer end of its veth. */
export function isGone(pod: PodInterface): boolean {
  try {
    requireNetns(pod)[Symbol.dispose]();
    requireHostLink(pod);
    return false;
  } catch (error) {
    if (errorCode(error) === "ERR_INTERFACE_GONE") return true;
    throw error;
  }
}

/**
 * The bridge that the outer end of a pod's veth is a port of: what the pod exchanges with others there is switched and meets no rule of routing. Undefined where
 * the node routes. Throws `ERR_INTERFACE_GONE`.
 */
export function bridgeOf(pod: PodInterface): Link | undefined {
  const { master } = requireHostLink(pod);
  const found = master === undefined ? undefined : link(undefined, master);
  return found?.kind === "bridge" ? found : undefined;
}
