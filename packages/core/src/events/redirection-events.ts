import { z } from "zod";
import { address, count, mac, milliseconds, phrases, text } from "./fields.ts";
import { placement } from "./switch-events.ts";

const addressList = z.array(address);

const podInterface = z.strictObject({
  netns: text,
  netnsInode: count,
  name: text,
  mac,
  hostName: text,
  hostIndex: count,
});

const ports = z.array(z.int().min(1).max(65_535));

/** The contract's {@link Exclusions}. */
const exclusions = z.strictObject({
  outboundPorts: ports,
  outboundCidrs: z.array(text),
  inboundPorts: ports,
  inboundCidrs: z.array(text),
});

/** The contract's {@link Workload}, as an intent carries it. */
export const workloadSpec = z.strictObject({
  uid: text,
  namespace: text,
  name: text,
  addresses: addressList,
  interface: podInterface,
  enrolExisting: z.enum(["drain", "reset"]),
  dnsCapture: z.boolean(),
  exclusions,
  acceleration: z.exactOptional(z.literal(true)),
  placement: z.exactOptional(placement),
});

/** The contract's {@link NodeProxy}, as an intent carries it. */
export const nodeProxySpec = z.strictObject({
  uid: text,
  key: text,
  namespace: text,
  name: text,
  addresses: addressList,
  interface: podInterface,
});

/** The contract's {@link UsedProxy}. */
const usedProxy = z.strictObject({
  key: text,
  role: z.enum(["active", "draining"]),
  name: text,
  interface: podInterface,
});

export const proxiesSpec = z.strictObject({
  active: z.exactOptional(nodeProxySpec),
  draining: z.array(nodeProxySpec),
  placement: z.exactOptional(placement),
});
export const nodeSpec = z.strictObject({ addresses: addressList });
export const removeSpec = z.strictObject({ uid: text });

export const action = z.enum(["apply", "remove", "use-proxies", "use-node"]);
export type Action = z.output<typeof action>;

/** `seq` of the event that the intent answers. */
const cause = count;

export const requested = z.discriminatedUnion("action", [
  z.strictObject({ cause, action: z.literal("apply"), spec: workloadSpec }),
  z.strictObject({ cause, action: z.literal("remove"), spec: removeSpec }),
  z.strictObject({ cause, action: z.literal("use-proxies"), spec: proxiesSpec }),
  z.strictObject({ cause, action: z.literal("use-node"), spec: nodeSpec }),
]);

const outcome = {
  /** `seq` of the intent that this is the outcome of. */
  generation: count,
  durationMs: milliseconds,
  /** 1 for the first try. */
  attempt: z.int().positive(),
};

/** The intent, its outcomes, and what observing the kernel found. */
export const redirectionEvents = {
  "redirection.requested": requested,
  "redirection.applied": z.strictObject({ action: z.enum(["apply", "use-proxies", "use-node"]), ...outcome }),
  "redirection.removed": z.strictObject({ action: z.literal("remove"), ...outcome }),
  "redirection.failed": z.strictObject({
    action,
    ...outcome,
    error: z.strictObject({ code: text, message: z.string() }),
  }),
  "drift.found": z.strictObject({ problems: phrases.min(1) }),
  "drift.mended": z.strictObject({ problems: phrases }),
  /** What a backend was found to send to when it was opened. The active one, if there is one, is the first. */
  "proxies.found": z.strictObject({ proxies: z.array(usedProxy) }),
  "resync.due": z.strictObject({ delayMs: milliseconds }),
  "retry.due": z.strictObject({ attempt: z.int().positive(), delayMs: milliseconds }),
} as const;
