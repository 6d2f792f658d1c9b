import { z } from "zod";
import { FAMILIES } from "../lab/addresses.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { countIn, type PacketCounter } from "./packet-counter.ts";

const SYN = "tcp flags & (syn | ack) == syn";

/**
 * Counts connections that leave a pod past the proxy: its SYNs that the node forwards from its veth out of the node, or to other pods that
 * are no proxies. What a backend redirects does not come this way, or goes to a proxy or a tunnel.
 */
export async function countEscapes(
  node: LabNode,
  from: LabPod,
  others: readonly LabPod[] = [],
): Promise<PacketCounter> {
  const { namespace } = node;
  const device = node.deviceOf(from);
  const ports = others.map((pod) => `"${pod.hostInterface}"`);
  if (device === from.hostInterface) {
    return countIn(
      namespace,
      "inet",
      `iifname "${device}" oifname { ${['"eth0"', ...ports].join(", ")} } ${SYN}`,
      "forward",
    );
  }
  // On a bridge the proxy, which speaks in the pod's name, comes in by the same interface; and what the bridge passes on is not routed.
  const sender = `ether saddr ${await macOf(from)}`;
  const counters = [await countIn(namespace, "inet", `${sender} oifname "eth0" ${SYN}`, "forward")];
  if (others.length > 0) {
    for (const family of FAMILIES) {
      const to = `${family === 4 ? "ip" : "ip6"} daddr { ${others.map((pod) => pod.address(family)).join(", ")} }`;
      counters.push(await countIn(namespace, "inet", `${sender} oifname "${device}" ${to} ${SYN}`, "forward"));
    }
    const ways = `iifname "${from.hostInterface}" oifname { ${ports.join(", ")} }`;
    counters.push(await countIn(namespace, "bridge", `${ways} meta protocol { ip, ip6 } ${SYN}`, "forward"));
  }
  return {
    count: async () => (await Promise.all(counters.map((counter) => counter.count()))).reduce((sum, n) => sum + n, 0),
    [Symbol.asyncDispose]: async () => {
      for (const counter of counters) await counter[Symbol.asyncDispose]();
    },
  };
}

const Links = z.tuple([z.looseObject({ address: z.string() })]);

async function macOf({ namespace }: LabPod): Promise<string> {
  const listed = await namespace.runChecked("ip", ["-j", "link", "show", "eth0"]);
  const [{ address }] = Links.parse(JSON.parse(listed));
  return address;
}
