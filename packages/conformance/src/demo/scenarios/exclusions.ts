import { FAMILIES } from "../../lab/addresses.ts";
import type { LabHost } from "../../lab/lab-host.ts";
import type { LabPod } from "../../lab/lab-pod.ts";
import { expectSame, type Scenario } from "../scenario.ts";
import { PORTS, type Stage } from "../stage.ts";
import { annotate } from "./annotate.ts";
import { withoutProxies } from "./untouched.ts";

/** A second port of the servers: the one that is excluded. */
const EXCLUDED = 8081;

interface Way {
  readonly pod: LabPod;
  readonly annotation: string;
  readonly from: LabHost;
  readonly to: LabPod;
  readonly frontend: "outbound" | "inbound";
}

async function excluded(stage: Stage, { pod, annotation, from, to, frontend }: Way): Promise<string[]> {
  await (await to.endpoint()).ask("listenOnce", { port: EXCLUDED });
  await annotate(stage, pod, { [annotation]: String(EXCLUDED) });
  const evidence = [`${pod.name} has ${annotation}: "${EXCLUDED}"`];
  try {
    for (const family of FAMILIES) {
      const seen = await withoutProxies(stage, () => stage.get(from, to.address(family), EXCLUDED));
      expectSame("the server's peer", seen.peer, from.address(family));
      const mark = stage.proxy(1).mark();
      await stage.get(from, to.address(family));
      const taken = await stage.proxy(1).awaitRecords({ frontend, source: from.address(family) }, mark);
      expectSame(`connections to port ${PORTS.http} that the proxy took`, taken.length, 1);
    }
    evidence.push(
      `${from.name} → ${to.name} port ${EXCLUDED}: no proxy, both families; port ${PORTS.http}: ${frontend}`,
    );
  } finally {
    await annotate(stage, pod, {});
  }
  const mark = stage.proxy(1).mark();
  await stage.get(from, to.address(6), EXCLUDED);
  await stage.proxy(1).awaitRecords({ frontend, destinationPort: EXCLUDED }, mark);
  return [...evidence, `without the annotation port ${EXCLUDED} is captured again`];
}

/** What a pod's annotations keep from the proxy. */
export const exclusionScenarios: readonly Scenario[] = [
  {
    name: "exclude-outbound",
    title: "a port that a member excludes is reached without the proxy, all others as before",
    show: (stage) =>
      excluded(stage, {
        pod: stage.cart,
        annotation: "millrace.dev/exclude-outbound-ports",
        from: stage.cart,
        to: stage.db,
        frontend: "outbound",
      }),
  },
  {
    name: "exclude-inbound",
    title: "a port of a member that it excludes is reached without the proxy, all others as before",
    show: (stage) =>
      excluded(stage, {
        pod: stage.web,
        annotation: "millrace.dev/exclude-inbound-ports",
        from: stage.world,
        to: stage.web,
        frontend: "inbound",
      }),
  },
];
