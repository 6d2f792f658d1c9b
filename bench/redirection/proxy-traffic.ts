import type { Namespace } from "@millrace/conformance";
import type { ProxyTraffic } from "./sample.ts";

/** What the kernel of a network namespace has counted since it was made. */
export async function proxyTraffic(namespace: Namespace): Promise<ProxyTraffic> {
  const text = await namespace.runChecked("cat", ["/proc/net/snmp", "/proc/net/netstat"]);
  return { accepted: counter(text, "Tcp", "PassiveOpens"), bytes: counter(text, "IpExt", "InOctets") };
}

/** Pairs of lines: names, and the values in the same order. Throws RangeError when there is no such counter. */
export function counter(text: string, group: string, name: string): number {
  const [names, values] = text
    .split("\n")
    .filter((line) => line.startsWith(`${group}: `))
    .map((line) => line.split(" "));
  const value = values?.[names?.indexOf(name) ?? -1];
  if (value === undefined) throw new RangeError(`the kernel has no counter ${group} ${name}`);
  return Number(value);
}
