import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { containerOf, only, podOf } from "../testing/objects.test.kit.ts";
import { render } from "./render.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-node-proxy-"));
afterAll(() => rmSync(directory, { recursive: true }));

const objects = () => render({ values: { "nodeProxy.enabled": true, "nodeProxy.drainSeconds": 90 } });

/** HAProxy's own check of the file, with the environment that the pod gives it: its warnings, nothing if it has none. */
function check(config: string, ownAddresses: string): string {
  const file = join(directory, "haproxy.cfg");
  writeFileSync(file, config);
  const environment = z
    .array(z.object({ name: z.string(), value: z.string().optional() }))
    .parse(containerOf(only(objects(), "DaemonSet", "millrace-node-proxy")).env)
    .flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]));
  const env = { ...Object.fromEntries(environment), OWN_ADDRESSES: ownAddresses };
  return execFileSync(process.env.MILLRACE_HAPROXY ?? "haproxy", ["-c", "-q", "-f", file], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

const config = () =>
  z.looseObject({ data: z.record(z.string(), z.string()) }).parse(only(objects(), "ConfigMap", "millrace-node-proxy"))
    .data["haproxy.cfg"] ?? "";

test.each(["198.18.1.5", "2001:2::5", "198.18.1.5 2001:2::5"])(
  "HAProxy takes its configuration in a pod with %s",
  (own) => {
    expect(check(config(), own)).toBe("");
  },
);

test("and would not take a mistake in it, or an address that is none", () => {
  expect(() => check(config().replace("usesrc clientip", "usesrc clientipp"), "198.18.1.5")).toThrow(/clientipp/);
  expect(() => check(config(), "198.18.1.5,2001:2::5")).toThrow(/198\.18\.1\.5,2001:2::5/);
});

test("it needs nothing of the node, and one capability", () => {
  const daemonSet = only(objects(), "DaemonSet", "millrace-node-proxy");
  expect(podOf(daemonSet)).not.toHaveProperty("hostNetwork");
  expect(podOf(daemonSet).volumes.filter(({ hostPath }) => hostPath !== undefined)).toEqual([]);
  expect(containerOf(daemonSet).securityContext.capabilities.add).toEqual(["NET_RAW"]);
});

test("the new one comes first, and the old one gets its time", () => {
  const spec = only(objects(), "DaemonSet", "millrace-node-proxy").spec;
  expect(spec).toMatchObject({
    updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    template: { spec: { terminationGracePeriodSeconds: 95 } },
  });
  expect(JSON.stringify(spec)).toContain("kill -USR1 1");
});
