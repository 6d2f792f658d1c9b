import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { behaviours, haproxyBinary, runSuite, type TrialResult } from "@millrace/conformance";
import { afterAll, expect, test, vi } from "vitest";
import { containerOf, only } from "../testing/objects.test.kit.ts";
import { CHART } from "./places.ts";
import { render } from "./render.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-node-proxy-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

/**
 * HAProxy as the chart runs it, where the lab looks for one: with its configuration, and with these capabilities and no others. The
 * lab's own file, `haproxy -db -f FILE`, is asked for the pod's addresses only.
 */
function chartHaproxy(capabilities: readonly string[]): void {
  const bounding = ["-all", ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(",");
  const wrapper = join(directory, "haproxy");
  const lines = [
    "#!/bin/sh",
    "export THREADS=2 MAX_CONNECTIONS=1000 DRAIN_SECONDS=10",
    `export OWN_ADDRESSES="$(sed -n 's/.*reject if { dst \\(.*\\) }$/\\1/p' "$3" | head -n 1)"`,
    `exec setpriv --bounding-set=${bounding} -- ${haproxyBinary()} -db -f ${join(CHART, "files/haproxy.cfg")}`,
  ];
  writeFileSync(wrapper, `${lines.join("\n")}\n`, { mode: 0o755 });
  vi.stubEnv("MILLRACE_HAPROXY", wrapper);
}

async function capture(
  capabilities: readonly string[],
  families: readonly (4 | 6)[] = [4, 6],
): Promise<readonly TrialResult[]> {
  vi.unstubAllEnvs();
  chartHaproxy(capabilities);
  const chosen = behaviours.filter(({ id }) => id === "outbound-tcp" || id === "inbound-plaintext");
  const { results, logFailures } = await runSuite({
    backend: "ebpf",
    backendConfig: { attach: "clsact" },
    plugins: [],
    prefix: "mrnp",
    behaviours: chosen,
    families,
    temperatures: ["cold"],
  });
  expect(logFailures).toEqual([]);
  return results;
}

test("HAProxy is a node proxy with the configuration and the one capability that it has from the chart", {
  timeout: 120_000,
}, async () => {
  const { add } = containerOf(
    only(render({ values: { "nodeProxy.enabled": true } }), "DaemonSet", "millrace-node-proxy"),
  ).securityContext.capabilities;
  const results = await capture(add);
  expect(results.filter(({ passed }) => !passed)).toEqual([]);
  expect(results).toHaveLength(4);
});

test("and not without: a client's IPv4 address takes IP_TRANSPARENT", { timeout: 120_000 }, async () => {
  // With IPv6 HAProxy falls back to IPV6_FREEBIND, which asks for nothing.
  const results = await capture([], [4]);
  expect(results.filter(({ passed }) => passed)).toEqual([]);
  expect(results).toHaveLength(2);
});
