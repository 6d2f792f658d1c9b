import { parseConfiguration } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { pluginEntry } from "./entry.ts";

test("the entry as the agent's defaults make it", () => {
  expect(pluginEntry(parseConfiguration({}))).toEqual({
    type: "millrace",
    socket: "/run/millrace/cni.sock",
    failurePolicy: "closed",
    excludeNamespaces: ["istio-system", "kube-system", "millrace-system"],
    agent: { namespace: "millrace-system", podNamePrefix: "millrace-agent-" },
    deadlineSeconds: 15,
    logLevel: "info",
  });
});

test("what the agent may be set to and the plugin does not take becomes what it takes", () => {
  const entry = (deadlineSeconds: number, level: string) =>
    pluginEntry(parseConfiguration({ cni: { deadlineSeconds }, log: { level } }));
  expect(entry(0.2, "trace")).toMatchObject({ deadlineSeconds: 6, logLevel: "debug" });
  expect(entry(86_400, "silent")).toMatchObject({ deadlineSeconds: 300, logLevel: "error" });
});
