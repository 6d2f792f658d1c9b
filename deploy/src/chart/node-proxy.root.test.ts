import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { behaviours, haproxyBinary, runSuite, type TrialResult } from "@millrace/conformance";
import { afterAll, expect, test, vi } from "vitest";
import { containerOf, only } from "../testing/objects.test.kit.ts";
import { render } from "./render.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-node-proxy-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

/** A HAProxy that has these capabilities and no others, where the lab looks for one. */
function allowHaproxy(capabilities: readonly string[]): void {
  const bounding = ["-all", ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(",");
  const wrapper = join(directory, "haproxy");
  const real = haproxyBinary();
  writeFileSync(wrapper, `#!/bin/sh\nexec setpriv --bounding-set=${bounding} -- ${real} "$@"\n`, { mode: 0o755 });
  vi.stubEnv("MILLRACE_HAPROXY", wrapper);
}

async function capture(
  capabilities: readonly string[],
  families: readonly (4 | 6)[] = [4, 6],
): Promise<readonly TrialResult[]> {
  vi.unstubAllEnvs();
  allowHaproxy(capabilities);
  const chosen = behaviours.filter(({ id }) => id === "outbound-tcp" || id === "inbound-plaintext");
  const { results } = await runSuite({
    backend: "ebpf",
    backendConfig: { attach: "clsact" },
    plugins: [],
    prefix: "mrnp",
    behaviours: chosen,
    families,
    temperatures: ["cold"],
  });
  return results;
}

test("HAProxy proxies transparently with what the chart lets it do", { timeout: 120_000 }, async () => {
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
