import { FAMILIES, type Family, type LabHost, type LabPod } from "@millrace/conformance";
import { expect } from "vitest";
import { type Cluster, SERVER_PORT } from "./cluster.ts";

/** New connections from the pod to the world, one in each family: the world sees the pod, and the proxy had each of them once. */
export async function expectCaptured(cluster: Cluster, pod: LabPod, port = SERVER_PORT): Promise<void> {
  for (const family of FAMILIES) {
    const before = cluster.proxy.mark();
    const sourcePort = await dial(cluster, pod, family, port, "captured");
    // By its port: others of the pod's may be made at the same time.
    const one = { frontend: "outbound", source: pod.address(family), sourcePort } as const;
    const taken = await cluster.proxy.awaitRecords(one, before);
    expect(taken, `of ${pod.name} by IPv${family}`).toMatchObject([{ destinationPort: port }]);
  }
}

/** The same past the proxy. */
export async function expectUntouched(cluster: Cluster, pod: LabPod, port = SERVER_PORT): Promise<void> {
  for (const family of FAMILIES) await dial(cluster, pod, family, port, "direct");
}

/** New connections of the pod fail in both families: nothing leaves it past the proxy either. */
export async function expectCutOff({ world }: Cluster, pod: LabPod): Promise<void> {
  const client = await pod.endpoint();
  for (const family of FAMILIES) {
    const outcome = await client.ask("report", { host: world.address(family), port: SERVER_PORT, timeoutMs: 1_000 });
    expect(outcome, `of ${pod.name} by IPv${family}`).toMatchObject({ ok: false, received: 0 });
  }
}

/** From the world to a member: the proxy had the connection, as an inbound one. */
export async function expectCapturedInbound(cluster: Cluster, pod: LabPod): Promise<void> {
  await (await pod.endpoint()).listen(SERVER_PORT);
  const client = await cluster.world.endpoint();
  for (const family of FAMILIES) {
    const before = cluster.proxy.mark();
    const outcome = await client.ask("report", { host: pod.address(family), port: SERVER_PORT });
    expect(outcome).toMatchObject({ ok: true, value: { peer: cluster.world.address(family) } });
    const taken = await cluster.proxy.awaitRecords({ frontend: "inbound", destination: pod.address(family) }, before);
    expect(taken).toHaveLength(1);
  }
}

/**
 * The proxy speaks in the pod's name, but from a port of its own: that is how the world's view tells which way a connection came. Resolves
 * to the pod's own port.
 */
async function dial(
  { world }: { readonly world: LabHost },
  pod: LabPod,
  family: Family,
  port: number,
  way: "captured" | "direct",
): Promise<number> {
  const client = await pod.endpoint();
  const outcome = await client.ask("report", { host: world.address(family), port });
  expect(outcome, `of ${pod.name} by IPv${family}`).toMatchObject({ ok: true, value: { peer: pod.address(family) } });
  if (!outcome.ok) throw new Error(outcome.failure);
  const came = outcome.value.peerPort === outcome.localPort ? "direct" : "captured";
  expect(came, `connection of ${pod.name} by IPv${family}`).toBe(way);
  return outcome.localPort;
}
