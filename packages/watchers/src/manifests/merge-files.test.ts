import { inputs } from "@millrace/core";
import { expect, test } from "vitest";
import type { ObservedInput } from "../objects/observed.ts";
import { mergeFiles } from "./merge-files.ts";
import type { ManifestObject } from "./parse-manifest.ts";

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
