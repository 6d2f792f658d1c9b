import type { AgentStatus } from "../agent/status.ts";
import type { PodOptions } from "../lab/lab-pod.ts";
import type { PodManifestOptions } from "../lab/manifests.ts";
import { within } from "../slow.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { contact, expectCaptured, expectUntouched } from "../suite/contact.ts";
import { NAMESPACES, SERVER_PORT, serve } from "../suite/testbed.ts";

/** Pods of the node in all; the fixture's own and the ineligible ones are among them. */
const PODS = 300;

/** Pods that are not to be enrolled, each for another reason. */
const INELIGIBLE: readonly { readonly pod: PodOptions; readonly manifest?: Partial<PodManifestOptions> }[] = [
  { pod: { name: "host", namespace: NAMESPACES.mesh }, manifest: { hostNetwork: true } },
  { pod: { name: "sidecar", namespace: NAMESPACES.mesh, annotations: { "sidecar.istio.io/status": "{}" } } },
  { pod: { name: "opt-out", namespace: NAMESPACES.mesh, annotations: { "ambient.istio.io/redirection": "disabled" } } },
  { pod: { name: "opt-out-own", namespace: NAMESPACES.mesh, annotations: { "millrace.dev/redirection": "disabled" } } },
  { pod: { name: "excluded", namespace: "kube-system" } },
  { pod: { name: "no-address", namespace: NAMESPACES.mesh }, manifest: { addresses: [], phase: "Pending" } },
  { pod: { name: "ended", namespace: NAMESPACES.mesh }, manifest: { phase: "Succeeded" } },
];

export default defineBehaviour({
  id: "scale-and-exclusion",
  number: 30,
  title: "Of three hundred pods exactly those that are to be members are",
  given:
    "300 pods on the node, among them one on the host's network, one with a sidecar, two that opted out, one of an excluded namespace that is labelled, one without an address, one that has ended, the proxy and plain ones",
  when: "the agent reconciles, and is started again",
  outcome:
    "exactly the eligible ones are enrolled; members are captured, the others untouched; a restart changes nothing of that",
  bed: "own",
  async run(trial) {
    const { bed, expect, temperature } = trial;
    const already = bed.node.pods.length >= PODS;
    if (!already) await populate(trial);
    else if (temperature === "warm") {
      // Not reconfigure(): it publishes all pods again, those that are not usual ones as if they were.
      await bed.agent.stop();
      await bed.agent.restart();
    }
    const wanted = eligible(trial);
    const started = performance.now();
    const status = await bed.agent.until(
      "enrolment of all",
      (seen) => enrolled(seen).length >= wanted.length,
      within(120_000),
    );
    if (!already)
      expect.note("milliseconds from the last manifest to the last enrolment", Math.round(performance.now() - started));
    expect.equal("enrolled but not eligible, or the reverse", difference(enrolled(status), wanted), []);
    expect.note("enrolled", wanted.length);
    await sample(trial);
  },
});

async function populate(trial: Trial): Promise<void> {
  const { bed } = trial;
  const { node } = bed;
  const ineligible = await node.addPods(...INELIGIBLE.map(({ pod }) => pod));
  const count = PODS - node.pods.length;
  const members = await node.addPods(
    ...Array.from({ length: count }, (_, index) => ({ name: `w${index}`, namespace: NAMESPACES.mesh })),
  );
  node.applyNamespace("kube-system", { "istio.io/dataplane-mode": "ambient" });
  for (const [index, pod] of ineligible.entries()) node.applyPod(pod, INELIGIBLE[index]?.manifest ?? {});
  for (const pod of members) node.applyPod(pod);
  await Promise.all([...members.slice(0, 1), ...members.slice(-1), ...ineligible].map(serve));
}

/** Names of the members: the fixture's and the numbered ones. */
const eligible = ({ bed }: Trial): string[] =>
  bed.node.pods
    .map(({ name }) => name)
    .filter((name) => /^(m1|m2|w\d+)$/.test(name))
    .sort();

const enrolled = (status: AgentStatus): string[] =>
  status.workloads
    .filter(({ state }) => state === "enrolled")
    .map(({ name }) => name)
    .sort();

const difference = (seen: readonly string[], wanted: readonly string[]): string[] => [
  ...seen.filter((name) => !wanted.includes(name)).map((name) => `+${name}`),
  ...wanted.filter((name) => !seen.includes(name)).map((name) => `-${name}`),
];

/** The first and the last member are captured, and nobody who is not one. */
async function sample(trial: Trial): Promise<void> {
  const { bed, family } = trial;
  const numbered = bed.node.pods.filter(({ name }) => /^w\d+$/.test(name));
  const members = [...numbered.slice(0, 1), ...numbered.slice(-1)];
  const out = { host: bed.ext.address(family), port: SERVER_PORT };
  for (const pod of members) {
    const made = await contact(trial, pod, out);
    await expectCaptured(trial, made, { frontend: "outbound", source: pod.address(family), destination: out });
  }
  const others = INELIGIBLE.map(({ pod }) => bed.lab.pod(pod.name));
  for (const pod of others) await expectUntouched(trial, await contact(trial, pod, out));
}
