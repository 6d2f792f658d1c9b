import { inputs } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { observedPod as pod } from "../testing/observed-pod.test.kit.ts";
import { difference, type ObjectSet, ToldObjects } from "./object-set.ts";
import type { ObservedInput } from "./observed.ts";

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

test("remembers what was told and tells only what is news, one object at a time or all at once", () => {
  const objects = new ToldObjects();
  expect(objects.put(pod("a"))).toEqual([pod("a")]);
  expect(objects.put(pod("a"))).toEqual([]);
  expect(objects.put(pod("a", "Failed"))).toEqual([pod("a", "Failed")]);
  expect(objects.replace(set(pod("a", "Failed"), pod("b")))).toEqual([pod("b")]);
  expect(objects.remove("pod/b")).toEqual([inputs.podRemoved("b")]);
  expect(objects.remove("pod/b")).toEqual([]);
  expect(objects.replace(set())).toEqual([inputs.podRemoved("a")]);
  expect(objects.size).toBe(0);
});
