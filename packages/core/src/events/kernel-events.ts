import { z } from "zod";
import { addresses, count, mac, text } from "./fields.ts";

/** How a pod's interface was found: told by the CNI plugin, or discovered from a host route, a veth's peer or a process's netns. */
export const interfaceSource = z.enum(["cni", "route", "peer", "proc"]);
export type InterfaceSource = z.output<typeof interfaceSource>;

/** What the kernel and the container runtime say about pods' interfaces and the node's addresses. */
export const kernelEvents = {
  "host.addresses": z.strictObject({
    /** Every address that is local to the node's network namespace, except 127.0.0.0/8 and ::1. */
    addresses,
  }),
  "interface.added": z.strictObject({
    containerId: text,
    /** Pod UID. */
    uid: text,
    namespace: text,
    name: text,
    /** Absolute path of a file that refers to the pod's network namespace. */
    netns: text,
    netnsInode: count,
    /** Inner end, usually `eth0`. */
    ifName: text,
    /** Ethernet address of the inner end. */
    mac,
    /** Outer end, in the node's namespace. */
    hostIfName: text,
    hostIfIndex: count,
    addresses,
    source: interfaceSource,
  }),
  "interface.removed": z.strictObject({ containerId: text, uid: text }),
  "discovery.failed": z.strictObject({
    uid: text,
    attempts: z.array(z.strictObject({ method: text, outcome: text })),
  }),
  "link.changed": z.strictObject({ ifindex: count, name: text, change: z.enum(["added", "removed"]) }),
} as const;
