import { inputs } from "@millrace/core";
import { expect, test } from "vitest";
import { difference, mergeFiles, type ObjectSet } from "./object-set.ts";
import type { ManifestObject, ObservedInput } from "./parse-manifest.ts";

const pod = (uid: string, phase: "Running" | "Failed" = "Running"): ObservedInput =>
  inputs.podObserved({
    uid,
    namespace: "shop",
    name: uid,
    nodeName: "n1",
    labels: {},
    annotations: {},
    hostNetwork: false,
    phase,
    ready: true,
    terminating: false,
    addresses: [],
    createdAt: "2026-01-01T00:00:00.000Z",
  });
const namespace = (name: string) => inputs.namespaceObserved({ name, labels: {} });
const node = inputs.nodeObserved({ name: "n1", addresses: [] });
const set = (...list: ObservedInput[]): ObjectSet => new Map(list.map((input) => [input.subject, input]));
const told = (before: ObjectSet, after: ObjectSet) =>
  difference(before, after).map(({ type, subject }) => `${type} ${subject}`);

test("says only what differs, namespaces before pods and gone pods before gone namespaces", () => {
  expect(told(set(), set(pod("b"), pod("a"), node, namespace("shop")))).toEqual([
    "namespace.observed namespace/shop",
    "node.observed node",
    "pod.observed pod/a",
    "pod.observed pod/b",
  ]);
  expect(told(set(pod("a"), namespace("shop"), node), set(pod("a", "Failed")))).toEqual([
    "namespace.removed namespace/shop",
    "pod.observed pod/a",
  ]);
  expect(told(set(namespace("shop"), pod("a")), set())).toEqual([
    "pod.removed pod/a",
    "namespace.removed namespace/shop",
  ]);
  expect(told(set(pod("a")), set(pod("a")))).toEqual([]);
});

test("of an object in two files the first file's wins, whatever order they were read in", () => {
  const at = (input: ObservedInput, line: number): ManifestObject => ({ input, line });
  const files = new Map([
    ["b.yaml", [at(pod("x", "Failed"), 4)]],
    ["a.yaml", [at(pod("x"), 1), at(pod("x", "Failed"), 9)]],
  ]);
  const { objects, duplicates } = mergeFiles(files);
  expect([...objects.values()]).toEqual([pod("x")]);
  expect(duplicates).toEqual([
    { subject: "pod/x", kept: "a.yaml:1", ignored: "a.yaml:9" },
    { subject: "pod/x", kept: "a.yaml:1", ignored: "b.yaml:4" },
  ]);
});
