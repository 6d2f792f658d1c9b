import type { Family } from "../lab/addresses.ts";
import type { LabHost } from "../lab/lab-host.ts";
import type { Expect } from "./expect.ts";
import { SERVER_PORT, type Testbed } from "./testbed.ts";

/** The member m1 connects out, and is connected to: both are captured and complete. */
export async function expectCapturedBothWays(bed: Testbed, family: Family, expect: Expect): Promise<void> {
  await expectCaptured(bed, family, expect, bed.m1, bed.ext, "outbound");
  await expectCaptured(bed, family, expect, bed.ext, bed.m1, "inbound");
}

/** By the client's port: records of connections that were given up before may still come. */
async function expectCaptured(
  bed: Testbed,
  family: Family,
  expect: Expect,
  from: LabHost,
  to: LabHost,
  frontend: "outbound" | "inbound",
): Promise<void> {
  const since = bed.proxy.mark();
  const client = await from.endpoint();
  const outcome = await client.ask("report", { host: to.address(family), port: SERVER_PORT });
  const seen = expect.success(`${from.name} → ${to.name}, mended`, outcome);
  expect.equal(`${to.name} saw`, seen.peer, from.address(family));
  const localPort = outcome.ok ? outcome.localPort : 0;
  expect.that(`${to.name} saw another port than ${from.name}'s own`, seen.peerPort !== localPort, seen.peerPort);
  const own = { source: from.address(family), sourcePort: localPort };
  const records = await bed.proxy.awaitRecords(own, since);
  expect.equal(
    "the proxy saw it on",
    records.map((record) => record.frontend),
    [frontend],
  );
}

export type Dialled = "captured" | "failed" | "escaped";

/** The same, whatever comes of it. */
export function dialBothWays(bed: Testbed, family: Family): Promise<Dialled[]> {
  return Promise.all([dial(family, bed.m1, bed.ext), dial(family, bed.ext, bed.m1)]);
}

/** A proxy that speaks for a client does so from a port of its own choice: the server tells whether it was the proxy. */
async function dial(family: Family, from: LabHost, to: LabHost): Promise<Dialled> {
  const client = await from.endpoint();
  const outcome = await client.ask("report", { host: to.address(family), port: SERVER_PORT, timeoutMs: 200 });
  if (!outcome.ok) return "failed";
  return outcome.value.peerPort === outcome.localPort ? "escaped" : "captured";
}
