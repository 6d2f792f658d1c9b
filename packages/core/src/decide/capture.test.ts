import { describe, expect, test } from "vitest";
import { decisionConfiguration } from "../configuration/decision.ts";
import { inputs } from "../events/inputs.ts";
import { describeWorkload } from "../status/describe.ts";
import { replayed } from "../testing/replayed.ts";
import {
  brief,
  configuration,
  meshNamespace,
  NODE,
  pod,
  Scenario,
  synced,
  veth,
  workload,
} from "../testing/scenario.ts";
import { captureOf } from "./capture.ts";

const NONE = { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] };

test.each([
  [{}, false, false],
  [{}, true, true],
  [{ "ambient.istio.io/dns-capture": "true" }, false, true],
  [{ "ambient.istio.io/dns-capture": "false" }, true, false],
  [{ "millrace.dev/dns-capture": "true" }, false, true],
  [{ "millrace.dev/dns-capture": "false" }, true, false],
  [{ "ambient.istio.io/dns-capture": "true", "millrace.dev/dns-capture": "false" }, false, false],
  [{ "ambient.istio.io/dns-capture": "false", "millrace.dev/dns-capture": "true" }, false, true],
])("annotations %j on a node with dnsCapture %j: %j", (annotations, node, dnsCapture) => {
  expect(captureOf(annotations, node)).toEqual({ dnsCapture, exclusions: NONE, problems: [] });
});

test("where an annotation cannot be read, the next one or the node's choice stands, and it is told", () => {
  const problem = (key: string) => `annotation ${key} is "yes", not true or false`;
  const ours = { "millrace.dev/dns-capture": "yes" };
  expect(captureOf(ours, true)).toMatchObject({ dnsCapture: true, problems: [problem("millrace.dev/dns-capture")] });
  const both = { ...ours, "ambient.istio.io/dns-capture": "false" };
  expect(captureOf(both, true)).toMatchObject({ dnsCapture: false, problems: [problem("millrace.dev/dns-capture")] });
});

describe("a member", () => {
  const startedWith = (dnsCapture: boolean) =>
    inputs.agentStarted({
      version: "1.0.0",
      node: NODE,
      config: { ...decisionConfiguration(configuration, ["manifests"]), dnsCapture },
    });
  const running = (dnsCapture: boolean, annotations: Record<string, string> = {}) => {
    const run = new Scenario();
    const intents = run.feed(startedWith(dnsCapture), synced, meshNamespace(), veth(1), pod(1, { annotations }));
    return { run, intents };
  };
  const specOf = (run: Scenario) => run.state.requested.get(workload(1))?.spec;

  test("has the node's choice, its own annotations, and its exclusions in what is asked for", () => {
    expect(specOf(running(true).run)).toMatchObject({ dnsCapture: true, exclusions: NONE });
    const annotations = { "millrace.dev/dns-capture": "false", "millrace.dev/exclude-inbound-ports": "9090" };
    expect(specOf(running(true, annotations).run)).toMatchObject({
      dnsCapture: false,
      exclusions: { ...NONE, inboundPorts: [9090] },
    });
  });

  test("is asked for again when an annotation changes what is captured, and only then", () => {
    const { run, intents } = running(false, { "millrace.dev/exclude-inbound-ports": "9090,80" });
    expect(brief(intents)).toContain("workload/uid-1 apply");
    run.succeed(workload(1));
    expect(run.feed(pod(1, { annotations: { "millrace.dev/exclude-inbound-ports": "80, 9090" } }))).toEqual([]);
    expect(brief(run.feed(pod(1, { annotations: { "millrace.dev/exclude-inbound-ports": "80" } })))).toEqual([
      "workload/uid-1 apply",
    ]);
    expect(specOf(run)).toMatchObject({ exclusions: { ...NONE, inboundPorts: [80] } });
    expect(brief(run.feed(pod(1, { annotations: { "ambient.istio.io/dns-capture": "true" } })))).toEqual([
      "workload/uid-1 apply",
    ]);
  });

  test("shows what of its annotations cannot be read as its problem, and is captured", () => {
    const annotations = { "millrace.dev/exclude-outbound-ports": "http", "millrace.dev/dns-capture": "maybe" };
    const { run } = running(false, annotations);
    expect(specOf(run)).toMatchObject({ dnsCapture: false, exclusions: NONE });
    expect(describeWorkload(run.state, "uid-1")).toMatchObject({
      membership: "member",
      problems: [
        'annotation millrace.dev/dns-capture is "maybe", not true or false',
        'annotation millrace.dev/exclude-outbound-ports: "http" is no TCP port (1 to 65535) and excludes nothing',
      ],
    });
    run.feed(pod(1, { annotations: { ...annotations, "millrace.dev/redirection": "disabled" } }));
    expect(describeWorkload(run.state, "uid-1")).toMatchObject({ membership: "not-member", problems: [] });
  });

  test("is decided about in a replay as it was, byte for byte", () => {
    const { run } = running(true, {
      "millrace.dev/exclude-outbound-cidrs": "198.18.0.1/15",
      "millrace.dev/exclude-inbound-ports": "x,1",
    });
    expect(replayed(run.records).differences).toEqual([]);
  });
});

test("a pod is accelerated that asks for it, and what cannot be read asks for nothing", () => {
  const asked = (value: string) => captureOf({ "millrace.dev/acceleration": value }, false);
  expect(asked("sockmap")).toMatchObject({ acceleration: true, problems: [] });
  expect(asked("off")).toEqual(captureOf({}, false));
  const problems = ['annotation millrace.dev/acceleration is "yes", not sockmap or off'];
  expect(asked("yes")).toEqual({ ...captureOf({}, false), problems });
});
