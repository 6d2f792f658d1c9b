import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { haproxyBinary } from "@millrace/conformance";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { containerOf, only, podOf } from "../testing/objects.test.kit.ts";
import { render } from "./render.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-node-proxy-"));
afterAll(() => rmSync(directory, { recursive: true }));

const objects = () => render({ values: { "nodeProxy.enabled": true, "nodeProxy.drainSeconds": 90 } });

/** What HAProxy's own check finds in the file, with the environment that the pod gives it. */
function complaints(config: string, ownAddresses: string): readonly string[] {
  const file = join(directory, "haproxy.cfg");
  writeFileSync(file, config);
  const environment = z
    .array(z.object({ name: z.string(), value: z.string().optional() }))
    .parse(containerOf(only(objects(), "DaemonSet", "millrace-node-proxy")).env)
    .flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]));
  const env = { ...Object.fromEntries(environment), OWN_ADDRESSES: ownAddresses };
  const { stderr, error } = spawnSync(haproxyBinary(), ["-c", "-f", file], {
    env,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  return stderr.split("\n").filter((line) => /WARNING|ALERT/.test(line));
}

const config = () =>
  z.looseObject({ data: z.record(z.string(), z.string()) }).parse(only(objects(), "ConfigMap", "millrace-node-proxy"))
    .data["haproxy.cfg"] ?? "";

test.each(["198.18.1.5", "2001:2::5", "198.18.1.5 2001:2::5"])(
  "HAProxy takes its configuration in a pod with %s",
  (own) => {
    expect(complaints(config(), own)).toEqual([]);
  },
);

test("and would not take a mistake in it, or an address that is none", () => {
  const mistaken = config().replace("usesrc clientip", "usesrc clientipp");
  expect(complaints(mistaken, "198.18.1.5").join("\n")).toMatch(/clientipp/);
  expect(complaints(config(), "198.18.1.5,2001:2::5").join("\n")).toContain("198.18.1.5,2001:2::5");
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
